"""Matformer's attention against a plain loop, and the lattice lengths."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch.nn import functional as F

from tests.models.encoders.test_alignn import batch_of, features_of, simple_cubic
from vanhove.datasets import load_tiny
from vanhove.models.encoders.matformer import Matformer, MatformerLayer, MatformerSettings

SMALL = MatformerSettings(hidden_dim=16, n_layers=2, n_heads=2)


def encoder(settings: MatformerSettings = SMALL) -> Matformer:
    torch.manual_seed(0)
    return Matformer(settings, atom_dim=4, cutoff=4.0).eval()


def test_a_layer_is_that_of_a_plain_loop():
    torch.manual_seed(0)
    dim, heads, width = 6, 2, 5
    layer = MatformerLayer(dim, heads, width, dropout=0.0)
    x, e, weight = torch.randn(3, dim), torch.randn(2, dim), torch.rand(5, 1)
    source, target = torch.tensor([0, 1, 2, 2, 0]), torch.tensor([1, 0, 0, 2, 2])
    kind = torch.tensor([0, 1, 1, 0, 1])
    update = torch.cat(
        [layer.update_target.weight, layer.update_source.weight, layer.update_edge.weight], dim=1
    )
    received = torch.zeros(3, heads, width)
    for edge in range(5):
        j, i = source[edge], target[edge]
        q, k, v = (part.view(3, heads, width) for part in layer.query_key_value(x).chunk(3, dim=1))
        e_ij = layer.edge(e[kind[edge]]).view(heads, width)
        for h in range(heads):
            query = torch.cat([q[i, h], q[i, h], q[i, h]])
            key = torch.cat([k[i, h], k[j, h], e_ij[h]])
            value = torch.cat([v[i, h], v[j, h], e_ij[h]])
            gate = layer.gate_norm(query * key / math.sqrt(3 * width)).sigmoid()
            updated = update @ value + layer.update_target.bias
            received[i, h] += weight[edge] * layer.message(gate * updated)
    expected = x + F.silu(layer.norm(layer.join_heads(received.flatten(1))))
    torch.testing.assert_close(layer(x, e, kind, source, target, weight), expected)


def test_the_lattice_lengths_matter_and_only_to_their_crystal():
    batch = batch_of(*load_tiny().crystals[:2])
    longer = replace(batch, lattice_lengths=batch.lattice_lengths * torch.tensor([[1.0], [1.1]]))
    features = features_of(batch)
    with torch.inference_mode():
        model = encoder()
        change = (model(features, longer) - model(features, batch)).abs().amax(dim=1)
        assert (change[batch.crystal_of_atom == 0] < 1e-6).all()
        assert (change[batch.crystal_of_atom == 1] > 1e-3).all()
        without = encoder(SMALL.model_copy(update={"periodic_patterns": False}))
        torch.testing.assert_close(without(features, longer), without(features, batch))


def test_nothing_jumps_where_neighbours_reach_the_cutoff():
    model = encoder()
    states = []
    for a in (3.999, 4.001):
        batch = batch_of(simple_cubic(a))
        with torch.inference_mode():
            states.append(model(features_of(batch), batch))
    assert (states[0] - states[1]).abs().max() < 0.02


def test_bfloat16_autocast():
    batch = batch_of(*load_tiny().crystals[:2])
    model = encoder()
    with torch.autocast("cpu", torch.bfloat16):
        states = model(features_of(batch), batch)
        states.float().square().sum().backward()
    reference = model(features_of(batch), batch)
    assert (states.float() - reference).abs().max() < 0.1 * reference.abs().max()
