"""Rows that depend on other rows: fine-tuned, scaled, measured on moved structures, by group."""

from __future__ import annotations

import numpy as np
import pytest

from vanhove import reproduce
from vanhove.crystal.symmetry import CRYSTAL_SYSTEMS
from vanhove.evaluation.measurement import SPECIES, Measurer
from vanhove.spectra.metrics import mae_per_material


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    """Table 3 with the MLP alone: not tuned, and tuned on a part of the test part."""
    folder = tmp_path_factory.mktemp("tuned")
    rows = ["ood-system-mlp", "ood-system-mlp-tuned-10"]
    return folder, reproduce(
        "dostransformer-table3", rows=rows, quick=True, runs=folder, output=folder, quiet=True
    )


def test_tuned_rows_are_measured_on_what_no_row_was_tuned_on(tuned):
    folder, result = tuned
    before, after = result.rows
    assert after.config["start"]["checkpoint"] == str(folder / "quick-ood-system-mlp-seed0")
    assert after.config["training"]["learning_rate"] == 3e-4
    measurer = Measurer(quiet=True)
    whole = measurer.measure(folder / "quick-ood-system-mlp-seed0")
    part = measurer.measure(folder / "quick-ood-system-mlp-tuned-10-seed0")
    assert set(part.ids) < set(whole.ids)
    assert result.ids == [material for material in whole.ids if material in part.ids]
    assert result.n_materials == len(part.ids)
    errors = mae_per_material(whole.target, whole.prediction)
    kept = [i for i, material in enumerate(whole.ids) if material in part.ids]
    assert before.mean["mae"] == pytest.approx(errors[kept].mean())


def test_shapes_get_the_sum_of_another_model(tuned):
    folder, _ = tuned
    shape = Measurer(quiet=True).measure(folder / "quick-ood-system-mlp-seed0")
    order = shape.ids[::-1]
    standard = shape.restricted(order)
    standard.prediction[:] = np.arange(1, len(order) + 1)[:, None]
    standard.description["normalisation"] = "states/eV/cell"
    scaled = shape.scaled_as(standard)
    n_points = len(shape.grid)
    assert scaled.ids == shape.ids
    assert scaled.prediction.sum(axis=1) == pytest.approx(n_points * np.arange(len(order), 0, -1))
    assert scaled.description["normalisation"] == "states/eV/cell"
    ratio = scaled.prediction / np.where(shape.prediction > 0, shape.prediction, np.nan)
    assert np.nanmax(ratio, axis=1) == pytest.approx(np.nanmin(ratio, axis=1), rel=1e-4)


def test_groups_together_are_the_whole(tuned):
    folder, _ = tuned
    measured = Measurer(quiet=True).measure(folder / "quick-ood-system-mlp-seed0")
    groups = measured.group_metrics()
    assert all(np.isfinite(value) for key, value in groups.items() if key.startswith("mae"))
    for names, index in ((CRYSTAL_SYSTEMS, measured.crystal_system), (SPECIES, None)):
        index = measured.n_species - 1 if index is None else index
        total = sum(
            groups[f"mae[{names[group]}]"] * (index == group).sum() for group in np.unique(index)
        )
        assert total / len(index) == pytest.approx(measured.metrics()["mae"])


def test_moved_structures_give_other_predictions(tmp_path):
    rows = ["relaxed", "moved by 0.1 angstrom"]
    result = reproduce(
        "mat2spec-figureS7", rows=rows, quick=True, runs=tmp_path, output=tmp_path, quiet=True
    )
    relaxed, moved = (row.mean for row in result.rows)
    assert relaxed["mae_ratio"] == 1
    assert moved["mae_ratio"] == pytest.approx(moved["mae"] / relaxed["mae"])
    assert moved["mae"] != relaxed["mae"]
    assert "mae_ratio" in result.conventions
