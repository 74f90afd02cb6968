"""The fine-tuning curves: a quick run, resumed, and what it says."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from vanhove.errors import ConfigError
from vanhove.experiments.finetuning import NAME, finetuning_table, reproduce_finetuning
from vanhove.experiments.options import Options
from vanhove.results import read_result
from vanhove.runs.checkpoint import read_info


def test_a_quick_run_measures_all_modes_on_the_same_crystals(tmp_path):
    options = Options(quick=True, runs=tmp_path / "runs", output=tmp_path, quiet=True)
    finished = replace(options, measured_only=True)
    with pytest.raises(ConfigError, match="no finished run"):
        reproduce_finetuning(finished)
    result = reproduce_finetuning(options)
    assert [(row.mode, row.size) for row in result.rows] == [
        ("none", 0),
        ("last_layers", 5),
        ("scratch", 5),
    ]
    assert {len(row.per_material["mae"]) for row in result.rows} == {len(result.ids)}
    none, tuned, _ = result.rows
    gain = none.mean["mae"] - tuned.mean["mae"]
    assert tuned.gain.mae == pytest.approx(gain, abs=1e-6)
    assert tuned.runs[0].epochs in (1, 2)
    assert "NOT A MEASUREMENT" in finetuning_table(result)
    assert (tmp_path / result.figures[0]).stat().st_size > 5000
    again = reproduce_finetuning(finished)
    assert again.rows == result.rows
    saved = read_result(tmp_path / f"{NAME}-quick.json")
    assert saved["rows"] == json.loads(json.dumps(result.to_json()["rows"]))
    infos = [
        read_info(
            tmp_path / "runs" / f"quick-fluorides-dostransformer-{name}-seed0/best.safetensors"
        )
        for name in ("last_layers-5", "scratch-5")
    ]
    assert infos[0].trained.dataset.n_test == infos[1].trained.dataset.n_test == len(result.ids)
    assert not infos[1].trained.fine_tuned
