"""One model, trained on one grid, answers on another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch

from vanhove.errors import ConfigError
from vanhove.models.ensemble import Ensemble, at_places
from vanhove.models.model import SpectrumModel
from vanhove.runs.description import ModelInfo
from vanhove.spectra.grids import check_grid
from vanhove.spectra.quantities import quantity


@contextmanager
def answering_on(
    model: SpectrumModel | Ensemble, info: ModelInfo, grid: np.ndarray | Sequence[float] | None
) -> Iterator[ModelInfo]:
    """Make a model answer on another grid inside the block, and as before after it.

    Values at energies of its own grid do not change.

    Args:
        model: changed inside the block; the same after it, whatever happens there.
        info: its description, with the grid it was trained on.
        grid: the new one, in ``info.unit``, increasing, inside the old one, ``[n_points]``; None
            changes nothing.

    Yields:
        The description with the new grid.

    Raises:
        DataError: a grid that does not increase.
        ConfigError: a grid that leaves the old one, or a model that knows its own grid alone.
    """
    if grid is None:
        yield info
        return
    grid = check_grid(np.asarray(grid))
    with at_places(model, _places(info, grid)):
        yield info.model_copy(update={"grid": grid.tolist()})


def answer_on(
    model: SpectrumModel | Ensemble, info: ModelInfo, grid: np.ndarray | Sequence[float]
) -> ModelInfo:
    """As `answering_on`, for good; a grid that the model refuses leaves it as it was.

    Returns:
        The description with the new grid.

    Raises:
        As `answering_on`.
    """
    with answering_on(model, info, grid) as found:
        places = model.places
    model.set_places(places)
    return found


def _places(info: ModelInfo, grid: np.ndarray) -> torch.Tensor | None:
    """Where a grid lies on the one of the training, 0 to 1; None where both are the same."""
    own = np.asarray(info.grid)
    if quantity(info.quantity).is_bands:
        raise ConfigError("a model of bands takes k-points, not energies: leave the grid out")
    slack = 1e-6 * (own[-1] - own[0])
    if grid[0] < own[0] - slack or grid[-1] > own[-1] + slack:
        raise ConfigError(
            f"grid from {grid[0]:g} to {grid[-1]:g} {info.unit}: the model was trained from "
            f"{own[0]:g} to {own[-1]:g} and knows nothing beyond"
        )
    if len(grid) == len(own) and np.allclose(grid, own):
        return None
    return torch.from_numpy(np.interp(grid, own, np.linspace(0, 1, len(own))))
