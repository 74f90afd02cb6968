"""What every encoder is."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from vanhove.crystal.graph import Batch
from vanhove.settings import Settings


class EncoderSettings(Settings):
    """The base of the settings of encoders."""

    name: str
    atom_features: tuple[str, ...]


class Encoder(nn.Module):
    """Features of the atoms and their neighbours -> atom states.

    A subclass takes ``(settings, atom_dim, cutoff)``, all but ``settings`` keyword arguments: the
    width of the features and the cutoff of the graphs (angstrom). It sets ``out_dim``.
    """

    settings_type: ClassVar[type[EncoderSettings]]
    """Set by `vanhove.models.registry.register_encoder`."""
    full_precision: ClassVar[tuple[str, ...]] = ()
    """Names of the modules that never multiply in lower precision."""
    out_dim: int
    """Width of the atom states."""

    def forward(self, features: Tensor, batch: Batch) -> Tensor:
        """``[n_atoms_total, atom_dim]`` -> ``[n_atoms_total, out_dim]``."""
        raise NotImplementedError
