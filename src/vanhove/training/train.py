"""`vanhove.train`: a model by its name, a run file, or settings."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike

from vanhove.runs.catalog import Size, find_config
from vanhove.runs.config import RunConfig
from vanhove.training.loop import TrainingResult, train_run


def train(
    config: RunConfig | str | PathLike[str],
    output: str | PathLike[str] | None = None,
    *,
    resume: bool = False,
    seed: int | None = None,
    settings: Mapping[str, object] | None = None,
    size: Size | None = None,
    quiet: bool = False,
) -> TrainingResult:
    """Train a model; the folder ``output`` gets ``best.safetensors`` and the logs.

    Args:
        config: a `RunConfig`, a YAML run file, a named model, or shipped weights whose
            settings to take.
        output: run folder; ``runs/NAME-seedSEED`` by default.
        resume: continue the run in that folder (from its start if nothing was saved yet). The
            result equals that of an unbroken run.
        seed: replaces that of ``config``.
        settings: dotted keys that replace others, ``{"training.epochs": 5}``.
        size: of a named model, ``"compact"`` (default) or ``"published"``.
        quiet: no progress.

    Raises:
        ConfigError: wrong settings, or the folder holds another run or is in use.
        DataError, StructureError: the data cannot be used.
        CheckpointError: the saved state is damaged.

    Under ``torchrun`` every process trains its share of each batch.
    """
    overrides = dict(settings or {}) | ({} if seed is None else {"seed": seed})
    chosen = find_config(config, size, overrides)
    return train_run(chosen, output, resume=resume, quiet=quiet)
