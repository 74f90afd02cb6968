"""PBE electron states of small non-magnetic crystals, computed for this project.

Structures of the Materials Project (v2025.02.12, CC-BY 4.0), primitive cells of at most 8 atoms,
GPAW 26.7, plane waves, PBE, no spin. The file holds eigenvalues on a k-mesh and along a path; the
densities of states are made of those of the mesh here, with tetrahedra.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np

from vanhove.crystal.crystal import Crystal
from vanhove.crystal.symmetry import crystal_system_of
from vanhove.datasets.cache import RemoteFile, data_file, read_content
from vanhove.datasets.dataset import SpectrumDataset
from vanhove.datasets.splits import hashed_split
from vanhove.errors import DataError
from vanhove.physics.tetrahedra import tetrahedra_of
from vanhove.spectra.eigenvalues import BandEdges, Eigenvalues, band_edges
from vanhove.spectra.electron_dos import ELECTRON_TARGETS, ElectronTarget

DATA = RemoteFile(
    None,
    "c150547c8bc714ad0e3c75325b71ff69fb96ab14b59832cb8a8bed2df6e8e70f",
    "electron_pbe/electron_pbe.npz",
)
"""The state of 2026-11-21. A later one has another hash, to be put here."""

SPLIT_SEED = 0
_DECIMALS = 5
"""Of the computed densities, so that the last bits of another machine's arithmetic do not make
another data set."""


@dataclass(frozen=True, eq=False)
class ElectronStates:
    """What the file holds of one material. Energies in eV, absolute, increasing with the band.

    Attributes:
        crystal: as computed, named by its id.
        space_group: number, 1 to 230.
        n_electrons: valence electrons per cell.
        cutoff: of the plane waves, eV.
        code_fermi_level: as the code gave it, eV, with Fermi-Dirac smearing of 0.05 eV.
        mesh_energies: ``[n_kpoints, n_bands]``.
        mesh_kpoints: irreducible points, fractional, ``[n_kpoints, 3]``.
        mesh_weights: ``[n_kpoints]``, sum 1.
        n_full: points of the full mesh.
        path_energies: ``[n_path_kpoints, n_path_bands]``.
        path_kpoints: fractional, ``[n_path_kpoints, 3]``.
        path_x: position along the path, 1/angstrom, ``[n_path_kpoints]``.
        path_labels: the path (commas at jumps), positions of its special points, their names.
    """

    crystal: Crystal
    space_group: int
    n_electrons: int
    cutoff: float
    code_fermi_level: float
    mesh_energies: np.ndarray
    mesh_kpoints: np.ndarray
    mesh_weights: np.ndarray
    n_full: int
    path_energies: np.ndarray
    path_kpoints: np.ndarray
    path_x: np.ndarray
    path_labels: tuple[str, list[float], list[str]]

    @cached_property
    def eigenvalues(self) -> Eigenvalues:
        """On the mesh, with tetrahedra.

        Raises:
            DataError: as `Eigenvalues` and `tetrahedra_of`.
        """
        return Eigenvalues(
            self.mesh_energies,
            self.mesh_weights,
            self.n_electrons,
            tetrahedra=tetrahedra_of(
                self.crystal, self.mesh_kpoints, self.n_full, self.mesh_weights
            ),
        )

    @cached_property
    def mesh_edges(self) -> BandEdges:
        """Of the mesh alone: where the density of states ends. Energies of the data sets count
        from these."""
        return band_edges(self.eigenvalues)

    @cached_property
    def edges(self) -> BandEdges:
        """Of mesh and path together: the band gap."""
        return band_edges(self.eigenvalues, self.path_energies)


def load_electron_pbe() -> SpectrumDataset:
    """Electron DOS (PBE, computed for this project) as in DOSTransformer: -5 to 5 eV, 201 points.

    From the VBM, for metals from the Fermi level; smoothed, minimum 0 and maximum 1. Split by
    formula, about 80 / 10 / 10. See `dostransformer_electron_dos`.

    Raises:
        DataError: the file is not there, or is not the one named here.
    """
    return _dataset("electron_pbe", ELECTRON_TARGETS["dostransformer"])


def load_electron_pbe_128() -> SpectrumDataset:
    """Electron DOS (PBE, computed for this project) as in Mat2Spec: 128 bins, the gap left out.

    4 eV below the VBM and 4 eV above the CBM, states/eV/cell. Split by formula as `electron_pbe`.
    See `mat2spec_electron_dos`.

    Raises:
        DataError: the file is not there, or is not the one named here.
    """
    return _dataset("electron_pbe_128", ELECTRON_TARGETS["mat2spec"])


def load_electron_states() -> dict[str, ElectronStates]:
    """Eigenvalues on mesh and path, by id, in the order of the file.

    Raises:
        DataError: the file is not there, is not the one named here, or lacks an array.
    """
    return dict(_read(data_file(DATA)))


def load_electron_properties(ids: Sequence[str]) -> dict[str, np.ndarray]:
    """Numbers that follow from the eigenvalues, in the order of ``ids``, each ``[n_materials]``.

    ``band_gap`` (mesh and path together), ``mesh_band_gap`` (what the DOS shows; larger where the
    mesh misses a band edge), ``vbm``, ``cbm``, ``fermi_level`` (eV, absolute, of mesh and path; for
    metals all three are the energy up to which the mesh is filled, for insulators the Fermi level
    is the middle of the gap), ``is_metal``, ``n_electrons``, ``space_group``.

    Raises:
        DataError: an id that the file does not hold, or as `load_electron_states`.
    """
    states = load_electron_states()
    unknown = [material for material in ids if material not in states]
    if unknown:
        raise DataError(
            f"{len(unknown)} ids are not in {DATA.relative_path}, first {unknown[0]!r}; "
            "load_electron_states() lists those that are"
        )
    chosen = [states[material] for material in ids]
    return {
        "band_gap": np.array([s.edges.gap for s in chosen]),
        "mesh_band_gap": np.array([s.mesh_edges.gap for s in chosen]),
        "vbm": np.array([s.edges.vbm for s in chosen]),
        "cbm": np.array([s.edges.cbm for s in chosen]),
        "fermi_level": np.array([s.edges.fermi_level for s in chosen]),
        "is_metal": np.array([s.edges.is_metal for s in chosen]),
        "n_electrons": np.array([s.n_electrons for s in chosen]),
        "space_group": np.array([s.space_group for s in chosen]),
    }


def _dataset(name: str, target: ElectronTarget) -> SpectrumDataset:
    values: dict[str, np.ndarray] = {}
    problems = []
    states = load_electron_states()
    for material, state in states.items():
        try:
            computed = target.density(state.eigenvalues, state.mesh_edges)
        except DataError as error:
            problems.append(f"{material} ({error})")
        else:
            values[material] = np.round(computed, _DECIMALS)
    if not values:
        raise DataError(f"{DATA.relative_path}: no entry can be used: {'; '.join(problems[:3])}")
    used = [states[material] for material in values]
    notes = [*_notes(used), target.note]
    if problems:
        notes.append(f"{len(problems)} entries left out: {'; '.join(problems)}.")
    return SpectrumDataset(
        name=name,
        ids=list(values),
        crystals=[state.crystal for state in used],
        grid=target.grid,
        unit="eV",
        normalisation=target.normalisation,
        quantity="electron_dos",
        values=np.stack(list(values.values())),
        splits=hashed_split([state.crystal.formula for state in used], seed=SPLIT_SEED),
        split_name=f"random by formula (seed {SPLIT_SEED})",
        notes=notes,
    )


def _notes(states: list[ElectronStates]) -> list[str]:
    systems = Counter(crystal_system_of(state.space_group) for state in states)
    species = Counter(len(np.unique(state.crystal.atomic_numbers)) for state in states)
    n_metals = sum(state.mesh_edges.is_metal for state in states)
    return [
        f"Small: {len(states)} crystals ({n_metals} metals), cheap cells first, so high symmetry "
        "and few atoms are over-represented: "
        + ", ".join(f"{system} {n}" for system, n in systems.most_common())
        + "; number of species "
        + ", ".join(f"{k}: {species[k]}" for k in sorted(species))
        + ".",
        "Computed for this project: GPAW 26.7, PBE, plane waves of 340 or 450 eV, no spin, no "
        "spin-orbit, Materials Project structures (v2025.02.12) not relaxed; k-mesh of 4 points "
        "per 1/angstrom, linear tetrahedra, no broadening.",
        "It grows, and numbers measured on it change with it. The part of a material depends on "
        "its formula alone, so none moves from one part to another. This is the file with SHA-256 "
        f"{DATA.sha256[:12]}...",
    ]


@lru_cache(maxsize=1)
def _read(path: Path) -> dict[str, ElectronStates]:
    try:
        with np.load(io.BytesIO(read_content(path)), allow_pickle=False) as archive:
            data = {name: archive[name] for name in archive.files}
        return _entries(data)
    except (KeyError, ValueError, IndexError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: {error}; replace the file") from error


def _entries(data: dict[str, np.ndarray]) -> dict[str, ElectronStates]:
    ids = [str(i) for i in data["ids"]]
    repeated = [i for i, count in Counter(ids).items() if count > 1]
    if repeated:
        raise ValueError(f"{len(repeated)} ids repeat, first {repeated[0]!r}")

    def pieces(name: str, lengths: np.ndarray) -> list[np.ndarray]:
        array = data[name]
        if len(array) != lengths.sum():
            raise ValueError(f"{name} has {len(array)} rows, {lengths.sum()} are announced")
        return np.split(array, np.cumsum(lengths)[:-1])

    mesh, path = data["mesh_shape"], data["path_shape"]
    columns = zip(
        ids,
        data["lattice"],
        pieces("frac", data["natoms"]),
        pieces("Z", data["natoms"]),
        data["spacegroup"].tolist(),
        data["nelectrons"].tolist(),
        data["ecut_eV"].tolist(),
        data["efermi"].tolist(),
        pieces("eig_mesh", mesh.prod(axis=1)),
        pieces("kpts_mesh", mesh[:, 0]),
        pieces("weights", mesh[:, 0]),
        data["nk_full"].tolist(),
        pieces("eig_path", path.prod(axis=1)),
        pieces("kpts_path", path[:, 0]),
        pieces("path_x", path[:, 0]),
        data["path_labels"],
        mesh,
        path,
        strict=True,
    )
    return {
        name: ElectronStates(
            crystal=Crystal(lattice, fractional, numbers, name),
            space_group=space_group,
            n_electrons=n_electrons,
            cutoff=float(cutoff),
            code_fermi_level=fermi,
            mesh_energies=mesh_energies.reshape(mesh_shape).astype(np.float64),
            mesh_kpoints=mesh_kpoints.astype(np.float64),
            mesh_weights=weights,
            n_full=n_full,
            path_energies=path_energies.reshape(path_shape).astype(np.float64),
            path_kpoints=path_kpoints.astype(np.float64),
            path_x=path_x.astype(np.float64),
            path_labels=tuple(json.loads(str(labels))),
        )
        for (
            name,
            lattice,
            fractional,
            numbers,
            space_group,
            n_electrons,
            cutoff,
            fermi,
            mesh_energies,
            mesh_kpoints,
            weights,
            n_full,
            path_energies,
            path_kpoints,
            path_x,
            labels,
            mesh_shape,
            path_shape,
        ) in columns
    }
