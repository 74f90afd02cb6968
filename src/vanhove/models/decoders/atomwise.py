"""Each atom answers each energy; the crystal's answer is refined along the energy axis."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field, field_validator
from torch import Tensor, nn
from torch.nn import functional as F

from vanhove.crystal.graph import Batch
from vanhove.errors import ConfigError
from vanhove.models.decoders.decoder import Decoder, DecoderSettings
from vanhove.models.decoders.energy_embedding import (
    ENERGIES,
    ENERGY_CENTERS,
    EnergyEmbeddingKind,
    energy_embedding,
    energy_states,
    move_energies,
)
from vanhove.models.output import OutputKind
from vanhove.models.registry import register_decoder


class AtomwiseSettings(DecoderSettings):
    """Settings of `AtomwiseDecoder`."""

    name: Literal["atomwise"] = "atomwise"
    hidden_dim: int = Field(128, ge=1, description="width per energy")
    n_layers: int = Field(2, ge=0, description="number of convolutions along the energies")
    kernel_size: int = Field(
        7, ge=1, description="number of energies that a convolution sees, an odd number"
    )
    energies: EnergyEmbeddingKind = Field("gaussian", description=ENERGIES)
    energy_centers: int = Field(40, ge=2, description=ENERGY_CENTERS)
    dropout: float = Field(0.1, ge=0, lt=1, description="dropout probability")

    @field_validator("kernel_size")
    @classmethod
    def _has_a_middle(cls, size: int) -> int:
        if size % 2 == 0:
            raise ValueError(f"kernel_size must be odd, so that it has a middle (got {size})")
        return size


MOST_PARTS = 16
"""Into which a step of the training grid can be divided for another grid."""


class EnergyConvolution(nn.Module):
    """Residual block along the energies: a convolution per channel, then an MLP per energy."""

    def __init__(self, dim: int, kernel_size: int, dropout: float):
        super().__init__()
        self.along = nn.Conv1d(dim, dim, kernel_size, padding=kernel_size // 2, groups=dim)
        self.mix = nn.Sequential(
            nn.LayerNorm(dim),
            nn.Linear(dim, 2 * dim),
            nn.SiLU(),
            nn.Dropout(dropout),
            nn.Linear(2 * dim, dim),
        )

    def divide_steps(self, parts: int) -> None:
        """The points are ``parts`` times denser from now on; the kernel's width in energy stays."""
        (size,) = self.along.kernel_size
        self.along.dilation, self.along.padding = (parts,), (parts * (size // 2),)

    def forward(self, x: Tensor) -> Tensor:
        """``[n_crystals, n_points, dim]`` -> the same."""
        return x + self.mix(self.along(x.transpose(1, 2)).transpose(1, 2))


@register_decoder(AtomwiseSettings)
class AtomwiseDecoder(Decoder):
    """``mean_i SiLU(LN(E_j + A_i + S))`` over the atoms i for each energy j, then convolutions.

    A density of states is the sum of what its atoms contribute (the projected densities of
    states); here each atom meets each energy before the atoms are added up, which costs one
    addition per atom and energy where attention costs matrix products.
    """

    answers_on_other_grids = True

    def __init__(
        self,
        settings: AtomwiseSettings,
        *,
        atom_dim: int,
        system_dim: int,
        n_points: int,
        output: OutputKind,
    ):
        super().__init__()
        dim = settings.hidden_dim
        self.energy_embedding = energy_embedding(
            settings.energies, n_points, dim, settings.energy_centers
        )
        self.from_energy = nn.Linear(dim, dim)
        self.from_atom = nn.Linear(atom_dim, dim)
        self.from_crystal = nn.Linear(atom_dim + system_dim, dim, bias=False)
        self.norm = nn.LayerNorm(dim)
        self.dropout = nn.Dropout(settings.dropout)
        self.layers = nn.ModuleList(
            EnergyConvolution(dim, settings.kernel_size, settings.dropout)
            for _ in range(settings.n_layers)
        )
        self.out = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, 1))
        self.n_points = n_points
        self.chosen: list[int] | None = None

    def set_places(self, places: Tensor | None) -> None:
        """As `Decoder.set_places`; the kernels are as wide in energy as they were in training.

        Values are computed on the training grid with each step divided into as few equal parts as
        the wanted points need.

        Raises:
            ConfigError: learned energies, or points that no such division meets.
        """
        parts, chosen, inner = 1, None, None
        if places is not None:
            steps = places.double().cpu() * (self.n_points - 1)
            parts = _parts(steps)
            chosen = (steps * parts).round().long().tolist()
            inner = torch.linspace(0, 1, (self.n_points - 1) * parts + 1)
        self.move(inner)
        self.chosen = chosen
        for layer in self.layers:
            assert isinstance(layer, EnergyConvolution)
            layer.divide_steps(parts)

    def move(self, places: Tensor | None) -> None:
        """Compute at these places of the axis from now on; None: on the training grid."""
        move_energies(self.energy_embedding, places)

    def forward(self, atoms: Tensor, batch: Batch, system: Tensor) -> Tensor:
        return self.refined(atoms, batch, system)

    def refined(
        self, atoms: Tensor, batch: Batch, system: Tensor, known: Tensor | None = None
    ) -> Tensor:
        """As `forward`, with what is ``known`` of each energy, ``[n_crystals, n_points, dim]``."""
        crystal = batch.sum_over_atoms(atoms) / batch.n_atoms[:, None]
        crystal = self.from_crystal(torch.cat([crystal, system], dim=-1))
        each = self.from_atom(atoms) + crystal.index_select(0, batch.crystal_of_atom)
        energies = self.from_energy(energy_states(self.energy_embedding))
        joined = F.silu(self.norm(energies[None] + each[:, None]))
        summed = batch.sum_over_atoms(joined.flatten(1)) / batch.n_atoms[:, None]
        x = self.dropout(summed.view(len(summed), *energies.shape))
        if known is not None:
            x = x + known
        for layer in self.layers:
            x = layer(x)
        if self.chosen is not None:
            x = x[:, self.chosen]
        return self.out(x).squeeze(-1)


def _parts(steps: Tensor) -> int:
    """Into how many parts each step is divided so that every point lies where two parts meet."""
    for parts in range(1, MOST_PARTS + 1):
        divided = steps * parts
        if (divided - divided.round()).abs().max() < 1e-4 * parts:
            return parts
    raise ConfigError(
        "convolutions along the energies (decoder atomwise) answer where the steps of the training "
        f"grid are divided into 2 to {MOST_PARTS} equal parts: choose such a grid, or interpolate"
    )
