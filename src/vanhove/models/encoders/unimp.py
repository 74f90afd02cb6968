"""UniMP: graph transformer with a gated residual (Shi et al., arXiv 2009.03509)."""

from __future__ import annotations

import math
from typing import Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from vanhove.crystal.graph import Batch
from vanhove.models.atom_features import ATOM_FEATURES
from vanhove.models.dropout import Dropout
from vanhove.models.encoders.encoder import Encoder, EncoderSettings
from vanhove.models.layers import GaussianBasis, cosine_envelope
from vanhove.models.registry import register_encoder
from vanhove.models.scatter import scatter_softmax


class UniMPSettings(EncoderSettings):
    """Settings of `UniMP`."""

    name: Literal["unimp"] = "unimp"
    hidden_dim: int = Field(512, ge=1, description="width of all heads together")
    n_layers: int = Field(3, ge=1, description="number of attention layers")
    n_heads: int = Field(
        4, ge=1, description="number of attention heads, concatenated; must divide hidden_dim"
    )
    n_basis: int = Field(41, ge=2, description="number of Gaussians per distance")
    atom_features: tuple[str, ...] = Field(("one_hot", "matscholar"), description=ATOM_FEATURES)
    dropout: float = Field(0.2, ge=0, lt=1, description="dropout probability")
    shared_edges: bool = Field(
        False, description="use one linear map of the bonds for all layers, as Xtal2DoS prints it"
    )
    last_norm: bool = Field(True, description="normalise after the last layer as well")

    @model_validator(mode="after")
    def _heads_divide(self) -> UniMPSettings:
        if self.hidden_dim % self.n_heads:
            raise ValueError(
                f"hidden_dim {self.hidden_dim} must be a multiple of n_heads {self.n_heads}"
            )
        return self


def edge_map(settings: UniMPSettings) -> nn.Linear:
    """Gaussians of a distance -> what a bond adds to keys and values; the value has the bias."""
    return nn.Linear(settings.n_basis, settings.hidden_dim, bias=False)


class TransformerConv(nn.Module):
    """Attention over neighbours, then a gated residual (eqs. 1-3 of Shi et al.).

    Eq. 3 and 6 of Xtal2DoS. The edge's projection is added to the neighbour's key and to its value;
    the gate ``sigmoid(w . [m, r, m - r])`` mixes the message ``m`` with ``r``, a linear map of the
    atom's own state: ``(1 - gate) m + gate r``.
    """

    def __init__(self, settings: UniMPSettings):
        super().__init__()
        dim = settings.hidden_dim
        self.n_heads = settings.n_heads
        self.query = nn.Linear(dim, dim)
        self.key = nn.Linear(dim, dim, bias=False)  # softmax ignores what all neighbours share
        self.value = nn.Linear(dim, dim)
        self.edge = nn.Identity() if settings.shared_edges else edge_map(settings)
        self.residual = nn.Linear(dim, dim)
        self.gate = nn.Linear(3 * dim, 1, bias=False)

    def message(self, x: Tensor, e: Tensor, envelope: Tensor, edge_index: Tensor) -> Tensor:
        source, target = edge_index
        per_head = (self.n_heads, -1)
        edge = self.edge(e)
        query = (self.query(x) / math.sqrt(x.shape[1] // self.n_heads)).index_select(0, target)
        key = self.key(x).index_select(0, source) + edge
        value = self.value(x).index_select(0, source) + edge
        logits = (query * key).unflatten(1, per_head).sum(dim=-1)
        attention = scatter_softmax(logits, target, len(x), envelope)
        weighted = (value.unflatten(1, per_head) * attention.to(value.dtype)[:, :, None]).flatten(1)
        return weighted.new_zeros(x.shape).index_add(0, target, weighted)

    def forward(self, x: Tensor, e: Tensor, envelope: Tensor, edge_index: Tensor) -> Tensor:
        message, residual = self.message(x, e, envelope, edge_index), self.residual(x)
        joined = torch.cat([message, residual, message - residual], dim=-1)
        return torch.lerp(message, residual, torch.sigmoid(self.gate(joined)))


@register_encoder(UniMPSettings)
class UniMP(Encoder):
    """Crystal -> atom states ``[n_atoms_total, hidden_dim]``; the encoder of Xtal2DoS.

    Differences:

    - Xtal2DoS's code has no gated residual, BatchNorm for LayerNorm, a bottleneck of 4 heads of 16
      and averages the heads of the last layer, as UniMP does. Here as in the papers' equations with
      all heads concatenated; ``hidden_dim=64`` is the bottleneck.
    - Gaussians of the distance go straight into each layer's edge map: the code's first linear map
      of the edges, without an activation, adds nothing to it. Xtal2DoS prints one map for all
      layers (eq. 3): ``shared_edges``.
    - A norm follows the last layer as well; without it as printed: ``last_norm=False``.
    - Neighbours fade in with a smooth envelope inside the softmax; the code takes the nearest 12
      (``graph.max_neighbors``).
    """

    def __init__(self, settings: UniMPSettings, *, atom_dim: int, cutoff: float):
        super().__init__()
        self.cutoff = cutoff
        self.dropout = Dropout(settings.dropout)
        self.out_dim = dim = settings.hidden_dim
        self.basis = GaussianBasis(settings.n_basis, cutoff)
        self.atom_in = nn.Linear(atom_dim, dim)
        self.edges_in = edge_map(settings) if settings.shared_edges else nn.Identity()
        self.convolutions = nn.ModuleList(
            TransformerConv(settings) for _ in range(settings.n_layers)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(dim) for _ in range(settings.n_layers))
        if not settings.last_norm:
            self.norms[-1] = nn.Identity()

    def forward(self, features: Tensor, batch: Batch) -> Tensor:
        distance = torch.linalg.vector_norm(batch.edge_vector, dim=-1)
        envelope = cosine_envelope(distance, self.cutoff)[:, None]
        e = self.edges_in(self.basis(distance))
        x = self.atom_in(features)
        for i, (convolution, norm) in enumerate(zip(self.convolutions, self.norms, strict=True)):
            if i > 0:
                x = self.dropout(F.relu(x))
            x = norm(convolution(x, e, envelope, batch.edge_index))
        return x
