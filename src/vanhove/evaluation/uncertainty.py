"""Ensembles on many rows, and whether their error bars hold there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from scipy.stats import spearmanr
from torch import Tensor

from vanhove.models.band_calibration import BandCalibration, gap_error, material_shares
from vanhove.models.calibration import CALIBRATED, LEVELS, Calibration
from vanhove.models.ensemble import Ensemble, EnsemblePrediction, predict_members
from vanhove.models.model import SpectrumModel
from vanhove.runs.prepared import PreparedData
from vanhove.spectra.band_metrics import crosses_fermi, energy_mae
from vanhove.spectra.metrics import mae_per_material

WEIGHT = 0.01
"""Points above this part of the spectrum's maximum, predicted or true, are where there is any."""
_TEMPERATURE = 300.0


def member_predictions(
    members: Sequence[SpectrumModel],
    data: PreparedData,
    rows: Tensor,
    batch_size: int = 32,
) -> tuple[np.ndarray, Tensor]:
    """`predict_members` of many rows: ``[n_members, n_rows, ...]`` and ``[n_rows, d]``."""
    order = torch.argsort(data.graphs.n_atoms[rows])
    values = np.zeros((len(members), len(rows), *data.targets.shape[1:]))
    states = torch.zeros(len(rows), members[0].encoder.out_dim)
    for chunk in order.split(batch_size):
        own, own_states = predict_members(members, [data.graph(int(row)) for row in rows[chunk]])
        values[:, chunk.numpy()] = own.numpy()
        states[chunk] = own_states
    return values, states


def predict_rows_with_errors(
    model: Ensemble, data: PreparedData, rows: Tensor
) -> EnsemblePrediction:
    """`Ensemble.predict_with_errors` of many rows, in their order."""
    values, states = member_predictions(model.models, data, rows)
    return model.assess(values, states, [data.graph(int(row)) for row in rows])


def uncertainty_metrics(
    model: Ensemble, prediction: EnsemblePrediction, target: np.ndarray, data: PreparedData
) -> dict[str, Any]:
    """How often intervals hold, how wide they are, and whether they rank the errors.

    Returns:
        Of bands what `_band_uncertainty` says. Of spectra
        ``coverage``: level to the share of all points in their interval; ``coverage_with_weight``:
        the same of points where the prediction or the truth exceeds 1 % of its maximum;
        ``coverage_per_material_std``: of the 90 % interval; ``half_width``: its mean;
        ``rank_correlation``: Spearman, mean error bar of a material against its MAE;
        ``familiarity_rank_correlation``: of the familiarity against the MAE (negative is good);
        for phonons ``properties``: coverage of the 90 % intervals.
    """
    mean, calibration = prediction.mean, model.calibration
    if isinstance(calibration, BandCalibration):
        electrons = data.dataset.kind.fermi_level
        return _band_uncertainty(calibration, prediction, target, electrons)
    inside = {}
    for level in LEVELS:
        low, high = calibration.interval(mean, prediction.std, level)
        inside[level] = (target >= low) & (target <= high)
    top = np.maximum(target.max(axis=1), mean.max(axis=1))[:, None]
    weighty = np.maximum(target, mean) > WEIGHT * top
    error = mae_per_material(target, mean)
    found: dict[str, Any] = {
        "coverage": {f"{level:g}": float(own.mean()) for level, own in inside.items()},
        "coverage_with_weight": {
            f"{level:g}": float(own[weighty].mean()) for level, own in inside.items()
        },
        "coverage_per_material_std": float(inside[0.9].mean(axis=1).std()),
        "half_width": float(calibration.factors["0.9"] * prediction.std.mean()),
        "rank_correlation": _rank_correlation(prediction.std.mean(axis=1), error),
        "familiarity_rank_correlation": _rank_correlation(prediction.familiarity, error),
    }
    if calibration.properties:
        found["properties"] = _property_coverage(
            calibration, prediction.members, target, data.dataset.grid
        )
    return found


def _band_uncertainty(
    calibration: BandCalibration,
    prediction: EnsemblePrediction,
    target: np.ndarray,
    electrons: bool,
) -> dict[str, Any]:
    """The same of bands; shares and means are of the known energies of each material, then over
    materials.

    Returns:
        ``coverage``, ``coverage_per_material_std``, ``half_width`` and both rank correlations;
        ``coverage_metal`` and ``coverage_nonmetal``, of electrons; ``gap``, of
        electrons: how many materials were predicted to have one, their MAE and, if it is
        calibrated, half width and coverage of the 90 % interval.
    """
    mean = prediction.mean
    shares = material_shares(np.isfinite(target))

    def per_material(values: np.ndarray) -> np.ndarray:
        return (shares * values).sum(axis=(1, 2))

    inside = {}
    for level in LEVELS:
        low, high = calibration.interval(mean, prediction.std, level)
        inside[level] = per_material((target >= low) & (target <= high))
    bars, error = per_material(prediction.std), energy_mae(target, mean)
    found: dict[str, Any] = {
        "coverage": {f"{level:g}": float(own.mean()) for level, own in inside.items()},
        "coverage_per_material_std": float(inside[0.9].std()),
        "half_width": float(calibration.factors["0.9"] * bars.mean()),
        "rank_correlation": _rank_correlation(bars, error),
        "familiarity_rank_correlation": _rank_correlation(prediction.familiarity, error),
    }
    if not electrons:
        return found
    is_metal = crosses_fermi(target)
    for name, chosen in (("metal", is_metal), ("nonmetal", ~is_metal)):
        if chosen.any():
            found[f"coverage_{name}"] = {
                f"{level:g}": float(own[chosen].mean()) for level, own in inside.items()
            }
    return found | {"gap": _gap_coverage(calibration, gap_error(mean, target))}


def _gap_coverage(calibration: BandCalibration, error: np.ndarray) -> dict[str, Any]:
    found: dict[str, Any] = {"n": len(error), "n_calibrated_on": calibration.n_gaps}
    if len(error):
        found["mae"] = float(error.mean())
    if calibration.gap_half_widths is not None:
        half = calibration.gap_half_widths["0.9"]
        found["half_width"] = half
        if len(error):
            found["coverage"] = float((error <= half).mean())
    return found


def _rank_correlation(score: np.ndarray, error: np.ndarray) -> float | None:
    """Spearman's; None where all scores are alike."""
    if np.ptp(score) == 0 or np.ptp(error) == 0:
        return None
    return float(spearmanr(score, error).statistic)


def _property_coverage(
    calibration: Calibration, members: np.ndarray, target: np.ndarray, grid: np.ndarray
) -> dict[str, dict[str, float | None]]:
    kept = (members.max(axis=-1) > 0).all(axis=0) & (target.max(axis=-1) > 0)
    members, target = members[:, kept], target[kept]
    found = {}
    for name, of in CALIBRATED.items():
        own = of(grid, members, _TEMPERATURE)
        error = np.abs(
            of(grid, members.mean(axis=0), _TEMPERATURE) - of(grid, target, _TEMPERATURE)
        )
        std, half = calibration.property_std(name, own, _TEMPERATURE)
        found[name] = {
            "mae": float(error.mean()),
            "coverage": float((error <= half).mean()),
            "half_width": float(half.mean()),
            "rank_correlation": _rank_correlation(std, error),
        }
    return found
