"""What every way to learn an embedding has in common."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vanhove.crystal.graph import Batch


class Objective(nn.Module):
    """Trains an encoder: a loss, and what is measured on crystals that were held out."""

    def latents(self, batch: Batch) -> Tensor:
        """The latents of the atoms, ``[n_atoms_total, latent_dim]``; nothing random."""
        raise NotImplementedError

    def loss(self, batch: Batch, spectra: Tensor | None, generator: torch.Generator) -> Tensor:
        """A number to make small.

        Args:
            batch: of crystals.
            spectra: their labels ``[n_crystals, n_points]``, where there are any.
            generator: of all that is random.
        """
        raise NotImplementedError

    def measures(
        self, batch: Batch, spectra: Tensor | None, generator: torch.Generator
    ) -> dict[str, float]:
        """How well it does on crystals that it was not trained on; arguments as `loss`."""
        raise NotImplementedError
