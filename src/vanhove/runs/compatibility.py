"""Whether checkpoints and data belong together."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import Any

import numpy as np

from vanhove.crystal.elements import symbols_of
from vanhove.datasets import SpectrumDataset
from vanhove.errors import CheckpointError, DataError
from vanhove.runs.checkpoint import recorded
from vanhove.runs.description import ModelInfo


def unseen_note(dataset: SpectrumDataset, info: ModelInfo, rows: list[int]) -> list[str]:
    """Prediction refuses elements that the model has never seen; a measurement counts them."""
    unseen = [
        set(dataset.crystals[row].atomic_numbers.tolist()) - set(info.elements) for row in rows
    ]
    if not any(unseen):
        return []
    return [
        f"{sum(map(bool, unseen))} of the materials hold elements that are not in the training "
        f"data: {symbols_of(sorted(set().union(*unseen)))}."
    ]


def check_alike(
    checkpoints: Sequence[str | PathLike[str]],
    infos: Sequence[ModelInfo],
    *,
    however_trained: bool = False,
) -> None:
    """Raise `CheckpointError` unless the runs differ in their seed alone.

    The weights they started from may be those of another seed each. ``however_trained`` also allows
    other numbers of epochs, learning rates, weight decays and weights of the loss, as members of an
    ensemble may have.
    """
    first = _without_seed(checkpoints[0], infos[0], however_trained)
    for checkpoint, info in zip(checkpoints, infos, strict=True):
        if _without_seed(checkpoint, info, however_trained) != first:
            raise CheckpointError(
                f"{checkpoint} and {checkpoints[0]} were trained with different settings; "
                "take them one by one"
            )


def _without_seed(
    checkpoint: str | PathLike[str], info: ModelInfo, however_trained: bool
) -> dict[str, Any]:
    """All that runs of one ensemble share: the description, and the run's settings if known."""
    content = info.model_dump(exclude={"version", "ensemble"})
    for key in ("seed", "epoch", "validation"):
        content["trained"].pop(key)
    settings = recorded(checkpoint, info)
    settings.pop("seed")
    start, training = settings.get("start", {}), settings.get("training", {})
    start.pop("checkpoint", None)  # whether there is one, ``trained`` says
    start.pop("member", None)
    training.pop("loggers", None)
    if however_trained:
        for key in ("epochs", "learning_rate", "weight_decay"):
            training.pop(key, None)
        for model in (content["model"], settings.get("model", {})):
            decoder = model.get("decoder", {})
            for key in [name for name in decoder if name.endswith("_weight")]:
                decoder.pop(key)
    return content | {"settings": settings}


def check_data(dataset: SpectrumDataset, info: ModelInfo, own: bool) -> None:
    """Raise `DataError` unless a model can be measured on the data (``own``: its own data)."""
    expected = info.trained.dataset.hash
    if own and dataset.data_hash != expected:
        raise DataError(
            f"{dataset.name} is not the data the model was trained on (hash "
            f"{dataset.data_hash[:12]}, expected {expected[:12]}): its split cannot be "
            "trusted; name it with --data to measure on it all the same"
        )
    for what in ("quantity", "unit", "normalisation"):
        ours, theirs = getattr(info, what), getattr(dataset, what)
        if ours != theirs:
            raise DataError(
                f"{dataset.name} has the {what} {theirs!r}, the model {ours!r}: convert its "
                "spectra first"
            )
    if len(dataset.grid) != len(info.grid) or not np.allclose(dataset.grid, info.grid):
        raise DataError(
            f"{dataset.name} has another grid ({len(dataset.grid)} points) than the model "
            f"({len(info.grid)} points); resample its spectra first "
            "(vanhove.spectra.resample)"
        )
