"""What a sequence decoder knows of the whole crystal."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vanhove.crystal.elements import N_ELEMENTS
from vanhove.crystal.graph import Batch
from vanhove.models.decoders.pooling import Pooling, pool


class CrystalContext(nn.Module):
    """Pooled atoms, the composition and the crystal system -> ``[n_crystals, dim]``.

    A linear layer on the vector of element fractions (Xtal2DoS) is the mean of one learned vector
    per element over the atoms; it is computed that way.
    """

    def __init__(
        self, atom_dim: int, system_dim: int, dim: int, pooling: Pooling, composition: bool
    ):
        super().__init__()
        self.pooling = pooling
        self.elements = nn.Embedding(N_ELEMENTS + 1, dim) if composition else None
        self.out = nn.Linear(atom_dim + system_dim + (dim if composition else 0), dim)

    def forward(self, atoms: Tensor, batch: Batch, system: Tensor) -> Tensor:
        parts = [pool(atoms, batch, self.pooling), system]
        if self.elements is not None:
            mean = pool(self.elements(batch.atomic_numbers), batch, "mean")
            parts.append(F.leaky_relu(mean))
        return self.out(torch.cat(parts, dim=-1))
