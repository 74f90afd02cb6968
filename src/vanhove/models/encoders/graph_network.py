"""Graph network encoder (Battaglia et al., arXiv 1806.01261), as DOSTransformer uses it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from vanhove.crystal.graph import Batch
from vanhove.models.atom_features import ATOM_FEATURES
from vanhove.models.dropout import Dropout
from vanhove.models.encoders.encoder import Encoder, EncoderSettings
from vanhove.models.layers import GaussianBasis, cosine_envelope, released_envelope
from vanhove.models.registry import register_encoder


class GraphNetworkSettings(EncoderSettings):
    """Settings of `GraphNetwork`."""

    name: Literal["graph_network"] = "graph_network"
    hidden_dim: int = Field(128, ge=1, description="width of atom and edge states")
    n_layers: int = Field(3, ge=0, description="number of rounds of message passing")
    atom_features: tuple[str, ...] = Field(("one_hot", "matscholar"), description=ATOM_FEATURES)
    edge_features: Literal["distance", "spherical_harmonics"] = Field(
        "distance",
        description="features of an edge; spherical_harmonics: released code, not "
        "rotation-invariant",
    )
    n_basis: int = Field(32, ge=2, description="number of Gaussians per distance")
    aggregation: Literal["sum", "mean"] = Field(
        "sum", description="aggregation of the messages at an atom"
    )
    typical_degree: float = Field(
        16.0, gt=0, description="constant that sums over neighbours are divided by"
    )
    dropout: float = Field(0.1, ge=0, lt=1, description="dropout probability")


@dataclass(frozen=True)
class Edges:
    """Who sends to whom.

    Attributes:
        source, target: ``[n_edges]``.
        weight: of the messages, ``[n_edges, 1]``.
        n_atoms: in all.
    """

    source: Tensor
    target: Tensor
    weight: Tensor
    n_atoms: int

    def summed(self, values: Tensor | None = None) -> Tensor:
        """Weighted sums over the edges of each atom, ``[n_edges, d]`` -> ``[n_atoms, d]``.

        Without values, of the weights themselves, ``[n_atoms, 1]``.
        """
        # In the precision of the weights: torch is slow at products of two types.
        weighted = self.weight if values is None else values.to(self.weight.dtype) * self.weight
        zeros = weighted.new_zeros(self.n_atoms, weighted.shape[1])
        return zeros.index_add(0, self.target, weighted)


class Processor(nn.Module):
    """One round of message passing: edges from their ends, then atoms from their edges.

    The first layer of the edge MLP acts on ``[x_source, x_target, e]``; it is split into three
    matrices so that the atoms' share is computed per atom, not per edge.
    """

    def __init__(self, dim: int, drop: float):
        super().__init__()
        self.from_atoms = nn.Linear(dim, 4 * dim, bias=False)
        self.from_edge = nn.Linear(dim, 2 * dim)
        bound = 1 / math.sqrt(3 * dim)  # the default of one Linear on the 3 * dim joined inputs
        for weight in (self.from_atoms.weight, self.from_edge.weight, self.from_edge.bias):
            nn.init.uniform_(weight, -bound, bound)
        self.edge_out = nn.Sequential(
            nn.LayerNorm(2 * dim), nn.PReLU(), Dropout(drop), nn.Linear(2 * dim, dim)
        )
        self.node = nn.Sequential(
            nn.Linear(2 * dim, 2 * dim),
            nn.LayerNorm(2 * dim),
            nn.PReLU(),
            Dropout(drop),
            nn.Linear(2 * dim, dim),
        )

    def forward(
        self, x: Tensor, from_edge: Tensor, edges: Edges, last: bool
    ) -> tuple[Tensor, Tensor | None]:
        """New atom states, and the messages ``[n_edges, dim]`` unless this is the last round.

        Args:
            x: atom states, ``[n_atoms_total, dim]``.
            from_edge: the edges' own share of the first layer, ``[n_edges, 2 * dim]``.
            edges: of ``from_edge``, which is overwritten.
            last: nobody needs the messages themselves: what they are made of is summed over the
                edges of each atom, and the last matrix acts on atoms, not on edges.
        """
        from_source, from_target = self.from_atoms(x).chunk(2, dim=-1)
        # In place: a new array of this size each time costs more than the sum.
        hidden = from_edge
        hidden += from_source.index_select(0, edges.source)
        hidden += from_target.index_select(0, edges.target)
        hidden = self.edge_out[:-1](hidden)
        out = self.edge_out[-1]
        assert isinstance(out, nn.Linear)
        if last:
            received = F.linear(edges.summed(hidden), out.weight) + edges.summed() * out.bias
            message = None
        else:
            message = out(hidden)
            received = edges.summed(message)
        return x + self.node(torch.cat([x, received], dim=-1)), message


@register_encoder(GraphNetworkSettings)
class GraphNetwork(Encoder):
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

    def edge_kinds(self, vector: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Edge vectors -> features and weights of the kinds of edges, and the kind of each edge.

        Symmetry makes most lengths equal: what depends on the length alone is computed once for
        each of them.
        """
        distance = torch.linalg.vector_norm(vector, dim=-1)
        if self.invariant:
            lengths, kind = torch.unique(distance, return_inverse=True)
            envelope = cosine_envelope(lengths, self.cutoff)[:, None]
            return self.basis(lengths) * envelope, envelope, kind
        direction = vector / distance.clamp(min=1e-12)[:, None]
        harmonics = torch.cat([torch.ones_like(distance)[:, None], 3**0.5 * direction], dim=-1)
        return (
            released_envelope(distance, self.cutoff)[:, None] * harmonics,
            torch.ones_like(distance)[:, None],
            torch.arange(len(distance), device=distance.device),
        )

    def message_weights(self, envelope: Tensor, target: Tensor, n_atoms: int) -> Tensor:
        """``[n_edges, 1]``, from the envelope of each edge."""
        if self.settings.aggregation == "mean":
            total = envelope.new_zeros(n_atoms, 1).index_add(0, target, envelope)
            return envelope / total.clamp(min=1e-6).index_select(0, target)
        return envelope / self.settings.typical_degree if self.invariant else envelope

    def forward(self, features: Tensor, batch: Batch) -> Tensor:
        source, target = batch.edge_index
        edge_features, envelope, kind = self.edge_kinds(batch.edge_vector)
        weight = self.message_weights(envelope.index_select(0, kind), target, len(features))
        edges = Edges(source, target, weight, len(features))
        x = self.atom_in(features)
        kinds = self.edge_in(edge_features)
        e = None  # before the first message, edges of a kind share their state
        for number, processor in enumerate(self.processors, start=1):
            assert isinstance(processor, Processor)
            from_edge = processor.from_edge(kinds if e is None else e)
            if e is None:
                from_edge = from_edge.index_select(0, kind)
            x, message = processor(x, from_edge, edges, last=number == len(self.processors))
            if message is not None:
                e = (kinds.index_select(0, kind) if e is None else e) + message
        return x
