"""Masses of carriers and Seebeck coefficients: Boltzmann transport, constant relaxation time.

Madsen and Singh, Comput. Phys. Commun. 175, 67 (2006) (BoltzTraP), by sums over the Brillouin zone
that are refined where carriers sit: at room temperature these are pockets far smaller than what a
mesh for densities of states resolves.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.optimize import brentq

from vanhove.crystal.symmetry import search_symmetry
from vanhove.errors import ConfigError
from vanhove.models.tight_binding.hamiltonian import CrystalHamiltonian
from vanhove.physics.meshes import first_of_equal
from vanhove.prediction.electron_mesh import SYMMETRY, mesh_shape
from vanhove.spectra.dispersion import HBAR2_OVER_ELECTRON_MASS
from vanhove.spectra.eigenvalues import SPIN_DEGENERACY, BandEdges
from vanhove.spectra.electrons import ELECTRON_VOLT
from vanhove.spectra.thermodynamics import BOLTZMANN

BOLTZMANN_EV = BOLTZMANN / ELECTRON_VOLT
"""eV/K."""
_CM3 = 1e24
"""angstrom^3 in a cm^3."""
_DENSITY = 6.0
"""k-points per 1/angstrom of the mesh whose cells are refined."""
_TAIL = 10.0
"""kT above the chemical potential or band edge where the last carriers sit."""
_DEEPEST = 0.3
"""eV that the chemical potential may lie within a band."""
_LEVELS, _MOST_POINTS = 4, 20_000
_EXACT = 0.1
"""kT by which a quadratic function may be wrong in a cell that is not split."""


def _basis(at: np.ndarray) -> np.ndarray:
    """1, x, y, z, xx, yy, zz, yz, zx, xy of places ``[n, 3]``, ``[n, 10]``."""
    return np.hstack([np.ones((len(at), 1)), at, at**2, at[:, [1, 2, 0]] * at[:, [2, 0, 1]]])


def _slopes(at: np.ndarray) -> np.ndarray:
    """Of `_basis` along x, y, z, ``[n, 3, 10]``."""
    result = np.zeros((len(at), 3, 10))
    for axis in range(3):
        result[:, axis, 1 + axis] = 1
        result[:, axis, 4 + axis] = 2 * at[:, axis]
        after, before = (axis + 1) % 3, (axis + 2) % 3
        result[:, axis, 7 + after] = at[:, before]
        result[:, axis, 7 + before] = at[:, after]
    return result


_PARTS = np.indices((3, 3, 3)).reshape(3, -1).T - 1
"""Centres of the 27 parts of a cell, in their sides from its centre."""
_BASIS, _SLOPES = _basis(_PARTS / 3), _slopes(_PARTS / 3)
_FIT = np.linalg.pinv(_BASIS)
_FINE = (np.indices((7, 7, 7)).reshape(3, -1).T - 3) / 7
"""Where functions are summed over a cell that was not split, in its sides from its centre."""


@dataclass(frozen=True)
class Carriers:
    """Electrons or holes of an insulator at one temperature and concentration.

    Attributes:
        temperature: K.
        concentration: 1/cm^3.
        chemical_potential: eV from the valence band maximum.
        inverse_mass: n e^2 tau over the conductivity is the mass; its inverse tensor, Cartesian,
            in inverse electron masses, ``[3, 3]``.
        seebeck: microvolt/K, Cartesian, ``[3, 3]``; negative of electrons.
    """

    temperature: float
    concentration: float
    chemical_potential: float
    inverse_mass: np.ndarray
    seebeck: np.ndarray

    @property
    def masses(self) -> np.ndarray:
        """Along the three principal axes, electron masses, increasing, ``[3]``."""
        return np.sort(1 / np.linalg.eigvalsh(self.inverse_mass).clip(min=1e-6))

    @property
    def mass(self) -> float:
        """Mean of `masses`, as BoltzTraP's users quote it."""
        return float(self.masses.mean())


def carriers(
    solver: CrystalHamiltonian, edges: BandEdges, temperature: float, concentration: float
) -> dict[str, Carriers]:
    """Transport of ``holes`` and of ``electrons``.

    Args:
        solver: of an insulator; a primitive cell is fastest.
        edges: its band edges, in the energies of ``solver``.
        temperature: K.
        concentration: 1/cm^3, of either.

    Raises:
        ConfigError: a number out of range, or more carriers than a band edge holds.
    """
    if not 10 <= temperature <= 5000:
        raise ConfigError(f"temperature {temperature} K; allowed: 10 to 5000")
    if not concentration > 0:
        raise ConfigError(f"concentration {concentration} 1/cm^3; allowed: positive")
    return {
        kind: _carriers(solver, edges, sign, temperature, concentration)
        for kind, sign in (("holes", -1.0), ("electrons", 1.0))
    }


def _carriers(
    solver: CrystalHamiltonian,
    edges: BandEdges,
    sign: float,
    temperature: float,
    concentration: float,
) -> Carriers:
    # Energies count from the band edge into the band; of holes that is downwards.
    kt = BOLTZMANN_EV * temperature
    volume = abs(np.linalg.det(solver.crystal.lattice))
    wanted = concentration / _CM3 * volume / SPIN_DEGENERACY
    pockets = _Pockets(solver, edges, sign)

    def excess(potential: float) -> float:
        occupied = (weights / (1 + np.exp((energies - potential) / kt))).sum()
        return float(np.log(occupied / wanted))

    for deepest in (0.0, _DEEPEST):
        energies, weights, slopes = pockets.states(deepest + _TAIL * kt, kt)
        if excess(deepest) > 0:
            break
    else:
        raise ConfigError(
            f"{concentration:.2g} carriers in a cm^3 fill the band to more than {_DEEPEST} eV from "
            "its edge; ask for fewer"
        )
    potential = float(brentq(excess, -100 * kt, deepest, xtol=1e-6))
    x = (energies - potential) / kt
    weight = weights / (4 * kt * np.cosh(x.clip(-200, 200) / 2) ** 2)
    flows = weight[:, None] * slopes
    conductivity = pockets.symmetric(flows.T @ slopes)
    heat = pockets.symmetric(((energies - potential)[:, None] * flows).T @ slopes)
    seebeck = -sign * 1e6 / temperature * np.linalg.pinv(conductivity) @ heat
    return Carriers(
        temperature,
        concentration,
        sign * potential + (edges.gap if sign > 0 else 0.0),
        conductivity / (wanted * HBAR2_OVER_ELECTRON_MASS),
        seebeck,
    )


class _Pockets:
    """States near a band edge.

    A cell of a mesh that may hold such states is looked at in 27 places. Where bands are quadratic
    functions, these are summed; else the cell is split.

    Args:
        solver, edges: as of `carriers`.
        sign: 1 for electrons, -1 for holes.
    """

    def __init__(self, solver: CrystalHamiltonian, edges: BandEdges, sign: float):
        self.solver, self.sign, self.gap = solver, sign, edges.gap
        self.edge = edges.cbm if sign > 0 else edges.vbm
        self.shape = mesh_shape(solver.crystal, _DENSITY)
        self.axes = 2 * np.pi * np.linalg.inv(solver.crystal.lattice).T
        found = search_symmetry(solver.crystal, SYMMETRY)
        turns = np.eye(3, dtype=int)[None] if found is None else found.rotations.astype(int)
        self.turns = np.concatenate([turns, -turns])

    def states(self, highest: float, kt: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Energies from the band edge (into the band), weights, slopes in eV angstrom.

        Args:
            highest: energy, eV.
            kt: against which functions have to be exact, eV.
        """
        shape = self.shape
        places, energies, rises = self._mesh
        found = []
        for level in range(_LEVELS):
            lowest = energies - np.abs(rises).sum(axis=-1) / 2
            # Not the bands of the other side of the gap.
            is_near = ((energies > -self.gap / 2) & (lowest < highest)).any(axis=1)
            if not is_near.any():
                break
            parts = (3 * places[is_near, None] + _PARTS).reshape(-1, 3)
            block = self._energies(parts, 3 * shape).reshape(is_near.sum(), len(_PARTS), -1)
            fits = np.einsum("fp,cpb->cbf", _FIT, block)
            wrong = np.abs(np.einsum("pf,cbf->cpb", _BASIS, fits) - block).max(axis=1)
            bands = (block > -self.gap / 2).all(axis=1) & (block.min(axis=1) < highest + kt)
            is_done = ((wrong < _EXACT * kt) | ~bands).all(axis=1)
            n_next = len(_PARTS) ** 2 * (~is_done).sum() / len(self.turns)
            if level == _LEVELS - 1 or n_next > _MOST_POINTS:
                is_done[:] = True
            fine = _FINE if level == 0 else _PARTS / 3
            own, slopes = _sampled(fits[is_done][bands[is_done]], fine)
            inside = own < highest
            slopes = slopes[inside] @ np.linalg.inv(self.axes / shape[:, None]).T
            weights = np.full(len(slopes), 1 / (shape.prod() * len(fine)))
            found.append((own[inside], weights, slopes))
            places = parts.reshape(-1, len(_PARTS), 3)[~is_done].reshape(-1, 3)
            n_bands = block.shape[-1]
            energies = block[~is_done].reshape(-1, n_bands)
            rises = np.einsum("pxf,cbf->cpbx", _SLOPES, fits[~is_done]).reshape(-1, n_bands, 3) / 3
            shape = 3 * shape
        own, weights, slopes = (np.concatenate(parts) for parts in zip(*found, strict=True))
        return own, weights, slopes

    def symmetric(self, tensor: np.ndarray) -> np.ndarray:
        """Mean over the point group: the cells of a mesh do not have it."""
        lattice = self.solver.crystal.lattice.T
        turns = lattice @ self.turns @ np.linalg.inv(lattice)
        return (turns @ tensor @ turns.transpose(0, 2, 1)).mean(axis=0)

    @cached_property
    def _mesh(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Places of the mesh, energies, and what they rise along the sides of a cell."""
        places = np.indices(tuple(self.shape)).reshape(3, -1).T
        mesh = self._energies(places, self.shape).reshape(*self.shape, -1)
        rises = [(np.roll(mesh, -1, axis) - np.roll(mesh, 1, axis)) / 2 for axis in range(3)]
        n_bands = mesh.shape[-1]
        return places, mesh.reshape(-1, n_bands), np.stack(rises, axis=-1).reshape(-1, n_bands, 3)

    def _energies(self, places: np.ndarray, shape: np.ndarray) -> np.ndarray:
        """At points of a mesh, ``[n, n_bands]``; of equal ones only one is diagonalised."""
        turns = self.turns * shape / shape[:, None]
        turns = turns[np.abs(turns - np.rint(turns)).max(axis=(1, 2)) < 1e-6]
        first = first_of_equal(places, np.rint(turns).astype(int), tuple(shape))
        kept, back = np.unique(first, return_inverse=True)
        points = np.stack(np.unravel_index(kept, tuple(shape)), axis=1) / shape
        return self.sign * (self.solver.energies(points - np.rint(points)) - self.edge)[back]


def _sampled(fits: np.ndarray, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Values of quadratic functions ``[n, 10]`` at places in a cell, and slopes along its sides."""
    slopes = fits @ _slopes(at).reshape(-1, 10).T
    return (fits @ _basis(at).T).ravel(), slopes.reshape(-1, 3)
