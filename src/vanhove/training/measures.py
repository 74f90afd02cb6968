"""Which metrics belong to which quantity."""

from __future__ import annotations

import numpy as np

from vanhove.datasets import SpectrumDataset
from vanhove.spectra.band_metrics import band_metrics
from vanhove.spectra.metrics import spectrum_metrics


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
        return band_metrics(target, prediction, electrons=dataset.quantity == "electron_bands")
    return spectrum_metrics(target, prediction, dataset.grid, dataset.unit)


def validation_keys(dataset: SpectrumDataset) -> tuple[str, ...]:
    """The metrics that a run logs after each epoch."""
    if dataset.quantity == "electron_bands":
        return ("energy_mae", "centre_mae", "dispersion_mae", "gap_mae", "metal_accuracy")
    if dataset.kpoints is not None:
        return ("energy_mae", "centre_mae", "dispersion_mae")
    return ("rmse", "mse_x10", "mae", "r2")
