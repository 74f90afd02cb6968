"""Vectors of the atoms of a structure, by the encoders of embeddings."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.embeddings.conftest import SMALL
from vanhove import embed, load, train
from vanhove.crystal.graph import collate
from vanhove.datasets import load_tiny
from vanhove.datasets.graph_store import load_graphs
from vanhove.embeddings.settings import EmbeddingSettings
from vanhove.errors import ConfigError
from vanhove.models.atom_latents import AtomLatents, LatentShape, latent_shapes
from vanhove.runs.catalog import run_config

CUTOFF = EmbeddingSettings().graph.cutoff


@pytest.fixture(scope="module")
def batch():
    graphs = load_graphs(load_tiny().crystals, EmbeddingSettings().graph, quiet=True)
    return collate([graphs.graph(row) for row in range(len(load_tiny().ids))])


@pytest.mark.parametrize("name", ["vae", "contrastive", "contrastive_labels"])
def test_they_are_the_latents_that_embed_writes(name, tmp_path):
    latents = AtomLatents([name], CUTOFF)
    path = tmp_path / "latents.npz"
    found = embed("tiny", encoder=name, latents=path, limit=6, quiet=True).latents
    crystals = {crystal.name: crystal for crystal in load_tiny().crystals}
    place = {one: row for row, one in enumerate(load_tiny().ids)}
    graphs = load_graphs(load_tiny().crystals, EmbeddingSettings().graph, quiet=True)
    rows = [
        place.get(one, list(crystals).index(one) if one in crystals else -1) for one in found.ids
    ]
    with torch.inference_mode():
        ours = latents(collate([graphs.graph(row) for row in rows]))
    np.testing.assert_allclose(ours.numpy(), found.atoms, atol=2e-5)
    assert latents.dim == found.atoms.shape[1] == 32


def test_an_atom_sees_its_neighbours(batch):
    latents = AtomLatents(["contrastive"], CUTOFF)
    with torch.inference_mode():
        found = latents(batch)
    numbers = batch.atomic_numbers
    common = int(torch.mode(numbers).values)
    own = found[numbers == common]
    assert (own - own[0]).abs().max() > 0.01  # one element, other neighbours
    assert not any(parameter.requires_grad for parameter in latents.parameters())
    assert all(p.requires_grad for p in AtomLatents(["vae"], CUTOFF, trainable=True).parameters())


def test_several_are_joined_and_known_by_their_weights(batch):
    both = AtomLatents(["vae", "contrastive"], CUTOFF)
    tensors = {f"atom_latents.{name}": p for name, p in both.named_parameters()}
    shapes = latent_shapes(tensors)
    assert shapes == [LatentShape(64, 2, 32), LatentShape(64, 2, 32)]
    again = AtomLatents(["gone.safetensors", "gone too.safetensors"], CUTOFF, shapes=shapes)
    again.load_state_dict(both.state_dict())
    with torch.inference_mode():
        torch.testing.assert_close(again(batch), both(batch))


def test_a_trained_model_needs_no_file_but_itself(tmp_path):
    path = tmp_path / "own.safetensors"
    embed("tiny", path, kind="contrastive", settings=SMALL | {"epochs": 1}, quiet=True)
    settings = {
        "data.dataset": "tiny",
        "training.epochs": 1,
        "training.select_by": "last",  # the validation part holds elements without a latent
        "model.atom_latents": [str(path)],
        "model.encoder.atom_features": ["one_hot"],
    }
    config = run_config("graph-network-energy", "compact", settings)
    result = train(config, tmp_path / "run", quiet=True)
    path.unlink()
    crystal = load_tiny().crystals[0]
    values = load(str(result.best)).predict(crystal).values
    assert np.isfinite(values).all()
    assert values.max() > 0


def test_another_cutoff_and_a_table_without_an_encoder_are_refused():
    with pytest.raises(ConfigError, match=r"set graph\.cutoff to it"):
        AtomLatents(["vae"], CUTOFF + 1)
    with pytest.raises(ConfigError, match="potential holds no encoder"):
        AtomLatents(["potential"], CUTOFF)
