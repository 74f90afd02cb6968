"""Crystal-system information: none, one-hot or a learnable prompt, at the atoms or the decoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from vanhove.crystal.symmetry import CRYSTAL_SYSTEMS
from vanhove.settings import Settings


class CrystalSystemSettings(Settings):
    """What a model is told of the crystal system, and where (DOSTransformer, tables 4 and 9)."""

    kind: Literal["none", "one_hot", "prompt"] = Field(
        "prompt",
        description="how the crystal system enters; prompt: one learnable vector per crystal "
        "system",
    )
    where: Literal["atoms", "decoder"] = Field(
        "decoder",
        description="where it enters: joined to the atom features, or to the crystal in the "
        "decoder",
    )
    dim: int = Field(128, ge=1, description="width of a prompt")


class CrystalSystemVector(nn.Module):
    """Index of the crystal system ``[n_crystals]`` -> vector ``[n_crystals, dim]``.

    ``dim`` is 0 for ``kind="none"``: joining it to anything changes nothing.
    """

    def __init__(self, settings: CrystalSystemSettings):
        super().__init__()
        self.kind = settings.kind
        self.dim = {"none": 0, "one_hot": len(CRYSTAL_SYSTEMS), "prompt": settings.dim}[self.kind]
        if self.kind == "prompt":
            self.embedding = nn.Embedding(len(CRYSTAL_SYSTEMS), settings.dim)

    def forward(self, crystal_system: Tensor) -> Tensor:
        if self.kind == "prompt":
            return self.embedding(crystal_system)
        if self.kind == "one_hot":
            return F.one_hot(crystal_system, len(CRYSTAL_SYSTEMS)).to(torch.get_default_dtype())
        return torch.zeros(len(crystal_system), 0, device=crystal_system.device)

    @torch.no_grad()
    def fill_unseen(self, seen: Sequence[int]) -> None:
        """Give systems that were not trained on the mean prompt of those that were.

        DOSTransformer, section 5.3 (mean-pooled prompts). Without prompts nothing happens.
        """
        unseen = [index for index in range(len(CRYSTAL_SYSTEMS)) if index not in seen]
        if self.kind == "prompt" and unseen:
            self.embedding.weight[unseen] = self.embedding.weight[list(seen)].mean(dim=0)
