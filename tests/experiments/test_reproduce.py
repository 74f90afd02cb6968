"""`vanhove reproduce` from training to files, on the tiny data set."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from tests.experiments.conftest import NAME, ROWS
from vanhove import reproduce
from vanhove.cli.options import parse_rows, parse_seeds
from vanhove.errors import ConfigError, DataError
from vanhove.evaluation import measurement
from vanhove.evaluation.evaluate import evaluate
from vanhove.evaluation.measurement import Measurer
from vanhove.experiments import trained_runs as runs_module
from vanhove.experiments.tables import experiment_table
from vanhove.papers.definitions import chosen_rows
from vanhove.results import read_result


def test_the_files_hold_the_result(done):
    result = read_result(done.output / f"{NAME}-quick.json")
    assert result == json.loads(json.dumps(done.result.to_json()))
    assert result["quick"]
    assert "NOT A MEASUREMENT" in result["notes"][0]
    assert [row["run"] for row in result["rows"]] == ROWS
    for row in result["rows"]:
        assert row["seeds"] == [0, 1] == [run["seed"] for run in row["runs"]]
        values = [run["metrics"]["mae"] for run in row["runs"]]
        assert row["mean"]["mae"] == pytest.approx(np.mean(values))
        assert row["std"]["mae"] == pytest.approx(np.std(values, ddof=1))
        errors = result["per_material"][row["run"]]
        assert set(errors) == set(measurement.PER_MATERIAL)
        assert np.mean(errors["mae"]) == pytest.approx(row["mean"]["mae"], rel=1e-3)
    mlp = result["rows"][0]
    assert mlp["published"]["values"]["mse_x10"] == 0.309
    assert mlp["distance"]["mse_x10"]["published_spreads"] == pytest.approx(
        (mlp["mean"]["mse_x10"] - 0.309) / 0.016
    )
    assert "bulk_modulus_mse" not in mlp["distance"]  # no size to compare

    assert mlp["published"]["values"]["mae"] == 0.106
    for file in result["figures"]:
        assert (done.output / file).read_bytes().startswith(b"\x89PNG")


def test_the_numbers_are_those_of_evaluate(done):
    folder = done.runs / "quick-mlp-seed1"
    theirs = evaluate(folder, quiet=True).mean
    ours = done.result.rows[0].runs[1].metrics
    assert {key: ours[key] for key in theirs} == pytest.approx(theirs, rel=1e-6)


def test_the_table_shows_ours_and_theirs(done):
    text = experiment_table(done.result)
    mean, std = (getattr(done.result.rows[0], what)["mae"] for what in ("mean", "std"))
    assert f"{mean:.3f} +- {std:.3f}" in text
    assert "0.309 +- 0.016" in text
    assert "NOT A MEASUREMENT" in text


def test_a_finished_run_is_neither_trained_nor_predicted_again(done, tmp_path, monkeypatch):
    def forbidden(*args, **kwargs):
        raise AssertionError("nothing is to be done")

    monkeypatch.setattr(runs_module, "train_to_end", forbidden)
    monkeypatch.setattr(measurement, "prepare", forbidden)
    again = reproduce(
        NAME, seeds=(0, 1), rows=ROWS, quick=True, runs=done.runs, output=tmp_path, quiet=True
    )
    assert again.rows == done.result.rows


def test_other_weights_are_predicted_again(done, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(done.runs / "quick-mlp-seed0", folder)
    before = Measurer(quiet=True).measure(folder)
    shutil.copy(done.runs / "quick-mlp-seed1" / "best.safetensors", folder)
    after = Measurer(quiet=True).measure(folder)
    assert not np.array_equal(before.prediction, after.prediction)
    assert after.description["seed"] == 1


def test_measured_only_trains_nothing(done, tmp_path, monkeypatch):
    monkeypatch.setattr(runs_module, "train_to_end", None)
    nothing = reproduce(
        NAME, quick=True, measured_only=True, runs=tmp_path / "none", output=tmp_path, quiet=True
    )
    assert all(row.mean is None for row in nothing.rows)
    assert experiment_table(nothing).count("not run") >= len(nothing.rows)

    some = reproduce(
        NAME, quick=True, measured_only=True, runs=done.runs, output=tmp_path, quiet=True
    )
    rows = {row.run: row for row in some.rows}
    assert rows["mlp"].seeds == [0, 1]
    assert rows["mlp"].mean == done.result.rows[0].mean
    assert rows["dostransformer"].mean is None
    assert experiment_table(some).count("not run") >= len(some.rows) - 2


def test_a_run_with_other_settings_is_refused(done, tmp_path):
    runs = tmp_path / "runs"
    shutil.copytree(done.runs / "quick-mlp-seed0", runs / "quick-mlp-seed0")
    run_file = runs / "quick-mlp-seed0" / "config.yaml"
    run_file.write_text(run_file.read_text().replace("epochs: 2", "epochs: 3"))
    with pytest.raises(ConfigError, match=r"differs from the settings .* training\.epochs"):
        reproduce(NAME, rows=["mlp"], quick=True, runs=runs, output=tmp_path, quiet=True)


def test_runs_of_different_data_are_refused(done, tmp_path):
    runs = tmp_path / "runs"
    for name in ("quick-mlp-seed0", "quick-mlp-energy-seed0"):
        shutil.copytree(done.runs / name, runs / name)
    kept = runs / "quick-mlp-energy-seed0" / "test.json"
    kept.write_text(kept.read_text().replace('"split": "stored"', '"split": "random"'))
    with pytest.raises(DataError, match="mlp-energy and mlp saw different data"):
        reproduce(NAME, rows=ROWS, quick=True, runs=runs, output=tmp_path, quiet=True)


def test_an_interrupted_run_ends_the_call(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "vanhove.training.train.train", lambda *a, **k: SimpleNamespace(interrupted=True)
    )
    with pytest.raises(KeyboardInterrupt):
        reproduce(NAME, rows=["mlp"], quick=True, runs=tmp_path, output=tmp_path, quiet=True)
    from typer.testing import CliRunner

    from vanhove.cli import app

    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["reproduce", NAME, "--rows", "mlp", "--quick", "-q"])
    assert done.exit_code == 130
    assert "continue with the same command" in done.output


def test_mistakes_name_what_is_allowed():
    with pytest.raises(ConfigError, match="'table1'; allowed: dostransformer-table1, "):
        reproduce("table1")
    with pytest.raises(ConfigError, match="'gpt' of dostransformer-table1; allowed: mlp, "):
        reproduce(NAME, rows=["gpt"])
    with pytest.raises(ConfigError, match="--measured-only"):
        reproduce("dostransformer-table11", measured_only=True)
    with pytest.raises(ConfigError, match="seeds 'x'; give how many"):
        parse_seeds("x")


def test_seeds_and_rows_as_words():
    assert parse_seeds("3") == [0, 1, 2]
    assert parse_seeds("0,2") == [0, 2]
    words = parse_rows(["mlp,mlp-energy", "MLP, prompt in atom features"])
    assert words == ["mlp", "mlp-energy", "MLP, prompt in atom features"]
    rows = chosen_rows("dostransformer-table9", words)
    assert [row.run for row in rows] == ["mlp", "mlp-prompt-atoms", "mlp-energy"]


def test_the_command(tmp_path):
    def vanhove(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "vanhove", *arguments],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
        )

    assert "mat2spec-table1" in vanhove("reproduce").stdout
    wrong = vanhove("reproduce", "nothing")
    assert wrong.returncode == 2
    assert wrong.stderr.count("\n") == 1
