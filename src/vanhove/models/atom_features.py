"""What an atom starts from: rows of element tables, given or learned."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from vanhove.crystal.elements import ELEMENT_TABLES, N_ELEMENTS, element_table
from vanhove.errors import ConfigError

LEARNED = "learned"
LEARNED_DIM = 64

ATOM_FEATURES = (
    f"element tables, joined: {', '.join(ELEMENT_TABLES)}, learned, the name of a shipped "
    "embedding, or a file NAME.safetensors that vanhove embed wrote"
)
"""What the setting ``atom_features`` of every encoder means."""


class AtomFeatures(nn.Module):
    """Atomic numbers ``[n]`` -> features ``[n, dim]``, the tables joined.

    Tables of `ELEMENT_TABLES` never change and are not saved. With any other, or when they are
    trained, all are a parameter: a checkpoint needs no file but itself.

    Args:
        names: of the tables; ``"learned"`` stands for vectors of `LEARNED_DIM` random numbers that
            are always trained, and come last.
        trainable: train the others too.
        width: of all but ``"learned"`` together, when they will be loaded from a checkpoint; None
            reads them.

    Raises:
        ConfigError: no table, or an unknown one.
        CheckpointError: the file of a table is missing or damaged.
    """

    table: Tensor

    def __init__(self, names: Sequence[str], trainable: bool = False, width: int | None = None):
        super().__init__()
        if not names:
            raise ConfigError(f"atom_features is empty; allowed: {ATOM_FEATURES}")
        given = [name for name in names if name != LEARNED]
        if width is None:
            tables = [torch.from_numpy(element_table(name)) for name in given]
            table = torch.cat(tables, dim=1) if tables else torch.zeros(N_ELEMENTS + 1, 0)
        else:
            table = torch.zeros(N_ELEMENTS + 1, width)
        if given and (trainable or not set(given) <= ELEMENT_TABLES.keys()):
            self.table = nn.Parameter(table, requires_grad=trainable)
        else:
            self.register_buffer("table", table, persistent=False)
        self.learned = (
            nn.Parameter(torch.randn(N_ELEMENTS + 1, LEARNED_DIM)) if LEARNED in names else None
        )
        self.dim = table.shape[1] + (LEARNED_DIM if self.learned is not None else 0)

    def forward(self, atomic_numbers: Tensor) -> Tensor:
        if self.learned is None:
            return self.table[atomic_numbers]
        return torch.cat([self.table[atomic_numbers], self.learned[atomic_numbers]], dim=-1)
