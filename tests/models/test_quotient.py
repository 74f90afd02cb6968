"""What symmetry makes equal is computed once, and nothing else changes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.models.encoders.test_alignn import batch_of, encoder
from vanhove.crystal.crystal import Crystal
from vanhove.crystal.graph import Batch
from vanhove.datasets import load_tiny
from vanhove.models.encoders import alignn
from vanhove.models.quotient import CLOSE, classes, close_values, equal_rows

PEROVSKITE = Crystal(
    3.9 * np.eye(3),
    [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]],
    [38, 22, 8, 8, 8],
)


def by_element(batch: Batch) -> torch.Tensor:
    return torch.rand(100, 4, generator=torch.Generator().manual_seed(0))[batch.atomic_numbers]


@pytest.fixture
def sizes(monkeypatch):
    """How many atoms, edges and pairs the network saw."""
    seen = []

    def watched(*arguments):
        found = quotient(*arguments)
        seen.append((len(found.atoms), len(found.edges), len(found.pairs)))
        return found

    quotient = alignn.quotient
    monkeypatch.setattr(alignn, "quotient", watched)
    return seen


def states(batch: Batch) -> torch.Tensor:
    with torch.inference_mode():
        return encoder()(by_element(batch), batch)


def all_apart(batch: Batch, monkeypatch) -> torch.Tensor:
    with monkeypatch.context() as changed:
        changed.setattr(alignn, "equal_rows", lambda rows: torch.arange(len(rows)))
        return states(batch)


def test_a_perovskite_has_three_atoms(sizes, monkeypatch):
    batch = batch_of(PEROVSKITE)
    reduced = states(batch)
    whole = all_apart(batch, monkeypatch)
    assert sizes[0][0] == 3
    assert sizes[1][0] == 5
    assert sizes[0][1] < sizes[1][1] / 1.5
    torch.testing.assert_close(reduced, whole, rtol=1e-5, atol=1e-6)


def test_atoms_with_unlike_surroundings_stay_apart(sizes, monkeypatch):
    """Of one element and with neighbours at the same distances, in other directions."""
    crystals = sorted(load_tiny().crystals, key=lambda crystal: -crystal.n_atoms)
    batch = batch_of(*crystals[:6])
    reduced = states(batch)
    torch.testing.assert_close(reduced, all_apart(batch, monkeypatch), rtol=1e-5, atol=1e-6)
    distinct = len(torch.unique((reduced / 1e-3).round(), dim=0))
    assert distinct <= sizes[0][0] < sizes[1][0]


def test_a_displaced_atom_breaks_the_symmetry(sizes):
    batch = batch_of(PEROVSKITE, primitive=False)
    moved = batch.edge_vector.clone()
    moved[batch.edge_index[1] == 2] += torch.tensor([0.0, 0.0, 1e-3])
    states(replace(batch, edge_vector=moved))
    states(batch)
    assert sizes[0][0] > sizes[1][0] == 3


def test_where_no_two_bonds_are_alike_there_is_nothing_to_find(sizes, monkeypatch):
    places = np.random.default_rng(0).normal(0, 0.02, (5, 3)) + PEROVSKITE.fractional_coordinates
    crystal = Crystal(4.3 * np.eye(3), places, PEROVSKITE.atomic_numbers)
    batch = batch_of(crystal)
    found = states(batch)
    assert not sizes
    monkeypatch.setattr(alignn, "whole", lambda n, ends, pairs: pytest.fail("took it as a whole"))
    doubled = batch_of(crystal, crystal)
    torch.testing.assert_close(states(doubled)[:5], found, rtol=1e-5, atol=1e-6)
    assert sizes[0][0] == 5


def test_dropout_treats_each_atom_by_itself(sizes):
    batch = batch_of(PEROVSKITE)
    model = alignn.ALIGNN(
        alignn.ALIGNNSettings(hidden_dim=16, n_alignn_layers=1, n_gcn_layers=1, dropout=0.5),
        atom_dim=4,
        cutoff=4.0,
    )
    model.train()(by_element(batch), batch)
    assert sizes[0][0] == 5


@given(st.lists(st.floats(0, 4, width=32), min_size=1, max_size=60))
def test_close_values_are_close(numbers):
    values = torch.tensor(numbers)
    kinds, kind = close_values(values)
    assert (kinds[kind] - values).abs().max() <= 6 * CLOSE
    assert (kinds.diff() > 0).all()


def test_a_chain_of_close_values_is_cut():
    values = torch.arange(1000, dtype=torch.float64) * CLOSE / 2
    kinds, kind = close_values(values)
    assert (kinds[kind] - values).abs().max() < 6 * CLOSE
    assert len(kinds) > 50


@given(st.lists(st.integers(-(2**62), 2**62), max_size=50))
def test_classes_are_in_order_of_appearance(numbers):
    n, of_each = classes(torch.tensor(numbers, dtype=torch.long))
    appeared = list(dict.fromkeys(numbers))
    assert n == len(appeared)
    assert of_each.tolist() == [appeared.index(number) for number in numbers]


def test_equal_rows_alone_have_equal_numbers():
    rows = torch.rand(50, 7)[torch.arange(100) % 50]
    numbers = equal_rows(rows)
    assert (numbers[:50] == numbers[50:]).all()
    assert len(set(numbers[:50].tolist())) == 50
    rows[3, 2] += 1e-6
    assert equal_rows(rows)[3] != numbers[3]
