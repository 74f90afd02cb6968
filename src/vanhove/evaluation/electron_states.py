"""How far predicted electron states are from calculated ones: densities, bands, edges."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from vanhove.datasets.electron_pbe import ElectronStates
from vanhove.datasets.electron_pbe_bands import bands_along_path
from vanhove.errors import DataError
from vanhove.spectra.band_metrics import energy_mae
from vanhove.spectra.eigenvalues import BandEdges, Eigenvalues, band_edges
from vanhove.spectra.electron_dos import dostransformer_electron_dos
from vanhove.spectra.metrics import r2_per_material

WINDOW = (-6.0, 4.0)
"""eV from the valence band maximum or Fermi level."""
N_NEAR = 6


@dataclass(frozen=True, eq=False)
class Prediction:
    """Bands of one material at the k-points of its calculation.

    Attributes:
        mesh, path: eV, any zero, the bands that ``n_electrons`` fill among them,
            ``[n_k, n_bands]``.
        n_electrons: that fill these bands; may differ from the calculation's by whole shells.
    """

    mesh: np.ndarray
    path: np.ndarray
    n_electrons: int


Predictor = Callable[[ElectronStates], Prediction | None]


def measure(state: ElectronStates, predicted: Prediction) -> dict[str, float]:
    """Errors of one material, see `measure_all`; ``NaN`` where a number does not exist."""
    own = Eigenvalues(
        predicted.mesh,
        state.mesh_weights,
        predicted.n_electrons,
        tetrahedra=state.eigenvalues.tetrahedra,
    )
    edges = band_edges(own, predicted.path)
    result = {
        "is_metal": float(state.edges.is_metal),
        "metal_right": float(edges.is_metal == state.edges.is_metal),
        "gap": state.edges.gap,
        "predicted_gap": edges.gap,
        "gap_error": abs(edges.gap - state.edges.gap),
        "window": _window_error(state, predicted, edges),
        "six_bands": _near_error(state, predicted, edges),
        "six_bands_by_count": _counted_error(state, predicted, edges),
    }
    try:
        target = dostransformer_electron_dos(state.eigenvalues, state.mesh_edges)
        found = dostransformer_electron_dos(own, band_edges(own))
    except DataError:
        return result | {"dos_mse": np.nan, "dos_mae": np.nan, "dos_r2": np.nan}
    return result | {
        "dos_mse": float(((target - found) ** 2).mean()),
        "dos_mae": float(np.abs(target - found).mean()),
        "dos_r2": float(r2_per_material(target[None], found[None])[0]),
    }


def measure_all(
    states: Sequence[ElectronStates], predict: Predictor
) -> tuple[dict[str, float], dict[str, dict[str, float]]]:
    """Means over materials, and the numbers of each.

    Density of states in DOSTransformer's convention (`dostransformer_electron_dos`; tetrahedra of
    the calculation's mesh): ``dos_mse_x10``, ``dos_mae``, ``dos_r2_mean`` and ``dos_r2_median``.
    ``six_bands``: mean absolute error of the three bands below and above the Fermi level (mid-gap),
    256 points of the path. Which bands are below follows from their centres, of calculation and
    prediction each: where a centre crosses the Fermi level, bands are compared with their
    neighbours. ``six_bands_by_count``: of the same bands in both, the last three that the electrons
    fill, two each, and the next three; at the points of the path. ``window``: of all bands on mesh
    and path that the calculation has between -6 and 4 eV of the valence band maximum (metals: Fermi
    level). ``metal_accuracy``; ``gap_insulators`` and ``gap_all``: mean absolute error of the gap.
    Energies in eV; a prediction's are counted from its own band edges.

    Args:
        states: the calculations.
        predict: bands of one of them; None where there is no prediction, which leaves it out.
    """
    each = {}
    for state in states:
        predicted = predict(state)
        if predicted is not None:
            each[state.crystal.name] = measure(state, predicted)
    return summary(each), each


def summary(each: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Means of what `measure` gave."""
    rows = list(each.values())
    column = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    insulator = column["is_metal"] == 0
    return {
        "n_materials": len(rows),
        "n_with_density": int(np.isfinite(column["dos_mse"]).sum()),
        "dos_mse_x10": 10 * float(np.nanmean(column["dos_mse"])),
        "dos_mae": float(np.nanmean(column["dos_mae"])),
        "dos_r2_mean": float(np.nanmean(column["dos_r2"])),
        "dos_r2_median": float(np.nanmedian(column["dos_r2"])),
        "six_bands": float(np.nanmean(column["six_bands"])),
        "six_bands_by_count": float(np.nanmean(column["six_bands_by_count"])),
        "window": float(np.nanmean(column["window"])),
        "metal_accuracy": float(column["metal_right"].mean()),
        "n_insulators": int(insulator.sum()),
        "gap_insulators": float(column["gap_error"][insulator].mean())
        if insulator.any()
        else float("nan"),
        "gap_all": float(column["gap_error"].mean()),
    }


def _window_error(state: ElectronStates, predicted: Prediction, edges: BandEdges) -> float:
    shift = (predicted.n_electrons - state.n_electrons) // 2
    errors = []
    for target, found in (
        (state.mesh_energies, predicted.mesh),
        (state.path_energies, predicted.path),
    ):
        first, start = max(0, -shift), max(0, shift)
        n = min(target.shape[1] - first, found.shape[1] - start)
        target = target[:, first : first + n] - state.edges.vbm
        found = found[:, start : start + n] - edges.vbm
        inside = (target >= WINDOW[0]) & (target <= WINDOW[1])
        errors.append(np.abs(found - target)[inside])
    return float(np.concatenate(errors).mean())


def _near_error(state: ElectronStates, predicted: Prediction, edges: BandEdges) -> float:
    target = bands_along_path(state, state.path_energies, state.edges)
    found = bands_along_path(state, predicted.path, edges)
    near = [b.continuous().resampled(256).near_fermi(N_NEAR) for b in (target, found)]
    both = np.where(np.isnan(near[1]), np.nan, near[0])
    if np.isnan(both).all():
        return float("nan")
    return float(energy_mae(both[None], near[1][None])[0])


def _counted_error(state: ElectronStates, predicted: Prediction, edges: BandEdges) -> float:
    steps = np.arange(N_NEAR) - N_NEAR // 2
    true, own = state.n_electrons // 2 + steps, predicted.n_electrons // 2 + steps
    there = (true >= 0) & (true < state.path_energies.shape[1])
    there &= (own >= 0) & (own < predicted.path.shape[1])
    if not there.any():
        return float("nan")
    target = state.path_energies[:, true[there]] - state.edges.fermi_level
    found = predicted.path[:, own[there]] - edges.fermi_level
    return float(np.abs(found - target).mean())
