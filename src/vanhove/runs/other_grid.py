"""One model, trained on one grid, answers on another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from vanhove.errors import ConfigError
from vanhove.models.ensemble import Ensemble
from vanhove.models.model import SpectrumModel
from vanhove.runs.description import ModelInfo
from vanhove.spectra.grids import check_grid
from vanhove.spectra.quantities import quantity


def answer_on(
    model: SpectrumModel | Ensemble, info: ModelInfo, grid: np.ndarray | Sequence[float]
) -> ModelInfo:
    """Make a model answer on another grid; values at energies of its own grid do not change.

    Args:
        model: changed.
        info: its description, with the grid it was trained on.
        grid: the new one, in ``info.unit``, increasing, inside the old one, ``[n_points]``.

    Returns:
        The description with the new grid.

    Raises:
        DataError: a grid that does not increase.
        ConfigError: a grid that leaves the old one, or a model that knows its own grid alone.
    """
    grid, own = check_grid(np.asarray(grid)), np.asarray(info.grid)
    if quantity(info.quantity).is_bands:
        raise ConfigError("a model of bands takes k-points, not energies: leave the grid out")
    slack = 1e-6 * (own[-1] - own[0])
    if grid[0] < own[0] - slack or grid[-1] > own[-1] + slack:
        raise ConfigError(
            f"grid from {grid[0]:g} to {grid[-1]:g} {info.unit}: the model was trained from "
            f"{own[0]:g} to {own[-1]:g} and knows nothing beyond"
        )
    is_own = len(grid) == len(own) and np.allclose(grid, own)
    places = np.interp(grid, own, np.linspace(0, 1, len(own)))
    model.set_places(None if is_own else torch.from_numpy(places))
    return info.model_copy(update={"grid": grid.tolist()})
