"""Weights of the tight-binding model: one member or several, and what is known of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor

from vanhove.crystal.domain import Domain
from vanhove.errors import CheckpointError
from vanhove.models.tight_binding.error_bars import HalfWidths
from vanhove.models.tight_binding.network import TightBinding, TightBindingSettings
from vanhove.results import Json
from vanhove.runs.checkpoint import described, read_safetensors, write_safetensors
from vanhove.runs.formats import Format
from vanhove.version import __version__

KIND = "tight_binding"
_FIRST = "vanhove tight-binding 1"
"""What format 1 has in place of a number."""


def _without_p_of_hydrogen(content: Json) -> Json:
    """1, 2, 3 -> 4: hydrogen and helium have p orbitals, which older weights do not know."""
    raise ValueError(
        "trained before format 4, when hydrogen had no p orbitals: train it again, as `vanhove "
        "train vanhove-electron` does"
    )


HAMILTONIAN_FORMAT = Format(
    dict.fromkeys((1, 2, 3), _without_p_of_hydrogen), lambda content: "facts" in content
)


class MemberInfo(BaseModel):
    """How a member was trained.

    Attributes:
        run: settings of the training, see `vanhove.training.electron_run.ElectronRun`.
        data: data set -> hash.
        history: of each stage, by name: seconds, losses, and of how much it learned.
    """

    model_config = ConfigDict(extra="forbid")

    run: Json
    data: dict[str, str]
    history: dict[str, Json]


class HamiltonianInfo(BaseModel):
    """What tight-binding weights say of themselves.

    Attributes:
        format: of this description.
        kind: tells these weights from those of spectra.
        version: of vanhove, that wrote them.
        model: settings of the members.
        n_members: networks, whose Hamiltonians are averaged.
        members: how they were trained.
        elements: atomic numbers in the training data; None: all that have levels.
        half_widths: error bars of ``"gap"``, ``"energy of metals"``, ``"energy of insulators"`` and
            the same of ``"density"``, where they are calibrated.
        spreads: how much the members differ on crystals that they were not trained on, increasing,
            eV; for the familiarity of others.
        domain: the materials of the training data, where they are known.
    """

    model_config = ConfigDict(extra="forbid")

    format: int = HAMILTONIAN_FORMAT.current
    kind: Literal["tight_binding"] = "tight_binding"
    version: str = __version__
    model: TightBindingSettings
    n_members: int
    members: list[MemberInfo] = []
    elements: list[int] | None = None
    half_widths: dict[str, HalfWidths] = {}
    spreads: list[float] = []
    domain: Domain | None = None


def save_hamiltonian(path: Path, models: list[TightBinding], info: HamiltonianInfo) -> None:
    """Write the members, which share their settings, and what is known of them."""
    tensors: dict[str, Tensor] = {
        f"{i}.{name}": value
        for i, model in enumerate(models)
        for name, value in model.named_parameters()
    }
    write_safetensors(path, tensors, info.model_dump_json())


def load_hamiltonian(path: Path) -> tuple[list[TightBinding], HamiltonianInfo]:
    """The members, in evaluation mode, and what is known of them.

    Raises:
        CheckpointError: the file cannot be read, is of a newer format, or holds something else.
    """
    tensors, header = read_safetensors(path)
    header = header.replace(f'"format": "{_FIRST}"', '"format": 1')
    info = described(path, header, HamiltonianInfo, HAMILTONIAN_FORMAT, "tight-binding weights")
    models = []
    for i in range(info.n_members):
        model = TightBinding(info.model)
        try:
            with torch.no_grad():
                for name, parameter in model.named_parameters():
                    parameter.copy_(tensors[f"{i}.{name}"])
        except (KeyError, RuntimeError) as error:
            raise CheckpointError(f"{path}: weights that do not fit its settings ({error})") from (
                None
            )
        models.append(model.eval().requires_grad_(False))
    return models, info


def is_hamiltonian(path: Path) -> bool:
    """Whether a file holds tight-binding weights, of whatever format."""
    try:
        content = json.loads(read_safetensors(path, tensors=False)[1])
    except (CheckpointError, ValueError):  # whatever it is, `load` says what is wrong with it
        return False
    if not isinstance(content, dict):
        return False
    return content.get("kind") == KIND or content.get("format") == _FIRST
