"""The state of a training: tensors, and where it is; written whole, continued by newer versions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from vanhove.errors import CheckpointError
from vanhove.results import Json
from vanhove.runs.checkpoint import read_safetensors, write_safetensors
from vanhove.runs.formats import Format
from vanhove.version import __version__

_PLACE = ("epoch", "step", "seconds", "losses")


def _one_shape(content: Json) -> Json:
    """1 -> 2: place and settings apart, also of tight binding and of embeddings."""
    if "progress" in content:
        return content
    place = {key: content.pop(key) for key in _PLACE if key in content}
    return {"config": content, "progress": place}


STATE_FORMAT = Format({1: _one_shape}, lambda content: "progress" in content or "step" in content)


@dataclass(frozen=True)
class SavedState:
    """What the header of a state says.

    Attributes:
        config: the settings of the training.
        progress: where it is.
    """

    config: Json
    progress: Json


def write_state(
    path: Path, tensors: dict[str, Tensor], config: Mapping[str, Any], progress: Mapping[str, Any]
) -> None:
    """Replace the file as a whole; the arguments are as in `SavedState`."""
    header = {
        "format": STATE_FORMAT.current,
        "version": __version__,
        "config": config,
        "progress": progress,
    }
    write_safetensors(path, tensors, json.dumps(header))


def read_state(path: Path, tensors: bool = True) -> tuple[dict[str, Tensor], SavedState]:
    """Tensors (none unless ``tensors``), and what the header says.

    Raises:
        CheckpointError: no such file, damaged, of a newer format, or not the state of a training.
    """
    content, header = read_safetensors(path, tensors)
    try:
        found = STATE_FORMAT.upgraded(json.loads(header))
        return content, SavedState(found["config"], found["progress"])
    except json.JSONDecodeError:
        raise CheckpointError(f"{path}: not the state of a training") from None
    except KeyError as error:
        raise CheckpointError(f"{path}: not the state of a training (no {error})") from None
    except ValueError as error:
        raise CheckpointError(f"{path}: not the state of a training: {error}") from None
