"""Checkpoints: one safetensors file whose header carries JSON. No pickle anywhere.

A *model* checkpoint (``best.safetensors``, shipped weights) holds all that a prediction needs. The
*state* of a run (``last.safetensors``) also holds the optimiser and the place in the epoch.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from vanhove.atomic import replacing
from vanhove.errors import CheckpointError
from vanhove.memory import keep_freed_memory
from vanhove.models.atom_latents import latent_shapes
from vanhove.models.ensemble import Ensemble
from vanhove.models.familiarity import Familiarity
from vanhove.models.model import SpectrumModel
from vanhove.results import Json
from vanhove.runs.config import RunConfig, with_overrides
from vanhove.runs.description import ModelInfo
from vanhove.runs.folder import BEST, RUN_FILE
from vanhove.runs.formats import Format
from vanhove.runs.upgrades import MODEL_FORMAT
from vanhove.weights import find_weights, shipped_weights

_HEADER = "vanhove"


def write_safetensors(path: Path, tensors: dict[str, Tensor], header: str) -> None:
    """Write atomically: a kill leaves the old file or the new one, never half of one."""
    with replacing(path) as part:
        try:
            save_file(
                {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()},
                part,
                metadata={_HEADER: header},
            )
        except SafetensorError as error:
            raise OSError(str(error)) from error
        umask = os.umask(0)
        os.umask(umask)
        part.chmod(0o666 & ~umask)  # safetensors writes files that only their owner can read


def read_safetensors(path: Path, tensors: bool = True) -> tuple[dict[str, Tensor], str]:
    """Tensors (none unless ``tensors``) and the JSON header.

    Raises:
        CheckpointError: no such file, damaged, or not written by vanhove.
    """
    try:
        with safe_open(path, framework="pt") as archive:
            header = (archive.metadata() or {}).get(_HEADER)
            names = archive.keys() if tensors else ()
            content = {name: archive.get_tensor(name) for name in names}
    except FileNotFoundError:
        raise CheckpointError(f"{path}: no such checkpoint") from None
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path}: not a readable safetensors file ({error})") from None
    if header is None:
        raise CheckpointError(f"{path}: not a vanhove checkpoint (no header)")
    return content, header


def save_model(
    path: str | PathLike[str], weights: dict[str, Tensor], info: ModelInfo, half: bool = False
) -> None:
    """Write a model checkpoint; ``half`` stores float16."""
    if half:
        weights = {name: w.half() if w.is_floating_point() else w for name, w in weights.items()}
    write_safetensors(Path(path), weights, info.model_dump_json())


def load_model(path: str | PathLike[str]) -> tuple[SpectrumModel | Ensemble, ModelInfo]:
    """The model or ensemble in evaluation mode, float32, and its description.

    Raises:
        CheckpointError: missing, damaged, or the weights do not fit its own config.
    """
    path = Path(path)
    tensors, header = read_safetensors(path)
    info = _parse_info(path, header)
    model = build(info, tensors)
    try:
        model.load_state_dict(
            {name: t.float() if t.is_floating_point() else t for name, t in tensors.items()}
        )
    except RuntimeError as error:
        raise CheckpointError(f"{path}: {' '.join(str(error).split())}") from None
    return model.eval(), info


def export(checkpoint: str | PathLike[str], path: str | PathLike[str]) -> Path:
    """Write the weights of a run as one half-precision file, as the shipped ones are.

    Args:
        checkpoint: a checkpoint or a run folder.
        path: the file to write, ``NAME.safetensors``; its folder is made if missing.

    Raises:
        CheckpointError: no such checkpoint.
    """
    model, info = load_model(find_weights(checkpoint))
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_model(path, model.state_dict(), info, half=True)
    return path


def read_info(path: str | PathLike[str]) -> ModelInfo:
    """The description of a model checkpoint; errors as `load_model`."""
    path = Path(path)
    return _parse_info(path, read_safetensors(path, tensors=False)[1])


def run_settings(checkpoint: str | PathLike[str]) -> RunConfig:
    """The settings of the run that made a checkpoint: those in the folder of the run.

    Of a file alone, those of its description; what it does not say (epochs, learning rate, ...)
    has the default value. Errors as `load_model`.
    """
    path = find_weights(checkpoint)
    beside = path.with_name(RUN_FILE)
    if path.name == BEST and beside.is_file():
        return RunConfig.load(beside)
    return read_info(path).run_config()


def recorded(checkpoint: str | PathLike[str], info: ModelInfo) -> Json:
    """What a result says of the settings of a model: those of its run, if they are known.

    Args:
        checkpoint: name, file or folder.
        info: its description.
    """
    path = find_weights(checkpoint)
    config = run_settings(checkpoint)
    if path.name == BEST and path.with_name(RUN_FILE).is_file():
        return config.model_dump(mode="json")
    content = config.model_dump(mode="json", exclude={"training", "start"})
    return content | {"objective": info.trained.objective.model_dump(mode="json")}


def load_config(
    name_or_path: str | PathLike[str], overrides: dict[str, object] | None = None
) -> RunConfig:
    """The settings of a YAML run file, or those that shipped weights carry.

    Raises:
        ConfigError: the file is missing, or a key or value is wrong.
    """
    path = shipped_weights().get(str(name_or_path))
    if path is None:
        return RunConfig.load(name_or_path, overrides)
    settings = run_settings(path).model_dump(mode="json")
    return RunConfig.parse(with_overrides(settings, overrides), str(name_or_path))


def _parse_info(path: Path, header: str) -> ModelInfo:
    if '"progress"' in header:
        raise CheckpointError(
            f"{path}: the state of a run, for --resume; predict with best.safetensors beside it"
        )
    if '"tight_binding"' in header or '"vanhove tight-binding 1"' in header:
        raise CheckpointError(
            f"{path}: tight-binding weights, which predict but cannot be measured or tuned by this "
            "command"
        )
    return described(path, header, ModelInfo, MODEL_FORMAT, "a model checkpoint")


Described = TypeVar("Described", bound=BaseModel)


def described(path: Path, header: str, kind: type[Described], form: Format, what: str) -> Described:
    """The description in a JSON header, of whatever format.

    Args:
        path: of the file, for messages.
        header: of the file.
        kind: of the description.
        form: its formats.
        what: it should be, for messages.

    Raises:
        CheckpointError: not JSON, of a newer format, or something else.
    """
    try:
        return kind.model_validate(form.upgraded(json.loads(header)))
    except ValidationError as error:
        first = error.errors()[0]
        raise CheckpointError(
            f"{path}: not {what} that this version knows "
            f"({'.'.join(map(str, first['loc']))}: {first['msg']})"
        ) from None
    except (ValueError, KeyError, AttributeError) as error:
        raise CheckpointError(f"{path}: not {what}: {error}") from None


def build(info: ModelInfo, tensors: Mapping[str, Tensor]) -> SpectrumModel | Ensemble:
    """The model of a description, untrained; ``tensors`` will be loaded into it."""
    # A table that a model learned or read from a file is in the checkpoint; nothing else is read.
    widths = [t.shape[1] for name, t in tensors.items() if name.endswith("atom_features.table")]
    width = widths[0] if widths else None
    keep_freed_memory()
    latents = latent_shapes(tensors) or None
    members = [
        SpectrumModel(info.model, info.graph.cutoff, info.grid, width, latents) for _ in info.seeds
    ]
    if info.ensemble is None:
        return members[0]
    familiarity = Familiarity(
        info.ensemble.n_train, info.ensemble.n_valid, members[0].encoder.out_dim
    )
    return Ensemble(members, familiarity, info.ensemble.calibration, info.ensemble.phonons)


def build_model(config: RunConfig, grid: Sequence[float]) -> SpectrumModel:
    """An untrained model for a run on data with that grid."""
    keep_freed_memory()
    return SpectrumModel(config.model, config.graph.cutoff, grid)
