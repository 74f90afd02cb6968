import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy.stats import wasserstein_distance

from vanhove.errors import ConfigError, DataError
from vanhove.spectra import (
    heat_capacity,
    mae_flat,
    mae_per_material,
    mean_frequency,
    mse_flat,
    mse_per_material,
    r2_flat,
    r2_per_bin,
    r2_per_material,
    rmse_per_material,
    spectrum_metrics,
    wasserstein,
)

GRID = np.linspace(0.0, 1000.0, 51)
RANDOM = np.random.default_rng(7)
TARGET = RANDOM.random((6, 51)) * np.linspace(0.2, 2.0, 51)
PREDICTION = TARGET + 0.2 * RANDOM.standard_normal((6, 51))

pairs = array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=8).flatmap(
    lambda shape: st.tuples(*[arrays(np.float64, shape, elements=st.floats(0, 10))] * 2)
)


def test_per_material_metrics_written_out():
    for i in range(6):
        error = [p - t for p, t in zip(PREDICTION[i], TARGET[i], strict=True)]
        mse = sum(e * e for e in error) / 51
        mean = sum(TARGET[i]) / 51
        total = sum((t - mean) ** 2 for t in TARGET[i])
        assert mse_per_material(TARGET, PREDICTION)[i] == pytest.approx(mse)
        assert rmse_per_material(TARGET, PREDICTION)[i] == pytest.approx(mse**0.5)
        assert mae_per_material(TARGET, PREDICTION)[i] == pytest.approx(sum(map(abs, error)) / 51)
        assert r2_per_material(TARGET, PREDICTION)[i] == pytest.approx(1 - 51 * mse / total)


def test_flat_metrics_pool_all_points():
    t, p = TARGET.ravel(), PREDICTION.ravel()
    assert mse_flat(TARGET, PREDICTION) == pytest.approx(np.mean((t - p) ** 2))
    assert mae_flat(TARGET, PREDICTION) == pytest.approx(np.mean(np.abs(t - p)))
    assert r2_flat(TARGET, PREDICTION) == pytest.approx(1 - np.mean((t - p) ** 2) / np.var(t))


def test_r2_per_bin_is_the_variance_weighted_mean():
    scores, weights = [], []
    for t, p in zip(TARGET.T, PREDICTION.T, strict=True):
        total = np.sum((t - np.mean(t)) ** 2)
        scores.append(1 - np.sum((t - p) ** 2) / total)
        weights.append(total)
    expected = sum(w * s for w, s in zip(weights, scores, strict=True)) / sum(weights)
    assert r2_per_bin(TARGET, PREDICTION) == pytest.approx(expected)
    # Without constant bins it is one minus the ratio of the summed squares.
    between = ((TARGET - TARGET.mean(axis=0)) ** 2).sum()
    ratio = 1 - ((TARGET - PREDICTION) ** 2).sum() / between
    assert r2_per_bin(TARGET, PREDICTION) == pytest.approx(ratio)


def test_r2_per_bin_leaves_constant_bins_out():
    target, prediction = TARGET.copy(), PREDICTION.copy()
    before = r2_per_bin(target[:, 1:], prediction[:, 1:])
    target[:, 0], prediction[:, 0] = 0.1, 9.0
    assert r2_per_bin(target, prediction) == pytest.approx(before)


def test_the_three_r2_differ():
    numbers = [
        r2_per_material(TARGET, PREDICTION).mean(),
        r2_flat(TARGET, PREDICTION),
        r2_per_bin(TARGET, PREDICTION),
    ]
    assert min(abs(a - b) for a, b in zip(numbers, numbers[1:] + numbers[:1], strict=True)) > 1e-3


@given(pairs)
def test_r2_is_at_most_one_and_one_for_the_truth(pair):
    target, prediction = pair
    for function in (r2_per_material, r2_flat, r2_per_bin):
        assert not np.any(np.asarray(function(target, prediction)) > 1)
        perfect = np.atleast_1d(function(target, target))
        np.testing.assert_array_equal(perfect[np.isfinite(perfect)], 1)


def test_a_constant_target_has_no_r2():
    # The mean of 51 times 0.1 is not exactly 0.1.
    target = np.concatenate([np.full((1, 51), 0.1), TARGET])
    prediction = np.concatenate([np.zeros((1, 51)), PREDICTION])
    r2 = r2_per_material(target, prediction)
    assert np.isnan(r2[0])
    assert np.isfinite(r2[1:]).all()
    metrics = spectrum_metrics(target, prediction, GRID)
    assert metrics["n_r2_undefined"] == 1
    assert metrics["r2"] == pytest.approx(r2[1:].mean())
    assert np.isnan(r2_flat(np.ones((2, 4)), np.zeros((2, 4))))
    assert np.isnan(r2_per_bin(TARGET[:1], PREDICTION[:1]))


@given(pairs)
def test_wasserstein_agrees_with_scipy(pair):
    target, prediction = pair
    grid = np.cumsum(np.linspace(1.0, 3.0, target.shape[1]))
    distance = wasserstein(target, prediction, grid)
    for t, p, d in zip(target, prediction, distance, strict=True):
        if t.sum() < 1e-6 or p.sum() < 1e-6:
            continue
        assert d == pytest.approx(wasserstein_distance(grid, grid, t, p), abs=1e-9)


def test_wasserstein_of_a_shift_is_the_shift():
    spike = np.eye(51)
    np.testing.assert_allclose(wasserstein(spike[[3]], 5 * spike[[10]], GRID), 140)
    assert np.isnan(wasserstein(spike[[3]], np.zeros((1, 51)), GRID)[0])
    # Negative values are no weight.
    np.testing.assert_allclose(wasserstein(spike[[3]], spike[[10]] - spike[[50]], GRID), 140)


def test_spectrum_metrics_of_phonons():
    prediction = PREDICTION.clip(min=0)
    metrics = spectrum_metrics(TARGET, prediction, GRID)
    assert set(metrics) == {
        "mse", "mse_x10", "rmse", "mae", "r2", "r2_median", "r2_flat", "r2_per_bin",
        "wasserstein_cm1", "sum_mse", "sum_mae", "sum_r2", "sum_r2_per_bin",
        "mean_frequency_mae_cm1", "mean_frequency_mse_cm2", "heat_capacity_300K_mae",
        "n_materials", "n_r2_undefined", "n_empty",
    }  # fmt: skip
    assert metrics["mse_x10"] == pytest.approx(10 * mse_per_material(TARGET, prediction).mean())
    assert metrics["rmse"] == pytest.approx(rmse_per_material(TARGET, prediction).mean())
    assert metrics["mae"] == pytest.approx(mae_flat(TARGET, prediction))
    assert metrics["r2_median"] == pytest.approx(np.median(r2_per_material(TARGET, prediction)))
    assert metrics["r2_flat"] == r2_flat(TARGET, prediction)
    assert metrics["r2_per_bin"] == r2_per_bin(TARGET, prediction)
    assert metrics["wasserstein_cm1"] == wasserstein(TARGET, prediction, GRID).mean()
    for key, function in (
        ("mean_frequency_mae_cm1", lambda v: mean_frequency(GRID, v)),
        ("heat_capacity_300K_mae", lambda v: heat_capacity(GRID, v, 300.0)),
    ):
        each = [abs(function(p) - function(t)) for t, p in zip(TARGET, prediction, strict=True)]
        assert metrics[key] == pytest.approx(np.mean(each))
    assert metrics["n_materials"] == 6
    assert metrics["n_empty"] == 0


def test_a_perfect_prediction():
    metrics = spectrum_metrics(TARGET, TARGET, GRID)
    for key in ("mse", "mae", "wasserstein_cm1", "heat_capacity_300K_mae"):
        assert metrics[key] == 0
    assert metrics["r2"] == metrics["r2_flat"] == metrics["r2_per_bin"] == 1


def test_sum_normalised_metrics_ignore_the_scale():
    metrics = spectrum_metrics(TARGET, PREDICTION.clip(min=0), GRID)
    scaled = spectrum_metrics(7 * TARGET, 3 * PREDICTION.clip(min=0), GRID)
    keys = [key for key in metrics if key.startswith("sum_")]
    assert len(keys) == 4
    for key in keys:
        assert scaled[key] == pytest.approx(metrics[key])
    ours = PREDICTION.clip(min=0)
    true, ours = (v / v.sum(axis=1, keepdims=True) for v in (TARGET, ours))
    assert metrics["sum_mae"] == pytest.approx(np.abs(true - ours).mean())


def test_an_empty_prediction_is_counted_and_left_out_of_the_distribution_metrics():
    prediction = PREDICTION.clip(min=0)
    whole = spectrum_metrics(TARGET[1:], prediction[1:], GRID)
    prediction[0] = 0
    metrics = spectrum_metrics(TARGET, prediction, GRID)
    assert metrics["n_empty"] == 1
    assert metrics["n_materials"] == 6
    for key in ("wasserstein_cm1", "mean_frequency_mae_cm1", "heat_capacity_300K_mae"):
        assert metrics[key] == pytest.approx(whole[key])
    assert metrics["mse"] > whole["mse"]
    nothing = spectrum_metrics(TARGET, 0 * TARGET, GRID)
    assert nothing["n_empty"] == 6
    assert np.isnan(nothing["wasserstein_cm1"])
    assert np.isnan(nothing["heat_capacity_300K_mae"])


def test_spectrum_metrics_of_electrons():
    metrics = spectrum_metrics(TARGET, PREDICTION, GRID / 100 - 5, unit="eV")
    assert "wasserstein_eV" in metrics
    assert not any("cm1" in key or "heat" in key for key in metrics)
    with pytest.raises(ConfigError, match="cm-1"):
        spectrum_metrics(TARGET, PREDICTION, GRID, unit="THz")


@pytest.mark.parametrize(
    ("target", "prediction", "message"),
    [
        (TARGET, PREDICTION[:, :-1], r"\(6, 51\) and \(6, 50\)"),
        (TARGET[0], PREDICTION[0], "n_materials, n_points"),
        (TARGET[:0], PREDICTION[:0], "not empty"),
        (TARGET, np.where(np.arange(6)[:, None] == 2, np.nan, PREDICTION), "first: material 2"),
    ],
)
def test_bad_arrays_are_refused(target, prediction, message):
    with pytest.raises(DataError, match=message):
        spectrum_metrics(target, prediction, GRID)


def test_grid_must_fit():
    with pytest.raises(DataError, match="grid of 50 points"):
        wasserstein(TARGET, PREDICTION, GRID[:-1])
