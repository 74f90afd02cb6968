"""What is learned: views, the autoencoder, contrast."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import wasserstein_distance

from tests.crystal.transform import transformed
from tests.embeddings.conftest import small
from vanhove.crystal.graph import build_graph, collate
from vanhove.embeddings.contrastive import wasserstein
from vanhove.embeddings.train import build_objective, measure, train_objective
from vanhove.embeddings.vae import CrystalVAE
from vanhove.embeddings.views import HIDDEN_ELEMENT, random_view
from vanhove.errors import ConfigError

TRAINED = ("vae", "contrastive", "contrastive-labels")


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def first_batch(material, size: int = 16):
    return next(iter(material.batches(material.rows, size)))[0]


def test_a_view_is_the_crystal_with_small_changes(material):
    batch = first_batch(material)
    same = small("contrastive", displacement=0, dropped_edges=0, masked_atoms=0)
    view = random_view(batch, same, generator())
    assert torch.equal(view.edge_vector, batch.edge_vector)
    assert torch.equal(view.atomic_numbers, batch.atomic_numbers)
    changed = small("contrastive", displacement=0.05, dropped_edges=0.3, masked_atoms=0.4)
    view = random_view(batch, changed, generator())
    assert 0.6 < view.edge_index.shape[1] / batch.edge_index.shape[1] < 0.8
    assert 0.2 < (view.atomic_numbers == HIDDEN_ELEMENT).float().mean() < 0.6
    shaken = random_view(
        batch, small("contrastive", displacement=0.05, dropped_edges=0), generator()
    )
    moved = (shaken.edge_vector - batch.edge_vector).norm(dim=1)
    assert 0.01 < moved.mean() < 0.3


def test_the_two_directions_of_an_edge_stay_opposite(material):
    """A view moves atoms, it does not bend each edge on its own."""
    batch = first_batch(material, 4)
    view = random_view(batch, small("contrastive", dropped_edges=0), generator())

    def sums(vectors):
        (source, target) = batch.edge_index
        n = len(batch.atomic_numbers)
        pairs = torch.zeros(n * n, 3).index_add(0, source * n + target, vectors)
        return pairs.view(n, n, 3)

    total = sums(view.edge_vector)
    assert torch.allclose(total, -total.transpose(0, 1), atol=1e-3)


@pytest.mark.parametrize("kind", TRAINED)
def test_latents_are_invariant(kind, crystals):
    torch.manual_seed(0)
    objective = build_objective(small(kind)).eval()
    settings = objective.settings.graph
    for seed in range(3):
        crystal = crystals[seed * 5]
        found = []
        for one in (crystal, transformed(crystal, seed)):
            graph = build_graph(one, settings)
            with torch.inference_mode():
                latents = objective.latents(collate([graph])).numpy()
            assert latents.shape == (graph.n_atoms, 8)
            found.append(latents[np.lexsort((*latents.T.round(3), graph.atomic_numbers.numpy()))])
        np.testing.assert_allclose(found[0], found[1], atol=1e-4)


def test_the_autoencoder_reconstructs(material, tmp_path):
    settings = small("vae", epochs=50, latent_dim=16, hidden_dim=48, beta=0.005, learning_rate=0.02)
    torch.manual_seed(0)
    untrained = CrystalVAE(settings)
    batch = first_batch(material, 64)
    before = {k: v.item() for k, v in untrained.losses(batch, generator()).items()}
    objective, _ = train_objective(settings, material, tmp_path / "state")
    after = {k: v.item() for k, v in objective.losses(batch, generator()).items()}
    for part in ("element", "neighbours", "shells", "composition", "lengths"):
        assert after[part] < 0.8 * before[part], part
    measures = measure(objective, material, material.rows, settings)
    assert measures["composition"] < measures["composition_of_the_mean"] - 0.3


def test_views_of_a_crystal_are_drawn_together(material, tmp_path):
    """On crystals that were held out."""
    settings = small("contrastive", epochs=15, displacement=0.05)
    objective, _ = train_objective(settings, material, tmp_path / "state")
    held_out = material.rows[torch.randperm(len(material.rows), generator=generator())[:12]]
    measures = measure(objective, material, held_out, settings)
    assert measures["cosine_of_views"] > measures["cosine_of_others"] + 0.3


def test_like_spectra_are_drawn_together(labelled, tmp_path):
    settings = small("contrastive-labels", epochs=20, dropped_edges=0.0, masked_atoms=0.0)
    torch.manual_seed(settings.seed)
    untrained = measure(build_objective(settings), labelled, labelled.rows, settings)
    objective, _ = train_objective(settings, labelled, tmp_path / "state")
    trained = measure(objective, labelled, labelled.rows, settings)

    def contrast(measures):
        return measures["cosine_of_nearest_spectra"] - measures["cosine_of_others"]

    assert contrast(trained) > contrast(untrained) + 0.2


def test_distances_of_spectra_are_those_of_scipy(labelled):
    spectra = labelled.spectra[:5]
    places = np.linspace(0, 1, spectra.shape[1])
    ours = wasserstein(spectra).numpy()
    for i in range(5):
        for j in range(5):
            a, b = spectra[i].numpy(), spectra[j].numpy()
            assert ours[i, j] == pytest.approx(wasserstein_distance(places, places, a, b), abs=1e-5)


def test_what_was_stopped_continues_to_the_same_weights(material, tmp_path, monkeypatch):
    settings = small("vae", epochs=3)
    whole, _ = train_objective(settings, material, tmp_path / "whole")
    monkeypatch.setattr("vanhove.embeddings.train.SECONDS_BETWEEN_SAVES", -1.0)
    from vanhove.embeddings.train import _Training

    step, state = _Training.train_step, tmp_path / "stopped"

    def dies(self, *arguments):
        if self.step == 4:  # in the middle of an epoch
            raise KeyboardInterrupt
        return step(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(_Training, "train_step", dies)
        with pytest.raises(KeyboardInterrupt):
            train_objective(settings, material, state)
    assert state.exists()
    continued, _ = train_objective(settings, material, state)
    for name, weight in whole.named_parameters():
        assert torch.equal(weight, dict(continued.named_parameters())[name]), name
    other = settings.model_copy(update={"beta": 1.0})
    with pytest.raises(ConfigError, match="of a training with other settings"):
        train_objective(other, material, state)
