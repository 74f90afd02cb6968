"""Layers shared by encoders and decoders."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

AttentionKind = Literal["released", "bare"]


class AttentionLayer(nn.Module):
    """One layer of DOSTransformer's attention: queries look at keys that are also the values.

    ``kind="released"`` is what the published numbers were made with (a MulT encoder layer without
    query/key/value projections): pre-norm, one head, residual, then a residual feed-forward
    block of width ``4 * dim``. ``kind="bare"`` is eq. 2-3 of the paper as printed:
    ``softmax(Q K^T / sqrt(d)) K``. ``projections=True`` adds learned query, key, value and output
    projections.
    """

    def __init__(self, dim: int, kind: AttentionKind, projections: bool, dropout: float):
        super().__init__()
        self.kind = kind
        self.dropout = dropout
        self.projections = (
            nn.ModuleDict({k: nn.Linear(dim, dim) for k in ("query", "key", "value", "out")})
            if projections
            else None
        )
        if kind == "released":
            self.attention_norm = nn.LayerNorm(dim)
            self.feed_forward = nn.Sequential(
                nn.LayerNorm(dim),
                nn.Linear(dim, 4 * dim),
                nn.ReLU(),
                nn.Dropout(dropout),
                nn.Linear(4 * dim, dim),
                nn.Dropout(dropout),
            )

    def attend(self, query: Tensor, keys: Tensor, mask: Tensor | None) -> Tensor:
        key = value = keys
        if self.projections is not None:
            query = self.projections["query"](query)
            key, value = self.projections["key"](keys), self.projections["value"](keys)
        attention_mask = None if mask is None else mask[:, None, :]
        attended = F.scaled_dot_product_attention(query, key, value, attn_mask=attention_mask)
        return attended if self.projections is None else self.projections["out"](attended)

    def forward(self, x: Tensor, keys: Tensor | None, mask: Tensor | None) -> Tensor:
        if self.kind == "bare":
            return self.attend(x, x if keys is None else keys, mask)
        query = self.attention_norm(x)
        attended = self.attend(query, query if keys is None else self.attention_norm(keys), mask)
        x = x + F.dropout(attended, self.dropout, self.training)
        return x + self.feed_forward(x)


class AttentionStack(nn.Module):
    """Several `AttentionLayer` and, for the released kind, a final LayerNorm."""

    def __init__(
        self, dim: int, n_layers: int, kind: AttentionKind, projections: bool, dropout: float
    ):
        super().__init__()
        self.layers = nn.ModuleList(
            AttentionLayer(dim, kind, projections, dropout) for _ in range(n_layers)
        )
        self.norm = nn.LayerNorm(dim) if kind == "released" else nn.Identity()

    def forward(self, x: Tensor, keys: Tensor | None = None, mask: Tensor | None = None) -> Tensor:
        """Cross-attention to ``keys``, or self-attention when there are none.

        Args:
            x: queries, ``[batch, n_queries, dim]``.
            keys: ``[batch, n_keys, dim]``.
            mask: ``[batch, n_keys]``, True where a key is real.
        """
        for layer in self.layers:
            x = layer(x, keys, mask)
        return self.norm(x)


class GaussianBasis(nn.Module):
    """``exp(-((r - c_i) / width)^2 / 2)`` at evenly spaced centres from 0 to ``cutoff``."""

    centers: Tensor

    def __init__(self, n_basis: int, cutoff: float):
        super().__init__()
        self.width = cutoff / max(n_basis - 1, 1)
        self.register_buffer("centers", torch.linspace(0, cutoff, n_basis), persistent=False)

    def forward(self, distance: Tensor) -> Tensor:
        """``[n]`` -> ``[n, n_basis]``."""
        return torch.exp(-0.5 * ((distance[:, None] - self.centers) / self.width) ** 2)


def cosine_envelope(distance: Tensor, cutoff: float) -> Tensor:
    """1 at zero distance, falling smoothly to 0 with zero slope at ``cutoff``."""
    return 0.5 * (torch.cos(torch.pi * (distance / cutoff).clamp(max=1.0)) + 1)


def released_envelope(distance: Tensor, cutoff: float) -> Tensor:
    """As in the E3NN tutorial: 1 up to half the cutoff, then ``(1 - cos(2 pi r / rc)) / 2``."""
    smooth = 0.5 * (1 - torch.cos(2 * torch.pi * (distance / cutoff).clamp(max=1.0)))
    return torch.where(distance < 0.5 * cutoff, torch.ones_like(smooth), smooth)
