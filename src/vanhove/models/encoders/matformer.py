"""Matformer encoder: attention over neighbours, with the periods of the crystal (Yan et al.)."""

from __future__ import annotations

import math
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from vanhove.crystal.graph import Batch
from vanhove.models.atom_features import ATOM_FEATURES
from vanhove.models.dropout import Dropout
from vanhove.models.encoders.encoder import Encoder, EncoderSettings
from vanhove.models.layers import GaussianBasis, cosine_envelope
from vanhove.models.registry import register_encoder


class MatformerSettings(EncoderSettings):
    """Settings of `Matformer`; the defaults are the published ones."""

    name: Literal["matformer"] = "matformer"
    hidden_dim: int = Field(128, ge=1, description="width of atom states")
    n_layers: int = Field(5, ge=1, description="number of attention layers")
    n_heads: int = Field(4, ge=1, description="number of attention heads")
    head_dim: int | None = Field(None, ge=1, description="width of a head; null: hidden_dim")
    n_basis: int = Field(128, ge=2, description="number of Gaussians per distance")
    periodic_patterns: bool = Field(
        True, description="add self edges that carry the lattice lengths"
    )
    lattice_range: float = Field(
        16.0, gt=0, description="longest lattice length that is resolved, angstrom"
    )
    atom_features: tuple[str, ...] = Field(("one_hot", "matscholar"), description=ATOM_FEATURES)
    dropout: float = Field(0.0, ge=0, lt=1, description="dropout probability")


class MatformerLayer(nn.Module):
    """Gated attention of each atom to its edges, with a residual.

    Per head, ``query = [q_i, q_i, q_i]``, ``key = [k_i, k_j, e_ij]``, ``value = [v_i, v_j, e_ij]``;
    the message is ``LN(W (sigmoid(LN(query * key / sqrt(3 d))) * U value))``. ``U`` acts on joined
    inputs; it is split in three, so that the share of atoms is computed per atom, and that of
    edges per distinct length.
    """

    def __init__(self, dim: int, n_heads: int, head_dim: int, dropout: float):
        super().__init__()
        self.n_heads, self.head_dim = n_heads, head_dim
        self.query_key_value = nn.Linear(dim, 3 * n_heads * head_dim)
        self.edge = nn.Linear(dim, n_heads * head_dim, bias=False)
        width = 3 * head_dim
        self.update_target = nn.Linear(head_dim, width)
        self.update_source = nn.Linear(head_dim, width, bias=False)
        self.update_edge = nn.Linear(head_dim, width, bias=False)
        bound = 1 / math.sqrt(width)  # the default of one Linear on the joined inputs
        for part in (self.update_target, self.update_source, self.update_edge):
            nn.init.uniform_(part.weight, -bound, bound)
        self.gate_norm = nn.LayerNorm(width)
        self.message = nn.Sequential(nn.Linear(width, head_dim), nn.LayerNorm(head_dim))
        self.join_heads = nn.Linear(n_heads * head_dim, dim)
        self.norm = nn.LayerNorm(dim)
        self.dropout = Dropout(dropout)

    def forward(
        self, x: Tensor, e: Tensor, kind: Tensor, source: Tensor, target: Tensor, weight: Tensor
    ) -> Tensor:
        """Atoms ``[n, dim]`` -> the same.

        Args:
            x: atoms.
            e: the distinct edge features, ``[n_kinds, dim]``.
            kind: which of them an edge has, ``[m]``.
            source, target: ends of the edges, ``[m]``.
            weight: of their messages, ``[m, 1]``.
        """
        projected = self.query_key_value(x).view(len(x), 3, self.n_heads, self.head_dim)
        query, key, value = projected.unbind(1)
        edge = self.edge(e).view(len(e), self.n_heads, self.head_dim)
        query_here = query.index_select(0, target)
        products = [
            (query * key).index_select(0, target),
            query_here * key.index_select(0, source),
            query_here * edge.index_select(0, kind),
        ]
        gate = self.gate_norm(torch.cat(products, dim=-1) / math.sqrt(3 * self.head_dim)).sigmoid()
        updated = (
            self.update_target(value).index_select(0, target)
            + self.update_source(value).index_select(0, source)
            + self.update_edge(edge).index_select(0, kind)
        )
        message = self.message(gate * updated).flatten(1) * weight
        received = message.new_zeros(len(x), message.shape[1]).index_add(0, target, message)
        return x + self.dropout(F.silu(self.norm(self.join_heads(received))))


@register_encoder(MatformerSettings)
class Matformer(Encoder):
    """Atom features -> atom states ``[n_atoms_total, hidden_dim]``.

    Yan, Liu, Lin & Ji, NeurIPS 2022, arXiv 2209.11807. Besides its neighbours, each atom attends
    to three copies of itself at the lattice lengths: that is how it learns the periods.

    Differences:
        - The three lengths are the shortest independent ones of the lattice
          (`CrystalGraph.lattice_lengths`), so the choice of cell does not matter. The released
          code takes the six lengths of a, b, c, a+b, a+c, b+c of the cell as given; those of sums
          tell angles, but change with the choice of cell.
        - Lattice edges have Gaussians and an embedding of their own, up to ``lattice_range``; the
          published ones share those of the bonds, up to 8 angstrom.
        - LayerNorm where both have BatchNorm, which would mix the crystals of a batch.
        - The neighbours are those of the graph settings (published: the 12 nearest, symmetrised),
          and messages fade to zero at the cutoff.
        - The residual is the atom itself (released: a linear map of it).
        - The Gaussians are one spacing wide (released: ``exp(-(d - c)^2 / spacing)``).
    """

    def __init__(self, settings: MatformerSettings, *, atom_dim: int, cutoff: float):
        super().__init__()
        self.cutoff = cutoff
        self.out_dim = dim = settings.hidden_dim
        self.atom_in = nn.Linear(atom_dim, dim)
        self.bond_in = self.length_embedding(settings, cutoff)
        self.lattice_in = (
            self.length_embedding(settings, settings.lattice_range)
            if settings.periodic_patterns
            else None
        )
        self.layers = nn.ModuleList(
            MatformerLayer(dim, settings.n_heads, settings.head_dim or dim, settings.dropout)
            for _ in range(settings.n_layers)
        )

    @staticmethod
    def length_embedding(settings: MatformerSettings, longest: float) -> nn.Sequential:
        dim = settings.hidden_dim
        return nn.Sequential(
            GaussianBasis(settings.n_basis, longest),
            nn.Linear(settings.n_basis, dim),
            nn.Softplus(),
            nn.Linear(dim, dim),
        )

    def forward(self, features: Tensor, batch: Batch) -> Tensor:
        source, target = batch.edge_index
        distance = torch.linalg.vector_norm(batch.edge_vector, dim=-1)
        weight = cosine_envelope(distance, self.cutoff)[:, None]
        x = self.atom_in(features)
        lengths, kind = torch.unique(distance, return_inverse=True)
        e = self.bond_in(lengths)
        if self.lattice_in is not None:
            first = len(e) + 3 * batch.crystal_of_atom.repeat_interleave(3)
            e = torch.cat([e, self.lattice_in(batch.lattice_lengths.flatten())])
            kind = torch.cat([kind, first + torch.arange(3, device=kind.device).repeat(len(x))])
            itself = torch.arange(len(x), device=x.device).repeat_interleave(3)
            source, target = torch.cat([source, itself]), torch.cat([target, itself])
            weight = torch.cat([weight, weight.new_ones(len(itself), 1)])
        for layer in self.layers:
            x = layer(x, e, kind, source, target, weight)
        return x
