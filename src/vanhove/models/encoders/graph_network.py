"""Graph network encoder (Battaglia et al., arXiv 1806.01261), as DOSTransformer uses it."""

from __future__ import annotations

import math
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from vanhove.crystal.graph import Batch
from vanhove.models.atom_features import ATOM_FEATURES
from vanhove.models.layers import GaussianBasis, cosine_envelope, released_envelope
from vanhove.settings import Settings


class GraphNetworkSettings(Settings):
    """Settings of `GraphNetwork`."""

    name: Literal["graph_network"] = "graph_network"
    hidden_dim: int = Field(128, ge=1, description="width of atom and edge states")
    n_layers: int = Field(3, ge=0, description="rounds of message passing")
    atom_features: tuple[str, ...] = Field(("one_hot", "matscholar"), description=ATOM_FEATURES)
    edge_features: Literal["distance", "spherical_harmonics"] = Field(
        "distance", description="spherical_harmonics: released code, not rotation-invariant"
    )
    n_basis: int = Field(32, ge=2, description="Gaussians per distance")
    aggregation: Literal["sum", "mean"] = Field("sum", description="of messages")
    typical_degree: float = Field(16.0, gt=0, description="sums are divided by this constant")
    dropout: float = Field(0.1, ge=0, lt=1, description="probability")


class Processor(nn.Module):
    """One round of message passing: edges from their ends, then atoms from their edges.

    The first layer of the edge MLP acts on ``[x_source, x_target, e]``; it is split into three
    matrices so that the atoms' share is computed per atom, not per edge.
    """

    def __init__(self, dim: int, dropout: float):
        super().__init__()
        self.from_atoms = nn.Linear(dim, 4 * dim, bias=False)
        self.from_edge = nn.Linear(dim, 2 * dim)
        bound = 1 / math.sqrt(3 * dim)  # the default of one Linear on the 3 * dim joined inputs
        for weight in (self.from_atoms.weight, self.from_edge.weight, self.from_edge.bias):
            nn.init.uniform_(weight, -bound, bound)
        self.edge_out = nn.Sequential(
            nn.LayerNorm(2 * dim), nn.PReLU(), nn.Dropout(dropout), nn.Linear(2 * dim, dim)
        )
        self.node = nn.Sequential(
            nn.Linear(2 * dim, 2 * dim),
            nn.LayerNorm(2 * dim),
            nn.PReLU(),
            nn.Dropout(dropout),
            nn.Linear(2 * dim, dim),
        )

    def forward(
        self, x: Tensor, e: Tensor, source: Tensor, target: Tensor, edge_weight: Tensor
    ) -> tuple[Tensor, Tensor]:
        from_source, from_target = self.from_atoms(x).chunk(2, dim=-1)
        message = self.edge_out(
            from_source.index_select(0, source)
            + from_target.index_select(0, target)
            + self.from_edge(e)
        )
        weighted = message * edge_weight
        received = weighted.new_zeros(x.shape).index_add(0, target, weighted)
        return x + self.node(torch.cat([x, received], dim=-1)), e + message


class GraphNetwork(nn.Module):
    """Crystal -> atom states ``[n_atoms_total, hidden_dim]``.

    Edges start from Gaussians of the distance (rotation-invariant, the
    default). Messages are weighted by a smooth envelope, so an atom that crosses the cutoff changes
    nothing abruptly, and summed as in the paper (a constant ``typical_degree`` keeps the scale);
    ``aggregation="mean"`` divides by the summed weights.

    ``edge_features="spherical_harmonics"`` feeds what the released phonon code feeds: the cutoff
    times the spherical harmonics of degree 0 and 1 of the Cartesian edge vector, unweighted
    messages. Its output then depends on how the crystal is rotated.
    """

    def __init__(self, settings: GraphNetworkSettings, *, atom_dim: int, cutoff: float):
        super().__init__()
        self.settings = settings
        self.cutoff = cutoff
        self.out_dim = dim = settings.hidden_dim
        self.atom_in = nn.Sequential(nn.Linear(atom_dim, dim), nn.PReLU(), nn.Linear(dim, dim))
        self.invariant = settings.edge_features == "distance"
        self.basis = GaussianBasis(settings.n_basis, cutoff)
        self.edge_in = nn.Sequential(
            nn.Linear(settings.n_basis if self.invariant else 4, dim),
            nn.PReLU(),
            nn.Linear(dim, dim),
        )
        self.processors = nn.ModuleList(
            Processor(dim, settings.dropout) for _ in range(settings.n_layers)
        )

    def edges(self, vector: Tensor) -> tuple[Tensor, Tensor]:
        """Features ``[n_edges, n]`` and message weights ``[n_edges, 1]`` of edge vectors."""
        distance = torch.linalg.vector_norm(vector, dim=-1)
        if self.invariant:
            envelope = cosine_envelope(distance, self.cutoff)[:, None]
            return self.basis(distance) * envelope, envelope
        direction = vector / distance.clamp(min=1e-12)[:, None]
        harmonics = torch.cat([torch.ones_like(distance)[:, None], 3**0.5 * direction], dim=-1)
        return (
            released_envelope(distance, self.cutoff)[:, None] * harmonics,
            torch.ones_like(distance)[:, None],
        )

    def forward(self, features: Tensor, batch: Batch) -> Tensor:
        source, target = batch.edge_index
        edge_features, weight = self.edges(batch.edge_vector)
        if self.settings.aggregation == "mean":
            total = weight.new_zeros(len(batch.atomic_numbers), 1).index_add(0, target, weight)
            weight = weight / total.clamp(min=1e-6).index_select(0, target)
        elif self.invariant:
            weight = weight / self.settings.typical_degree
        x = self.atom_in(features)
        e = self.edge_in(edge_features)
        for processor in self.processors:
            x, e = processor(x, e, source, target, weight)
        return x
