"""Guesses that need no model: constants, and a copy of the nearest crystal."""

from __future__ import annotations

import numpy as np

from vanhove.crystal.elements import matscholar
from vanhove.crystal.symmetry import crystal_system_of, space_group
from vanhove.datasets.dataset import SpectrumDataset


def training_mean(dataset: SpectrumDataset, rows: np.ndarray) -> np.ndarray:
    """The mean energy of each band over the training crystals, ``[n_rows, n_points, n_bands]``.

    Paths differ from crystal to crystal, so that a mean over places along them means nothing: the
    guess is flat.
    """
    train = dataset.values[dataset.split("train")].astype(np.float64)
    level = np.nanmean(train.mean(axis=1), axis=0)
    return np.broadcast_to(level, (len(rows), *dataset.values.shape[1:])).copy()


def spectrum_constants(dataset: SpectrumDataset, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Densities that need no model, by name, each ``[n_rows, n_points]``.

    The mean and the median (of each point) of the training part, and `nearest_copy`.
    """
    train = dataset.values[dataset.split("train")].astype(np.float64)
    shape = (len(rows), train.shape[1])
    return {
        "training mean": np.broadcast_to(train.mean(axis=0), shape).copy(),
        "training median": np.broadcast_to(np.median(train, axis=0), shape).copy(),
        "nearest composition": nearest_copy(dataset, rows),
    }


def nearest_copy(dataset: SpectrumDataset, rows: np.ndarray) -> np.ndarray:
    """Density or bands of the nearest training crystal, ``[n_rows, n_points(, n_bands)]``.

    Nearest: the training crystal of the same space group (else of the same crystal system, else
    any) with the closest mean Matscholar vector of its atoms. Its bands are copied point by point
    along the path; where it has none, the training mean.
    """
    copied = dataset.values[_nearest_training(dataset, rows)].astype(np.float64)
    if copied.ndim == 2:
        return copied
    return np.where(np.isnan(copied), training_mean(dataset, rows), copied)


def _nearest_training(dataset: SpectrumDataset, rows: np.ndarray) -> list[int]:
    """The row of the nearest training crystal of each."""
    train = dataset.split("train").tolist()
    vectors = {
        row: matscholar()[dataset.crystals[row].atomic_numbers].mean(axis=0)
        for row in [*train, *rows.tolist()]
    }
    groups = {row: space_group(dataset.crystals[row])[1] for row in vectors}
    found = []
    for row in rows.tolist():
        pool = [r for r in train if groups[r] == groups[row]]
        if not pool:
            system = crystal_system_of(groups[row])
            pool = [r for r in train if crystal_system_of(groups[r]) == system]
        distances = [float(np.linalg.norm(vectors[r] - vectors[row])) for r in pool or train]
        found.append((pool or train)[int(np.argmin(distances))])
    return found
