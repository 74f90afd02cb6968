"""Contrast: like crystals near each other, others apart (van den Oord et al., arXiv 1807.03748).

What is alike is said by views of the same crystal (Chen et al., SimCLR, arXiv 2002.05709), or by
the labels: Mat2Spec (Kong et al., Nat. Commun. 13, 949 (2022)) draws a crystal and its spectrum
together; here crystals whose spectra are alike are drawn together.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from vanhove.crystal.graph import Batch
from vanhove.embeddings.encoder import latent_encoder, mean_of_atoms, perceptron
from vanhove.embeddings.objective import Objective
from vanhove.embeddings.settings import EmbeddingSettings
from vanhove.embeddings.views import random_view


class Contrast(Objective):
    """Cross entropy between how alike two views are and how alike they should be.

    Two random views of each crystal are encoded; the mean over the atoms goes through a small
    network that is not used later. Row ``i`` of the similarities (cosines over the temperature)
    should, as a softmax, be 1 at the other view of the same crystal, or with labels
    ``exp(-W_ij / s)`` over its sum: ``W`` is the Wasserstein distance of the spectra in widths of
    the grid, ``s`` the ``spectrum_scale``.
    """

    def __init__(self, settings: EmbeddingSettings):
        super().__init__()
        self.settings = settings
        dim, hidden = settings.latent_dim, settings.hidden_dim
        self.encoder = latent_encoder(settings, dim)
        self.projection = perceptron(dim, hidden, dim)

    def latents(self, batch: Batch) -> Tensor:
        return self.encoder(batch)

    def projected(self, batch: Batch) -> Tensor:
        """Unit vectors that are compared, ``[n_crystals, latent_dim]``."""
        return F.normalize(self.projection(mean_of_atoms(self.encoder(batch), batch)), dim=-1)

    def cosines(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """Of a view of each crystal with another view of each, ``[n_crystals, n_crystals]``."""
        first, second = (random_view(batch, self.settings, generator) for _ in range(2))
        return self.projected(first) @ self.projected(second).T

    def wanted(self, n_crystals: int, spectra: Tensor | None) -> Tensor:
        """How alike crystals should be: rows of sum 1, ``[n_crystals, n_crystals]``."""
        if spectra is None:
            return torch.eye(n_crystals)
        return (-wasserstein(spectra) / self.settings.spectrum_scale).softmax(dim=1)

    def loss(self, batch: Batch, spectra: Tensor | None, generator: torch.Generator) -> Tensor:
        logits = self.cosines(batch, generator) / self.settings.temperature
        wanted = self.wanted(batch.n_crystals, spectra)
        return (F.cross_entropy(logits, wanted) + F.cross_entropy(logits.T, wanted)) / 2

    @torch.no_grad()
    def measures(
        self, batch: Batch, spectra: Tensor | None, generator: torch.Generator
    ) -> dict[str, float]:
        """Mean cosines of what should be alike and of all else; how often the nearest is right."""
        cosines = self.cosines(batch, generator)
        distance = torch.ones_like(cosines) if spectra is None else wasserstein(spectra)
        others = ~torch.eye(len(cosines), dtype=torch.bool)
        values = {
            "cosine_of_views": cosines.diagonal().mean(),
            "cosine_of_others": cosines[others].mean(),
            "nearest_is_the_other_view": (cosines.argmax(dim=1) == torch.arange(len(cosines)))
            .float()
            .mean(),
        }
        if spectra is not None:
            nearest = distance.masked_fill(~others, torch.inf).argmin(dim=1, keepdim=True)
            values["cosine_of_nearest_spectra"] = cosines.gather(1, nearest).mean()
        return {name: float(value) for name, value in values.items()}


def wasserstein(spectra: Tensor) -> Tensor:
    """Distances between spectra ``[n, n_points]`` of sum 1, in widths of the grid: ``[n, n]``."""
    shapes = spectra.clamp(min=0)
    shapes = shapes / shapes.sum(dim=1, keepdim=True).clamp(min=1e-12)
    cumulative = shapes.cumsum(dim=1)[:, :-1]
    return torch.cdist(cumulative, cumulative, p=1) / max(cumulative.shape[1], 1)
