"""Bandformer's table on bands of a toy model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.datasets.test_band_files import rocksalt, toy_bands
from vanhove.datasets.band_folder import bands_dataset
from vanhove.errors import ConfigError
from vanhove.evaluation.baselines import nearest_copy, training_mean
from vanhove.evaluation.evaluate import evaluate
from vanhove.experiments.bands import (
    bandformer_table,
    published_numbers,
    reproduce_bandformer,
)
from vanhove.experiments.options import Options
from vanhove.results import read_result
from vanhove.spectra.band_metrics import band_gaps, band_metrics, crosses_fermi

ELEMENTS = (3, 4, 11, 12, 19, 20, 29, 30, 37, 38)
SMALL = {
    "data.electron_target": "bands",
    "model.encoder.hidden_dim": 8,
    "model.encoder.n_layers": 1,
    "model.decoder.hidden_dim": 8,
    "model.decoder.n_layers": 1,
    "model.decoder.channels": 2,
    "model.decoder.kpoints_per_step": 8,
    "training.epochs": 1,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("toy")
    for i, z in enumerate(ELEMENTS):
        for partner in (8, 16):
            bands = toy_bands(rocksalt(4 + 0.1 * i, (z, partner), f"x{z}-{partner}"))
            bands.to_json(path / f"{bands.name}.json")
    return path


@pytest.fixture(scope="module")
def reproduced(folder, tmp_path_factory):
    where = tmp_path_factory.mktemp("out")
    options = Options(seeds=(0, 1), runs=where / "runs", output=where, quiet=True)
    overrides = SMALL | {"data.dataset": str(folder)}
    return reproduce_bandformer(options, overrides), options, overrides


def test_table_files_and_figures(reproduced):
    result, options, _ = reproduced
    where = options.output
    saved = read_result(where / "bandformer.json")
    assert saved["mean"] == result.mean
    assert len(saved["runs"][0]["energy_mae_per_material"]) == result.n_materials
    assert result.seeds == [0, 1]
    assert result.n_nonmetals == result.n_materials
    assert result.figures == [
        f"bandformer-{name}.png" for name in ("quintiles", "scatter", "violin")
    ]
    assert all((where / name).stat().st_size > 2000 for name in result.figures)
    text = bandformer_table(result)
    assert "nearest training crystal" in text
    line = next(line for line in text.splitlines() if line.startswith("band gap of non-metals"))
    assert "0.164" in line
    for metrics in (result.mean, *result.baselines.values()):
        assert metrics["energy_mae"] >= 0
        assert "centre_mae_metal" not in metrics  # the toys all have a gap


def test_runs_are_used_again_and_agree_with_evaluate(reproduced):
    first, options, overrides = reproduced
    again = reproduce_bandformer(replace(options, seeds=None, measured_only=True), overrides)
    assert again.mean == pytest.approx(first.mean, nan_ok=True)
    measured = evaluate(options.runs / "bandformer-seed0", quiet=True)
    for key, value in measured.mean.items():
        assert value == pytest.approx(first.runs[0].metrics[key], rel=1e-5)
    assert set(measured.groups["n_species"]["2"]) == {
        "n",
        "energy_mae",
        "centre_mae",
        "dispersion_mae",
    }


def test_no_run(tmp_path):
    with pytest.raises(ConfigError, match="no finished run of bandformer"):
        reproduce_bandformer(Options(runs=tmp_path, measured_only=True, quiet=True))


def test_published_numbers():
    numbers = published_numbers()
    assert numbers["centre_mae"] == 0.072
    assert numbers["gap_mae"] == 0.164
    assert len(numbers) == 10


def three_crystals():
    """Two in training, MgO and LiF; the third is CaO."""
    toys = [toy_bands(rocksalt(4.2, z, str(z))) for z in ((12, 8), (3, 9), (20, 8))]
    splits = {"train": np.array([0, 1]), "valid": np.array([], int), "test": np.array([2])}
    return bands_dataset("three", toys, n_points=64, splits=splits)


def test_baselines():
    dataset = three_crystals()
    rows = dataset.split("test")
    mean = training_mean(dataset, rows)
    assert np.ptp(mean, axis=1).max() == 0
    np.testing.assert_allclose(mean[0, 0], dataset.values[:2].mean(axis=(0, 1)), rtol=1e-6)
    # Calcium is like magnesium, oxygen is oxygen.
    np.testing.assert_array_equal(nearest_copy(dataset, rows)[0], dataset.values[0])


def test_metrics_of_metals_and_insulators():
    x = np.linspace(0, 1, 11)[:, None]
    insulator = np.concatenate([-1 - x, 1 + x], axis=1)
    metal = np.concatenate([-1 + 0.5 * x, x - 0.5], axis=1)
    target = np.stack([insulator, metal])
    assert crosses_fermi(target).tolist() == [False, True]
    assert band_gaps(target).tolist() == [2, 0]
    prediction = target + np.array([[[0.5, 0.5]], [[0.1, -0.3]]])
    found = band_metrics(target, prediction)
    assert found["centre_mae_nonmetal"] == pytest.approx(0.5)
    assert found["centre_mae_metal"] == pytest.approx(0.2)
    assert found["dispersion_mae"] == pytest.approx(0)
    assert found["energy_mae"] == pytest.approx(0.35)
    assert found["gap_mae"] == pytest.approx(0)
    assert found["metal_accuracy"] == 1
    target[0, :, 0] = np.nan
    masked = band_metrics(target, prediction)
    assert masked["centre_mae_nonmetal"] == pytest.approx(0.5)
    assert np.isnan(masked["gap_mae"])
    assert set(band_metrics(target, prediction, electrons=False)) == {
        "centre_mae",
        "dispersion_mae",
        "energy_mae",
    }
