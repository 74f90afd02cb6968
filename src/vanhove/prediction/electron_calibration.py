"""Errors and spreads of the tight-binding model on labelled crystals, and its error bars."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vanhove.datasets.electron_pbe import ElectronStates
from vanhove.errors import DataError
from vanhove.evaluation.electron_states import WINDOW
from vanhove.models.tight_binding.hamiltonian import CrystalHamiltonian
from vanhove.models.tight_binding.network import TightBinding
from vanhove.prediction.electrons import Electrons
from vanhove.spectra.eigenvalues import Eigenvalues, band_edges
from vanhove.training.band_labels import GapLabel


def energy_errors(
    models: Sequence[TightBinding], state: ElectronStates
) -> tuple[np.ndarray, np.ndarray]:
    """Errors of energies between -6 and 4 eV, and their spread over the networks, eV.

    On mesh and path of the calculation; each counted from its own band edge.
    """
    solver = CrystalHamiltonian(models, state.crystal)
    points = np.concatenate([state.mesh_kpoints, state.path_kpoints])
    n_mesh = len(state.mesh_kpoints)
    found = solver.energies(points)
    own = Eigenvalues(
        found[:n_mesh],
        state.mesh_weights,
        solver.n_electrons,
        tetrahedra=state.eigenvalues.tetrahedra,
    )
    level = band_edges(own, found[n_mesh:]).vbm
    n = min(found.shape[1], state.mesh_energies.shape[1], state.path_energies.shape[1])
    target = np.concatenate([state.mesh_energies[:, :n], state.path_energies[:, :n]])
    target = target - state.edges.vbm
    inside = (target >= WINDOW[0]) & (target <= WINDOW[1])
    spread = solver.member_energies(points).std(axis=0)[:, :n]
    return (found[:, :n] - level - target)[inside], spread[inside]


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
