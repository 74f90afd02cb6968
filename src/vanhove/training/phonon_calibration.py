"""Error bars and odds of instability of whole phonons, learned from those of DFPT."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from vanhove.crystal.crystal import Crystal
from vanhove.crystal.graph import GraphSettings, build_graph
from vanhove.crystal.kpath import reciprocal_lattice
from vanhove.datasets import SpectrumDataset
from vanhove.datasets.crystal_phonons import CrystalPhonons
from vanhove.evaluation.density_beside import DensityBeside
from vanhove.models.calibration import LEVELS, SMALLEST, fit_weights
from vanhove.models.ensemble import Ensemble
from vanhove.models.model import SpectrumModel
from vanhove.models.phonons import predict_phonons
from vanhove.progress import track
from vanhove.spectra.phonon_errors import (
    TEMPERATURES,
    THERMAL,
    ErrorScale,
    PhononCalibration,
    PhononFeatures,
    StabilityOdds,
)

_MOST_QPOINTS = 30
"""Of each path."""
_FEWEST = 8
"""Crystals of a kind, of validation, that are told apart."""
_ENOUGH = 40
"""With so many the training part does not help."""
_PENALTY = 100.0
"""Of the weights of the odds; chosen on validation."""
_EVERY = 2
"""Of the training crystals, which are many, each second one is looked at."""


@dataclass(frozen=True)
class Observed:
    """One crystal: what the model says of its errors, and what they are.

    Attributes:
        features: of the model's phonons.
        softest: frequency on the default mesh, 1/cm.
        terms, errors: of frequencies along the path, ``[n, n_terms]`` and 1/cm, ``[n]``.
        density_terms, density_errors: of the whole density, where it or that of DFPT has weight.
        highest_error, mean_error: of the highest and of the mean frequency, 1/cm.
        thermal_errors: by property, at `TEMPERATURES`; NaN where unstable.
        is_unstable: according to DFPT.
    """

    features: PhononFeatures
    softest: float
    terms: np.ndarray
    errors: np.ndarray
    density_terms: np.ndarray
    density_errors: np.ndarray
    highest_error: float
    mean_error: float
    thermal_errors: dict[str, np.ndarray]
    is_unstable: bool


def observe(
    model: SpectrumModel | Ensemble, crystal: Crystal, truth: CrystalPhonons, graph: GraphSettings
) -> Observed:
    """The model's phonons of one crystal of `phonon_petretto_full` beside DFPT."""
    own_graph = build_graph(crystal, graph.model_copy(update={"primitive": False}))
    phonons = replace(predict_phonons(model, own_graph, crystal), calibration=None)
    beside = DensityBeside.of(model, own_graph, phonons, truth)
    rows = np.unique(np.linspace(0, len(truth.kpoints) - 1, _MOST_QPOINTS).astype(int))
    to_fractional = np.linalg.inv(reciprocal_lattice(crystal.lattice))
    found = phonons.frequencies(
        truth.kpoints[rows] @ to_fractional, truth.directions[rows] @ to_fractional
    )
    thermal = phonons.thermal_properties(TEMPERATURES)
    at = [int(np.argmin(np.abs(truth.temperatures - kelvin))) for kelvin in TEMPERATURES]
    # The data end at 800 K; there errors have reached their classical limit.
    kelvin = np.array([truth.temperatures[i] for i in at])
    if kelvin[-1] != TEMPERATURES[-1]:
        thermal = phonons.thermal_properties(kelvin)
    unstable = truth.is_unstable
    return Observed(
        features=phonons.features,
        softest=phonons.stability.frequency,
        terms=phonons.features.frequency_terms(found).reshape(found.size, -1),
        errors=np.abs(found - truth.frequencies[rows]).ravel(),
        density_terms=beside.terms[beside.has_weight],
        density_errors=beside.errors[beside.has_weight],
        mean_error=beside.mean_error,
        highest_error=abs(phonons.highest_frequency[0] - truth.frequencies.max()),
        thermal_errors={
            name: np.full(len(at), np.nan)
            if unstable
            else np.abs(getattr(thermal, name) - getattr(truth, name)[at])
            for name in THERMAL
        },
        is_unstable=unstable,
    )


def fit_phonon_calibration(
    model: SpectrumModel | Ensemble, dataset: SpectrumDataset, graph: GraphSettings, quiet: bool
) -> PhononCalibration:
    """Scales on the validation part; factors of rare kinds of crystals with the help of the
    training part, whose errors count as many times larger as they are smaller than those of
    validation; odds of instability on the training part, corrected on validation."""
    assert dataset.phonons is not None
    parts = {}
    for part in ("train", "valid"):
        rows = dataset.split(part)[:: _EVERY if part == "train" else 1].tolist()
        parts[part] = [
            observe(model, dataset.crystals[row], dataset.phonons[row], graph)
            for row in track(rows, f"phonons of {part}", quiet)
        ]
    train, valid = parts["train"], parts["valid"]
    return fit(train, valid)


def fit(train: Sequence[Observed], valid: Sequence[Observed]) -> PhononCalibration:
    """As `fit_phonon_calibration`, of what `observe` gave."""

    def scalar(value: str, at: int | None = None) -> ErrorScale:
        def rows(of: Sequence[Observed]) -> list[_Errors]:
            result = []
            for own in of:
                if value == "highest":
                    terms, error = own.features.highest_terms, own.highest_error
                elif at is None:
                    terms, error = own.features.mean_terms, own.mean_error
                else:
                    terms = own.features.thermal_terms(value, TEMPERATURES[at])
                    error = float(own.thermal_errors[value][at])
                if np.isfinite(error):
                    result.append(_Errors(own.features.kind, terms[None], np.array([error])))
            return result

        return _fit_scale(rows(train), rows(valid))

    def along(of: Sequence[Observed]) -> list[_Errors]:
        return [_Errors(own.features.kind, own.terms, own.errors) for own in of]

    def of_density(of: Sequence[Observed]) -> list[_Errors]:
        return [_Errors(own.features.kind, own.density_terms, own.density_errors) for own in of]

    return PhononCalibration(
        frequency=_fit_scale(along(train), along(valid)),
        highest=scalar("highest"),
        thermal={name: [scalar(name, at) for at in range(len(TEMPERATURES))] for name in THERMAL},
        stability=fit_odds(train, valid),
        n_materials=len(valid),
        mean_frequency=scalar("mean_frequency"),
        density=_fit_scale(of_density(train), of_density(valid)),
    )


@dataclass(frozen=True)
class _Errors:
    """Of one crystal: its kind, terms ``[n, n_terms]`` and absolute errors ``[n]``."""

    kind: str
    terms: np.ndarray
    errors: np.ndarray


def _fit_scale(train: Sequence[_Errors], valid: Sequence[_Errors]) -> ErrorScale:
    shares = np.concatenate([np.full(len(own.errors), 1 / len(own.errors)) for own in valid])
    weights = fit_weights(
        np.concatenate([own.terms for own in valid]),
        np.concatenate([own.errors for own in valid]),
        shares,
    )

    def scores(of: Sequence[_Errors]) -> list[np.ndarray]:
        return [own.errors / np.maximum(own.terms @ weights, SMALLEST) for own in of]

    of_valid, of_train = scores(valid), scores(train)
    medians = [np.median([score.mean() for score in own]) for own in (of_valid, of_train)]
    stretch = max(1.0, float(medians[0] / max(medians[1], SMALLEST)))
    factors = {"all": _quantiles(of_valid)}
    for kind in sorted({own.kind for own in valid}):
        own = [s for s, crystal in zip(of_valid, valid, strict=True) if crystal.kind == kind]
        if len(own) < _FEWEST:
            continue
        if len(own) >= _ENOUGH:
            factors[kind] = _quantiles(own)
            continue
        helped = [
            stretch * s for s, crystal in zip(of_train, train, strict=True) if crystal.kind == kind
        ]
        factors[kind] = _quantiles([*own, *helped])
    return ErrorScale(weights=weights.tolist(), factors=factors)


def _quantiles(scores: Sequence[np.ndarray]) -> dict[str, float]:
    """Of scores of crystals, each of which counts as much, whatever the number of its modes."""
    values = np.concatenate(scores)
    share = np.concatenate([np.full(len(own), 1 / len(own)) for own in scores])
    order = np.argsort(values)
    below = np.cumsum(share[order]) / (len(scores) + 1)  # one more crystal, beyond all of these
    last = len(order) - 1
    return {
        f"{level:g}": float(values[order[min(int(np.searchsorted(below, level)), last)]])
        for level in LEVELS
    }


def fit_odds(train: Sequence[Observed], valid: Sequence[Observed]) -> StabilityOdds:
    """Weights on the training part, their common size and the bias on validation.

    The model saw the training crystals, so what it says of them is surer than what it says of
    others. The threshold is the share of unstable crystals: of calibrated odds it is the best one
    for the mean of sensitivity and specificity.
    """
    x = np.stack([own.features.odds(own.softest) for own in train])
    y = np.array([own.is_unstable for own in train], dtype=np.float64)
    mean, scale = x.mean(axis=0), x.std(axis=0) + SMALLEST

    def design(of: Sequence[Observed]) -> np.ndarray:
        return np.stack([(own.features.odds(own.softest) - mean) / scale for own in of])

    weights, bias = logistic_regression(design(train), y, np.full(x.shape[1], _PENALTY))
    score = design(valid) @ weights + bias
    truth = np.array([own.is_unstable for own in valid], dtype=np.float64)
    (size,), shift = logistic_regression(score[:, None], truth, np.zeros(1))
    weights, bias = size * weights, size * bias + shift
    return StabilityOdds(
        mean=mean.tolist(),
        scale=scale.tolist(),
        weights=weights.tolist(),
        bias=float(bias),
        threshold=float(np.concatenate([y, truth]).mean()),
    )


def logistic_regression(
    x: np.ndarray, y: np.ndarray, penalty: np.ndarray, n_steps: int = 50
) -> tuple[np.ndarray, float]:
    """Weights ``[n]`` and bias that maximise the likelihood less ``penalty weights^2 / 2``.

    Newton's method.

    Args:
        x: ``[n_samples, n]``.
        y: 0 or 1, ``[n_samples]``.
        penalty: of each weight, ``[n]``.
    """
    design = np.hstack([x, np.ones((len(x), 1))])
    ridge = np.append(penalty, 0.0) + SMALLEST
    weights = np.zeros(design.shape[1])
    for _ in range(n_steps):
        p = 1 / (1 + np.exp(-np.clip(design @ weights, -30, 30)))
        slope = design.T @ (p - y) + ridge * weights
        curvature = (design.T * (p * (1 - p))) @ design + np.diag(ridge)
        step = np.linalg.solve(curvature, slope)
        weights = weights - step
        if np.abs(step).max() < 1e-9:
            break
    return weights[:-1], float(weights[-1])
