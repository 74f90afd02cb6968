"""The DOSTransformer decoder (Lee et al., arXiv 2311.12856)."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from vanhove.crystal.graph import Batch
from vanhove.models.decoders.decoder import Decoder, DecoderSettings, Outputs
from vanhove.models.decoders.energy_embedding import (
    ENERGIES,
    ENERGY_CENTERS,
    EnergyEmbeddingKind,
    energy_embedding,
    energy_states,
    move_energies,
)
from vanhove.models.decoders.pooling import Pooling, pool
from vanhove.models.layers import AttentionKind, AttentionStack
from vanhove.models.output import OutputKind
from vanhove.models.registry import register_decoder


class DOSTransformerSettings(DecoderSettings):
    """Settings of `DOSTransformerDecoder`."""

    name: Literal["dostransformer"] = "dostransformer"
    hidden_dim: int = Field(128, ge=1, description="width of energy states")
    n_layers: int = Field(2, ge=1, description="number of attention layers per stack")
    attention: AttentionKind = Field(
        "released", description="form of the attention; bare: as printed in the paper"
    )
    projections: bool = Field(False, description="learn query, key, value and output projections")
    n_heads: int = Field(1, ge=1, description="number of attention heads; must divide hidden_dim")
    value_layers: Literal[1, 2] = Field(
        1,
        description="number of layers from an energy's state to its value; the paper says MLP (2)",
    )
    pooling: Pooling = Field("sum", description="pooling of atoms to the crystal")
    global_branch: bool = Field(
        True, description="train the branch without the crystal system as well"
    )
    energies: EnergyEmbeddingKind = Field("learned", description=ENERGIES)
    energy_centers: int = Field(40, ge=2, description=ENERGY_CENTERS)
    dropout: float = Field(0.1, ge=0, lt=1, description="dropout probability")

    @model_validator(mode="after")
    def _heads_divide_width(self) -> DOSTransformerSettings:
        if self.hidden_dim % self.n_heads:
            raise ValueError(
                f"hidden_dim {self.hidden_dim} is not divisible by n_heads {self.n_heads}"
            )
        return self


@register_decoder(DOSTransformerSettings)
class DOSTransformerDecoder(Decoder):
    """Atom states -> spectrum, one query per energy.

    Steps (equations of the paper): energy embeddings attend to the atoms (2-3); joined with the
    pooled crystal and, in the *system* branch, with the learnable prompt of its crystal system;
    self-attention over energies (4-5); a second attention to the atoms; a pointwise prediction.
    Both branches share their attention stacks. Training uses both (``L_global + beta L_system``),
    inference the system branch alone. Without crystal-system information at the decoder
    (``system_dim`` 0), or with ``global_branch`` off, there is one branch.

    Differences between the paper, the released code and this:

    ====================== ======================= ========================= =====================
    what                   paper                   released code             here
    ====================== ======================= ========================= =====================
    attention layer        bare eq. 2-3            pre-norm, residual, feed- as released; ``bare``
                                                   forward 4d, no q/k/v      and ``projections``
                                                   projections               are options
    heads                  not said                one                       one (option)
    energy state to value  MLP                     one matrix                one matrix (option)
    padding                not said                unmasked: the numbers     masked
                                                   depend on the batch
    phonon edges           not said                spherical harmonics, not  Gaussians of the
                                                   rotation-invariant        distance; released as
                                                                             an option
    messages               sum                     mean (phonon)             smooth weighted sum
    self edges             none                    one per atom              none (option)
    inference              system branch           both computed, system     system branch only
                                                   used
    loss                   printed formula is MAE  RMSE per crystal          RMSE per crystal
    negative values        not said                kept (phonon)             clipped to 0 in
                                                                             inference, not in the
                                                                             loss
    untrained parameters   none                    30 % never get a gradient none
    electron energies      not an input            DFT energies are inputs   never an input
    atom features          -                       one-hot times the mass    one-hot and Matscholar;
                                                                             others are options
    width                  -                       256                       128 (option)
    dropout                -                       none                      0.1 (option)
    training               -                       AdamW, 1e-4, constant     AdamW, 1e-3, cosine,
                                                                             clipped gradients,
                                                                             averaged weights
    number format          not said                float64, batch 1          float32 (shipped: mixed
                                                                             bfloat16), batch 8
    ====================== ======================= ========================= =====================
    """

    answers_on_other_grids = True

    def __init__(
        self,
        settings: DOSTransformerSettings,
        *,
        atom_dim: int,
        system_dim: int,
        n_points: int,
        output: OutputKind,
    ):
        super().__init__()
        self.settings = settings
        dim = settings.hidden_dim
        stack = (
            dim,
            settings.n_layers,
            settings.attention,
            settings.projections,
            settings.dropout,
            settings.n_heads,
        )
        self.atoms_in = nn.Linear(atom_dim, dim) if atom_dim != dim else nn.Identity()
        self.energy_embedding = energy_embedding(
            settings.energies, n_points, dim, settings.energy_centers
        )
        self.first_cross = AttentionStack(*stack)
        self.pooled = nn.Linear(dim, dim)
        self.global_in = (
            nn.Sequential(nn.Linear(2 * dim, dim), nn.LeakyReLU())
            if system_dim > 0 and settings.global_branch
            else None
        )
        self.system_in = nn.Sequential(nn.Linear(2 * dim + system_dim, dim), nn.LeakyReLU())
        self.self_attention = AttentionStack(*stack)
        self.second_cross = AttentionStack(*stack)
        self.out: nn.Module = nn.Linear(dim, 1)
        if settings.value_layers == 2:
            self.out = nn.Sequential(nn.Linear(dim, dim), nn.LeakyReLU(), self.out)
        self.n_points = n_points
        self.n_context: int | None = None

    def set_places(self, places: Tensor | None) -> None:
        """As `Decoder.set_places`: other energies look at those of the training grid.

        Self-attention averages over its keys, so these stay the ones it was trained with: a value
        depends on its energy alone, not on which others are asked for.
        """
        context = torch.linspace(0, 1, self.n_points)
        move_energies(
            self.energy_embedding,
            None if places is None else torch.cat([context, places.to(context)]),
        )
        self.n_context = None if places is None else self.n_points

    def energies(self, atoms: Tensor, batch: Batch) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Energy states, pooled crystals, dense atoms, mask."""
        atoms = self.atoms_in(atoms)
        dense, mask = batch.dense(atoms)
        states = self.first_cross(energy_states(self.energy_embedding), dense, mask)
        pooled = self.pooled(pool(atoms, batch, self.settings.pooling))
        return states, pooled, dense, mask

    def joined(self, layer: nn.Sequential, states: Tensor, *crystal: Tensor) -> Tensor:
        """``layer`` on the states joined with what is known of the crystal.

        Its matrix is split, so that the share of the crystal is computed once, not per energy.
        """
        linear, activation = layer
        assert isinstance(linear, nn.Linear)
        of_state, of_crystal = linear.weight.tensor_split([states.shape[-1]], dim=1)
        per_crystal = F.linear(torch.cat(crystal, dim=-1), of_crystal, linear.bias)
        return activation(F.linear(states, of_state) + per_crystal[:, None])

    def refine(self, states: Tensor, dense: Tensor, mask: Tensor) -> Tensor:
        states = self.self_attention(states, n_keys=self.n_context)[:, self.n_context or 0 :]
        return self.out(self.second_cross(states, dense, mask)).squeeze(-1)

    def forward(self, atoms: Tensor, batch: Batch, system: Tensor) -> Tensor:
        states, pooled, dense, mask = self.energies(atoms, batch)
        return self.refine(self.joined(self.system_in, states, pooled, system), dense, mask)

    def outputs(self, atoms: Tensor, batch: Batch, system: Tensor, target: Tensor) -> Outputs:
        if self.global_in is None:
            return super().outputs(atoms, batch, system, target)
        states, pooled, dense, mask = self.energies(atoms, batch)
        branches = torch.cat(
            [
                self.joined(self.system_in, states, pooled, system),
                self.joined(self.global_in, states, pooled),
            ]
        )
        both = self.refine(branches, dense.repeat(2, 1, 1), mask.repeat(2, 1))
        with_system, without = both.chunk(2)
        return Outputs({"system": with_system, "global": without})
