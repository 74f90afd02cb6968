"""How much a crystal is like those a model was trained on."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from vanhove.crystal.elements import N_ELEMENTS
from vanhove.crystal.graph import CrystalGraph

N_COMPONENTS = 16
N_NEIGHBOURS = 5
FAMILIAR_COUNT = 5
"""An element in so many training crystals counts as half familiar."""


class Familiarity(nn.Module):
    """A score from 0 (unlike anything seen) to 1 (in the middle of the training data).

    The smaller of two shares: that of the validation crystals which are at least as far from their
    five nearest training crystals, in the first principal components of the mean atom state; and
    ``n / (n + 5)`` for the rarest element of the crystal, which n training crystals hold. A crystal
    with an element that was not trained on scores 0.

    Args:
        n_train, n_valid: crystals it is fitted on.
        dim: of the states.
    """

    mean: Tensor
    components: Tensor
    train_points: Tensor
    distances: Tensor
    element_counts: Tensor

    def __init__(self, n_train: int, n_valid: int, dim: int):
        super().__init__()
        n_components = min(N_COMPONENTS, dim)
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("components", torch.zeros(dim, n_components))
        self.register_buffer("train_points", torch.zeros(n_train, n_components))
        self.register_buffer("distances", torch.zeros(n_valid))
        self.register_buffer("element_counts", torch.zeros(N_ELEMENTS + 1))

    def fit(self, train: Tensor, graphs: Sequence[CrystalGraph], valid: Tensor) -> None:
        """From the states ``[n, dim]`` of both parts, and the graphs of the training split."""
        self.mean = train.mean(dim=0)
        _, sizes, directions = torch.linalg.svd(train - self.mean, full_matrices=False)
        n_components = self.components.shape[1]
        scale = sizes[:n_components] / len(train) ** 0.5
        self.components = directions[:n_components].T / scale.clamp(min=1e-6)
        self.train_points = (train - self.mean) @ self.components
        self.distances = self.distance(valid).sort().values
        for graph in graphs:
            self.element_counts[graph.atomic_numbers.unique()] += 1

    def distance(self, states: Tensor) -> Tensor:
        """Mean distance to the nearest training crystals, ``[n, dim]`` -> ``[n]``."""
        points = (states - self.mean) @ self.components
        nearest = torch.cdist(points, self.train_points).topk(N_NEIGHBOURS, largest=False)
        return nearest.values.mean(dim=1)

    def forward(self, states: Tensor, graphs: Sequence[CrystalGraph]) -> Tensor:
        """The score ``[n]`` of crystals with states ``[n, dim]``."""
        nearer = torch.searchsorted(self.distances, self.distance(states))
        share = 1 - nearer / len(self.distances)
        rarest = torch.stack([self.element_counts[g.atomic_numbers].min() for g in graphs])
        return torch.minimum(share, rarest / (rarest + FAMILIAR_COUNT))
