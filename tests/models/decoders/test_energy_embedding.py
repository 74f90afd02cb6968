"""What decoders know of the energies."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from vanhove.errors import ConfigError
from vanhove.models.decoders.dostransformer import DOSTransformerDecoder, DOSTransformerSettings
from vanhove.models.decoders.energy_embedding import (
    FEATURES,
    energy_embedding,
    energy_states,
    move_energies,
)
from vanhove.models.decoders.energywise import EnergywiseDecoder, EnergywiseSettings


def neighbours_alike(states: torch.Tensor) -> float:
    return torch.cosine_similarity(states[1:], states[:-1], dim=1).mean().item()


def test_gaussian_energies_vary_smoothly_and_as_much_as_free_ones():
    torch.manual_seed(0)
    free = energy_states(energy_embedding("learned", 201, 64, 40))
    smooth = energy_states(energy_embedding("gaussian", 201, 64, 40))
    assert free.shape == smooth.shape == (201, 64)
    assert neighbours_alike(smooth) > 0.97 > 0.1 > abs(neighbours_alike(free))
    assert smooth.std().item() == pytest.approx(free.std().item(), rel=0.05)
    assert abs(torch.cosine_similarity(smooth[0], smooth[100], dim=0).item()) < 0.5


def test_the_grid_may_be_finer_than_the_centres_or_coarser():
    torch.manual_seed(0)
    fine, coarse = (energy_embedding("gaussian", n, 8, 10) for n in (91, 46))
    coarse.load_state_dict(fine.state_dict())
    assert torch.allclose(energy_states(fine)[::2], energy_states(coarse), atol=1e-6)


@pytest.mark.parametrize(
    ("decoder", "settings"),
    [
        (DOSTransformerDecoder, DOSTransformerSettings),
        (EnergywiseDecoder, EnergywiseSettings),
    ],
)
def test_free_energies_keep_their_name_in_checkpoints(decoder, settings):
    sizes = {"atom_dim": 4, "system_dim": 0, "n_points": 7, "output": "raw"}
    learned = decoder(settings(hidden_dim=8), **sizes)
    assert isinstance(learned.energy_embedding, nn.Parameter)
    smooth = decoder(settings(hidden_dim=8, energies="gaussian", energy_centers=5), **sizes)
    assert smooth.state_dict()["energy_embedding.weight"].shape == (5, 8)


FUNCTIONS = tuple(FEATURES)


@pytest.mark.parametrize("kind", FUNCTIONS)
@settings(max_examples=20, deadline=None)
@given(
    places=st.lists(st.floats(0, 1, width=32), min_size=1, max_size=9),
    n_features=st.integers(2, 41),
    n_points=st.integers(2, 60),
)
def test_a_vector_depends_on_its_energy_alone(kind, places, n_features, n_points):
    """Not on the grid of the model, nor on the other energies that are asked for."""
    torch.manual_seed(0)
    one = energy_embedding(kind, n_points, 3, n_features)
    other = energy_embedding(kind, 51, 3, n_features)
    other.load_state_dict(one.state_dict())
    assert energy_states(one).shape == (n_points, 3)
    here = torch.tensor(places)
    move_energies(one, here)
    for place, vector in zip(here, energy_states(one), strict=True):
        move_energies(other, place[None])
        torch.testing.assert_close(energy_states(other)[0], vector, rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", FUNCTIONS)
def test_moved_energies_come_back(kind):
    torch.manual_seed(0)
    embedding = energy_embedding(kind, 51, 8, 40)
    own = energy_states(embedding).detach().clone()
    fine = torch.linspace(0, 1, 101)
    move_energies(embedding, fine)
    moved = energy_states(embedding).detach()
    assert moved.shape == (101, 8)
    torch.testing.assert_close(moved[::2], own, rtol=0, atol=1e-4)
    move_energies(embedding, None)
    assert torch.equal(energy_states(embedding), own)


def test_gaussian_features_are_those_of_older_checkpoints():
    """Bit by bit: no weight was trained with other ones."""
    embedding = energy_embedding("gaussian", 51, 4, 40)
    distance = (torch.linspace(0, 1, 51)[:, None] - torch.linspace(0, 1, 40)) * 39
    bumps = torch.exp(-0.5 * distance**2)
    assert torch.equal(embedding.features, bumps / bumps.norm(dim=1, keepdim=True))
    assert list(embedding.state_dict()) == ["weight"]


def test_features_are_what_they_are_called():
    x = np.linspace(0, 1, 7)
    places = torch.from_numpy(x).float()
    series = np.stack([np.cos(np.pi * k * x) for k in range(4)], axis=1)
    np.testing.assert_allclose(FEATURES["fourier"](places, 4), series, atol=1e-6)
    waves = FEATURES["sinusoidal"](places, 5)  # quarter of a wave to two parts of the axis
    angles = [np.pi / 2 * x * factor for factor in (1, np.sqrt(8), 8)]
    expected = [*map(np.cos, angles), *map(np.sin, angles)][:5]
    np.testing.assert_allclose(waves, np.stack(expected, axis=1), atol=1e-5)


def test_learned_energies_stay_where_they_are():
    embedding = energy_embedding("learned", 5, 3, 40)
    move_energies(embedding, None)
    with pytest.raises(ConfigError, match=r"answers on that grid alone: interpolate"):
        move_energies(embedding, torch.linspace(0, 1, 9))
