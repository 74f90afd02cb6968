"""From atom states to one state per crystal."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from vanhove.crystal.graph import Batch

Pooling = Literal["sum", "mean"]


def pool(atoms: Tensor, batch: Batch, pooling: Pooling) -> Tensor:
    """``[n_atoms_total, d]`` -> ``[n_crystals, d]``."""
    pooled = batch.sum_over_atoms(atoms)
    return pooled / batch.n_atoms[:, None] if pooling == "mean" else pooled
