"""Meshes, grids and spreads that `vanhove.prediction.electrons.Electrons` rests on."""

from __future__ import annotations

import numpy as np

from vanhove.crystal.crystal import Crystal
from vanhove.models.tight_binding.hamiltonian import CrystalHamiltonian
from vanhove.physics.meshes import irreducible_mesh
from vanhove.physics.tetrahedra import Tetrahedra, mesh_tetrahedra
from vanhove.spectra.eigenvalues import Eigenvalues
from vanhove.spectra.grids import cell_edges

MESH_DENSITY = 3.0
"""k-points per 1/angstrom, of meshes by default."""
_TOLERANCE = 1e-3
"""angstrom: meshes are reduced by symmetries that hold to this."""
DENSITY_BROADENING = 0.1
"""eV, standard deviation: of densities with error bars."""
WINDOW = (-6.0, 4.0)
"""eV from the valence band maximum or Fermi level: where error bars are calibrated."""


def mesh_shape(crystal: Crystal, density: float) -> np.ndarray:
    """Even divisions, so that the boundary of the Brillouin zone is on the mesh, ``[3]``."""
    lengths = 2 * np.pi * np.linalg.norm(np.linalg.inv(crystal.lattice).T, axis=1)
    return 2 * np.maximum(np.ceil(lengths * density / 2 - 1e-6), 1).astype(int)


def same_cell(one: Crystal, other: Crystal) -> bool:
    """Whether k-points of one are k-points of the other."""
    return np.allclose(one.lattice, other.lattice, rtol=0, atol=1e-8)


def mesh_states(solver: CrystalHamiltonian, density: float) -> tuple[Eigenvalues, np.ndarray]:
    shape = mesh_shape(solver.crystal, density)
    points, weights, whole = irreducible_mesh(solver.crystal, shape.tolist(), _TOLERANCE)
    tetrahedra: Tetrahedra = mesh_tetrahedra(shape, solver.crystal.lattice, whole)
    energies = solver.energies(points)
    return Eigenvalues(energies, weights, solver.n_electrons, tetrahedra=tetrahedra), points


def density_spread(
    members: np.ndarray, weights: np.ndarray, grid: np.ndarray
) -> tuple[np.ndarray, float]:
    """How much densities of several networks differ, with a broadening of 0.1 eV.

    Args:
        members: energies of each, eV on the axis of ``grid``, ``[n_members, n_k, n_bands]``.
        weights: of the k-points, sum 1, ``[n_k]``.
        grid: eV, ``[n_points]``.

    Returns:
        standard deviation, states/eV/cell, ``[n_points]``, and the mean density between -6 and 4
        eV, with which spreads of small and large cells compare.
    """
    edges = cell_edges(grid)
    low, high = WINDOW
    found, mean = [], []
    for energies in members:
        states = Eigenvalues(energies, weights, 1, width=DENSITY_BROADENING)
        found.append(np.diff(states.number_of_states(edges)) / np.diff(edges))
        mean.append(np.diff(states.number_of_states(np.array(WINDOW)))[0] / (high - low))
    return np.std(found, axis=0), float(max(np.mean(mean), 1e-6))


def default_grid() -> np.ndarray:
    """-10 to 6 eV every 0.05."""
    return np.arange(-200, 121) * 0.05
