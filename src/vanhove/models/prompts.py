"""Crystal-system information: a learnable vector per crystal system (DOSTransformer, sec. 4.3)."""

from __future__ import annotations

from torch import Tensor, nn

from vanhove.crystal.symmetry import CRYSTAL_SYSTEMS


class CrystalSystemPrompt(nn.Module):
    """Index of the crystal system ``[n_crystals]`` -> learnable prompt ``[n_crystals, dim]``."""

    def __init__(self, dim: int):
        super().__init__()
        self.embedding = nn.Embedding(len(CRYSTAL_SYSTEMS), dim)

    def forward(self, crystal_system: Tensor) -> Tensor:
        return self.embedding(crystal_system)
