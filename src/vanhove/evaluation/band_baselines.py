"""What bands of a crystal can be guessed without a model: two baselines for Bandformer."""

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


def nearest_copy(dataset: SpectrumDataset, rows: np.ndarray) -> np.ndarray:
    """The bands of the nearest training crystal, ``[n_rows, n_points, n_bands]``.

    Nearest: the training crystal of the same space group (else of the same crystal system, else
    any) with the closest mean Matscholar vector of its atoms. Its bands are copied point by point
    along the path; where it has none, the training mean.
    """
    train = dataset.split("train")
    vectors = {
        row: matscholar()[dataset.crystals[row].atomic_numbers].mean(axis=0)
        for row in [*train.tolist(), *rows.tolist()]
    }
    groups = {row: space_group(dataset.crystals[row])[1] for row in vectors}
    guess = training_mean(dataset, rows)
    for place, row in enumerate(rows.tolist()):
        pool = [r for r in train.tolist() if groups[r] == groups[row]]
        if not pool:
            system = crystal_system_of(groups[row])
            pool = [r for r in train.tolist() if crystal_system_of(groups[r]) == system]
        pool = pool or train.tolist()
        nearest = min(pool, key=lambda r: float(np.linalg.norm(vectors[r] - vectors[row])))
        copied = dataset.values[nearest]
        guess[place] = np.where(np.isnan(copied), guess[place], copied)
    return guess
