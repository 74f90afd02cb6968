"""ALIGNN encoder: bond lengths and bond angles (Choudhary & DeCost)."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Literal, NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from vanhove.crystal.graph import Batch
from vanhove.models.atom_features import ATOM_FEATURES
from vanhove.models.dropout import Dropout
from vanhove.models.encoders.encoder import Encoder, EncoderSettings
from vanhove.models.layers import GaussianBasis, cosine_envelope, released_envelope
from vanhove.models.quotient import Quotient, close_values, equal_rows, quotient, whole
from vanhove.models.registry import register_encoder

_FADE = 1e-2  # added to the sum of gates, so that a lone neighbour at the cutoff fades out
_SAME_PLACE = 1e-3  # angstrom
EDGES_AT_ONCE = 2048
"""At prediction, so that what is computed of them stays in the processor's cache."""


class ALIGNNSettings(EncoderSettings):
    """Settings of `ALIGNN`; the defaults are the published ones."""

    name: Literal["alignn"] = "alignn"
    hidden_dim: int = Field(256, ge=1, description="width of atom, bond and angle states")
    embedding_dim: int = Field(64, ge=1, description="width between the Gaussians and hidden_dim")
    n_alignn_layers: int = Field(
        4, ge=1, description="number of convolutions of line graph and atoms"
    )
    n_gcn_layers: int = Field(
        4, ge=0, description="number of convolutions of the atoms alone, after those"
    )
    n_basis: int = Field(80, ge=2, description="number of Gaussians per distance")
    n_angle_basis: int = Field(40, ge=2, description="number of Gaussians per cosine of an angle")
    line_graph_cutoff: float = Field(
        4.0,
        gt=0,
        description="longest bonds whose angles are used, angstrom; at most the graph's cutoff",
    )
    atom_features: tuple[str, ...] = Field(("one_hot", "matscholar"), description=ATOM_FEATURES)
    dropout: float = Field(0.0, ge=0, lt=1, description="dropout probability")


class LineGraph(NamedTuple):
    """Pairs of bonds k -> j -> i: bonds are the nodes of this graph, pairs its edges.

    source, target: the bonds k -> j and j -> i, indices into the edges, ``[n_pairs]``.
    cosine: of the angle at j, ``[n_pairs]``.
    weight: fades to 0 when either bond reaches the cutoff, ``[n_pairs, 1]``.
    """

    source: Tensor
    target: Tensor
    cosine: Tensor
    weight: Tensor


def line_graph(batch: Batch, cutoff: float) -> LineGraph:
    """The pairs of all bonds of a batch that are shorter than ``cutoff`` (angstrom).

    A bond and its own reverse (i is k, in the same cell) are no pair, nor are self edges bonds.
    """
    length = torch.linalg.vector_norm(batch.edge_vector, dim=-1)
    bonds = torch.nonzero((length < cutoff) & (length > _SAME_PLACE)).squeeze(1)
    centre_of, end_of = batch.edge_index[:, bonds]
    order = torch.argsort(end_of, stable=True)
    n_into = torch.bincount(end_of, minlength=len(batch.atomic_numbers))
    first_into = torch.cumsum(n_into, 0) - n_into
    n_pairs = n_into[centre_of]
    second = torch.repeat_interleave(n_pairs)
    place = torch.arange(len(second), device=second.device)
    place = place - (torch.cumsum(n_pairs, 0) - n_pairs)[second]
    first = order[first_into[centre_of][second] + place]
    source, target = bonds[first], bonds[second]
    to_source, from_target = batch.edge_vector[source], batch.edge_vector[target]
    kept = torch.linalg.vector_norm(to_source + from_target, dim=-1) > _SAME_PLACE
    source, target = source[kept], target[kept]
    product = -(to_source[kept] * from_target[kept]).sum(-1)
    cosine = product / (length[source] * length[target])
    envelope = released_envelope(length, cutoff)
    weight = (envelope[source] * envelope[target])[:, None]
    return LineGraph(source, target, cosine.clamp(-1, 1), weight)


class EdgeGatedConvolution(nn.Module):
    """Edge-gated graph convolution: nodes from their gated neighbours, edges from gates.

    ``update_edges=False`` leaves the edges out, for a last layer whose edges nobody reads.
    """

    def __init__(self, dim: int, dropout: float, update_edges: bool = True):
        super().__init__()
        self.from_nodes = nn.Linear(dim, 4 * dim)
        self.from_edge = nn.Linear(dim, dim, bias=False)
        self.node_norm = nn.LayerNorm(dim)
        self.edge_norm = nn.LayerNorm(dim) if update_edges else None
        self.dropout = Dropout(dropout)

    def forward(
        self,
        x: Tensor,
        e: Tensor,
        source: Tensor,
        target: Tensor,
        weight: Tensor,
        kind: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Nodes ``[..., n, dim]``, edges ``[..., m, dim]``; ends ``[m]``, weights ``[m, 1]``.

        With the ``kind`` of each edge, ``[m]``, edges are given by kinds, ``[..., n_kinds, dim]``.
        """
        # index_select copies what is not contiguous, for each part of the edges anew.
        own, message, source_gate, target_gate = (
            part.contiguous() for part in self.from_nodes(x).chunk(4, dim=-1)
        )
        at_once = EDGES_AT_ONCE // math.prod(x.shape[:-2])
        at_once = len(source) if torch.is_grad_enabled() else at_once
        received, total = torch.zeros_like(own), torch.zeros_like(own)
        updated: Tensor | None = None
        of_kind = e if kind is None else self.from_edge(e)
        for start in range(0, len(source), max(1, at_once)):
            part = slice(start, start + at_once)
            if kind is None:
                gate = self.from_edge(e[..., part, :])
            else:
                gate = of_kind.index_select(-2, kind[part])
            gate += source_gate.index_select(-2, source[part])
            gate += target_gate.index_select(-2, target[part])
            opened = gate.sigmoid() * weight[part]
            passed = opened * message.index_select(-2, source[part])
            received = received.index_add_(-2, target[part], passed.to(own.dtype))
            total = total.index_add_(-2, target[part], opened.to(own.dtype))
            if self.edge_norm is None:
                continue
            before = e[..., part, :] if kind is None else e.index_select(-2, kind[part])
            changed = before + F.silu(self.edge_norm(gate))
            if at_once >= len(source):
                updated = changed
            else:
                if updated is None:
                    updated = changed.new_empty(*e.shape[:-2], len(source), e.shape[-1])
                updated[..., part, :] = changed
        change = F.silu(self.node_norm(own + received / (total + _FADE)))
        return x + self.dropout(change), e if updated is None else updated


def _embedding(*dims: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise(dims):
        layers += [nn.Linear(n_in, n_out), nn.LayerNorm(n_out), nn.SiLU()]
    return nn.Sequential(*layers)


@register_encoder(ALIGNNSettings)
class ALIGNN(Encoder):
    """Atom features -> atom states ``[n_atoms_total, hidden_dim]``.

    Choudhary & DeCost, npj Comput. Mater. 7, 185 (2021). An ALIGNN layer convolves the line graph,
    whose nodes are the bonds and whose edges the angles between them, then the crystal graph with
    the bonds so updated. The last layers are convolutions of the crystal graph alone. Angles act
    as gates whose sum is divided by, as published: they weigh the bonds into an atom against each
    other and change nothing where all of these are alike, as in diamond with a short
    ``line_graph_cutoff``.

    Differences:
        - Order in a layer: the paper convolves the line graph first (ours), the released code the
          crystal graph first.
        - LayerNorm where both have BatchNorm, which would mix the crystals of a batch.
        - The neighbours are those of the graph settings (published: the 12 nearest within 8
          angstrom, symmetrised). Messages fade to zero at the cutoffs, and 0.01 in place of 1e-6
          is added to the sum of gates, so that nothing jumps when an atom crosses a cutoff.
        - The line graph holds only bonds shorter than ``line_graph_cutoff``, and no pair of a bond
          with its own reverse, which the released code keeps.
        - The Gaussians are one spacing wide (released: ``exp(-(d - c)^2 / spacing)``).
        - The edges of a last layer, which nobody reads (the angles of the last ALIGNN layer and
          the bonds of the last layer), are not updated.
        - Gates add up three biases in the released code, here one.
    """

    def __init__(self, settings: ALIGNNSettings, *, atom_dim: int, cutoff: float):
        super().__init__()
        self.cutoff, self.dropout = cutoff, settings.dropout
        self.line_graph_cutoff = min(settings.line_graph_cutoff, cutoff)
        self.out_dim = dim = settings.hidden_dim
        self.atom_in = _embedding(atom_dim, dim)
        self.distance_basis = GaussianBasis(settings.n_basis, cutoff)
        self.bond_in = _embedding(settings.n_basis, settings.embedding_dim, dim)
        self.cosine_basis = GaussianBasis(settings.n_angle_basis, 2.0)  # of 1 + cosine
        self.angle_in = _embedding(settings.n_angle_basis, settings.embedding_dim, dim)
        last_alignn = settings.n_alignn_layers - 1
        last = last_alignn + settings.n_gcn_layers
        self.line_layers = nn.ModuleList(
            EdgeGatedConvolution(dim, settings.dropout, update_edges=layer < last_alignn)
            for layer in range(settings.n_alignn_layers)
        )
        self.atom_layers = nn.ModuleList(
            EdgeGatedConvolution(dim, settings.dropout, update_edges=layer < last)
            for layer in range(last + 1)
        )

    def forward(self, features: Tensor, batch: Batch) -> Tensor:
        distance = torch.linalg.vector_norm(batch.edge_vector, dim=-1)
        pairs = line_graph(batch, self.line_graph_cutoff)
        # Symmetry makes most lengths, angles and whole surroundings equal: each is computed once.
        lengths, of_bond = close_values(distance)
        cosines, of_pair = close_values(pairs.cosine)
        ends = batch.edge_index[0], batch.edge_index[1]
        if 2 * len(lengths) >= len(distance):  # no two bonds alike
            own = whole(len(features), ends, (pairs.source, pairs.target))
        else:
            own = self.quotient(features, ends, of_bond, pairs, of_pair)
        weight = cosine_envelope(distance[own.edges], self.cutoff)[:, None] * own.n_edges
        pair_weight = pairs.weight[own.pairs] * own.n_pairs
        x = self.atom_in(features[own.atoms])
        bonds = self.bond_in(self.distance_basis(lengths)).index_select(-2, of_bond[own.edges])
        angles = self.angle_in(self.cosine_basis(1 + cosines))
        kind: Tensor | None = of_pair[own.pairs]
        for layer, atom_layer in enumerate(self.atom_layers):
            if layer < len(self.line_layers):
                bonds, angles = self.line_layers[layer](
                    bonds, angles, own.pair_source, own.pair_target, pair_weight, kind
                )
                kind = None
            x, bonds = atom_layer(x, bonds, own.source, own.target, weight)
        return x.index_select(-2, own.of_atom)

    def quotient(
        self,
        features: Tensor,
        ends: tuple[Tensor, Tensor],
        of_bond: Tensor,
        pairs: LineGraph,
        of_pair: Tensor,
    ) -> Quotient:
        """What the layers can tell apart."""
        # Dropout treats each atom by itself.
        apart = self.training and self.dropout > 0
        alike = torch.arange(len(features)) if apart else equal_rows(features)
        return quotient(
            alike.to(features.device),
            ends,
            of_bond,
            (pairs.source, pairs.target),
            of_pair,
            len(self.atom_layers),
            len(self.line_layers),
        )
