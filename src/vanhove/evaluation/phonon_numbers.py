"""Errors of whole phonons, crystal by crystal, and the numbers that sum them up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from scipy.stats import spearmanr

NEAR_GAMMA = 0.15
"""Of the edge of a cubic Brillouin zone of the same volume: interpolated acoustic branches of DFPT
often dip below zero here."""
HIGH = 1000.0
"""1/cm: where the papers' window ends."""


@dataclass(frozen=True)
class PhononErrors:
    """Of one crystal; NaN where it does not apply.

    Attributes:
        n_atoms: of the primitive cell.
        highest: the highest frequency of DFPT along the path, 1/cm.
        bands: mean absolute error of frequencies along the path, 1/cm.
        lowest_bands: the same of the three lowest branches.
        highest_error: of the highest frequency, predicted less DFPT, 1/cm.
        longitudinal_error: of the highest mode at Gamma, approached along the path, 1/cm; of polar
            crystals.
        heat_capacity_error, entropy_error: at 300 K, J/(K mol of atoms); of stable crystals.
        softest: the lowest predicted frequency, 1/cm.
        probability: predicted, that it is unstable; of models that know it.
        called_unstable: by the model, 1 or 0; of these models.
        is_unstable: according to DFPT, 1 or 0.
        softest_truth: the lowest frequency of DFPT along the path, 1/cm.
        softest_truth_away: the same further from Gamma than `NEAR_GAMMA`.
        charge_error: mean absolute error of the Born charges, e.
        dielectric_error: of a third of the trace, relative.
        bands_std: predicted standard deviation of the bands, mean over the path, 1/cm.
        bands_covered: share of the bands in their 90 % interval.
        highest_covered, heat_capacity_covered, entropy_covered, free_energy_covered: 1 where the
            truth is in the 90 % interval, else 0; thermal ones at 300 K.
        density_error: area between the whole density of states and that of DFPT, both broadened,
            as a share of all states.
        density_covered: share of the points where either has weight, in their 90 % interval.
        mean_frequency_error: of all real modes, absolute, 1/cm.
        has_hydrogen, is_metal: 1 or 0; metals are those without Born charges of their own.
        noise: change of the mean frequency when atoms move at random by `NOISE` angstrom, 1/cm.
        seconds: of the prediction, its densities and bands.
    """

    n_atoms: float
    highest: float
    bands: float
    lowest_bands: float
    highest_error: float
    longitudinal_error: float
    heat_capacity_error: float
    entropy_error: float
    softest: float
    probability: float
    called_unstable: float
    is_unstable: float
    softest_truth: float
    softest_truth_away: float
    charge_error: float
    dielectric_error: float
    bands_std: float
    bands_covered: float
    highest_covered: float
    heat_capacity_covered: float
    entropy_covered: float
    free_energy_covered: float
    has_hydrogen: float
    is_metal: float
    noise: float
    seconds: float
    density_error: float = np.nan
    density_covered: float = np.nan
    mean_frequency_error: float = np.nan


CONVENTIONS = {
    "bands": "bands, MAE of each crystal over its path, mean over crystals, 1/cm",
    "bands_median": "the same, median over crystals",
    "bands_low": "bands of crystals whose spectrum ends below 1000 1/cm",
    "bands_high": "bands of crystals whose spectrum goes on above 1000 1/cm",
    "lowest_bands": "bands, the three lowest branches",
    "highest": "highest frequency, MAE, 1/cm",
    "longitudinal_median": "highest mode at Gamma of polar crystals, median absolute error, 1/cm",
    "longitudinal_bias": "the same, median error",
    "heat_capacity_300K": "C_V(300 K), MAE, J/(K mol of atoms), stable crystals",
    "heat_capacity_300K_high": "the same of those that go on above 1000 1/cm",
    "entropy_300K": "S(300 K), MAE, J/(K mol of atoms), stable crystals",
    "mean_frequency": "mean frequency of the whole spectrum, MAE, 1/cm",
    "density": "whole density of states, area between it and that of DFPT (broadened by 12 1/cm), "
    "share of all states",
    "balanced_accuracy": "stable or not, mean of sensitivity and specificity",
    "stability_auc": "the same, area under the curve of the probability",
    "stability_brier": "the same, mean squared error of the probability (Brier score)",
    "bands_covered": "bands within their 90 % interval, mean share over crystals",
    "bands_covered_high": "the same of those that go on above 1000 1/cm",
    "bands_covered_hydrogen": "the same of those with hydrogen",
    "bands_covered_metals": "the same of metals",
    "bands_covered_unstable": "the same of unstable ones",
    "density_covered": "whole density of states within its 90 % interval where it or that of DFPT "
    "is above 2 % of its maximum, mean share of points over crystals",
    "density_covered_high": "the same of those that go on above 1000 1/cm",
    "density_covered_unstable": "the same of unstable ones",
    "highest_covered": "highest frequency within its 90 % interval, share of crystals",
    "heat_capacity_covered": "C_V(300 K) within its 90 % interval, share of stable crystals",
    "entropy_covered": "S(300 K), the same",
    "free_energy_covered": "F(300 K), the same",
    "rank_of_errors": "error bars against errors of the bands, rank correlation over crystals",
    "charges": "Born charges, MAE, e",
    "dielectric": "electronic dielectric constant, mean relative error",
    "noise": "mean frequency after noise of 0.003 angstrom, mean absolute change, 1/cm",
    "seconds": "seconds of a crystal: force constants, density, thermodynamics, bands",
}


def best_threshold(found: Sequence[PhononErrors]) -> float:
    """The frequency below which crystals are best called unstable, 1/cm, without odds."""
    found = [replace(error, called_unstable=np.nan) for error in found]
    candidates = np.unique(np.round([error.softest for error in found]))
    candidates = np.append(candidates[candidates < 0], -0.5)
    scores = [balanced_accuracy(found, at) for at in candidates]
    return float(candidates[int(np.argmax(scores))])


def balanced_accuracy(found: Sequence[PhononErrors], threshold: float) -> float:
    """Mean of the shares of unstable and of stable crystals that are called so: by the model, or
    where it does not say by the threshold."""
    truth = np.array([error.is_unstable for error in found]) > 0
    known = np.array([error.called_unstable for error in found])
    softer = np.array([error.softest for error in found]) < threshold
    called = np.where(np.isnan(known), softer, known > 0)
    shares = [(called[truth]).mean() if truth.any() else np.nan]
    shares.append((~called[~truth]).mean() if (~truth).any() else np.nan)
    return float(np.mean(shares))


def summary(found: Sequence[PhononErrors], threshold: float) -> dict[str, float | None]:
    """The numbers of `CONVENTIONS` over some crystals; None where none applies."""
    column = {
        field.name: np.array([getattr(error, field.name) for error in found])
        for field in fields(PhononErrors)
    }
    high = column["highest"] > HIGH
    heat = np.abs(column["heat_capacity_error"])
    values = {
        "bands": column["bands"].mean(),
        "bands_median": np.median(column["bands"]),
        "bands_low": _mean(column["bands"][~high]),
        "bands_high": _mean(column["bands"][high]),
        "lowest_bands": column["lowest_bands"].mean(),
        "highest": np.abs(column["highest_error"]).mean(),
        "longitudinal_median": _median(np.abs(column["longitudinal_error"])),
        "longitudinal_bias": _median(column["longitudinal_error"]),
        "heat_capacity_300K": _mean(heat),
        "heat_capacity_300K_high": _mean(heat[high]),
        "entropy_300K": _mean(np.abs(column["entropy_error"])),
        "mean_frequency": _mean(column["mean_frequency_error"]),
        "density": _mean(column["density_error"]),
        "balanced_accuracy": balanced_accuracy(found, threshold),
        "stability_auc": _auc(column["probability"], column["is_unstable"]),
        "stability_brier": _mean((column["probability"] - column["is_unstable"]) ** 2),
        "bands_covered": _mean(column["bands_covered"]),
        "bands_covered_high": _mean(column["bands_covered"][high]),
        "bands_covered_hydrogen": _mean(column["bands_covered"][column["has_hydrogen"] > 0]),
        "bands_covered_metals": _mean(column["bands_covered"][column["is_metal"] > 0]),
        "bands_covered_unstable": _mean(column["bands_covered"][column["is_unstable"] > 0]),
        "density_covered": _mean(column["density_covered"]),
        "density_covered_high": _mean(column["density_covered"][high]),
        "density_covered_unstable": _mean(column["density_covered"][column["is_unstable"] > 0]),
        "highest_covered": _mean(column["highest_covered"]),
        "heat_capacity_covered": _mean(column["heat_capacity_covered"]),
        "entropy_covered": _mean(column["entropy_covered"]),
        "free_energy_covered": _mean(column["free_energy_covered"]),
        "rank_of_errors": _rank(column["bands_std"], column["bands"]),
        "charges": _mean(column["charge_error"]),
        "dielectric": _mean(column["dielectric_error"]),
        "noise": _mean(column["noise"]),
        "seconds": column["seconds"].mean(),
    }
    return {name: number(value) for name, value in values.items()}


def standard_errors(
    found: Sequence[PhononErrors], threshold: float, n_draws: int = 200
) -> dict[str, float | None]:
    """Standard deviations of `summary` over crystals drawn anew with replacement (bootstrap)."""
    generator = np.random.default_rng(0)
    draws = [
        summary([found[i] for i in generator.integers(len(found), size=len(found))], threshold)
        for _ in range(n_draws)
    ]
    result: dict[str, float | None] = {}
    for name in draws[0]:
        values = [value for draw in draws if (value := draw[name]) is not None]
        result[name] = float(np.std(values)) if values else None
    return result


def _auc(score: np.ndarray, truth: np.ndarray) -> float:
    yes, no = score[truth > 0], score[truth == 0]
    if np.isnan(score).any() or not (len(yes) and len(no)):
        return np.nan
    apart = np.sign(yes[:, None] - no)
    return float((apart.mean() + 1) / 2)


def _rank(first: np.ndarray, second: np.ndarray) -> float:
    known = np.isfinite(first) & np.isfinite(second)
    return float(spearmanr(first[known], second[known])[0]) if known.sum() > 2 else np.nan


def number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _mean(values: np.ndarray) -> float:
    values = values[np.isfinite(values)]
    return float(values.mean()) if len(values) else np.nan


def _median(values: np.ndarray) -> float:
    values = values[np.isfinite(values)]
    return float(np.median(values)) if len(values) else np.nan
