"""`vanhove.train`: a run in its folder, from a model's name, a run file, or settings."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import torch
from torch import Tensor

from vanhove.atomic import held, write_text
from vanhove.errors import ConfigError
from vanhove.runs.catalog import Size, find_config
from vanhove.runs.checkpoint import read_info
from vanhove.runs.compatibility import check_data
from vanhove.runs.config import RunConfig
from vanhove.runs.folder import BEST, RUN_FILE, STATE, run_folder
from vanhove.runs.prepared import prepare
from vanhove.runs.state import SavedState, read_state
from vanhove.training.distributed import processes
from vanhove.training.logs import RunLog
from vanhove.training.loop import EpochRow, Trainer
from vanhove.training.process_state import deterministic_algorithms
from vanhove.training.state import Run
from vanhove.weights import find_weights

QUICK: dict[str, object] = {"training.epochs": 2}


@dataclass(frozen=True)
class TrainingResult:
    """What a run ended with.

    Attributes:
        folder: of the run.
        best: path of the best checkpoint by the validation metric ``training.select_by``.
        epochs: run so far.
        validation: metrics of the best checkpoint.
        interrupted: stopped by a signal; resume to finish.
    """

    folder: Path
    best: Path
    epochs: int
    validation: dict[str, float]
    interrupted: bool


def train(
    config: RunConfig | str | PathLike[str],
    output: str | PathLike[str] | None = None,
    *,
    resume: bool = False,
    seed: int | None = None,
    settings: Mapping[str, object] | None = None,
    size: Size | None = None,
    quick: bool = False,
    quiet: bool = False,
    on_epoch: Callable[[EpochRow], None] | None = None,
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
        quick: a try of two epochs, named ``quick-NAME``: to see that data and settings work.
        quiet: no progress.
        on_epoch: called with each row of ``metrics.csv`` once it is written; what it raises ends
            the run. A resumed run may repeat epochs, with the same rows.

    Raises:
        ConfigError: wrong settings, or the folder holds another run or is in use.
        DataError, StructureError: the data cannot be used.
        CheckpointError: the saved state is damaged.

    Under ``torchrun`` every process trains its share of each batch.
    """
    overrides = (QUICK if quick else {}) | dict(settings or {})
    chosen = find_config(config, size, overrides | ({} if seed is None else {"seed": seed}))
    if quick:
        chosen = chosen.model_copy(update={"name": f"quick-{chosen.name}"})
    folder = run_folder("runs", chosen) if output is None else Path(output)
    return _train_in(folder, chosen, resume, quiet, on_epoch)


def _train_in(
    folder: Path,
    config: RunConfig,
    resume: bool,
    quiet: bool,
    on_epoch: Callable[[EpochRow], None] | None,
) -> TrainingResult:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    with deterministic_algorithms(config.training.deterministic), processes() as group:
        if device.type == "cuda":
            device = torch.device("cuda", group.rank % torch.cuda.device_count())
        with held(folder, "training") if group.is_first else nullcontext():
            saved = _open_folder(folder, config, resume)
            group.wait()  # until every process has looked, before the first one writes
            parts = ("train",) if config.training.select_by == "last" else ("train", "valid")
            data = prepare(config, parts, quiet or not group.is_first)
            if config.start.checkpoint is not None:
                start = read_info(find_weights(config.start.checkpoint))
                check_data(data.dataset, start, own=False)
            seen = data.crystal_systems(data.rows("train"))
            run = Run(config, data.dataset.grid.tolist(), seen, device)
            if saved is not None:
                run.restore(*saved)
            trainer = Trainer(run, data, folder, group, quiet, on_epoch)
            log = None
            if group.is_first:
                log = RunLog(folder, config, run.progress.epoch)
                write_text(folder / RUN_FILE, config.to_yaml())
            try:
                complete = trainer.fit(log)
            finally:
                if log is not None:
                    log.close()
    if not complete:
        print(f"stopped at step {run.progress.step}; state saved in {folder}", file=sys.stderr)
    return TrainingResult(
        folder, folder / BEST, run.progress.epoch, run.progress.best_metrics, not complete
    )


def train_to_end(
    config: RunConfig,
    output: Path,
    *,
    quiet: bool = False,
    on_epoch: Callable[[EpochRow], None] | None = None,
) -> TrainingResult:
    """As `train`, which begins the run or continues it.

    Raises:
        KeyboardInterrupt: a signal stopped it, with its state saved; the same call continues.
    """
    result = train(config, output, resume=True, quiet=quiet, on_epoch=on_epoch)
    if result.interrupted:
        raise KeyboardInterrupt
    return result


def is_finished(folder: Path, config: RunConfig) -> bool:
    """Whether the folder holds this run, trained to its end; reads no weights.

    Raises:
        ConfigError: the folder holds a run with other settings.
        CheckpointError: the saved state is damaged.
    """
    if not (folder / RUN_FILE).exists():
        return False
    _check_same_settings(folder / RUN_FILE, config)
    if not (folder / STATE).exists() or not (folder / BEST).exists():
        return False
    return bool(read_state(folder / STATE, tensors=False)[1].progress["finished"])


def _check_same_settings(run_file: Path, config: RunConfig) -> None:
    different = config.differences(RunConfig.load(run_file))
    if different:
        raise ConfigError(
            f"{run_file} differs from the settings given in {', '.join(different)}; resume "
            "with the same settings or choose another folder"
        )


def _open_folder(
    folder: Path, config: RunConfig, resume: bool
) -> tuple[dict[str, Tensor], SavedState] | None:
    """Claim the run folder; the saved state when resuming, None for a fresh start."""
    state, run_file = folder / STATE, folder / RUN_FILE
    if run_file.exists():
        if not resume:
            raise ConfigError(
                f"{folder} already holds a run; continue it with --resume "
                "or choose another --output"
            )
        _check_same_settings(run_file, config)
    return read_state(state) if state.exists() else None
