"""Prepared graphs on disk: the same graphs, computed once, whatever happens to the cache."""

import multiprocessing
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from vanhove.crystal import tables
from vanhove.crystal.crystal import Crystal
from vanhove.crystal.graph import GraphSettings, build_graph
from vanhove.crystal.symmetry import crystal_system
from vanhove.datasets import graph_store, kept_arrays, load_dataset
from vanhove.datasets.graph_store import crystal_systems, load_graphs, load_symmetry
from vanhove.errors import StructureError

SETTINGS = GraphSettings()
FIELDS = ("atomic_numbers", "edge_index", "edge_vector", "lattice_lengths")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("VANHOVE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "graphs"


@pytest.fixture(scope="module")
def crystals() -> list[Crystal]:
    return load_dataset("tiny").crystals[:12]


@pytest.fixture
def no_symmetry_search(monkeypatch):
    """From now on, a symmetry search or a list of neighbours fails the test."""

    def forbid() -> None:
        for name in ("standardize", "graph_of_cell"):
            monkeypatch.setattr(tables, name, lambda *_: pytest.fail("computed again"))

    return forbid


def assert_same(crystals, settings, table) -> None:
    for row, crystal in enumerate(crystals):
        expected, graph = build_graph(crystal, settings), table.graph(row)
        assert graph.crystal_system == expected.crystal_system == table.crystal_system[row]
        assert graph.n_atoms == table.n_atoms[row]
        for name in FIELDS:
            ours, theirs = getattr(graph, name), getattr(expected, name)
            assert ours.dtype == theirs.dtype
            assert torch.equal(ours, theirs), name


@pytest.mark.parametrize(
    "settings",
    [
        SETTINGS,
        GraphSettings(cutoff=5.0, max_neighbors=6, self_edges=True),
        GraphSettings(primitive=False),
        GraphSettings(cutoff=0.6),
    ],
)
def test_the_graphs_are_those_of_build_graph(crystals, settings):
    assert_same(crystals, settings, load_graphs(crystals, settings))
    assert_same(crystals, settings, load_graphs(crystals, settings))


def test_a_second_start_computes_nothing(crystals, no_symmetry_search):
    load_graphs(crystals, SETTINGS)
    no_symmetry_search()
    assert load_graphs(crystals, SETTINGS).n_atoms.tolist()
    assert len(crystal_systems(crystals)) == len(crystals)


def test_one_symmetry_search_serves_all_settings(crystals, monkeypatch):
    searches = []
    search = tables.standardize
    monkeypatch.setattr(tables, "standardize", lambda *args: searches.append(1) or search(*args))
    load_graphs(crystals, SETTINGS)
    load_graphs(crystals, GraphSettings(cutoff=5.0))
    crystal_systems(crystals)
    assert len(searches) == len(crystals)
    load_graphs(crystals, GraphSettings(symmetry_tolerance=0.1))
    assert len(searches) == 2 * len(crystals)


def test_crystal_systems(crystals):
    assert crystal_systems(crystals) == [crystal_system(crystal) for crystal in crystals]


def test_the_crystal_system_split_is_unchanged():
    dataset = load_dataset("tiny", split="crystal_system")
    held_out = {crystal_system(dataset.crystals[row]) for row in dataset.split("test")}
    assert held_out == {"monoclinic", "triclinic"}


def test_another_structure_is_another_file(crystals, cache):
    load_graphs(crystals, SETTINGS)
    moved = replace(crystals[0], lattice=crystals[0].lattice * (1 + 1e-12))
    load_graphs([moved, *crystals[1:]], SETTINGS)
    load_graphs(crystals[::-1], SETTINGS)
    assert len(list(cache.glob("graphs-*"))) == 3


def test_the_file_is_mapped_and_never_changed(crystals, cache):
    load_graphs(crystals, SETTINGS)
    path = next(cache.glob("graphs-*"))
    before = path.read_bytes()
    arrays = kept_arrays._read(path)
    assert str(path) in Path("/proc/self/maps").read_text()
    arrays["edge_vector"][:] = 0.0
    assert path.read_bytes() == before


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def flip(content: bytes) -> bytes:
    middle = len(content) * 2 // 3
    return content[:middle] + bytes([content[middle] ^ 255]) + content[middle + 1 :]


@pytest.mark.parametrize("damage", [cut, flip, lambda _: b"", lambda _: b"\x00" * 500])
def test_a_damaged_file_is_rebuilt(crystals, cache, damage, no_symmetry_search):
    load_graphs(crystals, SETTINGS)
    for path in cache.iterdir():
        path.write_bytes(damage(path.read_bytes()))
    assert_same(crystals, SETTINGS, load_graphs(crystals, SETTINGS))
    no_symmetry_search()
    load_graphs(crystals, SETTINGS)


def test_a_cache_that_cannot_be_written_costs_a_note(crystals, tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("VANHOVE_CACHE", str(tmp_path / "file"))
    assert_same(crystals, SETTINGS, load_graphs(crystals, SETTINGS))
    assert "are not kept: " in capsys.readouterr().err


def test_a_full_disk_costs_a_note(crystals, cache, monkeypatch, capsys):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(kept_arrays, "save_file", full)
    assert_same(crystals, SETTINGS, load_graphs(crystals, SETTINGS))
    assert "No space left" in capsys.readouterr().err
    assert list(cache.iterdir()) == []


def test_an_unreadable_file_costs_a_note(crystals, cache, capsys):
    load_graphs(crystals, SETTINGS)
    for path in cache.iterdir():
        path.unlink()
        path.mkdir()
    assert_same(crystals, SETTINGS, load_graphs(crystals, SETTINGS))
    assert "not kept" in capsys.readouterr().err


def test_over_processes_the_result_is_the_same(crystals, monkeypatch):
    alone = graph_store._computed(
        tables.symmetry_arrays, [(crystals[:5], 0.01), (crystals[5:], 0.01)], "", True
    )
    monkeypatch.setattr(graph_store, "MANY", 0)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    shared = graph_store._computed(
        tables.symmetry_arrays, [(crystals[:5], 0.01), (crystals[5:], 0.01)], "", True
    )
    assert alone.keys() == shared.keys()
    for name, array in alone.items():
        assert np.array_equal(array, shared[name])


def test_two_processes_may_build_at_once(crystals, cache):
    context = multiprocessing.get_context("fork")
    others = [context.Process(target=load_graphs, args=(crystals, SETTINGS)) for _ in range(2)]
    for process in others:
        process.start()
    for process in others:
        process.join()
        assert process.exitcode == 0
    assert len(list(cache.iterdir())) == 2
    assert_same(crystals, SETTINGS, load_graphs(crystals, SETTINGS))


def test_an_unusable_crystal_does_not_stop_the_others(crystals):
    twice = Crystal(crystals[0].lattice, [[0, 0, 0], [0, 0, 0]], [14, 14], "doubled")
    table = load_graphs([crystals[0], twice], SETTINGS)
    assert table.crystal_system.tolist()[1] == -1
    assert table.graph(0).n_atoms == table.n_atoms[0]
    with pytest.raises(IndexError, match="row 1"):
        table.graph(1)
    assert load_symmetry([crystals[0], twice]).crystal_system(1) is None
    with pytest.raises(StructureError, match=r"doubled.*apart"):
        build_graph(twice, SETTINGS)
