"""What a decoder knows of an energy: a vector for each point of the grid.

``learned`` vectors belong to the points of one grid. The others are functions of the energy: they
give vectors at any energy between the first and the last point of the training grid.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from vanhove.errors import ConfigError

EnergyEmbeddingKind = Literal["learned", "gaussian", "sinusoidal", "fourier"]

ENERGIES = "learned: a vector per grid point; the others: functions of the energy, for any grid"
"""What the setting ``energies`` of a decoder means."""
ENERGY_CENTERS = "bumps or waves of energies that are not learned"
"""What the setting ``energy_centers`` of a decoder means."""


def gaussians(places: Tensor, n: int) -> Tensor:
    """Bumps at evenly spaced centres, as wide as these are apart."""
    distance = (places[:, None] - torch.linspace(0, 1, n)) * max(n - 1, 1)
    return torch.exp(-0.5 * distance**2)


def sinusoids(places: Tensor, n: int) -> Tensor:
    """Sine and cosine of wavelengths in geometric steps (Vaswani et al., 2017).

    The longest is four times the axis, the shortest two of its ``n - 1`` parts.
    """
    n_waves = (n + 1) // 2
    steps = torch.linspace(0, 1, n_waves) if n_waves > 1 else torch.ones(1)
    angles = torch.pi / 2 * places[:, None] * (2.0 * max(n - 1, 1)) ** steps
    return torch.cat([angles.cos(), angles.sin()], dim=1)[:, :n]


def cosines(places: Tensor, n: int) -> Tensor:
    """``cos(pi k x)`` for k from 0 to ``n - 1``: the Fourier series of an axis with two ends."""
    return torch.cos(torch.pi * places[:, None] * torch.arange(n))


FEATURES = {"gaussian": gaussians, "sinusoidal": sinusoids, "fourier": cosines}
"""Of places ``[n_points]`` on the axis, 0 to 1, and a number n: ``[n_points, n]``."""


class EnergyFeatures(nn.Module):
    """Vectors that are a function of the energy.

    That of the place x on the axis (0: first point of the training grid, 1: the last) is
    ``phi(x) W`` with ``W`` ``[n_features, dim]`` and ``phi`` of `FEATURES`, of norm 1: neighbouring
    energies start alike and learn together, where a learned index has to see each by itself.
    """

    features: Tensor

    def __init__(self, kind: EnergyEmbeddingKind, n_points: int, dim: int, n_features: int):
        super().__init__()
        self.kind, self.n_points, self.n_features = kind, n_points, n_features
        self.register_buffer("features", self.at(torch.linspace(0, 1, n_points)), persistent=False)
        self.weight = nn.Parameter(torch.randn(n_features, dim))

    def at(self, places: Tensor) -> Tensor:
        """``phi`` ``[n_places, n_features]`` of ``[n_places]``."""
        features = FEATURES[self.kind](places.float().cpu(), self.n_features)
        return features / features.norm(dim=1, keepdim=True)

    def move(self, places: Tensor | None) -> None:
        """From now on, vectors at these places ``[n]``; None: of the training grid."""
        own = torch.linspace(0, 1, self.n_points)
        self.features = self.at(own if places is None else places).to(self.features)

    def forward(self) -> Tensor:
        return self.features @ self.weight


def energy_embedding(
    kind: EnergyEmbeddingKind, n_points: int, dim: int, n_features: int
) -> nn.Parameter | EnergyFeatures:
    """A free vector per point (as published), or `EnergyFeatures`."""
    if kind == "learned":
        return nn.Parameter(torch.randn(n_points, dim))
    return EnergyFeatures(kind, n_points, dim, n_features)


def energy_states(embedding: Tensor | EnergyFeatures) -> Tensor:
    """The vectors ``[n_points, dim]``."""
    return embedding if isinstance(embedding, Tensor) else embedding()


def move_energies(embedding: Tensor | EnergyFeatures, places: Tensor | None) -> None:
    """`EnergyFeatures.move`.

    Raises:
        ConfigError: places for vectors that belong to the points of a grid.
    """
    if isinstance(embedding, EnergyFeatures):
        embedding.move(places)
    elif places is not None:
        raise ConfigError(
            "this model learned a vector for each point of its grid (model.decoder.energies "
            "learned) and answers on that grid alone: interpolate its spectra "
            "(Spectrum.interpolate), or train one with gaussian energies"
        )
