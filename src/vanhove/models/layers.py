"""Layers shared by encoders and decoders."""

from __future__ import annotations

import math
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vanhove.models.dropout import Dropout

AttentionKind = Literal["released", "bare"]


class AttentionLayer(nn.Module):
    """One layer of DOSTransformer's attention: queries look at keys that are also the values.

    ``kind="released"`` is what the published numbers were made with (a MulT encoder layer without
    query/key/value projections): pre-norm, one head, residual, then a residual feed-forward
    block of width ``4 * dim``. ``kind="bare"`` is eq. 2-3 of the paper as printed:
    ``softmax(Q K^T / sqrt(d)) K``. ``projections=True`` adds learned query, key, value and output
    projections. ``n_heads`` heads each look at their own part of the ``dim`` numbers.
    """

    def __init__(
        self, dim: int, kind: AttentionKind, projections: bool, drop: float, n_heads: int = 1
    ):
        super().__init__()
        self.kind = kind
        self.n_heads = n_heads
        self.dropout = Dropout(drop)
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
                nn.ReLU(inplace=True),
                Dropout(drop),
                nn.Linear(4 * dim, dim),
                Dropout(drop),
            )

    def attention(self, query: Tensor, key: Tensor, mask: Tensor | None) -> Tensor:
        """What each query takes of each key, ``[batch, n_queries, n_keys]``."""
        # Keys are mostly fewer than queries: they are scaled.
        scores = query @ (key * key.shape[-1] ** -0.5).transpose(-2, -1)
        if mask is not None:
            scores = scores.masked_fill(~mask[..., None, :], -math.inf)
        return scores.softmax(dim=-1)

    def attend_by_heads(
        self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None
    ) -> Tensor:
        """`attend` of each head, side by side, ``[batch, n_queries, dim]``."""

        def parts(x: Tensor) -> Tensor:
            return x.unflatten(-1, (self.n_heads, -1)).transpose(-2, -3)

        query, key, value = parts(query), parts(key), parts(value)
        found = self.attention(query, key, None if mask is None else mask[:, None]) @ value
        return found.transpose(-2, -3).flatten(-2)

    def attend(self, query: Tensor, keys: Tensor, mask: Tensor | None) -> Tensor:
        key = value = keys
        if self.projections is not None:
            query = self.projections["query"](query)
            key, value = self.projections["key"](keys), self.projections["value"](keys)
        if self.n_heads > 1:
            attended = self.attend_by_heads(query, key, value, mask)
        else:
            attended = self.attention(query, key, mask) @ value
        return attended if self.projections is None else self.projections["out"](attended)

    def forward(
        self, x: Tensor, keys: Tensor | None, mask: Tensor | None, n_keys: int | None = None
    ) -> Tensor:
        if self.kind == "bare":
            return self.attend(x, x[:, :n_keys] if keys is None else keys, mask)
        query = self.attention_norm(x)
        keys = query[:, :n_keys] if keys is None else self.attention_norm(keys)
        attended = self.attend(query, keys, mask)
        x = x + self.dropout(attended)
        # As rows: what works in place on a view of them has to copy in the backward pass.
        return x + self.feed_forward(x.flatten(0, -2)).view_as(x)


class ConstantQueries:
    """The first layer of a stack whose queries are a parameter, for inference.

    The feed-forward block begins with ``W norm(x + a k)``, where the queries ``x`` and ``W`` never
    change and ``a k`` is a weighted sum of few keys. Its product is that of constants, computed
    once and kept, and of the keys: ``(W x + a (W k)) / deviation``, with ``W`` centred and scaled.
    """

    def __init__(self) -> None:
        self.versions: tuple[Any, ...] | None = None
        self.kept: tuple[Tensor, Tensor, Tensor, Tensor] | None = None

    def constants(self, layer: AttentionLayer, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Normed queries, ``W``, ``W x`` and the bias; anew when a parameter has changed."""
        used = (x, *layer.attention_norm.parameters(), *layer.feed_forward[:2].parameters())
        versions = tuple((p.data_ptr(), p._version, p.dtype) for p in used)
        if self.kept is None or versions != self.versions:
            norm, up = layer.feed_forward[0], layer.feed_forward[1]
            assert isinstance(norm, nn.LayerNorm)
            assert isinstance(up, nn.Linear)
            full = torch.autocast(x.device.type, enabled=False)
            with torch.inference_mode(False), torch.no_grad(), full:
                scaled = up.weight * norm.weight
                centred = scaled - scaled.mean(dim=1, keepdim=True)
                bias = up.bias + up.weight.to(norm.bias.dtype) @ norm.bias
                self.kept = layer.attention_norm(x), centred, F.linear(x, centred), bias
            self.versions = versions
        return self.kept

    def __call__(
        self, layer: AttentionLayer, x: Tensor, keys: Tensor, mask: Tensor | None
    ) -> Tensor:
        query, weight, product, bias = self.constants(layer, x)
        keys = layer.attention_norm(keys)
        attention = layer.attention(query, keys, mask)
        x = x + attention @ keys
        epsilon = layer.attention_norm.eps  # of all norms
        scale = torch.native_layer_norm(x, x.shape[-1:], None, None, epsilon)[2]
        hidden = torch.baddbmm(product.expand(len(keys), -1, -1), attention, F.linear(keys, weight))
        hidden = hidden.mul_(scale).add_(bias)
        return x + layer.feed_forward[2:](hidden.flatten(0, 1)).view_as(x)


class AttentionStack(nn.Module):
    """Several `AttentionLayer` and, for the released kind, a final LayerNorm."""

    def __init__(
        self,
        dim: int,
        n_layers: int,
        kind: AttentionKind,
        projections: bool,
        drop: float,
        n_heads: int = 1,
    ):
        super().__init__()
        self.layers = nn.ModuleList(
            AttentionLayer(dim, kind, projections, drop, n_heads) for _ in range(n_layers)
        )
        self.norm = nn.LayerNorm(dim) if kind == "released" else nn.Identity()
        self.constant_queries = (
            ConstantQueries() if kind == "released" and not projections and n_heads == 1 else None
        )

    def forward(
        self,
        x: Tensor,
        keys: Tensor | None = None,
        mask: Tensor | None = None,
        n_keys: int | None = None,
    ) -> Tensor:
        """Cross-attention to ``keys``, or self-attention when there are none.

        Args:
            x: queries, ``[batch, n_queries, dim]``, or ``[n_queries, dim]`` for all of a batch.
            keys: ``[batch, n_keys, dim]``.
            mask: ``[batch, n_keys]``, True where a key is real.
            n_keys: of self-attention, look at the first ones alone; at all by default.
        """
        layers: list[Any] = list(self.layers)
        inference = not (self.training or torch.is_grad_enabled())
        if isinstance(x, nn.Parameter) and keys is not None and self.constant_queries and inference:
            x = self.constant_queries(layers.pop(0), x, keys, mask)
        for layer in layers:
            x = layer(x, keys, mask, n_keys)
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
        exponent = -0.5 * ((distance[:, None] - self.centers) / self.width) ** 2
        # exp is six times slower where its result is too small for a float32.
        return exponent.clamp(min=-60).exp()


def cosine_envelope(distance: Tensor, cutoff: float) -> Tensor:
    """1 at zero distance, falling smoothly to 0 with zero slope at ``cutoff``."""
    return 0.5 * (torch.cos(torch.pi * (distance / cutoff).clamp(max=1.0)) + 1)


def released_envelope(distance: Tensor, cutoff: float) -> Tensor:
    """As in the E3NN tutorial: 1 up to half the cutoff, then ``(1 - cos(2 pi r / rc)) / 2``."""
    smooth = 0.5 * (1 - torch.cos(2 * torch.pi * (distance / cutoff).clamp(max=1.0)))
    return torch.where(distance < 0.5 * cutoff, torch.ones_like(smooth), smooth)
