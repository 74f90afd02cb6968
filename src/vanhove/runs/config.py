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
from vanhove.settings import Settings, read_yaml

LossName = Literal["rmse", "mse", "mae", "kl", "bregman", "wasserstein", "bands"]
ScheduleName = Literal["constant", "cosine", "exponential", "step", "noam"]
SelectionName = Literal["rmse", "mae", "sum_mae", "wasserstein", "energy_mae", "gap_mae", "last"]
Trainable = Literal["all", "prompts", "last_layers", "adapters"]
LoggerName = Literal["tensorboard", "wandb"]


class DataSettings(Settings):
    dataset: str = Field("phonon_petretto", description="a named data set or the path of a folder")
    split: SplitName | None = Field(
        None,
        description="null: the stored split; grouped: one formula, one part; species, "
        "crystal_system, elements: test on kinds of crystals that were not trained on; all: train "
        "on all",
    )
    split_seed: int = Field(0, description="of a new split")
    tuning_fraction: float | None = Field(
        None,
        gt=0,
        le=TUNING_POOL,
        description="train on this fraction of the test part, test on what no fraction trains on",
    )
    tuning_count: int | None = Field(
        None, ge=1, description="train on so many materials of the test part, test on a fixed rest"
    )
    tuning_seed: int = Field(0, ge=0, description="which materials tuning_count takes")
    folds: int | None = Field(
        None, ge=2, description="cross-validation: share train and valid parts over so many folds"
    )
    fold: int | None = Field(
        None,
        ge=0,
        description="the fold that validates, its predictions are kept; null: all train",
    )
    train_fraction: float | None = Field(
        None, gt=0, le=1, description="train on this fraction of the training part"
    )
    subclass: SubclassName | None = Field(
        None, description="keep the crystals of this kind alone, in all parts"
    )
    elements: tuple[str, ...] = Field(
        (), description="of split elements: symbols whose crystals are tested on"
    )
    electron_target: Literal["dostransformer", "mat2spec", "bands"] = Field(
        "dostransformer",
        description="grid and scale made of a folder of electron DOS; bands: it holds bands",
    )
    grid_points: int | None = Field(
        None,
        ge=2,
        description="interpolate the spectra to so many points from the first energy to the last",
    )


class StartSettings(Settings):
    """Weights to start from (fine-tuning)."""

    checkpoint: str | None = Field(
        None, description="shipped weights, a checkpoint file or a run folder to start from"
    )
    member: int = Field(0, ge=0, description="of an ensemble, the one to start from")
    trainable: Trainable = Field(
        "all",
        description="prompts: the crystal-system prompts and the decoder's head; last_layers: the "
        "decoder's last block and head; adapters: low-rank additions to all matrices, and the head",
    )
    adapter_rank: int = Field(4, ge=1, description="of adapters")
    adapter_scale: float = Field(1.0, gt=0, description="factor of adapters")


class TrainingSettings(Settings):
    epochs: int = Field(90, ge=1, description="at most")
    batch_size: int = Field(8, ge=1, description="crystals per step, over all processes")
    learning_rate: float = Field(1e-3, gt=0, description="of AdamW, after the warm-up")
    weight_decay: float = Field(1e-2, ge=0, description="of AdamW")
    warmup_steps: int = Field(
        300, ge=0, description="steps of linear warm-up; at most a tenth of all steps"
    )
    schedule: ScheduleName = Field(
        "cosine", description="of the learning rate after the warm-up; cosine falls to 1 %"
    )
    decay: float = Field(
        0.5, gt=0, le=1, description="exponential: factor per epoch; step: per decay_epochs"
    )
    decay_epochs: int = Field(50, ge=1, description="epochs between the steps of schedule step")
    ema_decay: float | None = Field(
        0.995,
        gt=0,
        lt=1,
        description="average the weights with this decay per step; the average is validated and "
        "saved; null: no averaging",
    )
    gradient_clip: float | None = Field(
        1.0, gt=0, description="largest norm of the gradient; null: no limit"
    )
    loss: LossName = Field("rmse", description="of each crystal, then the mean")
    shape_weight: float = Field(
        0.0, ge=0, description="of the Wasserstein distance of shapes, added to the loss"
    )
    beta: float = Field(
        1.0,
        ge=0,
        description="DOSTransformer: L_global + beta L_system; bands: centre + beta dispersion",
    )
    select_by: SelectionName = Field(
        "rmse", description="validation metric of the best epoch; last: keep the last, validate not"
    )
    patience: int = Field(
        45, ge=1, description="stop after this many epochs without a better validation metric"
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto",
        description="bfloat16: mixed, weights and optimiser stay float32; auto: bfloat16 where the "
        "processor or GPU has instructions for it, else float32",
    )
    deterministic: bool = Field(False, description="only deterministic kernels (CUDA: slower)")
    checkpoint_seconds: float = Field(
        60.0, ge=0, description="seconds between saves of the whole state"
    )
    loggers: tuple[LoggerName, ...] = Field(
        (), description="besides metrics.csv and metrics.jsonl: tensorboard, wandb"
    )


class RunConfig(Settings):
    """One training run. `load` reads it from YAML; ``seed`` sets weights, order and dropout."""

    name: str = Field("run", description="of the run and of its folder")
    seed: int = Field(
        0, ge=0, description="of the first weights, the order of the crystals and dropout"
    )
    data: DataSettings = DataSettings()  # type: ignore[call-arg]
    graph: GraphSettings = GraphSettings()  # type: ignore[call-arg]
    model: ModelSettings = ModelSettings()  # type: ignore[call-arg]
    start: StartSettings = StartSettings()  # type: ignore[call-arg]
    training: TrainingSettings = TrainingSettings()  # type: ignore[call-arg]

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

        Raises:
            ConfigError: the file is missing or not YAML, or a key or value is wrong.
        """
        remedy = "give a YAML file such as a run folder's config.yaml"
        content = read_yaml(Path(path), "a run file", remedy)
        return cls.parse(with_overrides(content, overrides), str(path))

    def differences(self, other: RunConfig) -> list[str]:
        """Dotted keys whose values differ."""
        ours, theirs = flat_settings(self), flat_settings(other)
        return [key for key in ours | theirs if ours.get(key) != theirs.get(key)]

    def to_yaml(self) -> str:
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False)


def flat_settings(config: RunConfig) -> dict[str, object]:
    """Dotted key -> value: ``{"training.epochs": 60, ...}``."""
    flat: dict[str, object] = {}

    def add(content: dict, prefix: str) -> None:
        for key, value in content.items():
            if isinstance(value, dict):
                add(value, f"{prefix}{key}.")
            else:
                flat[prefix + key] = value

    add(config.model_dump(mode="json"), "")
    return flat


def with_overrides(content: dict, overrides: dict[str, object] | None) -> dict:
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
