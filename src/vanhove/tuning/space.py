"""The search-space file: which settings of which run are searched, and how, as typed YAML."""

from __future__ import annotations

import json
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, model_validator

from vanhove.errors import ConfigError
from vanhove.results import Json
from vanhove.runs.catalog import CATALOG, Size, run_config
from vanhove.runs.checkpoint import load_config
from vanhove.runs.config import (
    RunConfig,
    SelectionName,
    flat_settings,
    with_overrides,
)
from vanhove.settings import Settings, read_yaml
from vanhove.weights import shipped_weights

SHIPPED = Path(__file__).parent / "spaces"
FIXED = {
    "name": "it names the search",
    "seed": "the best seed is luck, not a better setting",
    "training.epochs": "it is the budget, epochs of the file",
    "training.select_by": "it is the metric of the file",
}
"""Settings that cannot be searched, and why."""
FIXED_SECTIONS = {
    "data": "trials on other data cannot be compared",
    "start": "trials from other weights cannot be compared",
}

_ALSO = "other settings that get the same value"


class FloatRange(Settings):
    """A number between two others; ``log``: its logarithm is spread evenly."""

    type: Literal["float", "log"]
    low: float
    high: float
    also: tuple[str, ...] = Field((), description=_ALSO)

    @model_validator(mode="after")
    def _ordered(self) -> FloatRange:
        if not self.low < self.high or (self.type == "log" and self.low <= 0):
            raise ValueError("give low < high, and of type log low > 0")
        return self

    @property
    def ends(self) -> tuple[float, ...]:
        return (self.low, self.high)

    def suggest(self, trial: Any, key: str) -> float:
        return trial.suggest_float(key, self.low, self.high, log=self.type == "log")

    def place(self, value: Any) -> float | None:
        """The value as the study stores it; None when it is outside."""
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return float(value) if is_number and self.low <= value <= self.high else None

    def wandb(self) -> Json:
        kind = "log_uniform_values" if self.type == "log" else "uniform"
        return {"distribution": kind, "min": self.low, "max": self.high}

    def value(self, stored: Any) -> Any:
        return stored


class IntRange(Settings):
    """A whole number from ``low`` to ``high`` in steps."""

    type: Literal["int"]
    low: int
    high: int
    step: int = Field(1, ge=1)
    also: tuple[str, ...] = Field((), description=_ALSO)

    @model_validator(mode="after")
    def _ordered(self) -> IntRange:
        if not self.low < self.high or (self.high - self.low) % self.step:
            raise ValueError("give low < high, a whole number of steps apart")
        return self

    @property
    def ends(self) -> tuple[int, ...]:
        return (self.low, self.high)

    def suggest(self, trial: Any, key: str) -> int:
        return trial.suggest_int(key, self.low, self.high, step=self.step)

    def place(self, value: Any) -> int | None:
        """The value as the study stores it; None when it is outside."""
        if not isinstance(value, int) or isinstance(value, bool):
            return None
        return value if value in range(self.low, self.high + 1, self.step) else None

    def wandb(self) -> Json:
        if self.step == 1:
            return {"distribution": "int_uniform", "min": self.low, "max": self.high}
        return {
            "distribution": "q_uniform",
            "min": self.low,
            "max": self.high,
            "q": self.step,
        }

    def value(self, stored: Any) -> Any:
        return int(stored)


class Choice(Settings):
    """One of some values, of any kind that a run file can hold."""

    type: Literal["choice"]
    values: tuple[Any, ...] = Field(min_length=2)
    also: tuple[str, ...] = Field((), description=_ALSO)

    @property
    def ends(self) -> tuple[Any, ...]:
        return self.values

    @property
    def labels(self) -> list[Any]:
        """What a study and a sweep store: lists and mappings as JSON, all else as it is."""
        return [self._label(value) for value in self.values]

    def suggest(self, trial: Any, key: str) -> Any:
        return self.value(trial.suggest_categorical(key, self.labels))

    def place(self, value: Any) -> Any:
        """The value as the study stores it; None when it is none of the values."""
        label = self._label(value)
        return label if label in self.labels else None

    def wandb(self) -> Json:
        return {"values": self.labels}

    def value(self, stored: Any) -> Any:
        return self.values[self.labels.index(stored)]

    @staticmethod
    def _label(value: Any) -> Any:
        return json.dumps(value) if isinstance(value, list | tuple | dict) else value


Range = Annotated[FloatRange | IntRange | Choice, Field(discriminator="type")]


class PrunerSettings(Settings):
    """When a trial that does worse than others is ended early."""

    name: Literal["median", "hyperband", "none"] = Field(
        "median",
        description="median: worse after an epoch than the median of the trials before",
    )
    startup_trials: int = Field(
        5, ge=0, description="number of trials that the median pruner never stops"
    )
    warmup_epochs: int = Field(
        1, ge=0, description="number of epochs before the median pruner looks at a trial"
    )
    reduction_factor: int = Field(3, ge=2, description="reduction factor of hyperband")


class SearchSpace(Settings):
    """A search. `load` reads it from YAML; `resolved` is what a study runs."""

    name: str = Field(pattern=r"^[\w.-]+$", description="name of the study and of its runs")
    about: str = Field("", description="where the ranges come from")
    base: str | Json = Field(description="a named model, shipped weights, a run file, or settings")
    size: Size = Field("compact", description="which settings of a named model")
    set: Json = Field(default_factory=dict, description="dotted settings that differ from the base")
    epochs: int = Field(ge=1, description="number of epochs of a trial")
    metric: SelectionName = Field(
        "rmse", description="metric of the validation split; smaller is better"
    )
    seed: int = Field(0, ge=0, description="seed of the sampler; the runs take that of the base")
    sampler: Literal["tpe", "random"] = Field(
        "tpe", description="tpe: learns from the trials before"
    )
    startup_trials: int = Field(10, ge=1, description="number of random trials before tpe learns")
    pruner: PrunerSettings = PrunerSettings()
    space: dict[str, Range] = Field(min_length=1, description="dotted setting -> range")

    @model_validator(mode="after")
    def _may_be_searched(self) -> SearchSpace:
        keys = [key for own, range_ in self.space.items() for key in (own, *range_.also)]
        for key in keys:
            reason = FIXED.get(key) or FIXED_SECTIONS.get(key.split(".")[0])
            if reason:
                raise ValueError(f"space: {key} cannot be searched: {reason}")
            if keys.count(key) > 1:
                raise ValueError(f"space: {key} is there twice")
            if key in self.set:
                raise ValueError(f"space: {key} is also in set; leave it out of one")
        return self

    @classmethod
    def load(cls, name_or_path: str | PathLike[str]) -> SearchSpace:
        """A shipped space by its name, or a YAML file; `resolved`.

        Raises:
            ConfigError: no such file, or a key, a value or a range is wrong.
        """
        path = shipped_spaces().get(str(name_or_path), Path(name_or_path))
        remedy = f"give a YAML file, or one of {', '.join(shipped_spaces())}"
        content = read_yaml(path, "a search space", remedy)
        return cls.parse(content, str(path)).resolved(path.parent)

    def resolved(self, folder: Path = Path()) -> SearchSpace:
        """The same search with all settings of its base written out, and every range checked.

        Args:
            folder: run files that ``base`` names are looked for here first.

        Raises:
            ConfigError: the base is not there, or a value of a range is wrong.
        """
        budget = {
            "name": self.name,
            "training.epochs": self.epochs,
            "training.select_by": self.metric,
        }
        settings = {**self.set, **budget}
        if isinstance(self.base, dict):
            config = RunConfig.parse(with_overrides(self.base, settings), f"{self.name}: base")
        elif self.base in CATALOG:
            config = run_config(self.base, self.size, settings)
        elif self.base in shipped_weights():
            config = load_config(self.base, settings)
        else:
            path = folder / self.base
            config = RunConfig.load(path if path.exists() else self.base, settings)
        whole = self.model_copy(
            update={"base": config.model_dump(mode="json"), "size": "compact", "set": {}}
        )
        for key, range_ in whole.space.items():
            whole._check_range(key, range_)
        return whole

    def _check_range(self, key: str, range_: FloatRange | IntRange | Choice) -> None:
        """A choice may need another setting to go with it, the ends of a range may not."""
        problems = []
        for end in range_.ends:
            try:
                self.config({key: end})
            except ConfigError as error:
                problems.append(str(error))
        if problems and (len(problems) == len(range_.ends) or not isinstance(range_, Choice)):
            raise ConfigError(f"space: {key}: {problems[0]}")

    def config(self, values: Mapping[str, Any], name: str | None = None) -> RunConfig:
        """The run of a trial (of a `resolved` space).

        Args:
            values: dotted setting -> value.
            name: of the run.

        Raises:
            ConfigError: the values do not go together.
        """
        assert isinstance(self.base, dict)
        overrides: dict[str, object] = {}
        for key, value in values.items():
            for each in (key, *self.space[key].also):
                section, _, last = each.rpartition(".")
                # Another encoder or decoder has other settings: those of the base's go.
                if last == "name" and value != flat_settings(self.base_config)[each]:
                    overrides = {section: {}} | overrides
                overrides[each] = value
        if name is not None:
            overrides["name"] = name
        return RunConfig.parse(with_overrides(self.base, overrides), self.name)

    @property
    def base_config(self) -> RunConfig:
        assert isinstance(self.base, dict)
        return RunConfig.parse(self.base, self.name)

    def base_parameters(self) -> Json | None:
        """The base as a study stores a trial; None when it is outside the ranges."""
        flat = flat_settings(self.base_config)
        places = {key: range_.place(flat.get(key)) for key, range_ in self.space.items()}
        tied = all(flat.get(key) == flat.get(a) for key, r in self.space.items() for a in r.also)
        return places if tied and None not in places.values() else None

    def values(self, stored: Mapping[str, Any]) -> Json:
        """Settings from what a study or a sweep stores.

        Raises:
            ConfigError: a setting is missing or outside its range.
        """
        try:
            return {key: range_.value(stored[key]) for key, range_ in self.space.items()}
        except (KeyError, ValueError) as error:
            raise ConfigError(f"{self.name}: no value of the space for {error}") from None

    def to_yaml(self) -> str:
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False)


def shipped_spaces() -> dict[str, Path]:
    """Name -> file of the spaces that come with the package."""
    return {path.stem: path for path in sorted(SHIPPED.glob("*.yaml"))}
