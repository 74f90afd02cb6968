"""The base of all settings that a run file can hold, and how such files are read."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from vanhove.errors import ConfigError
from vanhove.results import Json


class Settings(BaseModel):
    """Frozen; unknown keys are errors, so that a misspelt one is never ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def parse(cls, content: Json, source: str = "settings") -> Self:
        """Validate a nested dictionary.

        Args:
            content: keys and values.
            source: where they come from, for messages.

        Raises:
            ConfigError: wrong keys or values, all in one line.
        """
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            problems = "; ".join(map(cls._problem, error.errors()))
            raise ConfigError(f"{source}: {problems}") from None

    @classmethod
    def _problem(cls, error: Any) -> str:
        message = error["msg"].removeprefix("Value error, ")
        if not error["loc"]:
            return message
        return f"{cls.dotted(error['loc'])}: {message} (got {error['input']!r})"

    @classmethod
    def dotted(cls, location: tuple[int | str, ...]) -> str:
        """The key at a place of the model, as a user writes it."""
        return ".".join(map(str, location))


def read_yaml(path: Path, what: str, remedy: str) -> Json:
    """Keys and values of a YAML file.

    Args:
        path: of the file.
        what: it should be, for messages.
        remedy: what to give, where there is none.

    Raises:
        ConfigError: the file is missing, not YAML, or holds something else.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot read {what} ({error.strerror}); {remedy}") from None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict | None):
        raise ConfigError(f"{path}: {what} holds keys and values, got {type(content).__name__}")
    return content or {}
