"""Error bars of bands that hold, material by material."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vanhove.errors import ConfigError
from vanhove.models.band_calibration import (
    FEWEST_GAPS,
    BandCalibration,
    fit_band_calibration,
    gap_error,
    material_quantile,
    material_shares,
)
from vanhove.models.calibration import LEVELS, conformal_quantile
from vanhove.runs.description import EnsembleInfo


def draws(n_materials: int, seed: int, n_members: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Bands whose errors belong to the material as a whole and grow with the distance from 0.

    Every third material has but five bands.
    """
    rng = np.random.default_rng(seed)
    wave = rng.normal(size=(n_materials, 1, 6)) * np.sin(np.linspace(0, 6, 20))[:, None]
    true = np.sort(wave + np.array([-9, -5, -2, 2, 5, 9]), axis=-1)
    size = 0.2 + 0.2 * np.abs(true)
    members = true + size * rng.normal(size=(n_members, n_materials, 1, 1))
    target = true.copy()
    target[::3, :, 0] = np.nan
    return members, target


def covered(calibration: BandCalibration, members, target, level: float) -> float:
    low, high = calibration.interval(members.mean(axis=0), calibration.std(members), level)
    inside = (target >= low) & (target <= high)
    return float((material_shares(np.isfinite(target)) * inside).sum() / len(target))


@pytest.mark.parametrize("n_members", [1, 4])
def test_intervals_cover_what_they_say_on_new_materials(n_members):
    calibration = fit_band_calibration(*draws(1000, 0, n_members), "electron_bands")
    for level in LEVELS:
        assert covered(calibration, *draws(1000, 1, n_members), level) == pytest.approx(
            level, abs=0.05
        )


def test_with_few_materials_they_cover_at_least_that_on_average():
    """What the level promises, here over many calibrations on 24 materials each."""
    shares = [
        covered(fit_band_calibration(*draws(24, 2 * i), "phonon_bands"), *draws(40, 2 * i + 1), 0.9)
        for i in range(40)
    ]
    assert np.mean(shares) > 0.89


def test_error_bars_grow_where_errors_do():
    calibration = fit_band_calibration(*draws(300, 0), "electron_bands")
    std = calibration.std(draws(50, 1)[0])
    assert std.shape == (50, 20, 6)
    assert std[:, :, 0].mean() > 2 * std[:, :, 2].mean()


def test_a_material_counts_once_however_many_bands_it_has():
    members, target = draws(60, 0)
    single = fit_band_calibration(members, target, "electron_bands")
    repeated = fit_band_calibration(
        np.repeat(members, 3, axis=2), np.repeat(target, 3, axis=1), "electron_bands"
    )
    np.testing.assert_allclose(single.weights, repeated.weights, rtol=1e-6, atol=1e-9)
    assert single.factors == pytest.approx(repeated.factors)


def test_the_gap_counts_where_one_was_predicted():
    """A metal that was taken for an insulator is as wrong as its predicted gap is wide."""
    flat = np.tile([-1.0, 1.0], (3, 8, 1))
    metal = flat + np.linspace(-1.5, 1.5, 8)[:, None]
    target = np.stack([flat[0] * 2, metal[1], flat[2]])
    prediction = np.stack([flat[0], flat[1], metal[2]])
    np.testing.assert_allclose(gap_error(prediction, target), [2.0, 2.0])


def test_too_few_gaps_give_no_error_bar_of_the_gap():
    members, target = draws(FEWEST_GAPS - 1, 0)
    few = fit_band_calibration(members, target, "electron_bands")
    assert few.n_gaps < FEWEST_GAPS
    assert few.gap_half_widths is None
    members, target = draws(40, 0)
    many = fit_band_calibration(members, target, "electron_bands")
    errors = gap_error(members[0], target)
    assert many.n_gaps == len(errors) >= FEWEST_GAPS
    assert many.gap_half_widths["0.9"] == conformal_quantile(errors, 0.9)
    members, target = draws(14, 0)
    some = fit_band_calibration(members, target, "electron_bands")
    assert FEWEST_GAPS <= some.n_gaps < 19
    assert [*some.gap_half_widths] == ["0.5", "0.68", "0.8", "0.9"]  # 0.95 would need 19
    assert fit_band_calibration(members, target, "phonon_bands").gap_half_widths is None


def test_only_calibrated_levels_are_given():
    calibration = fit_band_calibration(*draws(20, 0), "electron_bands")
    with pytest.raises(ConfigError, match=r"level 0.99; calibrated: 0.5, 0.68, 0.8, 0.9, 0.95"):
        calibration.interval(np.zeros(3), np.ones(3), 0.99)


def test_a_checkpoint_knows_which_calibration_it_holds():
    own = fit_band_calibration(*draws(20, 0), "electron_bands")
    info = EnsembleInfo(seeds=[0], calibration=own, n_train=1, n_valid=1)
    assert EnsembleInfo.model_validate_json(info.model_dump_json()).calibration == own


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.floats(0, 1e3), min_size=1, max_size=9), min_size=1, max_size=9),
    st.floats(0.05, 0.95),
)
def test_the_quantile_holds_its_share_of_materials(scores, level):
    shares = np.concatenate([np.full(len(own), 1 / len(own)) for own in scores])
    flat = np.concatenate([np.array(own) for own in scores])
    quantile = material_quantile(flat, shares, len(scores), level)
    assert quantile in flat
    wanted = min(level * (len(scores) + 1), len(scores))
    assert shares[flat <= quantile].sum() >= wanted - 1e-6
