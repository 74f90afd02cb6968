"""How far predicted spectra are from the true ones. Every number says which convention it follows.

Target and prediction are arrays ``[n_materials, n_points]`` on one grid, in one normalisation.
Three different numbers are called R2 in the literature (DOSTransformer: the mean over materials;
Xtal2DoS: per bin, variance-weighted); here each has its own name.
"""

from __future__ import annotations

import numpy as np

from vanhove.errors import ConfigError, DataError
from vanhove.spectra.grids import check_on_grid
from vanhove.spectra.thermodynamics import heat_capacity, mean_frequency


def mse_per_material(target: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Mean squared error over the grid, ``[n_materials]``, in squared value units.

    Raises:
        DataError: arrays that are not ``[n_materials, n_points]``, differ in shape, are empty or
            hold NaN or infinity. So do all functions of this module.
    """
    target, prediction = _pair(target, prediction)
    return ((prediction - target) ** 2).mean(axis=1)


def rmse_per_material(target: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Root of the mean squared error over the grid, ``[n_materials]``, in value units."""
    return np.sqrt(mse_per_material(target, prediction))


def mae_per_material(target: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Mean absolute error over the grid, ``[n_materials]``, in value units."""
    target, prediction = _pair(target, prediction)
    return np.abs(prediction - target).mean(axis=1)


def r2_per_material(target: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """1 - SSE / SST along each spectrum, SST about that spectrum's own mean, ``[n_materials]``.

    NaN where the target is constant: nothing varies, so R2 is not defined.
    """
    target, prediction = _pair(target, prediction)
    return _r2(target, prediction, axis=1)


def mse_flat(target: np.ndarray, prediction: np.ndarray) -> float:
    """Mean squared error over all points of all materials pooled."""
    return float(mse_per_material(target, prediction).mean())


def mae_flat(target: np.ndarray, prediction: np.ndarray) -> float:
    """Mean absolute error over all points of all materials pooled."""
    return float(mae_per_material(target, prediction).mean())


def r2_flat(target: np.ndarray, prediction: np.ndarray) -> float:
    """1 - SSE / SST over all points of all materials pooled, SST about the one overall mean.

    NaN when all target values are the same.
    """
    target, prediction = _pair(target, prediction)
    return float(_r2(target.reshape(1, -1), prediction.reshape(1, -1), axis=1)[0])


def r2_per_bin(target: np.ndarray, prediction: np.ndarray) -> float:
    """R2 at each grid point across the materials, averaged with the target variance as weight.

    This is scikit-learn's ``r2_score(multioutput="variance_weighted")``. Grid points at which all
    targets are equal have weight 0, so errors there do not count. NaN when that is every point, as
    with a single material.
    """
    target, prediction = _pair(target, prediction)
    scores = _r2(target, prediction, axis=0)
    varies = np.isfinite(scores)
    if not varies.any():
        return float("nan")
    return float(np.average(scores[varies], weights=target.var(axis=0)[varies]))


def wasserstein(target: np.ndarray, prediction: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Wasserstein-1 distance between the spectra as distributions, in the axis unit.

    Each spectrum is divided by its sum over the grid; the distance is the integral of the absolute
    difference of the two cumulative sums. Negative values count as 0.

    Args:
        target: ``[n_materials, n_points]``.
        prediction: ``[n_materials, n_points]``.
        grid: ``[n_points]``, increasing.

    Returns:
        ``[n_materials]``; NaN where either spectrum has no positive value.
    """
    target, prediction = _pair(target, prediction)
    grid, target = check_on_grid(grid, target)
    target, prediction = target.clip(min=0), prediction.clip(min=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        cumulative = np.cumsum(
            target / target.sum(axis=1, keepdims=True)
            - prediction / prediction.sum(axis=1, keepdims=True),
            axis=1,
        )
    return np.abs(cumulative[:, :-1]) @ np.diff(grid)


def spectrum_metrics(
    target: np.ndarray, prediction: np.ndarray, grid: np.ndarray, unit: str = "cm-1"
) -> dict[str, float]:
    """The metrics of a test set, as printed in tables.

    Args:
        target: ``[n_materials, n_points]``.
        prediction: ``[n_materials, n_points]``.
        grid: ``[n_points]``, in ``unit``.
        unit: ``"cm-1"`` for phonons, ``"eV"`` for electrons.

    Returns:
        ``mse``, ``rmse``, ``mae``, ``r2``: means over materials of the per-material numbers, ``r2``
        over the materials where it is defined; ``mse_x10``: ten times ``mse``, as DOSTransformer
        prints it; ``r2_median``; ``r2_flat``; ``r2_per_bin``; ``wasserstein_cm1`` (or
        ``wasserstein_eV``): mean over materials; ``sum_mse``, ``sum_mae``, ``sum_r2``,
        ``sum_r2_per_bin``: as above, of both spectra divided by their own sums (Xtal2DoS); for
        phonons ``mean_frequency_mae_cm1``, ``mean_frequency_mse_cm2`` and
        ``heat_capacity_300K_mae`` in J/(K mol of atoms), both from the density of states
        normalised to 3 modes per atom, negative values counted as 0; ``n_materials``;
        ``n_r2_undefined``: constant targets, left out of ``r2`` and ``r2_median``; ``n_empty``:
        pairs with a spectrum without positive value (for phonons: at real frequencies), left out
        of the Wasserstein distance and all after it. A metric defined for no material is NaN.

    Raises:
        DataError: as every function here, or a grid that does not fit.
        ConfigError: an unknown unit.
    """
    if unit not in ("cm-1", "eV"):
        raise ConfigError(f'unit must be "cm-1" or "eV", got {unit!r}')
    target, prediction = _pair(target, prediction)
    grid, target = check_on_grid(grid, target)
    r2 = r2_per_material(target, prediction)
    defined = _defined(r2)
    mse = float(mse_per_material(target, prediction).mean())
    metrics: dict[str, float] = {
        "mse": mse,
        "mse_x10": 10 * mse,
        "rmse": float(rmse_per_material(target, prediction).mean()),
        "mae": float(mae_per_material(target, prediction).mean()),
        "r2": _mean(defined),
        "r2_median": float(np.median(defined)) if len(defined) else float("nan"),
        "r2_flat": r2_flat(target, prediction),
        "r2_per_bin": r2_per_bin(target, prediction),
    }
    real = grid >= 0 if unit == "cm-1" else np.ones(len(grid), dtype=bool)
    full = (target[:, real].max(axis=1) > 0) & (prediction[:, real].max(axis=1) > 0)
    true, ours = target[full].clip(min=0), prediction[full].clip(min=0)
    distance = wasserstein(true, ours, grid) if full.any() else np.empty(0)
    metrics[f"wasserstein_{'cm1' if unit == 'cm-1' else 'eV'}"] = _mean(distance)
    if full.any():
        true_sum = true / true.sum(axis=1, keepdims=True)
        our_sum = ours / ours.sum(axis=1, keepdims=True)
        metrics["sum_mse"] = float(mse_per_material(true_sum, our_sum).mean())
        metrics["sum_mae"] = float(mae_per_material(true_sum, our_sum).mean())
        metrics["sum_r2"] = _mean(_defined(r2_per_material(true_sum, our_sum)))
        metrics["sum_r2_per_bin"] = r2_per_bin(true_sum, our_sum)
    else:
        metrics |= dict.fromkeys(("sum_mse", "sum_mae", "sum_r2", "sum_r2_per_bin"), float("nan"))
    if unit == "cm-1":
        frequency_error = mean_frequency(grid, ours) - mean_frequency(grid, true)
        capacity_error = heat_capacity(grid, ours, 300.0) - heat_capacity(grid, true, 300.0)
        metrics["mean_frequency_mae_cm1"] = _mean(np.abs(frequency_error))
        metrics["mean_frequency_mse_cm2"] = _mean(frequency_error**2)
        metrics["heat_capacity_300K_mae"] = _mean(np.abs(capacity_error))
    metrics["n_materials"] = len(target)
    metrics["n_r2_undefined"] = len(r2) - len(defined)
    metrics["n_empty"] = int((~full).sum())
    return metrics


def _pair(target: np.ndarray, prediction: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    target = np.asarray(target, dtype=np.float64)
    prediction = np.asarray(prediction, dtype=np.float64)
    if target.ndim != 2 or target.size == 0 or target.shape != prediction.shape:
        raise DataError(
            "target and prediction must both have the shape [n_materials, n_points], not empty; "
            f"got {target.shape} and {prediction.shape}"
        )
    for name, array in (("target", target), ("prediction", prediction)):
        bad = np.flatnonzero(~np.isfinite(array).all(axis=1))
        if len(bad):
            raise DataError(
                f"{len(bad)} {name} spectra hold NaN or infinity (first: material {bad[0]}): "
                "metrics over them would mean nothing"
            )
    return target, prediction


def _r2(target: np.ndarray, prediction: np.ndarray, axis: int) -> np.ndarray:
    error = ((prediction - target) ** 2).sum(axis=axis)
    total = ((target - target.mean(axis=axis, keepdims=True)) ** 2).sum(axis=axis)
    # The mean of equal numbers is not always exactly that number, so total == 0 is not enough.
    undefined = (target.min(axis=axis) == target.max(axis=axis)) | (total == 0)
    return np.where(undefined, np.nan, 1 - error / np.where(undefined, 1.0, total))


def _defined(values: np.ndarray) -> np.ndarray:
    return values[np.isfinite(values)]


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")
