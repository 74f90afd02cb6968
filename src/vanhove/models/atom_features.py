"""What an atom starts from: rows of element tables."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from vanhove.crystal.elements import ELEMENT_TABLES, element_table

ATOM_FEATURES = f"element tables, joined: {', '.join(ELEMENT_TABLES)}"
"""What the setting ``atom_features`` of every encoder means."""


class AtomFeatures(nn.Module):
    """Atomic numbers ``[n]`` -> features ``[n, dim]``, the tables joined."""

    table: Tensor

    def __init__(self, names: Sequence[str]):
        super().__init__()
        tables = [torch.from_numpy(element_table(name)) for name in names]
        self.register_buffer("table", torch.cat(tables, dim=1), persistent=False)
        self.dim = self.table.shape[1]

    def forward(self, atomic_numbers: Tensor) -> Tensor:
        return self.table[atomic_numbers]
