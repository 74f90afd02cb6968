"""Bandformer's printed encoding of k: sines and cosines of its fractional coordinates."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from vanhove.crystal.graph import Batch


class ReciprocalEncoding(nn.Module):
    """Fractional k-points as waves of several lengths (arXiv 2411.16483, eq. 2-3).

    For each of the three coordinates x and n = 0 ... d/6 - 1: ``sin(2 pi w_n x)`` and
    ``cos(2 pi w_n x)`` with ``w_n = 10^(-n / (d/6 - 1))``. The coordinates are those of the cell
    of the graph, so that the encoding changes with the choice of cell, unlike `BlochEncoding`.

    Args:
        dim: numbers for a k-point; a multiple of 6.
    """

    rates: Tensor

    def __init__(self, dim: int):
        super().__init__()
        n = dim // 6
        self.out_dim = 6 * n
        rates = 10.0 ** (-torch.arange(n) / max(n - 1, 1))
        self.register_buffer("rates", rates, persistent=False)

    def forward(self, atoms: Tensor, batch: Batch) -> Tensor:
        """``[n_atoms_total, n_kpoints, out_dim]``, the same for all atoms of a crystal."""
        assert batch.kpoints is not None
        fractional = batch.kpoints @ batch.lattice.transpose(1, 2) / (2 * math.pi)
        angle = 2 * math.pi * fractional[..., None] * self.rates
        waves = torch.cat([angle.sin(), angle.cos()], dim=-1).flatten(2)
        return waves.index_select(0, batch.crystal_of_atom)
