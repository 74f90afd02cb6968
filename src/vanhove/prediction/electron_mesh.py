"""Meshes, grids and spreads that `vanhove.prediction.electrons.Electrons` rests on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from vanhove.crystal.crystal import Crystal
from vanhove.crystal.kpath import KPath, high_symmetry_path
from vanhove.errors import ConfigError, StructureError
from vanhove.models.tight_binding.hamiltonian import CrystalHamiltonian
from vanhove.models.tight_binding.network import TightBinding
from vanhove.physics.meshes import irreducible_mesh
from vanhove.physics.tetrahedra import Tetrahedra, mesh_tetrahedra
from vanhove.spectra.eigenvalues import SPIN_DEGENERACY, BandEdges, Eigenvalues, band_edges
from vanhove.spectra.grids import cell_edges

MESH_DENSITY = 3.0
"""k-points per 1/angstrom, of meshes by default."""
_PATH_POINTS = 96
SYMMETRY = 1e-3
"""angstrom: meshes are reduced by symmetries that hold to this."""
DENSITY_BROADENING = 0.1
"""eV, standard deviation: of densities with error bars."""
WINDOW = (-6.0, 4.0)
"""eV from the valence band maximum or Fermi level: where error bars are calibrated."""


@dataclass(frozen=True, eq=False)
class Sampled:
    """States of a mesh, and along a path where there is one; energies as the solver gives them.

    Attributes:
        mesh: eigenvalues.
        points: of the mesh, fractional, ``[n_k, 3]``.
        route: of high symmetry, where band edges may lie that the mesh misses.
    """

    solver: CrystalHamiltonian
    mesh: Eigenvalues
    points: np.ndarray
    route: KPath | None = None

    @cached_property
    def path(self) -> np.ndarray | None:
        """Points along the route."""
        return None if self.route is None else self.route.sample(_PATH_POINTS).fractional

    def route_of(self, convention: str) -> KPath | None:
        """The route, if it is of this convention."""
        is_it = self.route is not None and self.route.convention == convention
        return self.route if is_it else None

    @cached_property
    def along(self) -> np.ndarray | None:
        """Energies at the points of the path."""
        return None if self.path is None else self.solver.energies(self.path)

    @cached_property
    def edges(self) -> BandEdges:
        """Of mesh and path together."""
        return band_edges(self.mesh, self.along)

    @property
    def gap_spread(self) -> float:
        """Standard deviation over the networks of the energy between the band edges, eV."""
        n = self.solver.n_electrons // SPIN_DEGENERACY
        energies, every = self.mesh.energies, self.points
        if self.along is not None and self.path is not None:
            energies = np.concatenate([energies, self.along])
            every = np.concatenate([every, self.path])
        at = [int(energies[:, max(n - 1, 0)].argmax()), int(energies[:, n].argmin())]
        found = self.solver.member_energies(every[at])
        return float((found[:, 1, n] - found[:, 0, n - 1]).std())


def mesh_shape(crystal: Crystal, density: float) -> np.ndarray:
    """Even divisions, so that the boundary of the Brillouin zone is on the mesh, ``[3]``."""
    lengths = 2 * np.pi * np.linalg.norm(np.linalg.inv(crystal.lattice).T, axis=1)
    return 2 * np.maximum(np.ceil(lengths * density / 2 - 1e-6), 1).astype(int)


def same_cell(one: Crystal, other: Crystal) -> bool:
    """Whether k-points of one are k-points of the other."""
    return np.allclose(one.lattice, other.lattice, rtol=0, atol=1e-8)


def mesh_states(solver: CrystalHamiltonian, density: float) -> tuple[Eigenvalues, np.ndarray]:
    shape = mesh_shape(solver.crystal, density)
    points, weights, whole = irreducible_mesh(solver.crystal, shape.tolist(), SYMMETRY)
    tetrahedra: Tetrahedra = mesh_tetrahedra(shape, solver.crystal.lattice, whole)
    energies = solver.energies(points)
    return Eigenvalues(energies, weights, solver.n_electrons, tetrahedra=tetrahedra), points


def sample_standard_cell(
    models: Sequence[TightBinding],
    solver: CrystalHamiltonian,
    mesh: tuple[Eigenvalues, np.ndarray],
    density: float,
    route: KPath | None = None,
) -> Sampled:
    """Mesh and path of the standard primitive cell; without a path, the mesh alone.

    Args:
        models: the networks.
        solver, mesh: of the crystal as it is, and what `mesh_states` gives of it.
        density: of meshes, points per 1/angstrom.
        route: of high symmetry, where it is known already.
    """
    try:
        route = route or high_symmetry_path(solver.crystal)
    except StructureError:
        return Sampled(solver, *mesh)
    if same_cell(route.crystal, solver.crystal):
        return Sampled(solver, *mesh, route)
    standard = CrystalHamiltonian(models, route.crystal, like=solver)
    return Sampled(standard, *mesh_states(standard, density), route)


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


def checked_kpoints(kpoints: np.ndarray) -> np.ndarray:
    """Fractional k-points ``[n_k, 3]``, as numbers; anything else is refused."""
    points = np.asarray(kpoints, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != 3 or not np.isfinite(points).all():
        raise ConfigError(f"kpoints of shape {points.shape}; fractional ones [n_k, 3] are needed")
    return points
