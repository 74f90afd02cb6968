"""The DOSTransformer decoder (Lee et al., arXiv 2311.12856)."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from vanhove.crystal.graph import Batch
from vanhove.models.decoders.decoder import Decoder, Outputs
from vanhove.models.decoders.energy_embedding import (
    EnergyEmbeddingKind,
    energy_embedding,
    energy_states,
)
from vanhove.models.decoders.pooling import Pooling, pool
from vanhove.models.layers import AttentionKind, AttentionStack
from vanhove.models.output import OutputKind
from vanhove.settings import Settings


class DOSTransformerSettings(Settings):
    """Settings of `DOSTransformerDecoder`."""

    name: Literal["dostransformer"] = "dostransformer"
    hidden_dim: int = Field(128, ge=1, description="width of energy states")
    n_layers: int = Field(2, ge=1, description="attention layers per stack")
    attention: AttentionKind = Field("released", description="bare: as printed in the paper")
    projections: bool = Field(False, description="learned query, key, value, output projections")
    pooling: Pooling = Field("sum", description="of atoms")
    global_branch: bool = Field(True, description="train the branch without the crystal system")
    energies: EnergyEmbeddingKind = Field(
        "learned", description="learned: a vector per grid point; gaussian: smooth along the grid"
    )
    energy_centers: int = Field(40, ge=2, description="Gaussians of gaussian energies")
    dropout: float = Field(0.1, ge=0, lt=1, description="probability")


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
        self.out = nn.Linear(dim, 1)

    def energies(self, atoms: Tensor, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Energy states joined with the pooled crystal, dense atoms, mask."""
        atoms = self.atoms_in(atoms)
        dense, mask = batch.dense(atoms)
        queries = energy_states(self.energy_embedding).expand(batch.n_crystals, -1, -1)
        states = self.first_cross(queries, dense, mask)
        pooled = self.pooled(pool(atoms, batch, self.settings.pooling))
        joined = torch.cat([states, pooled[:, None, :].expand_as(states)], dim=-1)
        return joined, dense, mask

    def system_states(self, joined: Tensor, system: Tensor) -> Tensor:
        per_energy = system[:, None, :].expand(-1, joined.shape[1], -1)
        return self.system_in(torch.cat([joined, per_energy], dim=-1))

    def refine(self, states: Tensor, dense: Tensor, mask: Tensor) -> Tensor:
        states = self.self_attention(states)
        return self.out(self.second_cross(states, dense, mask)).squeeze(-1)

    def forward(self, atoms: Tensor, batch: Batch, system: Tensor) -> Tensor:
        joined, dense, mask = self.energies(atoms, batch)
        return self.refine(self.system_states(joined, system), dense, mask)

    def outputs(self, atoms: Tensor, batch: Batch, system: Tensor, target: Tensor) -> Outputs:
        if self.global_in is None:
            return super().outputs(atoms, batch, system, target)
        joined, dense, mask = self.energies(atoms, batch)
        states = torch.cat([self.system_states(joined, system), self.global_in(joined)])
        both = self.refine(states, dense.repeat(2, 1, 1), mask.repeat(2, 1))
        with_system, without = both.chunk(2)
        return Outputs({"system": with_system, "global": without})
