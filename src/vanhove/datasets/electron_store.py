"""How eigenvalues of a plane-wave calculation are stored: compact, in steps of 0.1 meV.

Energies are rounded to `STEP`, lowest first; from band to band only the difference is kept, split
into its lower 16 and upper 8 bits. Mesh points are whole numbers of the steps of the mesh, weights
whole numbers of its points. What is read back is exactly what was stored.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vanhove.errors import DataError

STEP = 1e-4
"""eV. Calculations are converged to a hundred times that."""
PATH_STEP = 1e-6
"""Of fractional coordinates along the path."""
_SCALARS = {
    "n_electrons": np.int32,
    "space_group": np.int16,
    "cutoff_eV": np.int16,
    "fermi_level": np.int32,
    "energy": np.int64,
}


@dataclass(frozen=True, eq=False)
class Record:
    """One calculation. Energies in whole steps of 0.1 meV, absolute.

    Attributes:
        id: of the material.
        lattice: rows, angstrom, ``[3, 3]``; fractional: ``[n_atoms, 3]``; numbers: ``[n_atoms]``.
        n_electrons, space_group, cutoff_eV, fermi_level, energy: whole numbers; the last two, the
            code's Fermi level and the total energy of a cell, in steps.
        divisions: of the mesh, ``[3]``.
        mesh_kpoints: in steps of the mesh, ``[n_k, 3]``; mesh_counts: points that each stands for.
        mesh: increasing, ``[n_k, n_bands]``; path: ``[n_path, n_path_bands]``.
        path_kpoints: fractional in steps of 1e-6, ``[n_path, 3]``.
        path_x: 1/angstrom, float32, ``[n_path]``.
        path_labels: as JSON: the path, positions and names of special points.
    """

    id: str
    lattice: np.ndarray
    fractional: np.ndarray
    numbers: np.ndarray
    n_electrons: int
    space_group: int
    cutoff_eV: int
    fermi_level: int
    energy: int
    divisions: np.ndarray
    mesh_kpoints: np.ndarray
    mesh_counts: np.ndarray
    mesh: np.ndarray
    path: np.ndarray
    path_kpoints: np.ndarray
    path_x: np.ndarray
    path_labels: str


def record_of_label(raw: dict[str, np.ndarray]) -> Record:
    """From what ``scripts/label_electrons.py`` writes for one material.

    Raises:
        DataError: k-points that are no Gamma-centred mesh, or values that are not finite.
    """
    name = str(raw["id"])
    for key in ("eig_mesh", "eig_path", "efermi", "energy", "lattice", "frac"):
        if not np.isfinite(raw[key]).all():
            raise DataError(f"{name}: {key} holds NaN or infinity")
    n_full = int(raw["nk_full"])
    kpoints = np.asarray(raw["kpts_mesh"], dtype=np.float64)
    divisions = _divisions(kpoints, n_full, name)
    shares = np.asarray(raw["weights"]) * n_full
    counts = np.rint(shares).astype(np.int64)
    if counts.sum() != n_full or np.abs(shares - counts).max() > 1e-3:
        raise DataError(f"{name}: weights of the k-points are not shares of {n_full} points")
    text, positions, labels = json.loads(str(raw["path_labels"]))
    return Record(
        id=name,
        lattice=np.asarray(raw["lattice"], dtype=np.float64),
        fractional=np.asarray(raw["frac"], dtype=np.float64),
        numbers=np.asarray(raw["Z"], dtype=np.int64),
        n_electrons=int(raw["nelectrons"]),
        space_group=int(raw["spacegroup"]),
        cutoff_eV=int(raw["ecut_eV"]),
        fermi_level=int(_steps(raw["efermi"])),
        energy=int(_steps(raw["energy"])),
        divisions=divisions,
        mesh_kpoints=np.rint(kpoints * divisions).astype(np.int64),
        mesh_counts=counts,
        mesh=np.sort(_steps(raw["eig_mesh"]), axis=1),
        path=np.sort(_steps(raw["eig_path"]), axis=1),
        path_kpoints=np.rint(np.asarray(raw["kpts_path"], dtype=np.float64) / PATH_STEP).astype(
            np.int64
        ),
        path_x=np.asarray(raw["path_x"], dtype=np.float32),
        path_labels=json.dumps([text, [round(float(x), 6) for x in positions], labels]),
    )


def labels_of_archive(data: dict[str, np.ndarray]) -> list[dict[str, np.ndarray]]:
    """The materials of a file that holds many, one row or stretch of each array for each."""
    atoms = np.cumsum(data["natoms"])[:-1]
    pieces = {name: np.split(data[name], atoms) for name in ("Z", "frac")}
    for kind in ("mesh", "path"):
        shapes = data[f"{kind}_shape"]
        flat = np.split(data[f"eig_{kind}"], np.cumsum(shapes.prod(axis=1))[:-1])
        pieces[f"eig_{kind}"] = [e.reshape(s) for e, s in zip(flat, shapes, strict=True)]
        points = np.cumsum(shapes[:, 0])[:-1]
        pieces[f"kpts_{kind}"] = np.split(data[f"kpts_{kind}"], points)
        other = "weights" if kind == "mesh" else "path_x"
        pieces[other] = np.split(data[other], points)
    single = ("nelectrons", "efermi", "spacegroup", "ecut_eV", "energy", "nk_full")
    return [
        {"id": name, "lattice": data["lattice"][i], "path_labels": data["path_labels"][i]}
        | {key: data[key][i] for key in single}
        | {key: value[i] for key, value in pieces.items()}
        for i, name in enumerate(data["ids"])
    ]


def pack(records: list[Record]) -> dict[str, np.ndarray]:
    """The arrays of a file, for `numpy.savez_compressed`."""
    arrays: dict[str, np.ndarray] = {
        "ids": np.array([r.id for r in records]),
        "n_atoms": np.array([len(r.numbers) for r in records], dtype=np.int16),
        "numbers": np.concatenate([r.numbers for r in records]).astype(np.uint8),
        "fractional": np.concatenate([r.fractional for r in records]),
        "lattice": np.stack([r.lattice for r in records]),
        "divisions": np.stack([r.divisions for r in records]).astype(np.int16),
        "mesh_kpoints": np.concatenate([r.mesh_kpoints for r in records]).astype(np.int16),
        "mesh_counts": np.concatenate([r.mesh_counts for r in records]).astype(np.int32),
        "path_kpoints": np.concatenate([r.path_kpoints for r in records]).astype(np.int32),
        "path_x": np.concatenate([r.path_x for r in records]),
        "path_labels": np.array([r.path_labels for r in records]),
    }
    for name, kind in _SCALARS.items():
        arrays[name] = np.array([getattr(r, name) for r in records], dtype=kind)
    for name in ("mesh", "path"):
        bands = [getattr(r, name) for r in records]
        arrays[f"{name}_shape"] = np.array([b.shape for b in bands], dtype=np.int32)
        arrays[f"{name}_lowest"] = np.concatenate([b[:, 0] for b in bands]).astype(np.int32)
        rises = np.concatenate([np.diff(b, axis=1).T.ravel() for b in bands])
        if len(rises) and not 0 <= rises.min() <= rises.max() < 2**24:
            raise DataError("energies of a k-point must increase, by less than 1677 eV at a time")
        arrays[f"{name}_low"] = (rises & 0xFFFF).astype(np.uint16)
        arrays[f"{name}_high"] = (rises >> 16).astype(np.uint8)
    return arrays


def unpack(arrays: dict[str, np.ndarray]) -> list[Record]:
    """What `pack` packed.

    Raises:
        DataError: arrays that are missing or do not fit.
    """
    try:
        return _unpacked(arrays)
    except (KeyError, ValueError, IndexError) as error:
        raise DataError(f"damaged electron labels: {error}") from error


def _unpacked(arrays: dict[str, np.ndarray]) -> list[Record]:
    def pieces(name: str, lengths: np.ndarray) -> list[np.ndarray]:
        if len(arrays[name]) != lengths.sum():
            raise ValueError(f"{name} has {len(arrays[name])} rows, {lengths.sum()} are announced")
        return np.split(arrays[name], np.cumsum(lengths)[:-1])

    bands = {}
    for name in ("mesh", "path"):
        shapes = arrays[f"{name}_shape"].astype(np.int64)
        rises = arrays[f"{name}_low"].astype(np.int64)
        rises |= arrays[f"{name}_high"].astype(np.int64) << 16
        lengths = shapes[:, 0] * (shapes[:, 1] - 1)
        if len(rises) != lengths.sum():
            raise ValueError(f"{name} has {len(rises)} steps, {lengths.sum()} are announced")
        bands[name] = [
            np.concatenate([low.astype(np.int64)[:, None], rise.reshape(n - 1, k).T], axis=1)
            .cumsum(axis=1)
            for low, rise, (k, n) in zip(
                pieces(f"{name}_lowest", shapes[:, 0]),
                np.split(rises, np.cumsum(lengths)[:-1]),
                shapes,
                strict=True,
            )
        ]  # fmt: skip
    n_mesh, n_path = arrays["mesh_shape"][:, 0], arrays["path_shape"][:, 0]
    fields = {
        "id": [str(i) for i in arrays["ids"]],
        "lattice": list(arrays["lattice"]),
        "fractional": pieces("fractional", arrays["n_atoms"]),
        "numbers": [z.astype(np.int64) for z in pieces("numbers", arrays["n_atoms"])],
        "divisions": list(arrays["divisions"].astype(np.int64)),
        "mesh_kpoints": [k.astype(np.int64) for k in pieces("mesh_kpoints", n_mesh)],
        "mesh_counts": [k.astype(np.int64) for k in pieces("mesh_counts", n_mesh)],
        "path_kpoints": [k.astype(np.int64) for k in pieces("path_kpoints", n_path)],
        "path_x": pieces("path_x", n_path),
        "path_labels": [str(text) for text in arrays["path_labels"]],
        **{name: arrays[name].tolist() for name in _SCALARS},
        **bands,
    }
    return [
        Record(**dict(zip(fields, row, strict=True)))  # type: ignore[arg-type]
        for row in zip(*fields.values(), strict=True)
    ]


def _steps(energies: npt.ArrayLike) -> np.ndarray:
    return np.rint(np.asarray(energies, dtype=np.float64) / STEP).astype(np.int64)


def _divisions(kpoints: np.ndarray, n_full: int, name: str) -> np.ndarray:
    from vanhove.physics.tetrahedra import mesh_divisions

    shape = mesh_divisions(kpoints)
    if shape is None or shape.prod() != n_full:
        raise DataError(f"{name}: the k-points are no Gamma-centred mesh of {n_full} points")
    return shape
