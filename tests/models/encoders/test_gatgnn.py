"""GATGNN: its weights, and where the composition enters."""

from __future__ import annotations

import pytest
import torch

from vanhove.crystal.graph import Batch, GraphSettings, build_graph, collate
from vanhove.datasets import load_tiny
from vanhove.models.atom_features import AtomFeatures
from vanhove.models.encoders.gatgnn import GATGNN, GATGNNSettings, composition_of

GRAPH = GraphSettings()
FEATURES = AtomFeatures(("one_hot",))


def encoder(**settings) -> GATGNN:
    torch.manual_seed(0)
    settings = {"hidden_dim": 16, "atom_features": ("one_hot",)} | settings
    return GATGNN(
        GATGNNSettings.model_validate(settings), atom_dim=FEATURES.dim, cutoff=GRAPH.cutoff
    ).eval()


@pytest.fixture(scope="module")
def batch() -> Batch:
    crystals = sorted(load_tiny().crystals, key=lambda crystal: crystal.n_atoms)
    return collate([build_graph(crystal, GRAPH) for crystal in (crystals[-1], *crystals[::8])])


def test_composition_is_fractions(batch):
    composition = composition_of(batch)
    torch.testing.assert_close(composition.sum(dim=1), torch.ones(batch.n_crystals))
    first = batch.atomic_numbers[batch.crystal_of_atom == 0]
    for z in first.unique():
        assert composition[0, z - 1] == pytest.approx(float((first == z).float().mean()))


def test_weights_of_a_crystal_sum_to_one_and_scale_the_states(batch):
    model = encoder()
    states = torch.randn(len(batch.atomic_numbers), 16)
    weights = model.atom_weights(states, batch, composition_of(batch))
    sums = batch.sum_over_atoms(weights)
    torch.testing.assert_close(sums, torch.ones_like(sums))
    assert weights.std() > 0
    # Equal logits: the sum over the states given out is the mean of the states, not mean / n.
    torch.nn.init.zeros_(model.global_out.weight)
    captured = []
    model.layers[-1].register_forward_hook(lambda *args: captured.append(args[-1]))
    given = model(FEATURES(batch.atomic_numbers), batch)
    mean = batch.sum_over_atoms(captured[0]) / batch.n_atoms[:, None]
    torch.testing.assert_close(batch.sum_over_atoms(given), mean)


@pytest.mark.parametrize("where", ["attention", "coefficients"])
def test_every_parameter_matters(batch, where):
    model = encoder(composition=where)
    model(FEATURES(batch.atomic_numbers), batch).square().sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name


def test_autocast_gives_finite_states(batch):
    model = encoder(composition="coefficients")
    features = FEATURES(batch.atomic_numbers)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cast = model(features, batch)
    torch.testing.assert_close(cast.float(), model(features, batch), atol=0.05, rtol=0.05)


def test_composition_enters_the_attention_over_neighbours_if_asked(batch):
    """The states before the attention over atoms, for the true composition and a wrong one."""
    composition = composition_of(batch)
    source_states = torch.randn(len(batch.atomic_numbers), 16)
    e = torch.randn(batch.edge_index.shape[1], 16)
    envelope = torch.rand(len(e), 1)
    for where, moves in (("attention", False), ("coefficients", True)):
        layer = encoder(composition=where).layers[0]
        states = [layer(source_states, e, envelope, batch, c) for c in (composition, -composition)]
        assert ((states[0] - states[1]).abs().max() > 1e-4) == moves, where
