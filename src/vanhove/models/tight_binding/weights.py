"""Weights of the tight-binding model: one member or several in a safetensors file with JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from vanhove.atomic import replacing
from vanhove.errors import DataError
from vanhove.models.tight_binding.network import TightBinding, TightBindingSettings

FORMAT = "vanhove tight-binding 1"


def save_member(model: TightBinding, facts: dict[str, Any], path: Path) -> None:
    """One model, with what is known of its training."""
    save_members([model], facts, path)


def save_members(models: list[TightBinding], facts: dict[str, Any], path: Path) -> None:
    """Several models of the same settings."""
    tensors = {
        f"{i}.{name}": value.detach().contiguous()
        for i, model in enumerate(models)
        for name, value in model.named_parameters()
    }
    header = {
        "format": FORMAT,
        "settings": models[0].settings.model_dump(mode="json"),
        "n_members": len(models),
        "facts": facts,
    }
    with replacing(path) as part:
        save_file(tensors, part, {"vanhove": json.dumps(header)})


def load_members(path: Path) -> tuple[list[TightBinding], dict[str, Any]]:
    """The models, in evaluation mode, and the facts.

    Raises:
        DataError: the file cannot be read, or holds something else.
    """
    try:
        with safe_open(path, "pt") as file:
            header = json.loads((file.metadata() or {}).get("vanhove", "{}"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except Exception as error:  # safetensors raises its own kinds
        raise DataError(f"{path}: {error}") from error
    if header.get("format") != FORMAT:
        raise DataError(f"{path} holds no tight-binding model ({FORMAT!r})")
    models = []
    for i in range(header["n_members"]):
        model = TightBinding(TightBindingSettings(**header["settings"]))
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                parameter.copy_(tensors[f"{i}.{name}"])
        models.append(model.eval().requires_grad_(False))
    return models, header["facts"]
