"""Compute `src/vanhove/datasets/data/tiny.npz`: python scripts/make_tiny_dataset.py

A toy model, not DFT. Textbook crystals (lattice parameters at room temperature, rounded) and a few
distortions of them; harmonic springs between neighbours (Born-von Karman):

    k(d) = K (c / r0)^3 exp(-max(0, d - r0) / b),   r0 = sum of the covalent radii,

along the bond, a tenth of it across the bond. The dynamical matrix on a shifted q-mesh gives the
frequencies; a Gaussian on each and a maximum of 1 give the spectrum.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.data import covalent_radii
from ase.neighborlist import neighbor_list
from ase.spacegroup import crystal as from_spacegroup

TARGET = Path(__file__).parents[1] / "src/vanhove/datasets/data/tiny.npz"

GRID = np.arange(0.0, 1001.0, 20.0)  # 1/cm
WIDTH = 15.0  # of the Gaussians, 1/cm
STIFFNESS, REFERENCE_BOND, DECAY, REACH = 4.0, 2.22, 0.35, 2.0  # K eV/A^2, c A, b A, cutoff - r0 A
ACROSS = 0.1
MESH_LENGTH = 30.0  # q-points along an axis times the length of the axis, A
WAVENUMBER = 521.4709  # 1/cm of sqrt(1 eV / A^2 / u)
SEED = 2  # the first whose training part holds all seven crystal systems
SIZES = (32, 8, 8)

# prototype: {formula: lattice parameters of the conventional cell, A (and inner coordinate)}
CUBIC = {
    "fcc": {"Al": 4.05, "Cu": 3.61, "Ag": 4.09, "Au": 4.08, "Ni": 3.52, "Pt": 3.92},
    "bcc": {"Na": 4.23, "V": 3.02, "Fe": 2.87, "Mo": 3.15, "W": 3.16},
    "diamond": {"Si": 5.43, "Ge": 5.66},
    "rocksalt": {"MgO": 4.21, "NaCl": 5.64, "KBr": 6.60, "LiF": 4.03, "TiN": 4.24, "PbTe": 6.46},
    "zincblende": {"GaAs": 5.65, "ZnS": 5.41, "InP": 5.87, "SiC": 4.36},
    "cesiumchloride": {"CsCl": 4.12, "NiAl": 2.89, "CuZn": 2.95},
    "fluorite": {"CaF2": 5.46, "CeO2": 5.41},
}
HEXAGONAL = {
    "hcp": {"Mg": (3.21, 5.21), "Ti": (2.95, 4.69), "Zn": (2.66, 4.95)},
    "wurtzite": {"ZnO": (3.25, 5.21), "GaN": (3.19, 5.19)},
}
PEROVSKITES = {"SrTiO3": 3.905, "BaTiO3": 4.00, "KMgF3": 3.99}
RUTILES = {"TiO2": (4.594, 2.959, 0.305), "SnO2": (4.738, 3.187, 0.307)}
ARSENICS = {"Sb": (4.307, 11.273, 0.2335), "Bi": (4.546, 11.862, 0.2339)}
# id: (undistorted crystal, strain of the cell)
DISTORTIONS = {
    "MgO tetragonal": ("MgO", [[0, 0, 0], [0, 0, 0], [0, 0, 0.05]]),
    "SrTiO3 tetragonal": ("SrTiO3", [[0, 0, 0], [0, 0, 0], [0, 0, 0.03]]),
    "BaTiO3 orthorhombic": ("BaTiO3", [[0.02, 0, 0], [0, -0.03, 0], [0, 0, 0.05]]),
    "TiO2 orthorhombic": ("TiO2", [[0.04, 0, 0], [0, -0.02, 0], [0, 0, 0]]),
    "CuZn monoclinic": ("CuZn", [[0.02, 0, 0.05], [0, -0.02, 0], [0.05, 0, 0]]),
    "SnO2 monoclinic": ("SnO2", [[0.02, 0, 0.04], [0, -0.02, 0], [0.04, 0, 0]]),
    "CsCl triclinic": ("CsCl", [[0.02, 0.03, 0.05], [0.03, -0.02, 0.02], [0.05, 0.02, 0.04]]),
    "KMgF3 triclinic": ("KMgF3", [[0.02, 0.03, 0.04], [0.03, -0.02, 0.02], [0.04, 0.02, 0.03]]),
}


def make_crystals() -> dict[str, Atoms]:
    """Primitive cells by id."""
    crystals: dict[str, Atoms] = {}
    for prototype, members in CUBIC.items():
        for formula, a in members.items():
            crystals[formula] = bulk(formula, prototype, a=a)
    for prototype, members in HEXAGONAL.items():
        for formula, (a, c) in members.items():
            crystals[formula] = bulk(formula, prototype, a=a, c=c)
    for formula, a in PEROVSKITES.items():
        symbols = Atoms(formula).get_chemical_symbols()
        places = [(0, 0, 0), (0.5, 0.5, 0.5), (0.5, 0.5, 0), (0.5, 0, 0.5), (0, 0.5, 0.5)]
        crystals[formula] = Atoms(symbols, scaled_positions=places, cell=[a] * 3, pbc=True)
    for formula, (a, c, u) in RUTILES.items():
        symbols = Atoms(formula).get_chemical_symbols()[:2]
        crystals[formula] = from_spacegroup(
            symbols, [(0, 0, 0), (u, u, 0)], spacegroup=136, cellpar=[a, a, c, 90, 90, 90]
        )
    for formula, (a, c, u) in ARSENICS.items():
        crystals[formula] = from_spacegroup(
            [formula],
            [(0, 0, u)],
            spacegroup=166,
            cellpar=[a, a, c, 90, 90, 120],
            primitive_cell=True,
        )
    for name, (parent, strain) in DISTORTIONS.items():
        crystals[name] = crystals[parent].copy()
        crystals[name].set_cell(
            crystals[parent].cell.array @ (np.eye(3) + np.array(strain)), scale_atoms=True
        )
    return crystals


def frequencies(atoms: Atoms) -> np.ndarray:
    """Of all modes of all q-points, 1/cm, shape ``[n_q * 3 n_atoms]``."""
    n = len(atoms)
    radii = covalent_radii[atoms.numbers]
    i, j, d, vectors, cells = neighbor_list("ijdDS", atoms, 2 * radii.max() + REACH)
    bond = radii[i] + radii[j]
    near = d < bond + REACH
    i, j, d, vectors, cells, bond = (x[near] for x in (i, j, d, vectors, cells, bond))

    k = STIFFNESS * (REFERENCE_BOND / bond) ** 3 * np.exp(-np.maximum(0, d - bond) / DECAY)
    along = np.einsum("pa,pb->pab", vectors, vectors) / d[:, None, None] ** 2
    springs = k[:, None, None] * (ACROSS * np.eye(3) + (1 - ACROSS) * along)

    axes = [
        (np.arange(m) + 0.5) / m
        for m in np.maximum(2, np.ceil(MESH_LENGTH / atoms.cell.lengths())).astype(int)
    ]
    q = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    matrix = np.zeros((len(q), n, n, 3, 3), dtype=complex)
    for a, b, cell, spring in zip(i, j, cells, springs, strict=True):
        matrix[:, a, a] += spring
        matrix[:, a, b] -= np.exp(2j * np.pi * (q @ cell))[:, None, None] * spring
    root = np.sqrt(atoms.get_masses())
    matrix /= (root[:, None] * root[None, :])[:, :, None, None]
    squares = np.linalg.eigvalsh(matrix.transpose(0, 1, 3, 2, 4).reshape(len(q), 3 * n, 3 * n))
    return WAVENUMBER * np.sqrt(np.maximum(0, squares)).ravel()


def spectrum(atoms: Atoms) -> np.ndarray:
    """On `GRID`, maximum 1, float32, shape ``[51]``."""
    found = frequencies(atoms)
    if found.max() > GRID[-1] - WIDTH:
        raise ValueError(f"{atoms.get_chemical_formula()}: {found.max():.0f} 1/cm leaves the grid")
    # Bins of 1/cm first: a Gaussian for each of 1000 bins, not for each of 100,000 modes.
    counts, edges = np.histogram(found, bins=1000, range=(0, 1000))
    middles = (edges[1:] + edges[:-1]) / 2
    dos = np.exp(-0.5 * ((GRID[:, None] - middles) / WIDTH) ** 2) @ counts
    return np.round(dos / dos.max(), 6).astype(np.float32)


def make_arrays() -> dict[str, np.ndarray]:
    """What the file holds."""
    crystals = make_crystals()
    order = np.random.default_rng(SEED).permutation(len(crystals))
    train, valid, test = (np.sort(x) for x in np.split(order, np.cumsum(SIZES)[:-1]))
    return {
        "ids": np.array(list(crystals)),
        "n_atoms": np.array([len(atoms) for atoms in crystals.values()]),
        "lattice": np.stack([atoms.cell.array for atoms in crystals.values()]),
        "fractional_coordinates": np.concatenate(
            [atoms.get_scaled_positions() for atoms in crystals.values()]
        ),
        "atomic_numbers": np.concatenate([atoms.numbers for atoms in crystals.values()]),
        "grid": GRID,
        "values": np.stack([spectrum(atoms) for atoms in crystals.values()]),
        "train": train,
        "valid": valid,
        "test": test,
    }


if __name__ == "__main__":
    arrays = make_arrays()
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(TARGET, allow_pickle=False, **arrays)
    print(f"{TARGET}: {len(arrays['ids'])} crystals, {TARGET.stat().st_size} bytes")
