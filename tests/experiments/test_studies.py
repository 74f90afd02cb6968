"""Rows that share a run and are measured under other conditions."""

from __future__ import annotations

import numpy as np
import pytest

from vanhove import reproduce
from vanhove.evaluation.conditions import AS_THEY_ARE, Conditions
from vanhove.evaluation.measurement import Measurer
from vanhove.papers.definitions import chosen_rows


def test_a_condition_is_part_of_what_a_measurement_is_called():
    assert str(AS_THEY_ARE) == ""
    rows = chosen_rows("grid-transfer", ["graph-network-energy-gaussian"])
    assert [row.key for row in rows] == [
        "graph-network-energy-gaussian",
        "graph-network-energy-gaussian, on 101 points",
        "graph-network-energy-gaussian, on 26 points",
    ]
    assert str(Conditions(0.1, "stretched")) == "moved by 0.1, stretched"


def test_grids_are_transferred(tmp_path):
    """One run asked for two grids, beside the one that was trained there."""
    wanted = ["graph-network-energy-gaussian", "graph-network-energy-gaussian-26"]
    result = reproduce(
        "grid-transfer", rows=wanted, quick=True, runs=tmp_path, output=tmp_path, quiet=True
    )
    rows = {row.label.split("trained on ")[1]: row for row in result.rows}
    assert set(rows) == {
        f"{trained} points, measured on {measured}"
        for trained, measured in ((51, 51), (51, 101), (51, 26), (26, 101), (26, 26))
    }
    own, moved = rows["26 points, measured on 26"], rows["51 points, measured on 26"]
    assert own.mean["mae_ratio"] == 1
    assert moved.mean["mae_ratio"] == pytest.approx(moved.mean["mae"] / own.mean["mae"])
    assert "mae_ratio" not in rows["51 points, measured on 101"].mean  # its row was not asked for
    measurer = Measurer(quiet=True)
    folder = tmp_path / "quick-graph-network-energy-gaussian-seed0"
    as_trained = measurer.measure(folder)
    coarse = measurer.measure(folder, Conditions(grid_points=26))
    assert coarse.prediction.shape == coarse.target.shape == (8, 26)
    np.testing.assert_allclose(coarse.target, as_trained.target[:, ::2], atol=1e-6)
    np.testing.assert_allclose(coarse.prediction, as_trained.prediction[:, ::2], atol=1e-4)
    assert coarse.metrics()["mae"] == pytest.approx(moved.mean["mae"])

    stretched = measurer.measure(folder, Conditions(structures="stretched"))
    assert stretched.metrics()["mean_neighbors"] < as_trained.metrics()["mean_neighbors"]
    rearranged = measurer.measure(folder, Conditions(structures="rearranged"))
    for other in (stretched, rearranged):
        assert np.array_equal(other.target, as_trained.target)
        assert not np.allclose(other.prediction, as_trained.prediction, atol=1e-3)
