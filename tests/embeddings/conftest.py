"""The tiny data set as something to learn embeddings from."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vanhove.datasets import load_tiny
from vanhove.datasets.graph_store import load_graphs
from vanhove.embeddings.settings import EmbeddingSettings
from vanhove.embeddings.train import Material

SMALL = {"latent_dim": 8, "hidden_dim": 24, "n_layers": 1, "batch_size": 16, "learning_rate": 0.01}


def small(kind: str, **changes) -> EmbeddingSettings:
    return EmbeddingSettings.model_validate({"kind": kind, **SMALL, **changes})


@pytest.fixture(scope="session")
def crystals():
    return load_tiny().crystals


@pytest.fixture(scope="session")
def material(crystals) -> Material:
    graphs = load_graphs(crystals, EmbeddingSettings().graph, quiet=True)
    return Material(graphs, torch.arange(len(crystals)), None, "tiny")


@pytest.fixture(scope="session")
def labelled(material) -> Material:
    spectra = torch.from_numpy(np.asarray(load_tiny().values, dtype=np.float32))
    return Material(material.graphs, material.rows, spectra, "tiny with spectra")
