"""Tables whose numbers are not those of runs on the whole test part."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.experiments.conftest import NAME
from vanhove import reproduce
from vanhove.crystal.crystal import Crystal
from vanhove.errors import ConfigError, DataError
from vanhove.experiments.discovery import (
    CANDIDATES,
    Densities,
    _listed,
    checked,
    read_candidates,
)
from vanhove.experiments.figures import discoveries, groups
from vanhove.experiments.grouped_table import WITH, WITHOUT, groups_of
from vanhove.prediction.electron_predictor import load_electrons
from vanhove.spectra import plotting
from vanhove.spectra.grids import MAT2SPEC_ELECTRON_GRID

FCC = np.array([[0.0, 2.0, 2.0], [2.0, 0.0, 2.0], [2.0, 2.0, 0.0]])


def crystal(*numbers: int, name: str = "") -> Crystal:
    places = np.linspace(0, 1, len(numbers), endpoint=False)[:, None] * np.ones(3)
    return Crystal(FCC, places, np.array(numbers), name=name)


def test_groups_by_elements():
    found = groups_of([crystal(26), crystal(12, 8), crystal(30, 16), crystal(58), crystal(57)])
    assert found[WITH].tolist() == [True, False, True, False, True]
    assert (found[WITH] != found[WITHOUT]).all()


def test_a_table_of_groups_needs_no_run_folder(done, tmp_path):
    options = {"quick": True, "rows": ["mlp", "mlp-energy"], "quiet": True}
    result = reproduce("dostransformer-figure5", runs=tmp_path, output=done.output, **options)
    errors = np.array(done.result.per_material["mlp"]["mae"])
    (mlp, energy) = result.rows
    assert mlp.seeds == energy.seeds == [0, 1]
    parts = [(group, mlp.means.get(f"mae[{group}]")) for group in (WITH, WITHOUT)]
    assert [group for group, _ in parts] == [WITH, WITHOUT]
    assert min(errors) <= parts[1][1] <= max(errors)
    low, high = mlp.intervals[f"mae[{WITHOUT}]"]
    assert low <= parts[1][1] <= high
    assert len(plotting.png(groups(result))) < 200_000
    assert groups(replace(result, rows=[])) is None
    with pytest.raises(DataError, match=f"vanhove reproduce {NAME}"):
        reproduce("dostransformer-figure5", runs=tmp_path, output=tmp_path, **options)


def test_candidates_are_spread_and_unseen(tmp_path, monkeypatch):
    monkeypatch.setenv("VANHOVE_DATA", str(tmp_path))
    with pytest.raises(DataError, match="structures without labels"):
        read_candidates(3, [], [3])
    (tmp_path / CANDIDATES).parent.mkdir()
    np.savez(
        tmp_path / CANDIDATES,
        ids=np.array(["a", "b", "c", "d", "e"]),
        lattice=np.stack([FCC] * 5),
        natoms=np.array([1, 2, 1, 1, 1]),
        Z=np.array([3, 3, 9, 11, 92, 3]),
        frac=np.zeros((6, 3)),
    )
    found = read_candidates(2, ["a"], [3, 9, 11])
    assert [one.name for one in found] == ["b", "e"]
    assert found[0].atomic_numbers.tolist() == [3, 9]
    assert [one.name for one in read_candidates(9, [], [3, 9, 11])] == ["a", "b", "c", "e"]


def gapped(*has: bool) -> Densities:
    """Mat2Spec's criterion: empty from -1.5 to -0.5 eV."""
    grid = MAT2SPEC_ELECTRON_GRID
    empty = (grid > -1.75) & (grid < -0.5)
    return Densities(np.stack([np.where(empty & one, 0.0, 3.0) for one in has]))


def test_the_list_of_candidates():
    crystals = [crystal(3, name=name) for name in "abcd"]
    named = {
        "one, seed 0": gapped(True, True, False, False),
        "two": gapped(True, False, False, False),
    }
    truth = gapped(True, False, False, True)
    assert truth.have_gap.tolist() == [True, False, False, True]
    listed = _listed(crystals, truth, named)
    shown = [(entry["id"], entry["confirmed"], len(entry["named_by"])) for entry in listed]
    assert shown == [("a", True, 2), ("b", False, 1), ("d", True, 0)]
    assert "place" not in listed[0]
    assert list(listed[0]["densities"]) == ["vanhove-electron", "one, seed 0"]


def test_figure_of_discoveries(done):
    listed = _listed([crystal(3, name="a")], gapped(True), {"run": gapped(True)})
    result = replace(done.result, discovery={"candidates": listed})
    assert len(plotting.png(discoveries(result))) < 200_000
    assert discoveries(done.result) is None


def test_discovery_has_no_quick_form(tmp_path):
    with pytest.raises(ConfigError, match="no --quick form"):
        reproduce("mat2spec-discovery", quick=True, runs=tmp_path, output=tmp_path, quiet=True)


def test_the_checker_counts_from_both_edges():
    silicon = Crystal(
        np.array([[0, 2.733, 2.733], [2.733, 0, 2.733], [2.733, 2.733, 0]]),
        np.array([[0.0, 0, 0], [0.25, 0.25, 0.25]]),
        np.array([14, 14]),
        name="Si",
    )
    densities, taken = checked(load_electrons(), [silicon, crystal(118, name="Og")])
    assert [one.name for one in taken] == ["Si"]
    assert densities.values.shape == (1, 128)
    # 4 eV below the top of Si's valence bands there are states at once, and no gap among them.
    assert densities.values.min() >= 0
    assert densities.values[0, :60].max() > 0.5
    assert densities.have_gap.tolist() == [False]
