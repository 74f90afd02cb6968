"""Checkpoints: one safetensors file whose header carries JSON. No pickle anywhere.

A *model* checkpoint (``best.safetensors``, shipped weights) holds all that a prediction needs. The
*state* of a run (``last.safetensors``) also holds the optimiser and the place in the epoch.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from vanhove.atomic import replacing
from vanhove.datasets import SpectrumDataset
from vanhove.errors import CheckpointError
from vanhove.memory import keep_freed_memory
from vanhove.models.band_calibration import BandCalibration
from vanhove.models.calibration import Calibration
from vanhove.models.ensemble import Ensemble
from vanhove.models.familiarity import Familiarity
from vanhove.models.model import SpectrumModel
from vanhove.runs.config import RunConfig, with_overrides
from vanhove.weights import find_weights, shipped_weights

_HEADER = "vanhove"


class DatasetInfo(BaseModel):
    """Which data a model saw."""

    name: str
    hash: str
    split: str
    split_hash: str
    n_train: int
    n_valid: int
    n_test: int

    @classmethod
    def of(cls, dataset: SpectrumDataset) -> DatasetInfo:
        """Of a data set with its train, valid and test parts."""
        return cls(
            name=dataset.name,
            hash=dataset.data_hash,
            split=dataset.split_name,
            split_hash=dataset.split_hash,
            n_train=len(dataset.split("train")),
            n_valid=len(dataset.split("valid")),
            n_test=len(dataset.splits.get("test", ())),
        )


class EnsembleInfo(BaseModel):
    """What the checkpoint of an ensemble says besides the description of its first member.

    Attributes:
        seeds: of the members.
        calibration: of the error bars.
        n_train, n_valid: crystals that the familiarity was fitted on.
    """

    model_config = ConfigDict(extra="forbid")

    seeds: list[int]
    calibration: Calibration | BandCalibration
    n_train: int
    n_valid: int


class ModelInfo(BaseModel):
    """What a model checkpoint says of itself."""

    model_config = ConfigDict(extra="forbid")

    version: str
    config: RunConfig
    dataset: DatasetInfo
    grid: list[float]
    unit: str
    normalisation: str
    quantity: str
    elements: list[int]
    """Atomic numbers in the training split, and in that of the weights it started from; others are
    refused at prediction."""
    epoch: int
    validation: dict[str, float]
    ensemble: EnsembleInfo | None = None


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
    model = _build(info, tensors)
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


def load_config(
    name_or_path: str | PathLike[str], overrides: dict[str, object] | None = None
) -> RunConfig:
    """The settings of a YAML run file, or those that shipped weights were trained with.

    Raises:
        ConfigError: the file is missing, or a key or value is wrong.
    """
    path = shipped_weights().get(str(name_or_path))
    if path is None:
        return RunConfig.load(name_or_path, overrides)
    settings = read_info(path).config.model_dump(mode="json")
    return RunConfig.parse(with_overrides(settings, overrides), str(name_or_path))


def _parse_info(path: Path, header: str) -> ModelInfo:
    if '"progress"' in header:
        raise CheckpointError(
            f"{path}: the state of a run, for --resume; predict with best.safetensors beside it"
        )
    try:
        return ModelInfo.model_validate_json(header)
    except ValidationError as error:
        first = error.errors()[0]
        raise CheckpointError(
            f"{path}: not a model checkpoint of this version "
            f"({'.'.join(map(str, first['loc']))}: {first['msg']})"
        ) from None


def _build(info: ModelInfo, tensors: Mapping[str, Tensor]) -> SpectrumModel | Ensemble:
    # A table that a model learned or read from a file is in the checkpoint; nothing else is read.
    widths = [t.shape[1] for name, t in tensors.items() if name.endswith("atom_features.table")]
    width = widths[0] if widths else None
    if info.ensemble is None:
        return build_model(info.config, info.grid, width)
    members = [build_model(info.config, info.grid, width) for _ in info.ensemble.seeds]
    familiarity = Familiarity(
        info.ensemble.n_train, info.ensemble.n_valid, members[0].encoder.out_dim
    )
    return Ensemble(members, familiarity, info.ensemble.calibration)


def build_model(
    config: RunConfig, grid: Sequence[float], table_width: int | None = None
) -> SpectrumModel:
    """An untrained model for a run on data with that grid; arguments as `SpectrumModel`."""
    keep_freed_memory()
    return SpectrumModel(config.model, config.graph.cutoff, grid, table_width)
