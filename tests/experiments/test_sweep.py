"""`vanhove sweep` from settings to files, on the tiny data set."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from vanhove.errors import ConfigError
from vanhove.evaluation.evaluate import MeasuredRun, evaluate
from vanhove.experiments import trained_runs as engine
from vanhove.experiments.results import SweepResult, SweptPoint, SweptSplit
from vanhove.experiments.sweep import TEST_NOTE, parse_values, sweep
from vanhove.experiments.sweep_output import figure, sweep_table
from vanhove.runs.catalog import run_config
from vanhove.training.train import train_to_end

BASE = run_config(
    "mlp-energy",
    overrides={
        "data.dataset": "tiny",
        "training.epochs": 2,
        "model.encoder.hidden_dim": 16,
        "model.decoder.hidden_dim": 16,
    },
)
VALUES = {"model.decoder.energies": ["learned", "gaussian"]}


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A sweep that was killed after its first run, and continued."""
    folder = tmp_path_factory.mktemp("sweep")
    trained = []

    def once(config, *args, **options):
        if trained:
            raise SystemExit("killed")
        trained.append(config.name)
        return train_to_end(config, *args, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "train_to_end", once)
        with pytest.raises(SystemExit):
            sweep(BASE, VALUES, output=folder, quiet=True)
    partial = json.loads((folder / "sweep.json").read_text())
    again = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            engine,
            "train_to_end",
            lambda config, *a, **o: again.append(config.name) or train_to_end(config, *a, **o),
        )
        result = sweep(BASE, VALUES, output=folder, test=True, quiet=True)
    return folder, partial, [trained, again], result


def test_a_killed_sweep_goes_on_where_it_was(done):
    folder, partial, (trained, again), result = done
    assert trained == ["mlp-energy-model.decoder.energies=learned"]
    assert again == ["mlp-energy-model.decoder.energies=gaussian"]
    assert [point["values"] for point in partial["points"]] == [
        {"model.decoder.energies": "learned"}
    ]
    assert partial["points"][0]["valid"] == json.loads(json.dumps(result.points[0].valid.to_json()))
    assert {path.name for path in (folder / "runs").iterdir()} == {
        f"{name}-seed0" for name in trained + again
    }


def test_the_numbers_are_of_the_validation_part_and_on_demand_of_the_test_part(done):
    folder, partial, _, result = done
    assert partial["points"][0]["test"] is None
    assert TEST_NOTE not in partial["notes"]
    run = folder / "runs" / "mlp-energy-model.decoder.energies=gaussian-seed0"
    for split in ("valid", "test"):
        expected = evaluate(run, split, quiet=True).mean
        assert result.points[1].splits[split].mean == expected


def test_files_hold_the_result(done):
    folder, _, _, result = done
    assert json.loads((folder / "sweep.json").read_text()) == json.loads(
        json.dumps(result.to_json())
    )
    assert (folder / "sweep.png").read_bytes().startswith(b"\x89PNG")
    rows = list(csv.DictReader((folder / "sweep.csv").open()))
    (row,) = [
        row
        for row in rows
        if (row["model.decoder.energies"], row["split"], row["metric"])
        == ("gaussian", "valid", "mae")
    ]
    mae = result.points[1].valid.mean["mae"]
    assert float(row["mean"]) == mae
    table = (folder / "sweep.md").read_text()
    assert table.count("\n| gaussian | 1 |") == 1
    assert f"{mae:.4f}" in table
    assert result.metric == "rmse"


def test_numbers_are_lines_with_error_bars_and_words_are_bars():
    def point(values, mean):
        run = MeasuredRun(seed=0, epoch=0, validation={}, n_parameters=1, metrics={})
        return SweptPoint(values, SweptSplit(8, {}, {"mae": mean}, {"mae": 0.1}, [run, run]), None)

    result = SweepResult(
        title="t",
        keys=["graph.cutoff", "training.beta"],
        seeds=[0, 1],
        metric="mae",
        notes=[],
        conventions={"mae": "MAE"},
        points=[
            point({"graph.cutoff": c, "training.beta": b}, c + b) for c in (4, 2) for b in (0, 1)
        ],
        config={},
        versions={},
        machine="",
    )
    (axes,) = figure(result).axes
    data = [container.lines[0].get_xydata() for container in axes.containers]
    assert len(data) == 2
    np.testing.assert_allclose(data[0], [[2, 2], [4, 4]])
    np.testing.assert_allclose(data[1], [[2, 3], [4, 5]])
    assert "| 4 | 1 | 2 | 5.0000 ± 0.1000 |" in sweep_table(result)
    for one in result.points:
        one.values["graph.cutoff"] = f"c{one.values['graph.cutoff']}"
    (axes,) = figure(result).axes
    assert [label.get_text() for label in axes.get_xticklabels()] == ["c4", "c2"]
    assert sorted(bar.get_height() for bar in axes.patches) == [2, 3, 4, 5]


def test_values_are_yaml():
    parsed = parse_values(["a.b=1,2.5", "c=[x],[x,y]", "d=null,true,word"])
    assert parsed == {"a.b": [1, 2.5], "c": [["x"], ["x", "y"]], "d": [None, True, "word"]}
    for wrong in (["graph.cutoff"], ["graph.cutoff="], ["a=1", "a=2"], ["a=[1"]):
        with pytest.raises(ConfigError, match="write each setting once"):
            parse_values(wrong)


def test_mistakes_are_found_before_the_first_training(tmp_path, monkeypatch):
    monkeypatch.setattr(engine, "train_to_end", None)
    for values, message in (
        ({"graph.cutof": [1]}, r"graph\.cutof: Extra inputs are not permitted"),
        ({"graph.cutoff": [4, -1]}, r"graph\.cutoff=-1: graph\.cutoff"),
        ({"seed": [0, 1]}, "seed cannot be swept"),
        ({"graph": [{"cutoff": 3}]}, "graph cannot be swept"),
    ):
        with pytest.raises(ConfigError, match=message):
            sweep(BASE, values, output=tmp_path, quiet=True)
    with pytest.raises(ConfigError, match="metric 'accuracy'; allowed: mse_x10, mae"):
        sweep(BASE, {"graph.cutoff": [4]}, output=tmp_path, metric="accuracy", quiet=True)
    assert not list(tmp_path.iterdir())
