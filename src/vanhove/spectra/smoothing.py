"""Bring a density of states from anywhere onto a grid, keeping its area."""

from __future__ import annotations

import numpy as np

from vanhove.errors import ConfigError, DataError
from vanhove.spectra.grids import cell_edges, check_grid, check_on_grid, trapezoid_weights


def resample(
    frequency_cm1: np.ndarray,
    values: np.ndarray,
    grid: np.ndarray,
    width: float | None = None,
) -> np.ndarray:
    """A density of states averaged over the cells of another grid.

    Each new value is the mean of the density over the cell around its grid point, so a peak
    narrower than the grid's step keeps its area; plain interpolation would miss it. The trapezoid
    integral of the result is the area of the input that lies on the grid. A density is 0 outside
    the frequencies it is given on.

    Args:
        frequency_cm1: where the density is given, 1/cm (or eV, like ``grid``), increasing,
            ``[n_frequencies]``; steps may differ.
        values: the density, ``[n_frequencies]``.
        grid: the new grid, increasing, ``[n_points]``.
        width: standard deviation of a Gaussian broadening, in the axis unit; none by default. Its
            tails past the ends of the grid are lost.

    Returns:
        ``[n_points]``, in the density unit of ``values``.

    Raises:
        DataError: a grid that does not increase, shapes that do not fit, values not finite.
        ConfigError: a width that is not positive.
    """
    frequency, values = check_on_grid(frequency_cm1, values)
    grid = check_grid(grid)
    if values.ndim != 1:
        raise DataError(f"resample takes one density [n_frequencies], got shape {values.shape}")
    edges = cell_edges(grid)
    cells = np.diff(edges)

    if width is None:
        # The density is linear between its points, so its running integral is exact on the
        # union of its own points and the cell edges.
        points = np.union1d(frequency, edges)
        density = np.interp(points, frequency, values, left=0.0, right=0.0)
        # No ramp up to the first point or down from the last: outside, the density is 0.
        inside = (points[1:] > frequency[0]) & (points[:-1] < frequency[-1])
        steps = np.where(inside, np.diff(points) * (density[1:] + density[:-1]) / 2, 0.0)
        running = np.concatenate([[0.0], np.cumsum(steps)])
        return np.diff(running[np.searchsorted(points, edges)]) / cells

    if not (np.isfinite(width) and width > 0):
        raise ConfigError(f"width must be a positive number or None, got {width}")
    from scipy.special import ndtr

    share = np.diff(ndtr((edges[:, None] - frequency) / width), axis=0)
    return share @ (values * trapezoid_weights(frequency)) / cells
