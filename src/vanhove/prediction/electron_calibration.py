"""Errors and spreads of the tight-binding model on labelled crystals, and its error bars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from vanhove.datasets.electron_pbe import ElectronStates
from vanhove.errors import DataError
from vanhove.models.tight_binding.error_bars import HalfWidths, calibrate
from vanhove.models.tight_binding.hamiltonian import CrystalHamiltonian
from vanhove.models.tight_binding.network import TightBinding
from vanhove.prediction.electron_mesh import DENSITY_BROADENING, WINDOW, density_spread
from vanhove.prediction.electrons import Electrons
from vanhove.spectra.eigenvalues import Eigenvalues, band_edges
from vanhove.spectra.grids import cell_edges
from vanhove.training.band_labels import GapLabel

_STEP = 0.05
"""eV, of the grid on which densities are compared."""


@dataclass(frozen=True, eq=False)
class StateErrors:
    """Of one labelled crystal; energies from -6 to 4 eV, each counted from its own band edge.

    Attributes:
        is_metal: as predicted.
        energy, energy_spread: on mesh and path of the calculation, eV, ``[n]``.
        density, density_spread: on a grid, where the prediction is at least a twentieth of its
            maximum; in units of the predicted mean density, ``[n_points]``.
        spread: of `CrystalHamiltonian`, eV.
    """

    is_metal: bool
    energy: np.ndarray
    energy_spread: np.ndarray
    density: np.ndarray
    density_spread: np.ndarray
    spread: float

    @property
    def kind(self) -> str:
        return "metals" if self.is_metal else "insulators"


def state_errors(models: Sequence[TightBinding], state: ElectronStates) -> StateErrors:
    """Errors of the mean Hamiltonian, and how much the networks differ."""
    solver = CrystalHamiltonian(models, state.crystal)
    points = np.concatenate([state.mesh_kpoints, state.path_kpoints])
    n_mesh = len(state.mesh_kpoints)
    found, members = solver.energies(points), solver.member_energies(points)
    tetrahedra, weights = state.eigenvalues.tetrahedra, state.mesh_weights
    own = Eigenvalues(found[:n_mesh], weights, solver.n_electrons, tetrahedra=tetrahedra)
    edges = band_edges(own, found[n_mesh:])
    n = min(found.shape[1], state.mesh_energies.shape[1], state.path_energies.shape[1])
    target = np.concatenate([state.mesh_energies[:, :n], state.path_energies[:, :n]])
    target = target - state.edges.vbm
    inside = (target >= WINDOW[0]) & (target <= WINDOW[1])

    grid = np.arange(WINDOW[0], WINDOW[1] + 0.01, _STEP)
    cells = cell_edges(grid)
    densities = []
    for energies in (found[:n_mesh] - edges.vbm, state.mesh_energies - state.edges.vbm):
        states = Eigenvalues(energies, weights, 1, width=DENSITY_BROADENING)
        densities.append(np.diff(states.number_of_states(cells)) / _STEP)
    spread, scale = density_spread(members[:, :n_mesh] - edges.vbm, weights, grid)
    there = densities[0] >= densities[0].max() / 20
    there &= grid < state.mesh_energies[:, -1].min() - state.edges.vbm - 0.5  # all bands known
    return StateErrors(
        is_metal=edges.is_metal,
        energy=(found[:, :n] - edges.vbm - target)[inside],
        energy_spread=members.std(axis=0)[:, :n][inside],
        density=(densities[0] - densities[1])[there] / scale,
        density_spread=spread[there] / scale,
        spread=solver.spread,
    )


def calibration_rows(parts: Mapping[str, np.ndarray]) -> np.ndarray:
    """Crystals to calibrate with: the validation part, and what came later of its formulas."""
    return np.concatenate([parts["valid"], parts["later_valid"]])


def state_half_widths(errors: Sequence[StateErrors]) -> dict[str, HalfWidths]:
    """Of energies and densities, for predicted metals and insulators apart."""
    result = {}
    for kind in ("metals", "insulators"):
        chosen = [error for error in errors if error.kind == kind]
        for name in ("energy", "density"):
            result[f"{name} of {kind}"] = calibrate(
                [getattr(error, name) for error in chosen],
                [getattr(error, f"{name}_spread") for error in chosen],
            )
    return result


def gap_errors(
    models: Sequence[TightBinding], labels: Sequence[GapLabel]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Predicted gaps, true gaps and spreads over the networks, eV, ``[n]`` each.

    NaN is predicted where the model has no empty state, as of helium.
    """
    rows = []
    for label in labels:
        electrons = Electrons(models, label.crystal)
        try:
            rows.append((electrons.band_gap, label.gap, electrons.gap_spread))
        except DataError:
            rows.append((np.nan, label.gap, np.nan))
    found, target, spread = np.array(rows).T
    return found, target, spread
