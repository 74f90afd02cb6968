"""Seeds that a table holds are kept; what is missing is known, and worked off."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from tests.experiments.conftest import NAME
from vanhove.errors import BusyError, ConfigError
from vanhove.evaluation.measurement import Measurer
from vanhove.experiments import backlog as module
from vanhove.experiments.backlog import backlog, backlog_table, work_off
from vanhove.experiments.baseline_rows import unbeaten
from vanhove.experiments.comparison import (
    MeasuredRow,
    compared_row,
    errors_per_material,
    run_numbers,
)
from vanhove.experiments.earlier import Earlier
from vanhove.experiments.results import BaselineRow
from vanhove.papers.definitions import chosen_rows, find_experiment
from vanhove.papers.table import Column


@pytest.fixture
def mlp(done):
    row = chosen_rows(NAME, ["mlp"])[0]
    return row, row.config(quick=True, runs=done.runs)


def test_seeds_of_a_file_count_as_those_that_are_measured(done, mlp):
    row, config = mlp
    columns = list(find_experiment(NAME).columns)
    runs = [Measurer(quiet=True).measure(done.runs / f"quick-mlp-seed{s}") for s in (0, 1)]

    def compared(entry):
        return compared_row(entry, run_numbers(entry, columns, []), columns)

    both = compared(MeasuredRow(row, config, runs))
    first = MeasuredRow(row, config, runs[:1])
    content = {"rows": [compared(first).to_json()]}
    content["per_material"] = {row.key: errors_per_material(first)}
    earlier = Earlier(json.loads(json.dumps(content))).row(row, config)
    assert earlier is not None
    assert earlier.seeds == (0,)
    entry = MeasuredRow(row, config, runs[1:], earlier)
    assert compared(entry) == both
    errors, wanted = errors_per_material(entry), errors_per_material(MeasuredRow(row, config, runs))
    for key in errors:
        ours, theirs = (
            np.array([math.nan if x is None else x for x in of[key]]) for of in (errors, wanted)
        )
        np.testing.assert_allclose(ours, theirs, rtol=0.01)  # kept to three digits


def test_other_settings_are_other_runs(done, mlp):
    row, config = mlp
    earlier = Earlier(done.result.to_json())
    assert earlier.row(row, config).seeds == (0, 1)
    precision = config.training.model_copy(update={"precision": "float32"})
    assert earlier.row(row, config.model_copy(update={"training": precision})) is not None
    longer = config.training.model_copy(update={"epochs": 3})
    assert earlier.row(row, config.model_copy(update={"training": longer})) is None
    assert earlier.row(replace(row, label="another"), config) is None


def test_an_empty_folder_lacks_everything(tmp_path):
    (table,) = backlog(tmp_path, [NAME])
    wanted = chosen_rows(NAME)
    assert table.n_missing == 3 * len(wanted)
    missing = [row.label for row in table.rows if row.missing == (0, 1, 2)]
    assert missing == [row.label for row in wanted]
    text = backlog_table([table])
    assert f"{table.n_missing} runs are missing" in text
    never = len(table.rows) - len(wanted)
    assert f"{len(table.rows)} rows not run, {len(wanted)} wait and {never} will not run" in text
    assert text.endswith("\n0 rows of claims with fewer than 3 seeds")
    with pytest.raises(ConfigError, match="'tabel' is no table; allowed: dostransformer-table1"):
        backlog(tmp_path, ["tabel"])


def test_a_table_knows_its_seeds_and_times(tmp_path, done):
    result = done.result.to_json()
    rows = [dict(row) for row in result["rows"]]
    for content, row in zip(rows, chosen_rows(NAME, ["mlp", "mlp-energy"]), strict=True):
        content["config"] = row.config().model_dump(mode="json")
        content["runs"] = [{**run, "training_seconds": 60.0} for run in content["runs"]]
    (tmp_path / "phonon").mkdir()
    path = tmp_path / "phonon" / f"{NAME}.json"
    path.write_text(json.dumps(result | {"rows": rows}))
    (table,) = backlog(tmp_path, [NAME])
    states = {row.run: row for row in table.rows}
    assert states["mlp"].seeds == (0, 1)
    assert states["mlp"].missing == (2,)
    assert states["mlp"].is_known
    assert states["e3nn"].missing == (0, 1, 2)
    assert states["e3nn"].seconds == 60.0


def test_a_row_that_will_not_run_says_why(tmp_path, monkeypatch):
    experiment = find_experiment(NAME)
    first, *others = chosen_rows(NAME)
    excepted = replace(experiment, rows=(replace(first, not_run="58 core-hours"), *others))
    monkeypatch.setitem(module.EXPERIMENTS, NAME, excepted)
    (table,) = backlog(tmp_path, [NAME])
    assert (table.rows[0].missing, table.rows[0].wait) == ((), "58 core-hours")
    assert table.rows[1].wait == "waits for computing time: 3 x 10 min of one core (estimated)"
    text = backlog_table([table])
    assert f"{len(table.rows)} rows not run, {len(others)} wait and 1 will not run" in text
    assert table.n_missing == 3 * len(others)


def test_runs_of_claims_come_first(tmp_path):
    tables = backlog(tmp_path, ["xtal2dos-table1", NAME], seeds=2)
    order = [(row.is_claimed, seed) for _, row, seed in module._in_order(tables, set(), None)]
    assert order == sorted(order, key=lambda one: (not one[0], one[1]))
    assert {claimed for claimed, _ in order} == {True, False}


def test_the_longest_comes_first_and_other_tables_share_it(tmp_path, monkeypatch):
    calls = []

    def record(name, *, seeds, rows, measured_only, **others):
        calls.append((name, rows[0], seeds[0], measured_only))
        if rows[0] == "E3NN" and not measured_only:
            raise BusyError("another process is training in it")

    monkeypatch.setattr(module, "reproduce", record)
    wanted = [NAME, "dostransformer-table10"]
    assert work_off(tmp_path, wanted, seeds=1, quiet=True) == 9
    trained = [call[:3] for call in calls if not call[3]]
    assert len(trained) == len(set(trained)) == 10
    assert ("dostransformer-table10", "DOSTransformer", 0, True) in calls
    assert work_off(tmp_path, wanted, hours=0, quiet=True) == 0


def test_what_no_model_beats_is_said(done):
    mae = Column("mae", "MAE", digits=2)
    r2 = Column("r2", "R2", smaller_is_better=False, digits=2)
    row = replace(done.result.rows[0], mean={"mae": 0.3, "r2": 0.5})
    constant = BaselineRow("training mean", {"mae": 0.2, "r2": 0.1})
    assert unbeaten([mae, r2], [row, replace(row, mean=None)], [constant]) == [
        "MAE: no model beats the training mean (0.20)."
    ]
