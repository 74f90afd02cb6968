"""Runs of bands joined into a model with error bars."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from tests.datasets.test_band_files import rocksalt, toy_bands
from vanhove.cli import app
from vanhove.evaluation.evaluate import evaluate
from vanhove.prediction.loading import load
from vanhove.runs.checkpoint import load_model
from vanhove.runs.config import RunConfig
from vanhove.spectra.bands import BandStructure
from vanhove.training.train import train

CRYSTAL = rocksalt(4.2, (12, 8), "mine")
SETTINGS = {
    "name": "toy",
    "model": {
        "encoder": {"name": "graph_transformer", "hidden_dim": 8, "n_layers": 1},
        "decoder": {
            "name": "bandformer",
            "hidden_dim": 8,
            "n_layers": 1,
            "channels": 2,
            "kpoints_per_step": 8,
        },
        "crystal_system": {"kind": "none"},
        "output": "energies",
    },
    "training": {"epochs": 1, "loss": "bands", "select_by": "energy_mae"},
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> list[Path]:
    folder = tmp_path_factory.mktemp("toy-bands")
    for i, z in enumerate((3, 4, 11, 12, 19, 20, 29, 30, 37, 38)):
        for partner in (8, 9, 16):
            bands = toy_bands(rocksalt(4 + 0.1 * i, (z, partner), f"x{z}-{partner}"))
            bands.to_json(folder / f"{bands.name}.json")
    data = {"dataset": str(folder), "electron_target": "bands"}
    where = tmp_path_factory.mktemp("toy-runs")
    return [
        train(
            RunConfig.parse(SETTINGS | {"data": data, "seed": seed}), where / str(seed), quiet=True
        )
        for seed in (0, 1)
    ]


@pytest.fixture(scope="module")
def pair(runs, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("pair") / "pair.safetensors"
    arguments = ["ensemble", *(str(run.folder) for run in runs), "-o", str(out), "-q"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "validation: energy_mae" in result.output
    return out


def test_it_predicts_the_mean_with_error_bars(runs, pair):
    bands = load(pair).predict(CRYSTAL)
    own = np.mean([load(run.best).predict(CRYSTAL).energies for run in runs], axis=0)
    np.testing.assert_allclose(bands.energies, own, atol=0.02)
    assert bands.std.shape == bands.energies.shape
    assert (bands.std > 0).all()
    low, high = bands.interval(0.9)
    assert (low < bands.interval(0.5)[0]).all()
    np.testing.assert_allclose(high - bands.energies, bands.energies - low)
    assert 0 <= bands.metadata["familiarity"] <= 1
    again = BandStructure.from_dict(json.loads(json.dumps(bands.to_dict())))
    np.testing.assert_array_equal(again.interval()[1], high)
    assert load(runs[0].best).predict(CRYSTAL).std is None


def test_an_evaluation_says_whether_they_hold(pair):
    """On validation, which they were fitted on, they do by construction."""
    found = evaluate(pair, "valid", quiet=True).runs[0].uncertainty.to_json()
    n = load_model(pair)[1].ensemble.calibration.n_materials
    for level, share in found["coverage"].items():
        assert share >= min(float(level) * (n + 1) / n, 1) - 0.02
    assert found["half_width"] > 0
    assert found["gap"]["n"] == found["gap"]["n_calibrated_on"]
    assert "coverage_metal" not in found  # all of the toys have a gap
    assert evaluate(pair, quiet=True).runs[0].uncertainty.coverage.keys() == set(found["coverage"])
