"""Numbers of states below an energy, of many levels or of levels broadened by Gaussians."""

from __future__ import annotations

import numpy as np

from vanhove.errors import ConfigError

_BIN = 0.5
"""1/cm, over which each of many levels is spread."""


def even_counts(frequencies: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """States below each edge, of levels of equal weight, ``[n_edges]``.

    Args:
        frequencies: 1/cm, ``[n_q, n_modes]``.
        edges: 1/cm, ``[n_edges]``.
    """
    places = np.floor(frequencies / _BIN).astype(np.int64).ravel()
    first = places.min()
    counts = np.bincount(places - first)
    below = np.concatenate([[0], np.cumsum(counts)]) / len(frequencies)
    return np.interp(edges, _BIN * (first + np.arange(len(below))), below)


def gaussian_counts(
    frequencies: np.ndarray, weight: np.ndarray, edges: np.ndarray, width: float
) -> np.ndarray:
    """States below each edge, of modes broadened by Gaussians, ``[n_edges]``.

    Args:
        frequencies: ``[n_q, n_modes]``.
        weight: of the q-points, or of each mode.
        edges: ``[n_edges]``.
        width: standard deviation, in the unit of ``edges``.

    Raises:
        ConfigError: a width that is not positive.
    """
    from scipy.special import ndtr

    if not (np.isfinite(width) and width > 0):
        raise ConfigError(f"broadening must be a positive number, got {width}")
    fine = width / 8
    places = np.rint(frequencies / fine).astype(np.int64)
    first = places.min()
    every = np.broadcast_to(weight if weight.ndim == 2 else weight[:, None], frequencies.shape)
    counts = np.bincount((places - first).ravel(), every.ravel())
    filled = np.flatnonzero(counts)
    return ndtr((edges[:, None] - (filled + first) * fine) / width) @ counts[filled]
