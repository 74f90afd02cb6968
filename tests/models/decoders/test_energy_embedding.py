"""What decoders know of the energies."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from vanhove.models.decoders.dostransformer import DOSTransformerDecoder, DOSTransformerSettings
from vanhove.models.decoders.energy_embedding import energy_embedding, energy_states
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
