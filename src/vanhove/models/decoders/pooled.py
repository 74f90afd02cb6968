"""The pooled crystal gives the whole spectrum at once: the papers' rows without energies."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from vanhove.crystal.graph import Batch
from vanhove.models.decoders.decoder import Decoder, DecoderSettings
from vanhove.models.decoders.pooling import Pooling, pool
from vanhove.models.dropout import Dropout
from vanhove.models.output import OutputKind
from vanhove.models.registry import register_decoder


class PooledSettings(DecoderSettings):
    """Settings of `PooledDecoder`."""

    name: Literal["pooled"] = "pooled"
    hidden_dim: int = Field(256, ge=1, description="hidden width")
    pooling: Pooling = Field("sum", description="pooling of atoms to the crystal")
    dropout: float = Field(0.0, ge=0, lt=1, description="dropout probability")


@register_decoder(PooledSettings)
class PooledDecoder(Decoder):
    """Pooled atoms, joined with the crystal system, through an MLP with ``n_points`` outputs."""

    heads = ("layers",)

    def __init__(
        self,
        settings: PooledSettings,
        *,
        atom_dim: int,
        system_dim: int,
        n_points: int,
        output: OutputKind,
    ):
        super().__init__()
        self.pooling = settings.pooling
        self.layers = nn.Sequential(
            nn.Linear(atom_dim + system_dim, settings.hidden_dim),
            nn.LeakyReLU(),
            Dropout(settings.dropout),
            nn.Linear(settings.hidden_dim, n_points),
        )

    def forward(self, atoms: Tensor, batch: Batch, system: Tensor) -> Tensor:
        crystal = pool(atoms, batch, self.pooling)
        return self.layers(torch.cat([crystal, system], dim=-1))
