"""Times per epoch, as ratios."""

from __future__ import annotations

from vanhove import reproduce
from vanhove.datasets import load_dataset
from vanhove.experiments.tables import experiment_table
from vanhove.experiments.timing import Effort, time_models
from vanhove.papers.table import QUICK
from vanhove.runs.catalog import run_config


def test_a_larger_model_takes_longer():
    wide = {"model.encoder.hidden_dim": 1024, "model.decoder.hidden_dim": 1024}
    configs = [run_config("mlp", "compact", QUICK), run_config("mlp", "compact", QUICK | wide)]
    said: list[str] = []
    small, large = time_models(
        load_dataset("tiny"), configs, Effort(rounds=3, steps=2, materials=8), said.append
    )
    assert 0 < small["train_seconds"] < large["train_seconds"]
    assert small["inference_seconds"] > 0
    assert said[0] == "warm-up: mlp"
    assert len(said) == 8


def test_the_table_refers_to_its_reference(tmp_path):
    result = reproduce(
        "dostransformer-table11", rows=["mlp"], quick=True, output=tmp_path, quiet=True
    )
    mlp, reference = result.rows
    assert reference.mean["train_ratio"] == reference.mean["inference_ratio"] == 1
    assert mlp.mean["train_seconds"] > 0
    assert abs(mlp.published.values["train_ratio"] - 4.1 / 39.17) < 1e-9
    assert "training, ratio" in experiment_table(result)
    assert (tmp_path / "dostransformer-table11-quick.json").exists()
