"""Bands between the points of a mesh of wave vectors, by periodic cubic splines.

Densities converge with far fewer wave vectors so than with one level for each, or with tetrahedra:
the error of a spline falls with the fourth power of the step where a band is smooth.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np


def between(values: np.ndarray, n_levels: int) -> np.ndarray:
    """Bands on a finer mesh, which stands half a step beside Gamma.

    Args:
        values: at the points of a mesh around Gamma, the same at k and -k, ``[n_1, n_2, n_3,
            n_bands]``.
        n_levels: about so many levels has the finer mesh.

    Returns:
        ``[n, n_bands]``, all points of equal weight; of k and -k one.
    """
    shape, n_bands = values.shape[:3], values.shape[3]
    factor = max(1, round((n_levels / values.size) ** (1 / 3)))
    first, *others = (_spline(n, factor * n) for n in shape)
    if len(first) % 2 == 0:
        first = first[: len(first) // 2]
    for matrix in (first, *others):
        # The axis in front goes behind the other two, so that after three times all are in place.
        values = np.moveaxis(np.tensordot(matrix, values, axes=(1, 0)), 0, 2)
    return values.reshape(-1, n_bands)


@lru_cache(maxsize=64)
def _spline(n: int, n_fine: int) -> np.ndarray:
    """From ``n`` points around a circle to ``n_fine``, half a step of these beside the first."""
    circle = np.arange(n)
    apart = (np.arange(n_fine)[:, None] + 0.5) * n / n_fine - circle
    at_points = sum(_basis(circle[:, None] - circle + turn * n) for turn in range(-3, 4))
    found = sum(_basis(apart + turn * n) for turn in range(-3, 4)) @ np.linalg.inv(at_points)
    found.flags.writeable = False
    return found


def _basis(x: np.ndarray) -> np.ndarray:
    """The cubic B-spline around 0."""
    x = np.abs(x)
    near, far = 2 / 3 - x**2 + x**3 / 2, np.maximum(2 - x, 0) ** 3 / 6
    return np.where(x < 1, near, far)
