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
from vanhove.models.dropout import Dropout
from vanhove.models.output import OutputKind
from vanhove.models.quotient import classes, equal_rows, first_of_each, mixed
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


_NUMBERS_AT_ONCE = 400_000
"""At prediction, so that what is computed of them stays in the processor's cache."""
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
            Dropout(dropout),
            nn.Linear(2 * dim, dim),
        )

    def divide_steps(self, parts: int) -> None:
        """The points are ``parts`` times denser from now on; the kernel's width in energy stays."""
        (size,) = self.along.kernel_size
        self.along.dilation, self.along.padding = (parts,), (parts * (size // 2),)

    def forward(self, x: Tensor) -> Tensor:
        """``[..., n_crystals, n_points, dim]`` -> the same."""
        return x + self.mix(self.along(x.transpose(-1, -2)).transpose(-1, -2))


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
        self.dropout = Dropout(settings.dropout)
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
        system = system.expand(*crystal.shape[:-1], -1)
        crystal = self.from_crystal(torch.cat([crystal, system], dim=-1))
        each = self.from_atom(atoms) + crystal.index_select(-2, batch.crystal_of_atom)
        energies = self.from_energy(energy_states(self.energy_embedding))
        x = self.dropout(self.summed(energies, each, equal_atoms(atoms, batch), batch))
        if known is not None:
            x = x + known
        for layer in self.layers:
            x = layer(x)
        if self.chosen is not None:
            x = x[..., self.chosen, :]
        return self.out(x).squeeze(-1)

    def summed(self, energies: Tensor, each: Tensor, kind: Tensor, batch: Batch) -> Tensor:
        """The mean over the atoms of what they answer, ``[..., n_crystals, n_points, dim]``.

        Args:
            energies: ``[..., n_points, dim]``.
            each: of the atoms, ``[..., n_atoms_total, dim]``.
            kind: the same number for atoms of a crystal that are alike, ``[n_atoms_total]``.
            batch: the crystals.
        """
        n_kinds, of_atom = classes(kind)
        chosen, count = first_of_each(of_atom, n_kinds), torch.bincount(of_atom, minlength=n_kinds)
        crystal = batch.crystal_of_atom[chosen]
        weight = (count / batch.n_atoms[crystal]).to(each.dtype)[:, None]
        each = each.index_select(-2, chosen)
        shape = (*each.shape[:-2], batch.n_crystals, energies.shape[-2] * energies.shape[-1])
        total = each.new_zeros(shape)
        at_once = max(1, _NUMBERS_AT_ONCE * batch.n_crystals // max(1, total.numel()))
        at_once = n_kinds if torch.is_grad_enabled() else at_once
        for start in range(0, n_kinds, at_once):
            part = slice(start, start + at_once)
            joined = energies[..., None, :, :] + each[..., part, None, :]
            joined = F.silu(self.norm(joined)).flatten(-2) * weight[part]
            total = total.index_add_(-2, crystal[part], joined.to(total.dtype))
        return total.unflatten(-1, energies.shape[-2:])


def equal_atoms(atoms: Tensor, batch: Batch) -> Tensor:
    """The same number for atoms of a crystal with equal states ``[..., n_atoms_total, d]``."""
    return mixed(equal_rows(atoms.movedim(-2, 0).flatten(1)), batch.crystal_of_atom)


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
