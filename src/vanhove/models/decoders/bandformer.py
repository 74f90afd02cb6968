"""Bandformer's decoder: k-points along a path ask the atoms (Gong et al., arXiv 2411.16483)."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from vanhove.crystal.graph import Batch
from vanhove.errors import ConfigError
from vanhove.models.bloch import BlochEncoding
from vanhove.models.decoders.decoder import Decoder, DecoderSettings
from vanhove.models.free_electrons import FreeElectrons
from vanhove.models.output import OutputKind
from vanhove.models.reciprocal_encoding import ReciprocalEncoding
from vanhove.models.registry import register_decoder
from vanhove.spectra.quantities import ELECTRON_BANDS, PHONON_BANDS

TYPICAL_ATOMS = 4.0


class BandformerSettings(DecoderSettings):
    """Settings of `BandformerDecoder`."""

    name: Literal["bandformer"] = "bandformer"
    hidden_dim: int = Field(128, ge=4, description="width of k-point states; a multiple of n_heads")
    n_layers: int = Field(3, ge=1, description="number of decoder layers")
    n_heads: int = Field(4, ge=1, description="number of heads of both attentions")
    n_bands: int = Field(6, ge=1, description="number of bands to predict, as in the data set")
    encoding: Literal["bloch", "reciprocal"] = Field(
        "bloch",
        description="encoding of k: Bloch sums, or waves of its fractional coordinates (printed)",
    )
    channels: int = Field(8, ge=1, description="radial functions per wave of the encoding of k")
    n_basis: int = Field(24, ge=2, description="Gaussians per distance in the encoding of k")
    path_attention: bool = Field(
        True, description="k-points look at each other; false: each energy depends on its k alone"
    )
    fourier: bool = Field(False, description="predict Fourier coefficients along the path")
    free_electrons: bool = Field(True, description="also encode k by the bands of free electrons")
    energy_scale: float = Field(4.0, gt=0, description="typical energy, in the unit of the data")
    kpoints_per_step: int | None = Field(
        None, ge=2, description="random points of each path that a training step looks at"
    )
    dropout: float = Field(0.1, ge=0, lt=1, description="dropout probability")

    @model_validator(mode="after")
    def _fits(self) -> BandformerSettings:
        if self.hidden_dim % self.n_heads:
            raise ValueError(
                f"hidden_dim {self.hidden_dim} must be a multiple of n_heads {self.n_heads}"
            )
        if self.fourier and (self.kpoints_per_step is not None or not self.path_attention):
            raise ValueError(
                "fourier needs the whole path: leave out kpoints_per_step and path_attention false"
            )
        return self


@register_decoder(BandformerSettings)
class BandformerDecoder(Decoder):
    """Atom states and k-points -> band energies ``[n_crystals, n_kpoints, n_bands]``.

    A k-point starts as the mean over atoms of the atom's state joined with what that atom sees of k
    (`BlochEncoding`). Decoder layers follow: self-attention along the path, attention to the atoms,
    feed-forward, all residual. One head gives the dispersion of each k-point, another, from the
    pooled atoms, the centre of each band; energies are their sum, sorted.

    There is no index along the path, so the same k has the same energies wherever it stands.

    ``fourier=True`` is the variant of the released code: the states of the path are transformed by
    FFT, the layers work on frequencies with a sinusoidal position, and the heads give Fourier
    coefficients of the bands. It knows places on the path, and needs paths without jumps.

    Differences:

    - Which of the two the paper means differs between its versions and the code; the plain one is
      the default.
    - Encoding of k: `BlochEncoding`; that of the paper is ``encoding="reciprocal"``, and free
      electrons are ours (``free_electrons=False``).
    - Energies are sorted, as those in the data are.
    - ``kpoints_per_step`` trains on random points of each path, which is faster and learns as well.
    """

    heads = ("dispersion", "centre")
    takes = ("cutoff",)
    quantities = (ELECTRON_BANDS.name, PHONON_BANDS.name)
    gives_bands = True

    def __init__(
        self,
        settings: BandformerSettings,
        *,
        atom_dim: int,
        system_dim: int,
        cutoff: float,
        n_points: int,
        output: OutputKind,
    ):
        super().__init__()
        self.settings = settings
        dim = settings.hidden_dim
        own_dim = atom_dim + system_dim + 1
        self.encoding: BlochEncoding | ReciprocalEncoding
        if settings.encoding == "bloch":
            self.encoding = BlochEncoding(atom_dim, settings.channels, settings.n_basis, cutoff)
        else:
            self.encoding = ReciprocalEncoding(max(6, dim - dim % 6))
        self.query = nn.Sequential(
            nn.Linear(own_dim + self.encoding.out_dim, 2 * dim),
            nn.GELU(),
        )
        self.free_electrons = FreeElectrons() if settings.free_electrons else None
        n_free = 0 if self.free_electrons is None else self.free_electrons.out_dim
        self.pooled = nn.Linear(4 * dim + n_free, dim)
        self.memory = nn.Linear(atom_dim, dim)
        layer = nn.TransformerDecoderLayer(
            dim,
            settings.n_heads,
            2 * dim,
            settings.dropout,
            activation="gelu",
            batch_first=True,
            norm_first=True,
        )
        self.layers = nn.TransformerDecoder(layer, settings.n_layers, nn.LayerNorm(dim))
        self.spectrum_in = nn.Linear(2 * dim, dim) if settings.fourier else None
        n_outputs = settings.n_bands * (2 if settings.fourier else 1)
        self.dispersion = nn.Sequential(nn.Linear(dim, dim), nn.GELU(), nn.Linear(dim, n_outputs))
        self.centre = nn.Sequential(
            nn.Linear(2 * own_dim, dim), nn.GELU(), nn.Linear(dim, settings.n_bands)
        )

    def forward(self, atoms: Tensor, batch: Batch, system: Tensor) -> Tensor:
        if batch.kpoints is None:
            raise ConfigError("the bandformer decoder needs graphs with k-points")
        n_kpoints = batch.kpoints.shape[1]
        seen = self.encoding(atoms, batch).to(atoms.dtype)
        known = torch.cat([system, _is_odd(batch).to(system.dtype)], dim=-1)
        own = torch.cat([atoms, known[batch.crystal_of_atom]], dim=-1)
        joined = torch.cat([own[:, None].expand(-1, n_kpoints, -1), seen], dim=-1)
        states = _pool(self.query(joined).flatten(1), batch)
        states = states.view(batch.n_crystals, 2, n_kpoints, -1).transpose(1, 2).flatten(2)
        if self.free_electrons is not None:
            states = torch.cat([states, self.free_electrons(batch).to(states.dtype)], dim=-1)
        states = self.pooled(states)
        dense, mask = batch.dense(self.memory(atoms))
        centre = self.centre(_pool(own, batch))[:, None]
        if self.spectrum_in is None:
            alone = None
            if not self.settings.path_attention:
                alone = ~torch.eye(n_kpoints, dtype=torch.bool, device=atoms.device)
            states = self.layers(states, dense, tgt_mask=alone, memory_key_padding_mask=~mask)
            energies = self.dispersion(states) + centre
        else:
            energies = self.from_frequencies(states, dense, mask) + centre
        return (energies.float() * self.settings.energy_scale).sort(dim=-1).values

    def from_frequencies(self, states: Tensor, dense: Tensor, mask: Tensor) -> Tensor:
        """The Fourier variant: states of the path -> dispersions."""
        assert self.spectrum_in is not None
        n_kpoints = states.shape[1]
        spectrum = torch.fft.rfft(states.float(), dim=1, norm="ortho")
        joined = torch.cat([spectrum.real, spectrum.imag], dim=-1).to(dense.dtype)
        states = self.spectrum_in(joined)
        states = states + _sinusoids(states.shape[1], states.shape[2]).to(states)
        states = self.layers(states, dense, memory_key_padding_mask=~mask)
        real, imaginary = self.dispersion(states).float().chunk(2, dim=-1)
        return torch.fft.irfft(torch.complex(real, imaginary), n_kpoints, dim=1, norm="forward")

    def sample(self, batch: Batch, target: Tensor) -> tuple[Batch, Tensor]:
        """The points of each path that this step trains on."""
        n = self.settings.kpoints_per_step
        if n is None or batch.kpoints is None or n >= batch.kpoints.shape[1]:
            return batch, target
        chosen = torch.randperm(batch.kpoints.shape[1])[:n].to(target.device)
        return replace(batch, kpoints=batch.kpoints[:, chosen]), target[:, chosen]


def _pool(atoms: Tensor, batch: Batch) -> Tensor:
    """Sum and mean over atoms, ``[n_atoms_total, d]`` -> ``[n_crystals, 2 d]``.

    The sum, divided by a constant, because more atoms have more bands, closer to each other.
    """
    total = batch.sum_over_atoms(atoms)
    return torch.cat([total / TYPICAL_ATOMS, total / batch.n_atoms[:, None]], dim=-1)


def _is_odd(batch: Batch) -> Tensor:
    """Whether the cell has an odd number of electrons, which makes a metal, ``[n_crystals, 1]``."""
    return batch.sum_over_atoms(batch.atomic_numbers[:, None]) % 2


def _sinusoids(n: int, dim: int) -> Tensor:
    """Positions as in Vaswani et al. (2017), ``[n, dim]``."""
    rate = 10_000.0 ** (-torch.arange(0, dim, 2) / dim)
    angle = torch.arange(n)[:, None] * rate
    return torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1)[:, :dim]
