"""Ensembles: their mean, their error bars, how familiar a crystal is."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.conftest import SUPPORTED
from vanhove.crystal.crystal import Crystal
from vanhove.crystal.graph import build_graph
from vanhove.crystal.reading import read_crystal
from vanhove.errors import CheckpointError
from vanhove.evaluation.evaluate import evaluate
from vanhove.models.familiarity import FAMILIAR_COUNT, Familiarity
from vanhove.runs.checkpoint import load_model
from vanhove.runs.config import StartSettings
from vanhove.training.ensemble import make_ensemble
from vanhove.training.start import start_from
from vanhove.training.train import train


@pytest.fixture(scope="module")
def graphs(small_config):
    return [build_graph(read_crystal(path), small_config.graph) for path in SUPPORTED]


def test_an_ensemble_predicts_the_mean_of_its_runs(small_runs, small_ensemble, graphs):
    own = torch.stack(
        [load_model(run / "best.safetensors")[0].predict(graphs) for run in small_runs]
    )
    model, info = load_model(small_ensemble)
    torch.testing.assert_close(model.predict(graphs), own.mean(dim=0), atol=1e-6, rtol=1e-5)
    assert info.name == "pair"
    assert info.ensemble.seeds == [0, 1]
    prediction = model.predict_with_errors(graphs)
    np.testing.assert_allclose(prediction.members, own.numpy(), atol=1e-6)
    assert prediction.std.shape == own.shape[1:]
    assert (prediction.std > 0).all()
    assert ((prediction.familiarity >= 0) & (prediction.familiarity <= 1)).all()


def test_an_evaluation_says_whether_the_error_bars_hold(small_ensemble):
    """On validation, which they were fitted on, they do by construction."""
    found = evaluate(small_ensemble, "valid", quiet=True).runs[0].uncertainty.to_json()
    for level, share in found["coverage"].items():
        assert share >= float(level)
    assert found["coverage"]["0.9"] < 0.95
    assert set(found["properties"]) > {"mean_frequency"}


def test_half_precision_changes_little(small_runs, small_ensemble, graphs, tmp_path):
    half = tmp_path / "half.safetensors"
    make_ensemble(small_runs, half, quiet=True)
    assert half.stat().st_size < 0.6 * small_ensemble.stat().st_size
    before, after = (
        load_model(file)[0].predict_with_errors(graphs) for file in (small_ensemble, half)
    )
    np.testing.assert_allclose(after.mean, before.mean, atol=5e-3)
    np.testing.assert_allclose(after.std, before.std, rtol=0.1, atol=5e-3)


def test_runs_of_other_settings_are_not_joined(small_run, small_config, small_ensemble, tmp_path):
    slower = small_config.training.model_copy(update={"learning_rate": 1e-4, "weight_decay": 0.1})
    slow = train(small_config.model_copy(update={"training": slower}), tmp_path / "1", quiet=True)
    make_ensemble([small_run, slow.folder], tmp_path / "y.safetensors", quiet=True)
    fewer = small_config.training.model_copy(update={"batch_size": 2})
    other = train(small_config.model_copy(update={"training": fewer}), tmp_path / "2", quiet=True)
    with pytest.raises(CheckpointError, match="different settings"):
        make_ensemble([small_run, other.folder], tmp_path / "x.safetensors", quiet=True)
    with pytest.raises(CheckpointError, match="is an ensemble; join single runs"):
        make_ensemble([small_ensemble], tmp_path / "x.safetensors", quiet=True)


def test_tuning_starts_from_the_first_member(small_ensemble, small_runs):
    model, _ = load_model(small_runs[1] / "best.safetensors")
    start = StartSettings(checkpoint=str(small_ensemble))
    start_from(model, start)
    first, _ = load_model(small_runs[0] / "best.safetensors")
    for name, weight in first.state_dict().items():
        torch.testing.assert_close(model.state_dict()[name], weight)


def test_familiar_is_what_is_near_the_training_crystals(small_config):
    """A cloud of states: its middle is familiar, its outside is not, nor is a new element."""
    known = build_graph(_salt(11, 17), small_config.graph)
    foreign = build_graph(_salt(19, 35), small_config.graph)
    generator = torch.Generator().manual_seed(0)
    train_states = torch.randn(400, 32, generator=generator)
    familiarity = Familiarity(400, 100, 32)
    familiarity.fit(train_states, [known] * 400, torch.randn(100, 32, generator=generator))
    inside, outside = torch.zeros(1, 32), torch.full((1, 32), 4.0)
    assert familiarity(inside, [known]) > 0.95
    assert familiarity(outside, [known]) < 0.01
    assert familiarity(inside, [foreign]) == 0
    few = Familiarity(400, 100, 32)
    few.fit(train_states, [known] * FAMILIAR_COUNT, torch.randn(100, 32, generator=generator))
    assert few(inside, [known]) == pytest.approx(0.5)


def _salt(cation: int, anion: int) -> Crystal:
    lattice = 2.8 * np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0.0]])
    return Crystal(lattice, np.array([[0, 0, 0], [0.5, 0.5, 0.5]]), np.array([cation, anion]))
