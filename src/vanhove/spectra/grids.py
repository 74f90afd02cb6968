"""What every spectrum function asks of a grid, the quadrature rule, and the grids of the papers."""

from __future__ import annotations

import numpy as np

from vanhove.errors import ConfigError, DataError

DOSTRANSFORMER_ELECTRON_GRID = (np.arange(201) - 100) / 20
"""eV from the VBM (metals: from the Fermi level): -5 to 5 in steps of 0.05."""
MOST_POINTS = 1_000_000
"""Of an even grid: more is a slip, and would fill the memory."""
MAT2SPEC_BIN_WIDTH = 4 / 64
"""eV."""
MAT2SPEC_ELECTRON_GRID = (np.arange(128) - 63.5) * MAT2SPEC_BIN_WIDTH
"""Centres of bins, eV: negative ones from the VBM, positive ones from the CBM, no gap between."""


def check_grid(grid: np.ndarray) -> np.ndarray:
    """``grid`` as float64, shape ``[n_points]``.

    Raises:
        DataError: not one-dimensional, fewer than two points, not finite or not increasing.
    """
    grid = np.asarray(grid, dtype=np.float64)
    if grid.ndim != 1 or len(grid) < 2:
        raise DataError(f"a grid has shape [n_points] with at least 2 points, got {grid.shape}")
    if not np.isfinite(grid).all():
        raise DataError("the grid holds NaN or infinity: every grid point must be a finite number")
    if not (np.diff(grid) > 0).all():
        at = int(np.argmin(np.diff(grid)))
        raise DataError(
            f"the grid must increase, but point {at} is {grid[at]:g} and point {at + 1} is "
            f"{grid[at + 1]:g}: sort it and drop repeated points"
        )
    return grid


def check_on_grid(grid: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``grid`` ``[n_points]`` and ``values`` ``[..., n_points]`` as finite float64 arrays.

    Raises:
        DataError: a bad grid, a last axis of another length, or values that are not finite.
    """
    grid = check_grid(grid)
    values = np.asarray(values, dtype=np.float64)
    if values.ndim == 0 or values.shape[-1] != len(grid):
        raise DataError(
            f"values of shape {values.shape} do not fit a grid of {len(grid)} points: "
            "the last axis is the grid"
        )
    if not np.isfinite(values).all():
        raise DataError("the values hold NaN or infinity: every value must be a finite number")
    return grid, values


def even_grid(start: float, stop: float, step: float) -> np.ndarray:
    """``start``, ``start + step``, ... up to ``stop``, which is the last point if a step meets it.

    Raises:
        ConfigError: fewer than two points, or more than a million.
    """
    if not (np.isfinite([start, stop, step]).all() and step > 0 and stop - start >= step):
        raise ConfigError(
            f"a grid from {start:g} to {stop:g} in steps of {step:g}; give START < STOP and a STEP "
            "that fits between, such as 0 1000 10"
        )
    n_steps = int(np.floor((stop - start) / step * (1 + 1e-9)))
    if n_steps >= MOST_POINTS:
        raise ConfigError(
            f"a grid from {start:g} to {stop:g} in steps of {step:g} has {n_steps + 1:.3g} points; "
            f"allowed: up to {MOST_POINTS:,}"
        )
    return start + step * np.arange(n_steps + 1)


def interpolate_rows(grid: np.ndarray, values: np.ndarray, new_grid: np.ndarray) -> np.ndarray:
    """``values`` ``[..., n_points]`` linearly at ``new_grid``: ``[..., n_new_points]``."""
    return np.apply_along_axis(lambda row: np.interp(new_grid, grid, row), -1, values)


def cell_edges(grid: np.ndarray) -> np.ndarray:
    """Edges of the cells around the points: the midpoints and the two ends, ``[n_points + 1]``."""
    return np.concatenate([grid[:1], (grid[1:] + grid[:-1]) / 2, grid[-1:]])


def trapezoid_weights(grid: np.ndarray) -> np.ndarray:
    """Weights ``w`` ``[n_points]`` with ``values @ w == np.trapezoid(values, grid)``.

    They are the widths of the cells around the points.
    """
    return np.diff(cell_edges(grid))
