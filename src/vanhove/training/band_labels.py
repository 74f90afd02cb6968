"""Eigenvalues of crystals as the tight-binding model is trained on them."""

from __future__ import annotations

import io
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vanhove.crystal.crystal import Crystal
from vanhove.datasets.cache import RemoteFile, data_file, read_content
from vanhove.datasets.electron_pbe import ElectronStates
from vanhove.models.tight_binding.atoms import atom_table

TEACHER = RemoteFile(
    None,
    "a3802c1e24c12b00654041b857f87ab6431c82ea73556c4db75df8b101dbdb16",
    "electron_tb3/electron_tb3.npz",
)
GAPS = RemoteFile(
    None,
    "5c2d461e3c6423c09089296715212fe164209fadc2baf3c715c9b5b5609ff2e5",
    "gaps_mp/mp_gap_megnet.npz",
)
MAGNETIC = (24, 25, 26, 27, 28)
"""Cr, Mn, Fe, Co, Ni: their gaps in the Materials Project are those of spin-polarised bands."""
N_GAP_TEST = 1000
MOST_TESTED_ATOMS = 10
"""In a cell of `gap_labels`, but for training."""
_METAL = 0.01  # eV


@dataclass(frozen=True, eq=False)
class BandLabels:
    """Bands of one crystal at some k-points.

    Attributes:
        crystal: as computed.
        kpoints: fractional, ``[n_k, 3]``.
        energies: eV, from the valence band maximum or Fermi level, increasing, ``[n_k, n_bands]``.
        first_band: number of the model's band that the first column is; may be negative.
        n_filled: bands (of the columns) below the Fermi level, by their centres.
        gap: eV; 0 for a metal, NaN where it is not to be learned.
        edges: k-points of the valence band maximum and the conduction band minimum.
    """

    crystal: Crystal
    kpoints: np.ndarray
    energies: np.ndarray
    first_band: int
    n_filled: int
    gap: float
    edges: tuple[int, int]


@dataclass(frozen=True, eq=False)
class GapLabel:
    """The PBE gap of one crystal, eV; 0 for a metal."""

    crystal: Crystal
    gap: float


def labels_of_states(state: ElectronStates) -> BandLabels:
    """Of mesh and path of a PBE calculation."""
    n_bands = min(state.mesh_energies.shape[1], state.path_energies.shape[1])
    energies = np.concatenate([state.mesh_energies[:, :n_bands], state.path_energies[:, :n_bands]])
    edges = state.edges
    n_filled = int((state.path_energies.mean(axis=0) < edges.fermi_level).sum())
    top, bottom = max(n_filled - 1, 0), min(n_filled, n_bands - 1)
    expected = int(atom_table().electrons[state.crystal.atomic_numbers].sum())
    return BandLabels(
        crystal=state.crystal,
        kpoints=np.concatenate([state.mesh_kpoints, state.path_kpoints]),
        energies=(energies - edges.vbm).astype(np.float32),
        first_band=(expected - state.n_electrons) // 2,
        n_filled=n_filled,
        gap=edges.gap,
        edges=(int(energies[:, top].argmax()), int(energies[:, bottom].argmin())),
    )


def teacher_labels(left_out: Collection[str]) -> list[BandLabels]:
    """Of `electron_tb3`, but for crystals whose reduced formula is in ``left_out``.

    Not DFT: a fitted tight-binding model (ThreeBodyTB). Its electron count is smaller than that of
    the labels by whole shells, so bands are counted from the Fermi level.
    """
    path = Path(data_file(TEACHER))
    with np.load(io.BytesIO(read_content(path)), allow_pickle=False) as archive:
        data = {name: archive[name] for name in archive.files}
    table = atom_table()
    atoms = np.cumsum(data["natoms"])[:-1]
    points, sizes = np.cumsum(data["mesh_shape"][:, 0])[:-1], data["mesh_shape"].prod(axis=1)
    columns = zip(
        data["ids"],
        data["lattice"],
        np.split(data["frac"], atoms),
        np.split(data["Z"], atoms),
        data["nelectrons"],
        data["efermi"],
        data["mesh_shape"],
        np.split(data["eig_mesh"], np.cumsum(sizes)[:-1]),
        np.split(data["kpts_mesh"], points),
        strict=True,
    )
    result = []
    for name, lattice, frac, numbers, electrons, fermi, shape, energies, kpoints in columns:
        crystal = Crystal(lattice, frac, numbers, str(name))
        own = table.electrons[crystal.atomic_numbers]
        surplus = own.sum() - round(float(electrons))
        if (own == 0).any() or surplus % 2 or crystal.formula in left_out:
            continue
        energies = (energies.reshape(shape) - fermi).astype(np.float32)
        result.append(BandLabels(crystal, kpoints, energies, surplus // 2, 0, np.nan, (0, 0)))
    return result


def gaps_by_id(ids: Collection[str]) -> list[GapLabel]:
    """PBE gaps of some crystals of the set of `gap_labels`, those that it holds."""
    path = Path(data_file(GAPS))
    with np.load(io.BytesIO(read_content(path)), allow_pickle=False) as archive:
        data = {name: archive[name] for name in archive.files}
    ends = np.cumsum(data["natoms"])
    found = []
    for row in np.flatnonzero(np.isin(data["ids"], list(ids))):
        atoms = slice(ends[row] - data["natoms"][row], ends[row])
        crystal = Crystal(
            data["lattice"][row], data["frac"][atoms], data["Z"][atoms], str(data["ids"][row])
        )
        found.append(GapLabel(crystal, float(data["gap_pbe_eV"][row])))
    return found


def gap_labels(train_atoms: int = MOST_TESTED_ATOMS) -> dict[str, list[GapLabel]]:
    """PBE gaps of the Materials Project (the set of MEGNet), of crystals that the model can take.

    No elements without levels and no magnetic ones.

    Args:
        train_atoms: of the largest cell in ``train``; those of the others have 10 atoms at most.

    Returns:
        ``train``: of that part of the set, without formulas of the other two and without odd
        numbers of electrons, which are metals in any case; ``test``: a thousand at random (seed 0)
        of its validation and test split; ``valid``: what is left of these, without formulas of the
        test.
    """
    path = Path(data_file(GAPS))
    with np.load(io.BytesIO(read_content(path)), allow_pickle=False) as archive:
        data = {name: archive[name] for name in archive.files}
    electrons = atom_table().electrons
    ends = np.cumsum(data["natoms"])[:-1]
    found: dict[str, list[GapLabel]] = {"train": [], "held": []}
    for name, lattice, frac, numbers, gap, part in zip(
        data["ids"],
        data["lattice"],
        np.split(data["frac"], ends),
        np.split(data["Z"], ends),
        data["gap_pbe_eV"],
        data["split"],
        strict=True,
    ):
        own = electrons[numbers]
        known = (own > 0).all() and not np.isin(numbers, MAGNETIC).any()
        most = train_atoms if part == "train" else MOST_TESTED_ATOMS
        if len(numbers) <= most and known:
            label = GapLabel(
                Crystal(lattice, frac, numbers, str(name)), float(gap) if gap > _METAL else 0.0
            )
            found["train" if part == "train" else "held"].append(label)
    order = np.random.default_rng(0).permutation(len(found["held"]))
    held = [found["held"][row] for row in order]
    test, rest = held[:N_GAP_TEST], held[N_GAP_TEST:]
    of_test = {label.crystal.formula for label in test}
    valid = [label for label in rest if label.crystal.formula not in of_test]
    seen = of_test | {label.crystal.formula for label in valid}
    train = [label for label in found["train"] if label.crystal.formula not in seen]
    even = [label for label in train if electrons[label.crystal.atomic_numbers].sum() % 2 == 0]
    return {"train": even, "valid": valid, "test": test}
