"""What a decoder knows of an energy: a vector for each point of the grid."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

EnergyEmbeddingKind = Literal["learned", "gaussian"]


class GaussianEnergies(nn.Module):
    """Vectors that vary smoothly along the grid: learned at evenly spaced centres, mixed between.

    Row j is ``phi_j W`` with ``W`` ``[n_centers, dim]`` and ``phi_j`` Gaussians of the point's
    place on the grid, as wide as the centres are apart, of norm 1: neighbouring energies start
    alike and learn together, where a learned index has to see each of them by itself.
    """

    places: Tensor

    def __init__(self, n_points: int, dim: int, n_centers: int):
        super().__init__()
        distance = (
            torch.linspace(0, 1, n_points)[:, None] - torch.linspace(0, 1, n_centers)
        ) * max(n_centers - 1, 1)
        places = torch.exp(-0.5 * distance**2)
        self.register_buffer("places", places / places.norm(dim=1, keepdim=True), persistent=False)
        self.weight = nn.Parameter(torch.randn(n_centers, dim))

    def forward(self) -> Tensor:
        return self.places @ self.weight


def energy_embedding(
    kind: EnergyEmbeddingKind, n_points: int, dim: int, n_centers: int
) -> nn.Parameter | GaussianEnergies:
    """A free vector per point (as published), or `GaussianEnergies`."""
    if kind == "learned":
        return nn.Parameter(torch.randn(n_points, dim))
    return GaussianEnergies(n_points, dim, n_centers)


def energy_states(embedding: Tensor | GaussianEnergies) -> Tensor:
    """The vectors ``[n_points, dim]``."""
    return embedding if isinstance(embedding, Tensor) else embedding()
