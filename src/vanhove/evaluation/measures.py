"""Which metrics belong to which quantity, and how sure a difference between two models is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from vanhove.datasets import SpectrumDataset
from vanhove.spectra.band_metrics import band_metrics, centre_mae, dispersion_mae, energy_mae
from vanhove.spectra.metrics import (
    mae_per_material,
    mse_per_material,
    r2_per_material,
    rmse_per_material,
    spectrum_metrics,
)

BOOTSTRAPS = 2000


def measure(
    target: np.ndarray, prediction: np.ndarray, dataset: SpectrumDataset
) -> dict[str, float]:
    """All metrics of some materials of a data set.

    Args:
        target, prediction: ``[n_materials, n_points]``; of bands ``[n_materials, n_points,
            n_bands]``.
        dataset: for its quantity, grid and unit.
    """
    if dataset.kpoints is not None:
        return band_metrics(target, prediction, electrons=dataset.kind.fermi_level)
    return spectrum_metrics(target, prediction, dataset.grid, dataset.unit)


def mean_and_std(
    runs: Sequence[Mapping[str, float | None]], keys: Iterable[str]
) -> tuple[dict[str, float], dict[str, float] | None]:
    """Means over runs, and their sample standard deviations (None for a single run).

    Args:
        runs: the metrics of each; None: not defined.
        keys: the metrics to take, of which only those are kept that every run has.
    """
    keys = [key for key in keys if runs and all(run.get(key) is not None for run in runs)]
    table = np.array([[run[key] for key in keys] for run in runs], dtype=np.float64)
    mean = dict(zip(keys, table.mean(axis=0).tolist(), strict=True)) if keys else {}
    if len(runs) < 2:
        return mean, None
    return mean, dict(zip(keys, table.std(axis=0, ddof=1).tolist(), strict=True))


def validation_keys(dataset: SpectrumDataset) -> tuple[str, ...]:
    """The metrics that a run logs after each epoch."""
    return dataset.kind.metrics


def material_errors(
    target: np.ndarray, prediction: np.ndarray, dataset: SpectrumDataset
) -> dict[str, np.ndarray]:
    """The metrics that each material has, ``[n_materials]``; the first one selects models.

    Args:
        target, prediction: as for `measure`.
    """
    if dataset.kpoints is not None:
        functions = {
            "energy_mae": energy_mae,
            "centre_mae": centre_mae,
            "dispersion_mae": dispersion_mae,
        }
        return {name: function(target, prediction) for name, function in functions.items()}
    return {
        "rmse": rmse_per_material(target, prediction),
        "mse_x10": 10 * mse_per_material(target, prediction),
        "mae": mae_per_material(target, prediction),
        "r2": r2_per_material(target, prediction),
    }


def bootstrap_interval(differences: np.ndarray) -> tuple[float, float]:
    """95 % interval of the mean of paired differences ``[n_materials]``, over the materials."""
    random = np.random.default_rng(0)
    samples = random.integers(0, len(differences), (BOOTSTRAPS, len(differences)))
    low, high = np.quantile(differences[samples].mean(axis=1), (0.025, 0.975))
    return float(low), float(high)
