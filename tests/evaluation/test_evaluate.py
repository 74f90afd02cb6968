"""Evaluation of checkpoints."""

from __future__ import annotations

import json

import numpy as np
import pytest

from vanhove.datasets import load_dataset
from vanhove.errors import CheckpointError, DataError
from vanhove.evaluation.evaluate import Evaluation, evaluate
from vanhove.experiments.tables import evaluation_table
from vanhove.prediction.loading import load
from vanhove.training.train import train


def test_the_numbers_are_those_of_the_predictions(small_run):
    """Evaluation and prediction go different ways through the code, to the same metrics."""
    dataset = load_dataset("tiny")
    rows = dataset.split("train")  # the others hold elements that prediction refuses
    spectra = load(small_run).predict([dataset.crystals[row] for row in rows])
    error = np.array([s.values for s in spectra]) - dataset.values[rows]
    result = evaluate(small_run, "train", quiet=True)
    assert result.mean["mae"] == pytest.approx(np.abs(error).mean(), rel=1e-4)
    assert result.mean["mse_x10"] == pytest.approx(10 * (error**2).mean(), rel=1e-4)
    assert result.std is None


def test_the_result_is_strict_json_and_names_its_origin(small_run, small_config, tmp_path):
    result = evaluate(small_run, "valid", output=tmp_path / "deep" / "out.json", quiet=True)
    text = (tmp_path / "deep" / "out.json").read_text()
    assert json.loads(text) == result.to_json()
    assert "NaN" not in text
    assert result.config == small_config.model_dump(mode="json")
    assert result.dataset["hash"] == load_dataset("tiny").data_hash
    assert result.mean["rmse"] == pytest.approx(result.runs[0].validation["rmse"], rel=1e-5)
    table = evaluation_table(result)
    assert "valid split of tiny: 8 materials, 1 seed (0)" in table


def test_only_seeds_are_averaged(small_run, small_config, tmp_path):
    longer = small_config.training.model_copy(update={"epochs": 1})
    other = train(small_config.model_copy(update={"training": longer}), tmp_path, quiet=True)
    with pytest.raises(CheckpointError, match="different settings; take them one by one"):
        evaluate([small_run, other.folder])


def test_other_data_must_be_asked_for(small_run, monkeypatch):
    from dataclasses import replace

    from vanhove.datasets import catalog

    changed = load_dataset("tiny")
    changed = replace(changed, values=np.clip(changed.values * 0.9, 0, 1))
    monkeypatch.setitem(catalog.DATASETS, "tiny", lambda: changed)
    with pytest.raises(DataError, match="not the data the model was trained on"):
        evaluate(small_run, quiet=True)
    result = evaluate(small_run, data="tiny", quiet=True)
    assert result.n_materials == 8
    assert "hold elements that are not in the training data: P, Fe, In." in result.notes[-1]
    monkeypatch.setitem(catalog.DATASETS, "tiny", lambda: replace(changed, normalisation="sum"))
    with pytest.raises(DataError, match="has the normalisation 'sum', the model 'max'"):
        evaluate(small_run, data="tiny", quiet=True)


def test_published_numbers_stand_beside_ours():
    result = Evaluation(
        model="m",
        split="test",
        n_materials=189,
        dataset={"name": "phonon_petretto"},
        notes=["one row is missing"],
        trained_on={},
        normalisation="max",
        conventions={"mae": "MAE, mean over materials"},
        seeds=[0, 1],
        mean={"mae": 0.08},
        std={"mae": 0.001},
        groups={},
        runs=[],
        config={"data": {}, "model": {"decoder": {"name": "dostransformer"}}},
        versions={},
        machine="",
    )
    table = evaluation_table(result)
    assert "0.0800 +- 0.0010" in table
    assert "note: one row is missing" in table
    assert "0.0710 +- 0.0020" in table
    assert "arXiv 2311.12856" in table
