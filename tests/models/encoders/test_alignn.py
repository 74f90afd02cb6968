"""The line graph, and what ALIGNN sees of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from vanhove.crystal.crystal import Crystal
from vanhove.crystal.graph import Batch, GraphSettings, build_graph, collate
from vanhove.datasets import load_tiny
from vanhove.models.encoders.alignn import ALIGNN, ALIGNNSettings, line_graph

SMALL = ALIGNNSettings(hidden_dim=16, n_alignn_layers=2, n_gcn_layers=1, line_graph_cutoff=3.0)


def batch_of(*crystals: Crystal, **settings) -> Batch:
    return collate([build_graph(crystal, GraphSettings(**settings)) for crystal in crystals])


def simple_cubic(a: float) -> Crystal:
    return Crystal(a * np.eye(3), np.zeros((1, 3)), np.array([84]))


def encoder(settings: ALIGNNSettings = SMALL, cutoff: float = 4.0) -> ALIGNN:
    torch.manual_seed(0)
    return ALIGNN(settings, atom_dim=4, cutoff=cutoff).eval()


def features_of(batch: Batch) -> torch.Tensor:
    return torch.rand(len(batch.atomic_numbers), 4, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("shuffled", [False, True])
def test_the_line_graph_is_that_of_a_plain_loop(shuffled):
    batch = batch_of(*load_tiny().crystals[:3], self_edges=True)
    if shuffled:
        order = torch.randperm(len(batch.edge_vector), generator=torch.Generator().manual_seed(0))
        batch = replace(
            batch, edge_index=batch.edge_index[:, order], edge_vector=batch.edge_vector[order]
        )
    source, target = batch.edge_index.tolist()
    vectors = batch.edge_vector.double().numpy()
    lengths = np.linalg.norm(vectors, axis=1)
    bonds = [b for b in range(len(lengths)) if 0 < lengths[b] < 3.2]
    expected = {}
    for first in bonds:
        for second in bonds:
            back = np.abs(vectors[first] + vectors[second]).max() < 1e-3
            if target[first] == source[second] and not back:
                overlap = -(vectors[first] @ vectors[second])
                expected[first, second] = overlap / (lengths[first] * lengths[second])
    pairs = line_graph(batch, 3.2)
    found = list(zip(pairs.source.tolist(), pairs.target.tolist(), strict=True))
    assert len(found) == len(expected) > 50
    assert set(found) == set(expected)
    cosines = [expected[pair] for pair in found]
    np.testing.assert_allclose(pairs.cosine.numpy(), cosines, atol=1e-5)
    assert (pairs.weight > 0).all()
    assert (pairs.weight <= 1).all()


def test_the_angles_of_diamond_are_tetrahedral():
    fcc = np.array([[0.0, 0.5, 0.5], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0]])
    silicon = Crystal(5.43 * fcc, [[0, 0, 0], [0.25, 0.25, 0.25]], [14, 14])
    pairs = line_graph(batch_of(silicon), 3.0)
    assert len(pairs.cosine) == 8 * 3
    torch.testing.assert_close(pairs.cosine, torch.full((24,), -1 / 3))


def test_angles_matter():
    """The same lengths in other directions give other atom states, by the line graph alone."""
    # Gates only weigh bonds against each other, so an atom must have bonds of several lengths.
    batch = batch_of(max(load_tiny().crystals, key=lambda crystal: crystal.n_atoms))
    lengths = batch.edge_vector.norm(dim=1, keepdim=True)
    generator = torch.Generator().manual_seed(0)
    directions = torch.nn.functional.normalize(
        torch.randn(batch.edge_vector.shape, generator=generator)
    )
    other = replace(batch, edge_vector=lengths * directions)
    features = features_of(batch)
    with torch.inference_mode():
        model = encoder()
        assert (model(features, batch) - model(features, other)).abs().max() > 1e-4
        without = encoder(SMALL.model_copy(update={"line_graph_cutoff": 1e-2}))
        torch.testing.assert_close(without(features, batch), without(features, other))


@pytest.mark.parametrize("cutoff", [3.0, 4.0])
def test_nothing_jumps_where_neighbours_reach_a_cutoff(cutoff):
    """3 angstrom is the cutoff of the line graph, 4 that of the graph."""
    model = encoder()
    states = []
    for shift in (-1e-3, 1e-3):
        batch = batch_of(simple_cubic(cutoff + shift))
        with torch.inference_mode():
            states.append(model(features_of(batch), batch))
    assert len(line_graph(batch_of(simple_cubic(2.9)), 3.0).cosine) == 6 * 5
    assert (states[0] - states[1]).abs().max() < 0.02


def test_bfloat16_autocast():
    batch = batch_of(*load_tiny().crystals[:2])
    model = encoder()
    with torch.autocast("cpu", torch.bfloat16):
        states = model(features_of(batch), batch)
        states.float().square().sum().backward()
    reference = model(features_of(batch), batch)
    assert (states.float() - reference).abs().max() < 0.1 * reference.abs().max()
