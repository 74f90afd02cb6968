"""Named models: YAML files with our settings of a run and with the paper's, read from one place.

A file of the folder `NAMED` is a named model; one whose name starts with an underscore is a part
that others are based on. `add_named_models` adds the folder of another package.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from importlib.resources import files
from os import PathLike
from pathlib import Path
from typing import Any, Literal

from vanhove.errors import ConfigError
from vanhove.registry import load_extensions
from vanhove.results import Json
from vanhove.runs.checkpoint import load_config
from vanhove.runs.config import RunConfig, with_overrides
from vanhove.settings import Settings, read_yaml
from vanhove.weights import HAMILTONIANS, shipped_weights

Size = Literal["compact", "published"]
NAMED = Path(str(files("vanhove.runs"))) / "named"


class NamedModel(Settings):
    """A pair of encoder and decoder that a paper names, as its YAML file says.

    Attributes:
        title: the model's name in the papers' tables.
        paper: where it was published.
        licence: of the public code that the idea comes from (no code was taken).
        settings: of a run that trains in minutes on one CPU core, where they differ from the
            defaults; what `results/` holds was trained with these. This is the size "compact".
        published: what differs from ``settings`` in the paper's run; the size "published".
        based_on: other files, whose keys come first; of two that differ the later counts.
        place: in lists; those without one come last.
    """

    title: str
    paper: str
    licence: str
    settings: Json = {}
    published: Json = {}
    based_on: tuple[str, ...] = ()
    place: int | None = None

    def run(self, size: Size = "compact") -> Json:
        """Nested settings of a run."""
        return merged(self.settings, self.published if size == "published" else {})

    @property
    def dataset(self) -> str:
        """The data set that the settings name, or the default one."""
        return str(self.settings.get("data", {}).get("dataset", RunConfig().data.dataset))


class Catalog(Mapping[str, NamedModel]):
    """The named models of some folders; read when first asked for.

    Raises:
        ConfigError: of every look, where a file is not a named model or a name is taken twice.
    """

    def __init__(self, *folders: Path):
        self.folders = list(folders)

    def add(self, folder: Path) -> None:
        """Also read the files of this folder."""
        if folder not in self.folders:
            self.folders.append(folder)
            self.__dict__.pop("models", None)

    @cached_property
    def models(self) -> dict[str, NamedModel]:
        """By name, in the order of lists."""
        found: dict[str, Json] = {}
        for folder in self.folders:
            for path in sorted(folder.glob("*.yaml")):
                if path.stem in found:
                    raise ConfigError(f"{path}: there is already a named model of this name")
                found[path.stem] = read_yaml(path, "a named model", "")
        models = {
            name: NamedModel.parse(_whole(name, found), name)
            for name in found
            if not name.startswith("_")
        }
        places = {name: model.place for name, model in models.items()}
        last = len(models)
        order = sorted(models, key=lambda name: (places[name] or last, name))
        return {name: models[name] for name in order}

    def trained_on(self, dataset: str) -> list[str]:
        """Names of the models whose settings name a data set."""
        return [name for name, model in self.items() if model.dataset == dataset]

    def __getitem__(self, name: str) -> NamedModel:
        load_extensions()
        return self.models[name]

    def __iter__(self) -> Iterator[str]:
        load_extensions()
        return iter(self.models)

    def __len__(self) -> int:
        load_extensions()
        return len(self.models)


CATALOG = Catalog(NAMED)


def add_named_models(folder: str | Path) -> None:
    """Also list the named models of a folder; for other packages, see `vanhove.registry`."""
    CATALOG.add(Path(folder))


def merged(base: Mapping[str, Any], top: Mapping[str, Any]) -> Json:
    """Nested settings, those of ``top`` over those of ``base``; sections are joined."""
    result = dict(base)
    for key, value in top.items():
        known = result.get(key)
        both = isinstance(known, dict) and isinstance(value, dict)
        result[key] = merged(known or {}, value) if both else value
    return result


def _whole(name: str, found: Mapping[str, Json]) -> Json:
    """The keys of a file over those of the files that it is based on."""
    content: Json = {}
    own = found[name]
    for base in own.get("based_on") or ():
        if base not in found:
            raise ConfigError(f"{name}: based_on {base!r}, which is no file beside it")
        if base == name:
            raise ConfigError(f"{name}: based_on itself")
        content = merged(content, _whole(base, found))
    return merged(content, own)


def find_config(
    source: RunConfig | str | PathLike[str],
    size: Size | None = None,
    overrides: Mapping[str, object] | None = None,
) -> RunConfig:
    """The settings of a named model, a YAML run file, or shipped weights.

    Args:
        source: name or path; settings as they are get the overrides alone.
        size: of a named model, compact by default.
        overrides: dotted settings on top.

    Raises:
        ConfigError: nothing of that name, a wrong setting, or a size for a run file.
    """
    if not isinstance(source, RunConfig) and str(source) in CATALOG:
        return run_config(str(source), size or "compact", overrides)
    if size is not None:
        raise ConfigError(f"--size is for named models: {', '.join(CATALOG)}")
    if not isinstance(source, RunConfig):
        return load_config(source, dict(overrides or {}))
    if not overrides:
        return source
    return RunConfig.parse(with_overrides(source.model_dump(mode="json"), dict(overrides)))


def run_config(
    name: str,
    size: Size = "compact",
    overrides: Mapping[str, object] | None = None,
    *,
    seed: int = 0,
    run_name: str | None = None,
) -> RunConfig:
    """The run of a named model; ``overrides`` are dotted settings on top.

    Raises:
        ConfigError: an unknown name or setting.
    """
    if name not in CATALOG:
        raise ConfigError(f"model {name!r}; allowed: {', '.join(CATALOG)}")
    settings = {"name": run_name or name, "seed": seed, **CATALOG[name].run(size)}
    return RunConfig.parse(with_overrides(settings, dict(overrides or {})), name)


def list_models() -> dict[str, list[str]]:
    """Names of the named models (``"catalog"``) and of the shipped weights (``"weights"``).

    ``vanhove models`` prints their sizes and test numbers.
    """
    return {"catalog": list(CATALOG), "weights": [*shipped_weights(), *HAMILTONIANS]}
