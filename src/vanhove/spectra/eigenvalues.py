"""From the eigenvalues of a band-structure calculation to a density of states and band edges.

Everything rests on the number of states below an energy, N(E), which is exact for each method; a
density is the difference of N over a cell of the grid, so it is normalised on any grid, however
coarse. Two methods:

* tetrahedra (`vanhove.physics.tetrahedra`): no parameter, sharp band edges; needs a regular mesh;
* Gaussians of a stated width: any k-points.

Two electrons per state (no spin polarisation). Energies in eV, densities in states/eV/cell.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from vanhove.errors import ConfigError, DataError
from vanhove.physics.tetrahedra import Tetrahedra, states_below
from vanhove.spectra.grids import cell_edges, check_grid, check_on_grid

SPIN_DEGENERACY = 2
GAP_TOLERANCE = 1e-3
"""eV: bands that come closer than this touch (a degeneracy at Gamma is not exact in a file)."""
_TAIL = 4
"""Widths of a Gaussian past which it counts as 0 (6e-5 of it)."""


class StateCount(Protocol):
    """Something that knows how many states lie below an energy."""

    @property
    def known_range(self) -> tuple[float, float]:
        """Energies between which no state is missing, eV."""
        ...

    def number_of_states(self, energies: np.ndarray) -> np.ndarray:
        """States per cell below each of the increasing ``energies`` (eV), ``[n_energies]``."""
        ...


@dataclass(frozen=True, eq=False)
class Eigenvalues:
    """Band energies on k-points, and how they become a density.

    Attributes:
        energies: eV, absolute, ``[n_kpoints, n_bands]``; sorted for each k-point.
        weights: of the k-points, ``[n_kpoints]``, sum 1.
        n_electrons: electrons per cell that fill these bands.
        width: standard deviation of the Gaussians, eV; None for tetrahedra.
        tetrahedra: of the mesh, for ``width=None``.

    Raises:
        DataError: spin-polarised bands (three axes), values that are not finite, weights that do
            not fit or add up to 1, an electron count that is no whole number, or bands
            that leave no state empty.
        ConfigError: neither a positive width nor tetrahedra.
    """

    energies: np.ndarray
    weights: np.ndarray
    n_electrons: int
    width: float | None = None
    tetrahedra: Tetrahedra | None = None

    def __post_init__(self) -> None:
        energies = np.asarray(self.energies, dtype=np.float64)
        weights = np.asarray(self.weights, dtype=np.float64)
        if energies.ndim == 3:
            raise DataError(
                f"eigenvalues of shape {energies.shape}: spin-polarised bands are not supported; "
                "give one array [n_kpoints, n_bands] of a calculation without spin"
            )
        if energies.ndim != 2 or energies.size == 0:
            raise DataError(f"eigenvalues have shape [n_kpoints, n_bands], got {energies.shape}")
        if not np.isfinite(energies).all():
            raise DataError("the eigenvalues hold NaN or infinity: the calculation is incomplete")
        if weights.shape != energies.shape[:1] or not (weights > 0).all():
            raise DataError(
                f"{energies.shape[0]} k-points need as many positive weights, got shape "
                f"{weights.shape}"
            )
        if abs(weights.sum() - 1) > 1e-6:
            raise DataError(f"the weights of the k-points must add up to 1, got {weights.sum():g}")
        if not (self.n_electrons >= 1 and float(self.n_electrons).is_integer()):
            raise DataError(
                f"n_electrons must be a whole number of at least 1, got {self.n_electrons}: "
                "fractionally charged or doped cells are not supported"
            )
        if SPIN_DEGENERACY * energies.shape[1] <= self.n_electrons:
            raise DataError(
                f"too few bands: {energies.shape[1]} leave no empty state above "
                f"{self.n_electrons} electrons"
            )
        if self.width is None and self.tetrahedra is None:
            raise ConfigError("give a Gaussian width in eV, or the tetrahedra of the k-mesh")
        if self.width is not None and not (np.isfinite(self.width) and self.width > 0):
            raise ConfigError(f"width must be a positive number in eV or None, got {self.width}")
        object.__setattr__(self, "energies", np.sort(energies, axis=1))
        object.__setattr__(self, "weights", weights)
        object.__setattr__(self, "n_electrons", int(self.n_electrons))

    @property
    def known_range(self) -> tuple[float, float]:
        """All that lies below is known (of the valence shells); above the lowest energy of the
        highest band, states of further bands may be missing."""
        tail = 0.0 if self.width is None else _TAIL * self.width
        return -np.inf, float(self.energies[:, -1].min()) - tail

    def number_of_states(self, energies: np.ndarray) -> np.ndarray:
        """Electrons per cell that states below each energy hold, broadened as chosen.

        Args:
            energies: eV, increasing, ``[n_energies]``.
        """
        at = np.asarray(energies, dtype=np.float64)
        if self.width is None:
            return SPIN_DEGENERACY * states_below(*self._tetrahedron_energies, at)
        from scipy.special import ndtr

        total = np.zeros(len(at))
        for band in self.energies.T:
            total += ndtr((at[:, None] - band) / self.width) @ self.weights
        return SPIN_DEGENERACY * total

    def dos(self, grid: np.ndarray) -> np.ndarray:
        """Density of states on any grid (eV, absolute), states/eV/cell, ``[n_points]``.

        Each value is the mean over the cell around its point (the midpoints between points; half
        cells at the ends), so the trapezoid integral is the number of states on the grid exactly.

        Raises:
            DataError: a bad grid, or one that reaches past the bands that were computed.
        """
        return mean_density(self, cell_edges(check_grid(grid)))

    @cached_property
    def _tetrahedron_energies(self) -> tuple[np.ndarray, np.ndarray]:
        assert self.tetrahedra is not None
        corners = self.energies[self.tetrahedra.corners]  # [n_tetrahedra, 4, n_bands]
        corners = np.sort(corners.transpose(0, 2, 1).reshape(-1, 4), axis=1)
        return corners, np.repeat(self.tetrahedra.weights, self.energies.shape[1])


@dataclass(frozen=True, eq=False)
class SampledDos:
    """A finely sampled density of states, as VASP and the Materials Project give it.

    Attributes:
        energies: eV, increasing, ``[n_energies]``; the density is linear between them.
        densities: states/eV/cell of both spins together, ``[n_energies]``. Smearing of higher
            order leaves small negative values; they count as 0.

    Raises:
        DataError: spin-resolved densities, a bad grid, values that are not finite or clearly
            negative (by more than 1 % of the largest).
    """

    energies: np.ndarray
    densities: np.ndarray

    def __post_init__(self) -> None:
        energies, densities = check_on_grid(self.energies, self.densities)
        if densities.ndim != 1:
            raise DataError(
                f"densities of shape {densities.shape}: spin-polarised densities of states are not "
                "supported; give one density [n_energies]"
            )
        if densities.min() < -0.01 * densities.max():
            raise DataError(f"a density of states is not negative, got {densities.min():g}")
        object.__setattr__(self, "energies", energies)
        object.__setattr__(self, "densities", densities.clip(min=0))

    @property
    def known_range(self) -> tuple[float, float]:
        """From the first to the last energy."""
        return float(self.energies[0]), float(self.energies[-1])

    def number_of_states(self, energies: np.ndarray) -> np.ndarray:
        """States per cell between the first energy and each of ``energies``."""
        at = np.clip(np.asarray(energies, dtype=np.float64), *self.known_range)
        cells = np.diff(self.energies) * (self.densities[1:] + self.densities[:-1]) / 2
        running = np.concatenate([[0.0], cells.cumsum()])
        left = np.searchsorted(self.energies, at, side="right").clip(max=len(cells)) - 1
        density = np.interp(at, self.energies, self.densities)
        return running[left] + (at - self.energies[left]) * (self.densities[left] + density) / 2


def mean_density(states: StateCount, edges: np.ndarray) -> np.ndarray:
    """Mean density in each bin, states/eV/cell, ``[n_bins]``.

    Args:
        states: eigenvalues or a sampled density.
        edges: of the bins, eV, absolute, increasing, ``[n_bins + 1]``.

    Raises:
        DataError: the bins reach past what is known.
    """
    low, high = states.known_range
    # A bin may end at the last sampled energy, give or take rounding.
    if edges[0] < low - 1e-6 or edges[-1] > high + 1e-6:
        raise DataError(
            f"the window {edges[0]:.3f} to {edges[-1]:.3f} eV is not covered: states are known "
            f"from {low:.3f} to {high:.3f} eV; compute more bands or a wider range"
        )
    return np.diff(states.number_of_states(edges)) / np.diff(edges)


@dataclass(frozen=True)
class BandEdges:
    """Where bands end, eV, absolute.

    Attributes:
        vbm: valence band maximum; for a metal, the Fermi level.
        cbm: conduction band minimum; for a metal, the Fermi level.
        fermi_level: the middle of the gap, or where the bands of a metal are filled up to.
        is_metal: bands overlap or touch, or hold an odd number of electrons.
    """

    vbm: float
    cbm: float
    fermi_level: float
    is_metal: bool

    @property
    def gap(self) -> float:
        """Band gap, eV; 0 for a metal."""
        return self.cbm - self.vbm


def band_edges(
    eigenvalues: Eigenvalues, path: np.ndarray | None = None, tolerance: float = GAP_TOLERANCE
) -> BandEdges:
    """Band edges from the electron count: an even one fills ``n_electrons / 2`` bands.

    Args:
        eigenvalues: on the mesh. The Fermi level of a metal is where they hold the electrons.
        path: energies at more k-points, eV, same reference, ``[n_path_kpoints, n_path_bands]``,
            where band edges may lie that the mesh misses.
        tolerance: a smaller gap (eV) counts as none.

    Raises:
        DataError: too few bands along the path.
    """
    edges = None
    if eigenvalues.n_electrons % SPIN_DEGENERACY == 0:
        n_filled = eigenvalues.n_electrons // SPIN_DEGENERACY
        sets = [eigenvalues.energies]
        if path is not None:
            sets.append(np.sort(np.asarray(path, dtype=np.float64), axis=1))
            if sets[1].shape[1] <= n_filled:
                raise DataError(
                    f"too few bands along the path: {sets[1].shape[1]}, {n_filled} are filled"
                )
        vbm = max(float(energies[:, n_filled - 1].max()) for energies in sets)
        cbm = min(float(energies[:, n_filled].min()) for energies in sets)
        if cbm - vbm > tolerance:
            edges = BandEdges(vbm, cbm, (vbm + cbm) / 2, is_metal=False)
    if edges is None:
        level = _filled_up_to(eigenvalues)
        edges = BandEdges(level, level, level, is_metal=True)
    return edges


def _filled_up_to(eigenvalues: Eigenvalues) -> float:
    """The energy below which the states hold all electrons, eV."""
    from scipy.optimize import brentq

    low, high = eigenvalues.energies.min(), eigenvalues.energies[:, -1].max()
    tail = 10 * (eigenvalues.width or 0.1)

    def excess(energy: float) -> float:
        return float(eigenvalues.number_of_states(np.array([energy]))[0]) - eigenvalues.n_electrons

    return float(brentq(excess, low - tail, high + tail, xtol=1e-12, rtol=1e-14))
