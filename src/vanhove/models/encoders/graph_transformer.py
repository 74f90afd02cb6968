"""Graph transformer with an edge bias: Bandformer's encoder (Gong et al., arXiv 2411.16483)."""

from __future__ import annotations

import math
from typing import Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from vanhove.crystal.graph import Batch
from vanhove.models.atom_features import ATOM_FEATURES
from vanhove.models.dropout import Dropout
from vanhove.models.encoders.encoder import Encoder, EncoderSettings
from vanhove.models.layers import GaussianBasis, cosine_envelope
from vanhove.models.registry import register_encoder
from vanhove.models.scatter import scatter_softmax


class GraphTransformerSettings(EncoderSettings):
    """Settings of `GraphTransformer`."""

    name: Literal["graph_transformer"] = "graph_transformer"
    hidden_dim: int = Field(128, ge=1, description="width of all heads together")
    n_layers: int = Field(3, ge=1, description="number of attention layers")
    n_heads: int = Field(4, ge=1, description="number of attention heads; must divide hidden_dim")
    n_basis: int = Field(41, ge=2, description="number of Gaussians per distance")
    atom_features: tuple[str, ...] = Field(("one_hot", "matscholar"), description=ATOM_FEATURES)
    dropout: float = Field(0.1, ge=0, lt=1, description="dropout probability")

    @model_validator(mode="after")
    def _heads_divide(self) -> GraphTransformerSettings:
        if self.hidden_dim % self.n_heads:
            raise ValueError(
                f"hidden_dim {self.hidden_dim} must be a multiple of n_heads {self.n_heads}"
            )
        return self


class GraphTransformerLayer(nn.Module):
    """Attention over neighbours, then a feed-forward block; pre-norm, both residual.

    The logit of a neighbour is ``q . k / sqrt(d)`` plus the bias of the edge, one for each head.
    """

    def __init__(self, settings: GraphTransformerSettings):
        super().__init__()
        dim = settings.hidden_dim
        self.n_heads = settings.n_heads
        self.attention_norm = nn.LayerNorm(dim)
        self.query = nn.Linear(dim, dim)
        self.key_value = nn.Linear(dim, 2 * dim)
        self.edge_bias = nn.Linear(settings.n_basis, settings.n_heads, bias=False)
        self.edge_value = nn.Linear(settings.n_basis, dim, bias=False)
        self.out = nn.Linear(dim, dim)
        self.dropout = Dropout(settings.dropout)
        self.feed_forward = nn.Sequential(
            nn.LayerNorm(dim),
            nn.Linear(dim, 2 * dim),
            nn.GELU(),
            Dropout(settings.dropout),
            nn.Linear(2 * dim, dim),
            Dropout(settings.dropout),
        )

    def attend(self, x: Tensor, e: Tensor, envelope: Tensor, edge_index: Tensor) -> Tensor:
        source, target = edge_index
        per_head = (self.n_heads, -1)
        query = (self.query(x) / math.sqrt(x.shape[1] // self.n_heads)).index_select(0, target)
        key, value = self.key_value(x).index_select(0, source).chunk(2, dim=1)
        logits = (query * key).unflatten(1, per_head).sum(dim=-1) + self.edge_bias(e)
        attention = scatter_softmax(logits, target, len(x), envelope).to(value.dtype)
        seen = (value + self.edge_value(e)).unflatten(1, per_head) * attention[:, :, None]
        return self.out(seen.new_zeros(x.shape).index_add(0, target, seen.flatten(1)))

    def forward(self, x: Tensor, e: Tensor, envelope: Tensor, edge_index: Tensor) -> Tensor:
        attended = self.attend(self.attention_norm(x), e, envelope, edge_index)
        x = x + self.dropout(attended)
        return x + self.feed_forward(x)


@register_encoder(GraphTransformerSettings)
class GraphTransformer(Encoder):
    """Crystal -> atom states ``[n_atoms_total, hidden_dim]``.

    Differences:

    - The paper's attention with an edge bias as printed; the released code runs GATv2 layers
      without a feed-forward block instead. Post-norm there, pre-norm here.
    - Edges also add to the values. Without, an element's crystals all look alike: equal neighbours
      have an equal mean, whatever their distances.
    - Neighbours fade in with a smooth envelope inside the softmax.
    """

    def __init__(self, settings: GraphTransformerSettings, *, atom_dim: int, cutoff: float):
        super().__init__()
        self.cutoff = cutoff
        self.out_dim = settings.hidden_dim
        self.basis = GaussianBasis(settings.n_basis, cutoff)
        self.atom_in = nn.Linear(atom_dim, settings.hidden_dim)
        self.layers = nn.ModuleList(
            GraphTransformerLayer(settings) for _ in range(settings.n_layers)
        )
        self.norm = nn.LayerNorm(settings.hidden_dim)

    def forward(self, features: Tensor, batch: Batch) -> Tensor:
        distance = torch.linalg.vector_norm(batch.edge_vector, dim=-1)
        envelope = cosine_envelope(distance, self.cutoff)[:, None]
        e = self.basis(distance)
        x = self.atom_in(features)
        for layer in self.layers:
            x = layer(x, e, envelope, batch.edge_index)
        return self.norm(x)
