"""UniMP: attention against a plain loop, the gate at its extremes."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError

from vanhove.crystal.graph import GraphSettings, build_graph, collate
from vanhove.datasets import load_tiny
from vanhove.models.encoders.unimp import TransformerConv, UniMP, UniMPSettings

DIM, HEADS, BASIS = 8, 2, 5
TARGET = torch.tensor([0, 0, 1, 2, 0])
SOURCE = torch.tensor([1, 2, 0, 0, 0])


@pytest.fixture
def parts():
    torch.manual_seed(0)
    settings = UniMPSettings(hidden_dim=DIM, n_heads=HEADS, n_basis=BASIS)
    layer = TransformerConv(settings).requires_grad_(False)
    return layer, torch.randn(3, DIM), torch.randn(5, BASIS), torch.rand(5, 1)


def test_attention_is_that_of_the_equations(parts):
    layer, x, e, envelope = parts
    query, key, value, edge = layer.query(x), layer.key(x), layer.value(x), layer.edge(e)
    expected = torch.zeros(3, DIM)
    width = DIM // HEADS
    for atom in range(3):
        edges = torch.nonzero(atom == TARGET).flatten()
        for head in range(HEADS):
            part = slice(head * width, (head + 1) * width)
            keys = key[SOURCE[edges], part] + edge[edges, part]
            values = value[SOURCE[edges], part] + edge[edges, part]
            logits = keys @ query[atom, part] / width**0.5 + envelope[edges, 0].log()
            expected[atom, part] = torch.softmax(logits, dim=0) @ values
    message = layer.message(x, e, envelope, torch.stack([SOURCE, TARGET]))
    torch.testing.assert_close(message, expected)


def test_the_gate_at_its_extremes(parts):
    layer, x, e, envelope = parts
    edges = (e, envelope, torch.stack([SOURCE, TARGET]))
    message, residual = layer.message(x, *edges), layer.residual(x)
    joined = torch.cat([message, residual, message - residual], dim=-1)
    layer.gate.weight.copy_(1e4 * joined[0])  # open for the first atom
    torch.testing.assert_close(layer(x, *edges)[0], residual[0])
    layer.gate.weight.copy_(-1e4 * joined[0])
    torch.testing.assert_close(layer(x, *edges)[0], message[0])


def test_an_atom_without_neighbours_keeps_its_own_state(parts):
    layer, x, _, _ = parts
    none = torch.zeros(2, 0, dtype=torch.long)
    first, other = (layer(v, torch.zeros(0, BASIS), torch.zeros(0, 1), none) for v in (x, x + 1))
    assert torch.isfinite(first).all()
    assert (first - other).abs().max() > 1e-3


def test_autocast(parts):
    layer, x, e, envelope = parts
    edges = (e, envelope, torch.stack([SOURCE, TARGET]))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cast = layer(x, *edges)
    torch.testing.assert_close(cast.float(), layer(x, *edges), atol=0.05, rtol=0.05)


def test_heads_must_divide_the_width():
    with pytest.raises(ValidationError, match="hidden_dim 10 must be a multiple of n_heads 4"):
        UniMPSettings(hidden_dim=10)


def test_as_printed_one_edge_map_serves_all_layers_and_no_norm_comes_last():
    settings = UniMPSettings(hidden_dim=DIM, n_heads=HEADS, n_basis=BASIS, n_layers=3)
    ours = UniMP(settings, atom_dim=4, cutoff=4.0)
    printed = settings.model_copy(update={"shared_edges": True, "last_norm": False})
    theirs = UniMP(printed, atom_dim=4, cutoff=4.0)

    def count(module: torch.nn.Module) -> int:
        return sum(p.numel() for p in module.parameters())

    assert count(ours) - count(theirs) == 2 * BASIS * DIM + 2 * DIM
    graph = build_graph(load_tiny().crystals[0], GraphSettings())
    states = theirs(torch.randn(graph.n_atoms, 4), collate([graph]))
    states.sum().backward()
    assert theirs.edges_in.weight.grad.abs().sum() > 0
