"""Fine-tuning on few materials: cross-validation stops and measures it, then all of them train."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import torch

from vanhove.datasets.registry import DATASETS
from vanhove.datasets.splits import fold_split
from vanhove.errors import ConfigError, DataError
from vanhove.evaluation.measures import material_errors
from vanhove.models.ensemble import Ensemble
from vanhove.runs.checkpoint import load_model, read_info, run_settings
from vanhove.runs.compatibility import check_data, unseen_note
from vanhove.runs.config import DataSettings, RunConfig, Trainable
from vanhove.runs.description import DatasetInfo
from vanhove.runs.folder import KEPT
from vanhove.runs.prepared import PreparedData, load_run_data, predict_rows, prepare
from vanhove.training.finetuning_report import FinetuningReport, summary, write_report
from vanhove.training.start import tuned, tuning_config
from vanhove.training.train import TrainingResult, is_finished, train, train_to_end
from vanhove.version import circumstances
from vanhove.weights import find_weights

Mode = Literal["auto", "all", "prompts", "last_layers", "adapters"]
FEW = 500
"""Materials up to which cross-validation takes the place of a validation split."""
FEWEST = 5
FOLDS = 5
LEAVE_ONE_OUT = 10
"""Below so many materials each is a fold of its own."""
FEW_EPOCHS = 20
FEW_LEARNING_RATES: dict[Trainable, float] = {
    "all": 2e-4,
    "prompts": 5e-3,
    "last_layers": 1e-3,
    "adapters": 1e-3,
}
FOLDER = "folds"


@dataclass(frozen=True)
class CrossValidation:
    """What the folds of one mode predicted of the materials that they did not train on.

    Attributes:
        predictions: ``[n_epochs, n_materials, n_points]`` (of bands ``[..., n_bands]``).
        errors: the selecting metric, ``[n_epochs, n_materials]``.
    """

    predictions: np.ndarray
    errors: np.ndarray


def default_folds(n_materials: int) -> int:
    """Five; one for each where there are few."""
    return n_materials if n_materials < LEAVE_ONE_OUT else FOLDS


def finetune(
    checkpoint: str,
    *,
    data: str | None = None,
    fraction: float | None = None,
    mode: Mode = "all",
    folds: int | None = None,
    output: str | PathLike[str] | None = None,
    resume: bool = False,
    overrides: Mapping[str, object] | None = None,
    quiet: bool = False,
) -> TrainingResult | FinetuningReport:
    """Train a trained model further; what ``vanhove finetune`` runs.

    Args:
        checkpoint: shipped weights, a checkpoint file or a run folder. Of an ensemble, the first
            member is tuned.
        data: data set (name or folder) to tune on. Without a validation split of its own, and with
            at most `FEW` materials, it is tuned on by cross-validation, see `tune_on_few`.
        fraction: tune on this part of the test split, see `vanhove.datasets.splits.tuning_split`.
        mode: what to train; ``"auto"`` tries all by cross-validation.
        folds: cross-validate with so many, whatever the data; 0: never.
        output: run folder.
        resume: continue there.
        overrides: dotted settings on top.
        quiet: no progress.

    Returns:
        The finished run, or the report of `tune_on_few`.

    Raises:
        ConfigError: nothing to tune on, a wrong setting, or the folder holds another run.
        CheckpointError: no such checkpoint.
        DataError: data that cannot be used, or that are not like those of the checkpoint.
        KeyboardInterrupt: cross-validation was stopped; the same call with ``resume`` continues.
    """
    overrides = dict(overrides or {})
    if folds != 0 and data is not None and fraction is None:
        settings, is_few = _few(tuning_config(checkpoint, data=data, overrides=overrides))
        if is_few or folds is not None:
            return tune_on_few(
                checkpoint,
                settings,
                output,
                mode=mode,
                folds=folds,
                resume=resume,
                overrides=overrides,
                quiet=quiet,
            )
    if mode == "auto" or folds:
        raise ConfigError(
            "--mode auto and --folds are for few materials without a validation split of their "
            "own, given by --data; name a mode"
        )
    config = tuning_config(checkpoint, data=data, fraction=fraction, mode=mode, overrides=overrides)
    return train(config, output, resume=resume, quiet=quiet)


def _few(config: RunConfig) -> tuple[DataSettings, bool]:
    """How to load the data of a run for cross-validation, and whether they call for it."""
    dataset = load_run_data(config)
    own = config.data.dataset not in DATASETS and config.data.split is None
    if own and dataset.split_name.startswith("random"):
        # Nobody chose these parts: all materials can be trained on.
        return config.data.model_copy(update={"split": "all"}), len(dataset) <= FEW
    has_validation = len(dataset.splits.get("valid", ())) > 0
    return config.data, not has_validation and len(dataset.split("train")) <= FEW


def tune_on_few(
    checkpoint: str,
    data: DataSettings,
    output: str | PathLike[str] | None = None,
    *,
    mode: Mode = "all",
    folds: int | None = None,
    resume: bool = False,
    overrides: Mapping[str, object] | None = None,
    quiet: bool = False,
) -> FinetuningReport:
    """Fine-tune where nothing can be spared for validation.

    The train and valid splits are shared out over folds. For each of them a run trains on the
    others; the epoch (and of several modes the mode) with the smallest error over all folds is
    that of the final run, which trains on all. To tell what was gained, each material is predicted
    by the run that did not train on it, at the epoch and mode that the *other* folds would choose.

    Args:
        checkpoint: to start from.
        data: to tune on.
        output: run folder; its subfolder ``folds`` gets the runs of the folds.
        mode: what to train; ``"auto"`` lets the folds choose.
        folds: 5 by default; below 10 materials one for each.
        resume: continue in that folder.
        overrides: dotted settings on top, but for those of the data.
        quiet: no progress.

    Returns:
        Metrics without and with fine-tuning, the gain with its 95 % interval (bootstrap over
        materials), the verdict; ``finetuning.json`` holds its `to_json`.

    Raises:
        As `finetune`.
    """
    if os.environ.get("WORLD_SIZE", "1") != "1":
        raise ConfigError("cross-validation runs in one process: start it without torchrun")
    info, config = read_info(find_weights(checkpoint)), run_settings(checkpoint)
    data = data.model_copy(update={"folds": None, "fold": None})
    overrides = {k: v for k, v in (overrides or {}).items() if not k.startswith("data.")}
    n = _count(config.model_copy(update={"data": data}))
    if n < FEWEST:
        raise DataError(f"{n} materials to tune on; at least {FEWEST} are needed")
    folds = folds or default_folds(n)
    modes = _modes(mode, config)
    data = data.model_copy(update={"folds": folds})
    configs = {name: few_config(checkpoint, config, name, data, n, overrides) for name in modes}
    first = configs[modes[0]]
    folder = Path(output or Path("runs") / f"{info.name}-tuned-seed{first.seed}")
    if (folder / FOLDER).exists() and not resume:
        raise ConfigError(
            f"{folder} already holds a run; continue it with --resume or choose another --output"
        )
    last = {"training.select_by": "last"}
    whole = prepare(
        few_config(checkpoint, config, modes[0], data, n, overrides | last), ("train",), quiet
    )
    check_data(whole.dataset, info, own=False)
    tried = {
        name: _cross_validate(config, whole, folder / FOLDER / name, quiet)
        for name, config in configs.items()
    }
    chosen, epoch = _choose(tried, np.ones(n, dtype=bool))
    final = few_config(
        checkpoint, config, chosen, data, n, overrides | last | {"training.epochs": epoch + 1}
    )
    if not is_finished(folder, final):
        train_to_end(final, folder, quiet=quiet)
    before, members = _original(checkpoint, whole)
    after = _held_out(tried, _fold_of(first, whole))
    rows = whole.rows("train").numpy()
    report = FinetuningReport(
        **vars(summary(dataset=whole.dataset, rows=rows, before=before, after=after)),
        checkpoint=str(checkpoint),
        members=members,
        model=str(folder),
        mode=chosen,
        epochs=epoch + 1,
        folds=folds,
        tried={
            name: [float(value) for value in found.errors.mean(axis=1)]
            for name, found in tried.items()
        },
        dataset=DatasetInfo.of(whole.dataset).model_dump(),
        notes=[*whole.dataset.notes, *unseen_note(whole.dataset, info, rows.tolist())],
        config=final.model_dump(mode="json"),
        **circumstances(),
    )
    write_report(report, folder)
    return report


def few_config(
    checkpoint: str,
    config: RunConfig,
    mode: Trainable,
    data: DataSettings,
    n_materials: int,
    overrides: Mapping[str, object],
) -> RunConfig:
    """The run that tunes a checkpoint, trained with ``config``, on few materials.

    The learning rate is constant, so that a run of fewer epochs is the beginning of a longer one;
    small batches make at least five steps per epoch.

    Raises:
        ConfigError: a wrong setting.
    """
    settings: dict[str, object] = {
        "data": data.model_dump(mode="json"),
        "training.epochs": FEW_EPOCHS,
        "training.patience": FEW_EPOCHS,
        "training.learning_rate": FEW_LEARNING_RATES[mode],
        "training.batch_size": min(config.training.batch_size, max(1, n_materials // 5)),
        "training.schedule": "constant",
        "training.warmup_steps": 0,
        "training.ema_decay": 0.98,
        "training.loggers": [],
    }
    return tuned(config, checkpoint, mode, settings | dict(overrides))


def _count(config: RunConfig) -> int:
    dataset = load_run_data(config)
    return len(dataset.split("train")) + len(dataset.splits.get("valid", ()))


def _modes(mode: Mode, config: RunConfig) -> list[Trainable]:
    if mode != "auto":
        return [mode]
    has_prompts = config.model.crystal_system.kind == "prompt"
    return [name for name in get_args(Trainable) if has_prompts or name != "prompts"]


def _cross_validate(
    config: RunConfig, whole: PreparedData, folder: Path, quiet: bool
) -> CrossValidation:
    """Train what is not trained yet of the folds, and put their predictions together."""
    rows = whole.rows("train").numpy()
    shape = (config.training.epochs, len(rows), *whole.targets.shape[1:])
    predictions = np.full(shape, np.nan, dtype=np.float32)
    fold_of = _fold_of(config, whole)
    for fold in range(config.data.folds or 0):
        data = config.data.model_copy(update={"fold": fold})
        run = config.model_copy(update={"data": data})
        path = folder.with_name(f"{folder.name}-{fold}")
        if not is_finished(path, run):
            train_to_end(run, path, quiet=quiet)
        kept = np.load(path / KEPT)
        predictions[: len(kept), fold_of == fold] = kept
    target = whole.targets[whole.rows("train")].numpy()
    # A fold that stopped early ends the comparison of epochs for all.
    complete = np.isfinite(predictions[..., :1]).all(axis=tuple(range(1, predictions.ndim)))
    predictions = predictions[complete]
    errors = [next(iter(material_errors(target, p, whole.dataset).values())) for p in predictions]
    return CrossValidation(predictions, np.array(errors))


def _fold_of(config: RunConfig, whole: PreparedData) -> np.ndarray:
    """The fold of each training row of ``whole``."""
    rows = whole.rows("train").numpy()
    found = np.empty(len(rows), dtype=np.int64)
    for fold in range(folds := config.data.folds or 0):
        valid = fold_split(rows, folds, fold, config.data.split_seed)["valid"]
        found[np.isin(rows, valid)] = fold
    return found


def _held_out(tried: Mapping[Trainable, CrossValidation], fold_of: np.ndarray) -> np.ndarray:
    """Of each material what the run says that did not train on it, chosen by the other folds."""
    found = np.empty_like(next(iter(tried.values())).predictions[0])
    for fold in np.unique(fold_of):
        own = fold_of == fold
        name, epoch = _choose(tried, ~own)
        found[own] = tried[name].predictions[epoch, own]
    return found


def _choose(
    tried: Mapping[Trainable, CrossValidation], counted: np.ndarray
) -> tuple[Trainable, int]:
    """Mode and epoch with the smallest mean error over the materials that count."""
    found = {
        (name, epoch): float(error)
        for name, result in tried.items()
        for epoch, error in enumerate(result.errors[:, counted].mean(axis=1))
    }
    return min(found, key=found.__getitem__)


def _original(checkpoint: str, whole: PreparedData) -> tuple[np.ndarray, int]:
    """What the checkpoint itself (an ensemble: as a whole) predicts, and its number of members."""
    model, _ = load_model(find_weights(checkpoint))
    if torch.cuda.is_available():
        model = model.cuda()
    members = len(model.models) if isinstance(model, Ensemble) else 1
    return predict_rows(model, whole, whole.rows("train")).numpy(), members
