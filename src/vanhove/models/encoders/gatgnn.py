"""GATGNN: local and global attention (Louis et al., Phys. Chem. Chem. Phys. 22, 18141 (2020))."""

from __future__ import annotations

import math
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from vanhove.crystal.elements import N_ELEMENTS
from vanhove.crystal.graph import Batch
from vanhove.models.atom_features import ATOM_FEATURES
from vanhove.models.dropout import Dropout
from vanhove.models.encoders.encoder import Encoder, EncoderSettings
from vanhove.models.layers import GaussianBasis, cosine_envelope
from vanhove.models.registry import register_encoder
from vanhove.models.scatter import scatter_softmax


class GATGNNSettings(EncoderSettings):
    """Settings of `GATGNN`."""

    name: Literal["gatgnn"] = "gatgnn"
    hidden_dim: int = Field(128, ge=1, description="width of atom states")
    n_layers: int = Field(3, ge=1, description="number of attention layers")
    n_heads: int = Field(
        4,
        ge=1,
        description="number of attention heads, each as wide as hidden_dim; they are averaged",
    )
    n_basis: int = Field(41, ge=2, description="number of Gaussians per distance")
    global_dim: int = Field(32, ge=1, description="hidden width of the attention over atoms")
    composition: Literal["attention", "coefficients"] = Field(
        "attention",
        description="composition in the attention over atoms, or also in that over neighbours",
    )
    atom_features: tuple[str, ...] = Field(("one_hot", "matscholar"), description=ATOM_FEATURES)
    dropout: float = Field(0.0, ge=0, lt=1, description="dropout probability")


class LocalAttention(nn.Module):
    """An atom becomes the mean over heads of its attention-weighted neighbours.

    ``h_ij = softplus(W [x_j, e_ij])`` is neighbour ``j`` as ``i`` sees it, ``h_ii`` the same with
    ``x_i``; the logit is ``softplus(a . [h_ii, h_ij])``. ``W`` is split into an atoms' and an
    edges' share so that the atoms' share is computed per atom, not per edge.
    """

    def __init__(self, settings: GATGNNSettings):
        super().__init__()
        dim, n_heads = settings.hidden_dim, settings.n_heads
        self.n_heads = n_heads
        self.dropout = Dropout(settings.dropout)
        self.from_atom = nn.Linear(dim, n_heads * dim, bias=False)
        self.from_edge = nn.Linear(dim, n_heads * dim)
        bound = 1 / math.sqrt(2 * dim)  # the default of one Linear on the 2 * dim joined inputs
        for weight in (self.from_atom.weight, self.from_edge.weight, self.from_edge.bias):
            nn.init.uniform_(weight, -bound, bound)
        self.attend_self = nn.Parameter(torch.empty(n_heads, dim).uniform_(-bound, bound))
        self.attend_neighbor = nn.Parameter(torch.empty(n_heads, dim).uniform_(-bound, bound))
        self.attend_composition = (
            nn.Linear(N_ELEMENTS, n_heads, bias=False)
            if settings.composition == "coefficients"
            else None
        )
        self.norm = nn.LayerNorm(dim)

    def forward(
        self, x: Tensor, e: Tensor, envelope: Tensor, batch: Batch, composition: Tensor
    ) -> Tensor:
        source, target = batch.edge_index
        from_atom, from_edge = self.from_atom(x), self.from_edge(e)
        per_head = (self.n_heads, -1)
        own = F.softplus(from_atom.index_select(0, target) + from_edge).unflatten(1, per_head)
        neighbor = F.softplus(from_atom.index_select(0, source) + from_edge).unflatten(1, per_head)
        logits = (own * self.attend_self + neighbor * self.attend_neighbor).sum(dim=-1)
        if self.attend_composition is not None:
            per_crystal = self.attend_composition(composition)
            logits = logits + per_crystal[batch.crystal_of_atom.index_select(0, target)]
        attention = scatter_softmax(F.softplus(logits), target, len(x), envelope)
        attention = self.dropout(attention)
        message = torch.einsum("eh,ehd->ed", attention.to(neighbor.dtype), neighbor) / self.n_heads
        received = message.new_zeros(len(x), message.shape[-1]).index_add(0, target, message)
        return F.softplus(self.norm(received))


@register_encoder(GATGNNSettings)
class GATGNN(Encoder):
    """Crystal -> atom states ``[n_atoms_total, hidden_dim]``, weighted for a decoder's sum.

    Local attention layers, then attention over the atoms of the crystal which looks at an atom's
    state and at the crystal's composition (fractions of the 118 elements). The states given out are
    multiplied by these weights, which sum to 1: sum pooling in the decoder is the paper's weighted
    sum. This is the encoder of Mat2Spec (Kong et al., Nat. Commun. 13, 949 (2022)).

    Differences:

    - Mat2Spec's code divides the weighted sum by the number of atoms once more, so that crystals
      with many atoms fade; its paper does not, nor is it done here.
    - Mat2Spec's text has two local layers, its code three (the default), and its eq. 2 the
      composition inside each attention coefficient: ``composition="coefficients"`` adds it there.
    - BatchNorm is LayerNorm after each layer, and is left out in the attention logits together with
      the softplus around it: a crystal's output must not depend on the others in the batch.
    - Neighbours fade in with a smooth envelope inside the softmax; the papers take the nearest 12
      (``graph.max_neighbors``).

    As in the papers an atom passes nothing to itself; ``graph.self_edges`` changes that.
    """

    def __init__(self, settings: GATGNNSettings, *, atom_dim: int, cutoff: float):
        super().__init__()
        self.cutoff = cutoff
        self.out_dim = dim = settings.hidden_dim
        self.basis = GaussianBasis(settings.n_basis, cutoff)
        self.atom_in = nn.Linear(atom_dim, dim)
        self.edge_in = nn.Linear(settings.n_basis, dim)
        self.layers = nn.ModuleList(LocalAttention(settings) for _ in range(settings.n_layers))
        self.global_atom = nn.Linear(dim, settings.global_dim)
        self.global_composition = nn.Linear(N_ELEMENTS, settings.global_dim, bias=False)
        self.global_norm = nn.LayerNorm(settings.global_dim)
        self.global_out = nn.Linear(settings.global_dim, 1, bias=False)  # softmax ignores a bias

    def atom_weights(self, x: Tensor, batch: Batch, composition: Tensor) -> Tensor:
        """``[n_atoms_total, 1]``, sum to 1 over each crystal."""
        hidden = self.global_atom(x) + self.global_composition(composition)[batch.crystal_of_atom]
        logits = self.global_out(F.softplus(self.global_norm(hidden)))
        return scatter_softmax(logits, batch.crystal_of_atom, batch.n_crystals)

    def forward(self, features: Tensor, batch: Batch) -> Tensor:
        distance = torch.linalg.vector_norm(batch.edge_vector, dim=-1)
        envelope = cosine_envelope(distance, self.cutoff)[:, None]
        composition = composition_of(batch, features.dtype)
        x = F.leaky_relu(self.atom_in(features))
        e = F.leaky_relu(self.edge_in(self.basis(distance)))
        for layer in self.layers:
            x = layer(x, e, envelope, batch, composition)
        return x * self.atom_weights(x, batch, composition)


def composition_of(batch: Batch, dtype: torch.dtype = torch.float32) -> Tensor:
    """Fractions of the elements, ``[n_crystals, 118]``."""
    one_hot = F.one_hot(batch.atomic_numbers - 1, N_ELEMENTS).to(dtype)
    return batch.sum_over_atoms(one_hot) / batch.n_atoms[:, None]
