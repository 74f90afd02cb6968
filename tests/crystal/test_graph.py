"""Graphs and batches."""

import pytest
import torch

from tests.crystal.test_neighbors import rock_salt
from tests.crystal.transform import transformed
from vanhove.crystal.crystal import Crystal
from vanhove.crystal.graph import GraphSettings, build_graph, collate
from vanhove.crystal.symmetry import CRYSTAL_SYSTEMS


def silicon() -> Crystal:
    base = rock_salt(5.43)
    return Crystal(base.lattice, [[0, 0, 0], [0.25, 0.25, 0.25]], [14, 14])


def conventional_silicon() -> Crystal:
    cell = silicon().to_structure().to_conventional()
    return Crystal(cell.lattice.matrix, cell.frac_coords, [14] * len(cell))


def test_the_primitive_cell_is_used_unless_asked_otherwise():
    assert build_graph(conventional_silicon(), GraphSettings()).n_atoms == 2
    assert build_graph(conventional_silicon(), GraphSettings(primitive=False)).n_atoms == 8


def test_graph_of_silicon():
    graph = build_graph(silicon(), GraphSettings(cutoff=3.0))
    assert graph.atomic_numbers.tolist() == [14, 14]
    assert CRYSTAL_SYSTEMS[graph.crystal_system] == "cubic"
    assert graph.edge_index.shape == (2, 8)
    lengths = torch.linalg.vector_norm(graph.edge_vector, dim=1)
    torch.testing.assert_close(lengths, torch.full((8,), 5.43 * 3**0.5 / 4))


def test_self_edges_have_zero_length():
    plain = build_graph(silicon(), GraphSettings())
    looped = build_graph(silicon(), GraphSettings(self_edges=True))
    assert looped.edge_index.shape[1] == plain.edge_index.shape[1] + 2
    assert (looped.edge_vector == 0).all(dim=1).sum() == 2


def test_lattice_lengths_are_those_of_the_primitive_lattice():
    expected = torch.full((3,), 5.43 / 2**0.5)
    others = [transformed(silicon(), seed) for seed in (1, 2)]
    for crystal in (silicon(), conventional_silicon(), *others):
        graph = build_graph(crystal, GraphSettings())
        assert graph.lattice_lengths.dtype == torch.float32
        torch.testing.assert_close(graph.lattice_lengths, expected)
    given = build_graph(conventional_silicon(), GraphSettings(primitive=False))
    torch.testing.assert_close(given.lattice_lengths, torch.full((3,), 5.43))


def test_batches_keep_crystals_apart():
    graphs = [
        build_graph(c, GraphSettings(primitive=False))
        for c in (silicon(), conventional_silicon(), rock_salt())
    ]
    batch = collate(graphs)
    assert batch.n_atoms.tolist() == [2, 8, 2]
    assert batch.max_atoms == 8
    assert batch.crystal_of_atom.tolist() == [0] * 2 + [1] * 8 + [2] * 2
    source, target = batch.edge_index
    assert torch.equal(batch.crystal_of_atom[source], batch.crystal_of_atom[target])
    dense, mask = batch.dense(batch.atomic_numbers[:, None].float())
    assert mask.sum(dim=1).tolist() == [2, 8, 2]
    assert dense[2, :2, 0].tolist() == batch.atomic_numbers[-2:].tolist()
    assert (dense[~mask] == 0).all()
    torch.testing.assert_close(batch.lattice_lengths[1], torch.full((3,), 5.43))
    assert batch.lattice_lengths.shape == (3, 3)
    assert batch.sum_over_atoms(torch.ones(12, 1))[:, 0].tolist() == [2, 8, 2]


def test_an_empty_batch_is_refused():
    with pytest.raises(ValueError, match="at least one graph"):
        collate([])
