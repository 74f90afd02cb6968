"""Atoms without neighbours: the papers' MLP baseline."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from torch import Tensor, nn

from vanhove.crystal.graph import Batch
from vanhove.models.atom_features import ATOM_FEATURES
from vanhove.models.dropout import Dropout
from vanhove.models.encoders.encoder import Encoder, EncoderSettings
from vanhove.models.registry import register_encoder


class AtomMLPSettings(EncoderSettings):
    """Settings of `AtomMLP`."""

    name: Literal["atom_mlp"] = "atom_mlp"
    hidden_dim: int = Field(256, ge=1, description="width of atom states")
    n_layers: int = Field(1, ge=1, description="number of hidden layers")
    atom_features: tuple[str, ...] = Field(("one_hot", "matscholar"), description=ATOM_FEATURES)
    dropout: float = Field(0.0, ge=0, lt=1, description="dropout probability")


@register_encoder(AtomMLPSettings)
class AtomMLP(Encoder):
    """Atom features -> atom states ``[n_atoms_total, hidden_dim]`` without looking around."""

    def __init__(self, settings: AtomMLPSettings, *, atom_dim: int, cutoff: float):
        super().__init__()
        self.out_dim = dim = settings.hidden_dim
        layers: list[nn.Module] = [nn.Linear(atom_dim, dim)]
        for _ in range(settings.n_layers):
            layers += [nn.PReLU(), Dropout(settings.dropout), nn.Linear(dim, dim)]
        self.layers = nn.Sequential(*layers)

    def forward(self, features: Tensor, batch: Batch) -> Tensor:
        return self.layers(features)
