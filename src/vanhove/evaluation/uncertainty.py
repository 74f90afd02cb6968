"""Ensembles on many rows, and whether their error bars hold there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.stats import spearmanr
from torch import Tensor

from vanhove.models.band_calibration import BandCalibration, gap_error, material_shares
from vanhove.models.calibration import CALIBRATED, LEVELS, Calibration
from vanhove.models.ensemble import Ensemble, EnsemblePrediction, predict_members
from vanhove.models.model import SpectrumModel
from vanhove.results import Result
from vanhove.runs.prepared import PreparedData
from vanhove.spectra.band_metrics import crosses_fermi, energy_mae
from vanhove.spectra.metrics import mae_per_material

WEIGHT = 0.01
"""Points above this part of the spectrum's maximum, predicted or true, are where there is any."""
_TEMPERATURE = 300.0


@dataclass(frozen=True)
class GapUncertainty(Result):
    """Error bars of band gaps, of the materials that are predicted to have one; eV.

    Attributes:
        n: materials.
        n_calibrated_on: materials that the half width comes from.
        mae: of the gap; none without materials.
        half_width: of the 90 % interval; none if it is not calibrated.
        coverage: share of the materials in that interval.
    """

    n: int
    n_calibrated_on: int
    mae: float | None = None
    half_width: float | None = None
    coverage: float | None = None


@dataclass(frozen=True, kw_only=True)
class Uncertainty(Result):
    """How often the intervals of an ensemble hold, how wide they are, whether they rank the errors.

    Of spectra, shares and means are of all points; of bands, of the known energies of each
    material, then over materials.

    Attributes:
        coverage: level of the interval (``"0.5"``...) to the share inside it.
        coverage_with_weight: of spectra, the same of points where the prediction or the truth
            exceeds 1 % of its maximum.
        coverage_per_material_std: standard deviation of the share of each material, 90 % interval.
        half_width: mean half width of the 90 % interval, in the unit of the values.
        rank_correlation: Spearman's, mean error bar of a material against its MAE; None where all
            are alike.
        familiarity_rank_correlation: of the familiarity against the MAE (negative is good).
        properties: of phonons, the derived properties at 300 K: ``mae``, ``coverage`` and mean
            ``half_width`` of the 90 % interval, ``rank_correlation``.
        coverage_metal, coverage_nonmetal: of electronic bands, ``coverage`` of these materials.
        gap: of electronic bands.
    """

    coverage: dict[str, float]
    coverage_with_weight: dict[str, float] | None = None
    coverage_per_material_std: float
    half_width: float
    rank_correlation: float | None
    familiarity_rank_correlation: float | None
    properties: dict[str, dict[str, float | None]] | None = None
    coverage_metal: dict[str, float] | None = None
    coverage_nonmetal: dict[str, float] | None = None
    gap: GapUncertainty | None = None


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
) -> Uncertainty:
    """How the error bars of an ensemble hold.

    Args:
        model: the ensemble.
        prediction: of the materials.
        target: ``[n_materials, n_points]``; of bands ``[n_materials, n_points, n_bands]``.
        data: the materials.
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
    properties = None
    if calibration.properties:
        properties = _property_coverage(calibration, prediction.members, target, data.dataset.grid)
    return Uncertainty(
        coverage={f"{level:g}": float(own.mean()) for level, own in inside.items()},
        coverage_with_weight={
            f"{level:g}": float(own[weighty].mean()) for level, own in inside.items()
        },
        coverage_per_material_std=float(inside[0.9].mean(axis=1).std()),
        half_width=float(calibration.factors["0.9"] * prediction.std.mean()),
        rank_correlation=_rank_correlation(prediction.std.mean(axis=1), error),
        familiarity_rank_correlation=_rank_correlation(prediction.familiarity, error),
        properties=properties,
    )


def _band_uncertainty(
    calibration: BandCalibration,
    prediction: EnsemblePrediction,
    target: np.ndarray,
    electrons: bool,
) -> Uncertainty:
    mean = prediction.mean
    shares = material_shares(np.isfinite(target))

    def per_material(values: np.ndarray) -> np.ndarray:
        return (shares * values).sum(axis=(1, 2))

    inside = {}
    for level in LEVELS:
        low, high = calibration.interval(mean, prediction.std, level)
        inside[level] = per_material((target >= low) & (target <= high))
    bars, error = per_material(prediction.std), energy_mae(target, mean)
    found = Uncertainty(
        coverage={f"{level:g}": float(own.mean()) for level, own in inside.items()},
        coverage_per_material_std=float(inside[0.9].std()),
        half_width=float(calibration.factors["0.9"] * bars.mean()),
        rank_correlation=_rank_correlation(bars, error),
        familiarity_rank_correlation=_rank_correlation(prediction.familiarity, error),
    )
    if not electrons:
        return found
    is_metal = crosses_fermi(target)
    metal, nonmetal = (
        {f"{level:g}": float(own[chosen].mean()) for level, own in inside.items()}
        if chosen.any()
        else None
        for chosen in (is_metal, ~is_metal)
    )
    gap = _gap_coverage(calibration, gap_error(mean, target))
    return replace(found, coverage_metal=metal, coverage_nonmetal=nonmetal, gap=gap)


def _gap_coverage(calibration: BandCalibration, error: np.ndarray) -> GapUncertainty:
    found = GapUncertainty(len(error), calibration.n_gaps)
    if len(error):
        found = replace(found, mae=float(error.mean()))
    if calibration.gap_half_widths is not None:
        half = calibration.gap_half_widths["0.9"]
        inside = float((error <= half).mean()) if len(error) else None
        found = replace(found, half_width=half, coverage=inside)
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
