"""Error bars that hold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vanhove.errors import ConfigError
from vanhove.models.calibration import (
    LEVELS,
    TEMPERATURES,
    Calibration,
    conformal_quantile,
    fit_calibration,
)
from vanhove.spectra.thermodynamics import mean_frequency

GRID = np.arange(0, 1001, 20.0)


def draws(n_materials: int, seed: int, n_members: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Members and truth that scatter alike around a peak, some materials more than others."""
    rng = np.random.default_rng(seed)
    centre = rng.uniform(200, 800, (n_materials, 1))
    scatter = rng.choice([5.0, 60.0], (n_materials, 1))

    def peaks(shape: tuple[int, ...]) -> np.ndarray:
        place = centre + scatter * rng.normal(size=(*shape, n_materials, 1))
        return np.exp(-0.5 * ((GRID - place) / 60) ** 2)

    return peaks((n_members,)), peaks(())


def test_intervals_cover_what_they_say_on_new_materials():
    calibration = fit_calibration(*draws(300, seed=0), GRID, "phonon_dos")
    members, target = draws(400, seed=1)
    std = calibration.std(members)
    for level in LEVELS:
        low, high = calibration.interval(members.mean(axis=0), std, level)
        assert np.mean((target >= low) & (target <= high)) == pytest.approx(level, abs=0.04)
        assert low.min() >= 0
    for name, of in (("mean_frequency", lambda values: mean_frequency(GRID, values)),):
        _, half = calibration.property_std(name, of(members), 300.0)
        error = np.abs(of(members.mean(axis=0)) - of(target))
        assert np.mean(error <= half) == pytest.approx(0.9, abs=0.06)


def test_materials_whose_members_disagree_have_larger_error_bars():
    calibration = fit_calibration(*draws(300, seed=0), GRID, "phonon_dos")
    members, target = draws(400, seed=2)
    bars = calibration.std(members).mean(axis=1)
    error = np.abs(members.mean(axis=0) - target).mean(axis=1)
    assert np.corrcoef(bars, error)[0, 1] > 0.5


def test_one_member_has_error_bars_too():
    members, target = draws(200, seed=0, n_members=1)
    calibration = fit_calibration(members, target, GRID, "phonon_dos")
    low, high = calibration.interval(members[0], calibration.std(members), 0.9)
    assert np.mean((target >= low) & (target <= high)) == pytest.approx(0.9, abs=0.01)


def test_thermal_properties_are_calibrated_at_each_temperature():
    calibration = fit_calibration(*draws(100, seed=0), GRID, "phonon_dos")
    heat = calibration.properties["heat_capacity"]
    assert len(heat.floor) == len(heat.slope) == len(heat.factors["0.9"]) == len(TEMPERATURES)
    samples = np.array([[20.0], [21.0]])
    low, high = (
        calibration.property_std("heat_capacity", samples, t)[0][0] for t in (100.0, 200.0)
    )
    between = calibration.property_std("heat_capacity", samples, 150.0)[0][0]
    assert min(low, high) <= between <= max(low, high)


def test_electrons_have_no_thermal_properties_here():
    assert fit_calibration(*draws(20, seed=0), GRID, "electron_dos").properties == {}


def test_only_calibrated_levels_are_given():
    calibration = fit_calibration(*draws(20, seed=0), GRID, "electron_dos")
    with pytest.raises(ConfigError, match=r"level 0.99; calibrated: 0.5, 0.68, 0.8, 0.9, 0.95"):
        calibration.interval(np.zeros(3), np.ones(3), 0.99)


def test_a_calibration_survives_json():
    calibration = fit_calibration(*draws(30, seed=0), GRID, "phonon_dos")
    assert Calibration.model_validate_json(calibration.model_dump_json()) == calibration


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 1e3), min_size=1, max_size=60), st.floats(0.05, 0.95))
def test_the_quantile_covers_at_least_its_level(scores, level):
    quantile = conformal_quantile(np.array(scores), level)
    assert quantile in scores
    n_needed = min(int(np.ceil((len(scores) + 1) * level)), len(scores))
    assert np.sum(np.array(scores) <= quantile) >= n_needed
