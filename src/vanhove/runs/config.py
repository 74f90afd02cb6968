"""The run file: everything that decides a training run, as typed YAML."""

from __future__ import annotations

from copy import deepcopy
from os import PathLike
from pathlib import Path
from typing import Literal

import yaml
from pydantic import Field, model_validator

from vanhove.crystal.graph import GraphSettings
from vanhove.datasets.catalog import SplitName
from vanhove.datasets.splits import TUNING_POOL
from vanhove.datasets.subclasses import SubclassName
from vanhove.errors import ConfigError
from vanhove.models.model import ModelSettings
from vanhove.models.registry import DECODERS, band_decoders
from vanhove.results import Json
from vanhove.runs.formats import Format
from vanhove.settings import Settings, read_yaml

LossName = Literal["rmse", "mse", "mae", "kl", "bregman", "wasserstein", "bands"]
ScheduleName = Literal["constant", "cosine", "exponential", "step", "noam"]
SelectionName = Literal["rmse", "mae", "sum_mae", "wasserstein", "energy_mae", "gap_mae", "last"]
Trainable = Literal["all", "prompts", "last_layers", "adapters"]
LoggerName = Literal["tensorboard", "wandb"]


class DataSettings(Settings):
    dataset: str = Field(
        "phonon_petretto", description="name of a data set, or path of a folder of one"
    )
    split: SplitName | None = Field(
        None,
        description="null: the stored split; grouped: materials of one formula in the same split; "
        "species, crystal_system, elements: test on kinds of crystals that were not trained on; "
        "all: train on all materials",
    )
    split_seed: int = Field(0, description="seed of a split that is drawn anew")
    tuning_fraction: float | None = Field(
        None,
        gt=0,
        le=TUNING_POOL,
        description="share of the test split to train on; what no share trains on is tested on",
    )
    tuning_count: int | None = Field(
        None,
        ge=1,
        description="number of materials of the test split to train on; a fixed rest is tested on",
    )
    tuning_seed: int = Field(0, ge=0, description="seed of the materials that tuning_count takes")
    folds: int | None = Field(
        None,
        ge=2,
        description="number of cross-validation folds that the train and valid splits are shared "
        "over",
    )
    fold: int | None = Field(
        None,
        ge=0,
        description="the fold to validate on, whose predictions are kept; null: all folds train",
    )
    train_fraction: float | None = Field(
        None, gt=0, le=1, description="share of the training split to use"
    )
    subclass: SubclassName | None = Field(
        None, description="kind of crystals to keep, in all splits"
    )
    elements: tuple[str, ...] = Field(
        (), description="elements whose crystals are tested on, for split: elements"
    )
    electron_target: Literal["dostransformer", "mat2spec", "bands"] = Field(
        "dostransformer",
        description="grid and scale that a folder of electron DOS is brought to; bands: the folder "
        "holds bands",
    )
    grid_points: int | None = Field(
        None,
        ge=2,
        description="number of grid points that the spectra are interpolated to, first to last "
        "energy",
    )


class StartSettings(Settings):
    """Weights to start from (fine-tuning)."""

    checkpoint: str | None = Field(
        None,
        description="weights to start from: shipped weights, a checkpoint file or a run folder",
    )
    member: int = Field(0, ge=0, description="member of an ensemble to start from")
    trainable: Trainable = Field(
        "all",
        description="weights to train; prompts: the crystal-system prompts and the decoder's head; "
        "last_layers: the decoder's last block and head; adapters: low-rank additions to all "
        "matrices, and the head",
    )
    adapter_rank: int = Field(4, ge=1, description="rank of the adapters")
    adapter_scale: float = Field(
        1.0, gt=0, description="factor that the adapters are multiplied with"
    )


class TrainingSettings(Settings):
    epochs: int = Field(90, ge=1, description="largest number of epochs")
    batch_size: int = Field(
        8, ge=1, description="number of crystals per optimiser step, over all processes"
    )
    learning_rate: float = Field(1e-3, gt=0, description="learning rate of AdamW after the warm-up")
    weight_decay: float = Field(1e-2, ge=0, description="weight decay of AdamW")
    warmup_steps: int = Field(
        300, ge=0, description="number of steps of linear warm-up, at most a tenth of all steps"
    )
    schedule: ScheduleName = Field(
        "cosine", description="schedule of the learning rate after the warm-up; cosine falls to 1 %"
    )
    decay: float = Field(
        0.5,
        gt=0,
        le=1,
        description="factor of the learning rate: each epoch (exponential), each decay_epochs "
        "(step)",
    )
    decay_epochs: int = Field(
        50, ge=1, description="number of epochs between the steps of schedule step"
    )
    ema_decay: float | None = Field(
        0.995,
        gt=0,
        lt=1,
        description="decay per step of the averaged weights, which are validated and saved; null: "
        "no averaging",
    )
    gradient_clip: float | None = Field(
        1.0, gt=0, description="largest norm of the gradient; null: no clipping"
    )
    loss: LossName = Field(
        "rmse", description="loss of each crystal; the mean over crystals is minimised"
    )
    shape_weight: float = Field(
        0.0,
        ge=0,
        description="weight of the Wasserstein distance of normalised spectra, added to the loss",
    )
    beta: float = Field(
        1.0,
        ge=0,
        description="weight beta: L_global + beta L_system (DOSTransformer), centre + beta "
        "dispersion (bands)",
    )
    select_by: SelectionName = Field(
        "rmse",
        description="validation metric that selects the best epoch; last: keep the last epoch, no "
        "validation",
    )
    patience: int = Field(
        45,
        ge=1,
        description="number of epochs without a better validation metric after which training "
        "stops",
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto",
        description="precision of training; bfloat16: mixed, weights and optimiser stay float32; "
        "auto: bfloat16 where there are instructions for it and, on a CPU, large products, else "
        "float32",
    )
    deterministic: bool = Field(
        False, description="use deterministic kernels only (slower on CUDA)"
    )
    checkpoint_seconds: float = Field(
        60.0, ge=0, description="seconds between saves of the state that --resume needs"
    )
    loggers: tuple[LoggerName, ...] = Field(
        (), description="loggers besides metrics.csv and metrics.jsonl"
    )


RUN_FORMAT = Format({}, lambda content: True)
"""Of run files; whoever renames a setting adds an upgrade here."""


class RunConfig(Settings):
    """One training run. `load` reads it from YAML; ``seed`` sets weights, order and dropout."""

    name: str = Field("run", description="name of the run and of its folder")
    seed: int = Field(
        0, ge=0, description="seed of the initial weights, the order of the crystals and dropout"
    )
    data: DataSettings = DataSettings()
    graph: GraphSettings = GraphSettings()
    model: ModelSettings = ModelSettings()
    start: StartSettings = StartSettings()
    training: TrainingSettings = TrainingSettings()

    @model_validator(mode="after")
    def _loss_fits_output(self) -> RunConfig:
        loss, output = self.training.loss, self.model.output
        need, allowed = {
            "kl": ("spectra of sum 1", ("sum",)),
            "bregman": ("positive values", ("softplus", "sum")),
        }.get(loss, ("", (output,)))
        if output not in allowed:
            raise ValueError(
                f"training.loss {loss} needs {need}: set model.output to {' or '.join(allowed)} "
                f"(got {output!r})"
            )
        return self

    @model_validator(mode="after")
    def _bands_fit(self) -> RunConfig:
        training = self.training
        wanted = {
            "model.decoder": DECODERS[self.model.decoder.name].gives_bands,
            "model.output energies": self.model.output == "energies",
            "training.loss bands": training.loss == "bands",
            "training.select_by energy_mae or gap_mae": training.select_by
            in ("energy_mae", "gap_mae"),
        }
        if training.select_by == "last":
            wanted.popitem()
        if len(set(wanted.values())) > 1:
            missing = ", ".join(key for key, given in wanted.items() if not given)
            raise ValueError(
                f"bands need model.decoder {' or '.join(band_decoders())}, model.output energies, "
                f"training.loss bands and training.select_by energy_mae or gap_mae; missing: "
                f"{missing}"
            )
        return self

    @classmethod
    def load(
        cls, path: str | PathLike[str], overrides: dict[str, object] | None = None
    ) -> RunConfig:
        """Read a YAML run file; ``overrides`` maps dotted keys to values.

        A file without ``format`` is of format 1.

        Raises:
            ConfigError: the file is missing, not YAML or of a newer format, or a key or value is
                wrong.
        """
        remedy = "give a YAML file such as a run folder's config.yaml"
        content = read_yaml(Path(path), "a run file", remedy)
        try:
            content = RUN_FORMAT.upgraded(content)
        except ValueError as error:
            raise ConfigError(f"{path}: {error}") from None
        content.pop("format", None)
        return cls.parse(with_overrides(content, overrides), str(path))

    def differences(self, other: RunConfig) -> list[str]:
        """Dotted keys whose values differ."""
        ours, theirs = flat_settings(self), flat_settings(other)
        return [key for key in ours | theirs if ours.get(key) != theirs.get(key)]

    def to_yaml(self) -> str:
        content = {"format": RUN_FORMAT.current, **self.model_dump(mode="json")}
        return yaml.safe_dump(content, sort_keys=False)


def flat_settings(config: RunConfig) -> dict[str, object]:
    """Dotted key -> value: ``{"training.epochs": 60, ...}``."""
    flat: dict[str, object] = {}

    def add(content: Json, prefix: str) -> None:
        for key, value in content.items():
            if isinstance(value, dict):
                add(value, f"{prefix}{key}.")
            else:
                flat[prefix + key] = value

    add(config.model_dump(mode="json"), "")
    return flat


def with_overrides(content: Json, overrides: dict[str, object] | None) -> Json:
    """A copy of nested settings in which dotted keys have new values.

    Raises:
        ConfigError: a key goes through something that is not a section.
    """
    content = deepcopy(content)
    for dotted, value in (overrides or {}).items():
        section = content
        *parents, last = dotted.split(".")
        for parent in parents:
            section = section.setdefault(parent, {})
            if not isinstance(section, dict):
                raise ConfigError(f"{dotted}: {parent} is a value, not a section")
        section[last] = value
    return content


def parse_overrides(assignments: list[str]) -> dict[str, object]:
    """``["training.epochs=5"]`` -> ``{"training.epochs": 5}``; values are YAML.

    Raises:
        ConfigError: an assignment without ``=``.
    """
    parsed = {}
    for assignment in assignments:
        key, separator, value = assignment.partition("=")
        if not separator or not key:
            raise ConfigError(f"--set {assignment}: write key=value, such as training.epochs=5")
        parsed[key.strip()] = yaml.safe_load(value)
    return parsed
