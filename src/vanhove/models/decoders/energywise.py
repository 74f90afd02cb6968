"""One value per energy from the energy's embedding and the pooled crystal."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from vanhove.crystal.graph import Batch
from vanhove.models.decoders.decoder import Decoder, DecoderSettings
from vanhove.models.decoders.energy_embedding import (
    ENERGIES,
    ENERGY_CENTERS,
    EnergyEmbeddingKind,
    energy_embedding,
    energy_states,
    move_energies,
)
from vanhove.models.decoders.pooling import Pooling, pool
from vanhove.models.dropout import Dropout
from vanhove.models.output import OutputKind
from vanhove.models.registry import register_decoder


class EnergywiseSettings(DecoderSettings):
    """Settings of `EnergywiseDecoder`."""

    name: Literal["energywise"] = "energywise"
    hidden_dim: int = Field(256, ge=1, description="hidden width")
    pooling: Pooling = Field("sum", description="pooling of atoms to the crystal")
    energies: EnergyEmbeddingKind = Field("learned", description=ENERGIES)
    energy_centers: int = Field(40, ge=2, description=ENERGY_CENTERS)
    dropout: float = Field(0.0, ge=0, lt=1, description="dropout probability")


@register_decoder(EnergywiseSettings)
class EnergywiseDecoder(Decoder):
    """The papers' rows with energies: ``MLP([E_j, Linear(pooled), system])`` for each energy j."""

    answers_on_other_grids = True

    def __init__(
        self,
        settings: EnergywiseSettings,
        *,
        atom_dim: int,
        system_dim: int,
        n_points: int,
        output: OutputKind,
    ):
        super().__init__()
        dim = settings.hidden_dim
        self.pooling = settings.pooling
        self.energy_embedding = energy_embedding(
            settings.energies, n_points, dim, settings.energy_centers
        )
        self.pooled = nn.Linear(atom_dim, dim)
        # The first layer on the joined input, split so that each part is computed once: the
        # energies' per energy, the crystal's per crystal.
        self.from_energy = nn.Linear(dim, dim)
        self.from_crystal = nn.Linear(dim + system_dim, dim, bias=False)
        self.out = nn.Sequential(
            nn.LayerNorm(dim), nn.LeakyReLU(), Dropout(settings.dropout), nn.Linear(dim, 1)
        )

    def set_places(self, places: Tensor | None) -> None:
        move_energies(self.energy_embedding, places)

    def forward(self, atoms: Tensor, batch: Batch, system: Tensor) -> Tensor:
        crystal = self.pooled(pool(atoms, batch, self.pooling))
        crystal = self.from_crystal(torch.cat([crystal, system], dim=-1))
        energies = self.from_energy(energy_states(self.energy_embedding))
        return self.out(energies[None] + crystal[:, None]).squeeze(-1)
