"""Error bars and odds of whole phonons, on made-up errors."""

from __future__ import annotations

import numpy as np
import pytest

from vanhove.spectra.phonon_errors import THERMAL, PhononFeatures
from vanhove.training.phonon_calibration import Observed, fit, logistic_regression


def observed(generator: np.random.Generator, noise: float) -> Observed:
    """A crystal whose errors grow with the spread of its members; a third are unstable."""
    spread = generator.uniform(2, 20)
    truth = np.sort(generator.uniform(60, 900, size=(5, 9)), axis=1)
    unstable = generator.random() < 1 / 3
    if unstable:
        truth[:, 0] = -50
    members = truth + spread * generator.normal(size=(3, 5, 9))
    features = PhononFeatures(np.array([6, 8, 14]), members, np.full(5, 0.2))
    found = generator.uniform(60, 900, size=200)
    return Observed(
        features=features,
        softest=float(members[:, 1:].min()),
        terms=features.frequency_terms(found),
        errors=noise * spread * np.abs(generator.normal(size=200)),
        density_terms=np.abs(generator.normal(size=(50, 6))) + 0.1,
        density_errors=np.abs(generator.normal(size=50)),
        mean_error=float(noise * spread * abs(generator.normal())),
        highest_error=float(noise * spread * abs(generator.normal())),
        thermal_errors={
            name: np.full(6, np.nan) if unstable else np.abs(generator.normal(size=6))
            for name in THERMAL
        },
        is_unstable=unstable,
    )


@pytest.fixture(scope="module")
def parts() -> dict[str, list[Observed]]:
    generator = np.random.default_rng(0)
    return {
        "train": [observed(generator, 0.6) for _ in range(200)],
        "valid": [observed(generator, 1.0) for _ in range(100)],
        "test": [observed(generator, 1.0) for _ in range(200)],
    }


def test_intervals_hold_what_they_say(parts):
    calibration = fit(parts["train"], parts["valid"])
    inside = [
        own.errors <= calibration.frequency.half_width(own.terms, own.features.kind)
        for own in parts["test"]
    ]
    assert np.mean(inside) == pytest.approx(0.9, abs=0.02)
    widths = [
        calibration.frequency.half_width(own.terms, own.features.kind).mean()
        for own in parts["test"]
    ]
    spreads = [own.features.spread for own in parts["test"]]
    assert np.corrcoef(widths, spreads)[0, 1] > 0.9
    highest = calibration.highest
    inside = [
        own.highest_error <= highest.half_width(own.features.highest_terms, own.features.kind)
        for own in parts["test"]
    ]
    assert np.mean(inside) == pytest.approx(0.9, abs=0.06)


def test_odds_are_calibrated(parts):
    odds = fit(parts["train"], parts["valid"]).stability
    found = np.array([odds.probability(own.features, own.softest) for own in parts["test"]])
    truth = np.array([own.is_unstable for own in parts["test"]])
    assert found.mean() == pytest.approx(truth.mean(), abs=0.08)
    called = found > odds.threshold
    assert called[truth].mean() > 0.9
    assert called[~truth].mean() < 0.1
    assert odds.threshold == pytest.approx(1 / 3, abs=0.08)


def test_logistic_regression_finds_the_weights():
    generator = np.random.default_rng(1)
    x = generator.normal(size=(20_000, 2))
    p = 1 / (1 + np.exp(-(x @ [1.5, -0.7] + 0.4)))
    y = (generator.random(len(x)) < p).astype(float)
    weights, bias = logistic_regression(x, y, np.zeros(2))
    np.testing.assert_allclose([*weights, bias], [1.5, -0.7, 0.4], atol=0.08)
    smaller, _ = logistic_regression(x, y, np.full(2, 1e5))
    assert np.abs(smaller).max() < 0.2
