"""Fine-tuning on few materials: honest estimates, resuming, what each mode trains, mistakes."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch

from vanhove.datasets import load_dataset, load_tiny
from vanhove.errors import ConfigError, DataError
from vanhove.runs.checkpoint import load_model, run_settings
from vanhove.runs.config import DataSettings, RunConfig
from vanhove.runs.folder import KEPT
from vanhove.runs.prepared import load_run_data
from vanhove.training import finetuning
from vanhove.training.finetuning import CrossValidation, finetune, tune_on_few
from vanhove.training.finetuning_report import report_markdown, report_table, summary
from vanhove.training.start import tuning_config

N = 10
SHORT = {"training.epochs": 3, "training.learning_rate": 3e-3}


def write_folder(path, n: int, grid=None):
    """The first crystals of the tiny data set as a user's folder."""
    from pymatgen.core import Structure

    dataset = load_tiny()
    path.mkdir()
    spectra = {}
    for row in range(n):
        crystal = dataset.crystals[row]
        structure = Structure(
            crystal.lattice, crystal.atomic_numbers, crystal.fractional_coordinates
        )
        structure.to(filename=str(path / f"m{row}.cif"))
        spectra[f"m{row}"] = dataset.values[row].tolist()
    grid = (dataset.grid if grid is None else grid).tolist()
    content = {"unit": "cm-1", "normalisation": "max", "grid": grid, "spectra": spectra}
    (path / "spectra.json").write_text(json.dumps(content))
    return path


@pytest.fixture(scope="module")
def own_data(tmp_path_factory):
    return write_folder(tmp_path_factory.mktemp("data") / "mine", N)


@pytest.fixture(scope="module")
def tuned(small_run, own_data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tuned") / "run"
    report = finetune(
        str(small_run),
        data=str(own_data),
        mode="last_layers",
        output=folder,
        overrides=SHORT,
        quiet=True,
    )
    return folder, report


def test_a_material_is_predicted_by_runs_that_never_saw_it(tuned):
    folder, report = tuned
    judged = []
    for fold in range(report.folds):
        config = RunConfig.load(folder / "folds" / f"last_layers-{fold}" / "config.yaml")
        dataset = load_run_data(config)
        train, valid = dataset.split("train"), dataset.split("valid")
        assert not set(train) & set(valid)
        assert len(train) + len(valid) == N
        kept = np.load(folder / "folds" / f"last_layers-{fold}" / KEPT)
        assert kept.shape == (3, len(valid), len(dataset.grid))
        target = dataset.values[valid]
        errors = np.sqrt(((kept - target) ** 2).mean(axis=-1))
        for place, row in enumerate(valid):
            judged.append(dataset.ids[row])
            (entry,) = [m for m in report.materials if m.id == dataset.ids[row]]
            # The prediction is that of one epoch of this run.
            assert np.abs(errors[:, place] - entry.after).min() < 1e-6
    assert sorted(judged) == sorted(m.id for m in report.materials)


def test_the_final_run_trains_on_all_for_the_chosen_epochs(tuned, small_run):
    folder, report = tuned
    model, info = load_model(folder / "best.safetensors")
    assert info.trained.dataset.n_train == N
    assert info.trained.dataset.n_valid == info.trained.dataset.n_test == 0
    assert info.trained.epoch + 1 == run_settings(folder).training.epochs == report.epochs
    assert report.tried["last_layers"].index(min(report.tried["last_layers"])) + 1 == (
        report.epochs
    )
    before, _ = load_model(small_run / "best.safetensors")
    changed = {
        name
        for (name, old), new in zip(before.named_parameters(), model.parameters(), strict=True)
        if not torch.equal(old, new)
    }
    assert changed
    assert all(name.startswith(("decoder.second_cross.", "decoder.out.")) for name in changed)


def test_the_report_says_what_was_gained(tuned):
    folder, report = tuned
    saved = json.loads((folder / "finetuning.json").read_text())
    assert saved == json.loads(json.dumps(report.to_json()))
    rmse = report.metrics["rmse"]
    materials = report.materials
    assert rmse.before == pytest.approx(np.mean([m.before for m in materials]))
    assert rmse.after == pytest.approx(np.mean([m.after for m in materials]))
    assert rmse.gain == pytest.approx(rmse.before - rmse.after)
    assert rmse.interval[0] <= rmse.gain <= rmse.interval[1]
    assert rmse.improved == sum(m.after < m.before for m in materials)
    for text in (report_table(report), (folder / "finetuning.md").read_text()):
        assert f"{rmse.after:.4f}" in text
        assert f"of {N} materials got better" in text


def test_a_killed_tuning_continues_to_the_same_report(tuned, small_run, own_data, tmp_path):
    folder, report = tuned
    broken = tmp_path / "run"
    shutil.copytree(folder, broken)
    for name in ("best.safetensors", "last.safetensors", "config.yaml", "finetuning.json"):
        (broken / name).unlink()
    shutil.rmtree(broken / "folds" / "last_layers-4")
    settings = {"data": str(own_data), "mode": "last_layers", "overrides": SHORT, "quiet": True}
    with pytest.raises(ConfigError, match="--resume"):
        finetune(str(small_run), output=broken, **settings)
    again = finetune(str(small_run), output=broken, resume=True, **settings)
    assert again.model == str(broken)
    for key in ("metrics", "materials", "tried", "epochs"):
        assert getattr(again, key) == getattr(report, key)


def test_folds_choose_the_mode(small_run, tmp_path):
    data = DataSettings(dataset="tiny", split="species", tuning_count=5)
    assert [finetuning.default_folds(n) for n in (5, 9, 10, 500)] == [5, 9, 5, 5]
    report = tune_on_few(
        str(small_run),
        data,
        tmp_path / "run",
        mode="auto",
        folds=2,
        overrides={"training.epochs": 1, "training.ema_decay": None},
        quiet=True,
    )
    assert report.folds == 2
    assert report.n_materials == 5
    assert set(report.tried) == {"all", "prompts", "last_layers", "adapters"}
    assert report.tried[report.mode][0] == min(e[0] for e in report.tried.values())
    assert "are few" in report_table(report)
    assert "| material |" in report_markdown(report)


def test_the_other_folds_choose():
    errors = {
        "all": np.array([[1.0, 1.0, 9.0], [2.0, 2.0, 0.0]]),
        "adapters": np.array([[1.5, 1.5, 1.5], [3.0, 3.0, 3.0]]),
    }
    tried = {name: CrossValidation(np.empty(0), values) for name, values in errors.items()}
    assert finetuning._choose(tried, np.array([True, True, True])) == ("all", 1)
    # Without the third material its own error no longer decides.
    assert finetuning._choose(tried, np.array([True, True, False])) == ("all", 0)


@pytest.mark.parametrize(
    ("shift", "verdict"), [(0.5, "gain"), (-0.5, "loss"), (0.0, "none")], ids=str
)
def test_the_verdict_needs_an_interval_without_zero(shift, verdict):
    dataset = load_tiny()
    rows = np.arange(30)
    random = np.random.default_rng(0)
    target = dataset.values[rows]
    noise = random.normal(size=target.shape) * 0.3
    sign = np.where(random.random(len(rows)) < 0.5, 1.2, 1 / 1.2)[:, None]
    factor = {"gain": 1 / 2, "loss": 2.0, "none": sign}[verdict]
    found = summary(dataset, rows, target + noise, target + noise * factor)
    assert found.verdict == verdict
    assert np.sign(found.metrics["mae"].gain) == np.sign(shift) or shift == 0


def test_folds_and_counts_of_a_data_set():
    seen = []
    for fold in range(4):
        part = load_dataset("tiny", split="species", tuning_count=5, folds=4, fold=fold)
        seen += part.split("valid").tolist()
        test = part.split("test")
        assert not set(test) & (set(part.split("train")) | set(part.split("valid")))
    whole = load_dataset("tiny", split="species", tuning_count=5, folds=4)
    assert sorted(seen) == whole.split("train").tolist()
    assert len(whole.split("valid")) == 0
    other = load_dataset("tiny", split="species", tuning_count=3, tuning_seed=0)
    assert set(other.split("train")) < set(whole.split("train"))
    assert other.split("test").tolist() == test.tolist()
    another = load_dataset("tiny", split="species", tuning_count=3, tuning_seed=1)
    assert set(another.split("train")) != set(other.split("train"))
    assert another.split("test").tolist() == test.tolist()


def test_a_tuned_model_can_be_tuned_again(tuned, own_data):
    folder, _ = tuned
    config = tuning_config(str(folder), data=str(own_data))
    assert config.training.select_by == "rmse"
    assert config.data.folds is None


def test_mistakes_are_named(small_run, own_data, tmp_path, monkeypatch):
    def tune(data=own_data, **settings):
        return finetune(
            str(small_run), data=str(data), output=tmp_path / "x", quiet=True, **settings
        )

    with pytest.raises(DataError, match="at least 5"):
        tune(write_folder(tmp_path / "four", 4))
    with pytest.raises(DataError, match=r"another grid .* resample"):
        tune(write_folder(tmp_path / "grid", 6, grid=np.linspace(0, 900, 51)))
    with pytest.raises(DataError, match=r"another grid .* resample"):
        tune(write_folder(tmp_path / "far", 6, grid=np.linspace(0, 900, 51)), folds=0)
    with pytest.raises(DataError, match="folds 11 of 10"):
        tune(folds=11)
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match="without torchrun"):
        tune()
    monkeypatch.undo()
    with pytest.raises(ConfigError, match="name a mode"):
        finetune(str(small_run), fraction=0.1, mode="auto", quiet=True)
    with pytest.raises(DataError, match="tuning count 50; allowed: 1 to"):
        load_dataset("tiny", split="species", tuning_count=50)
    with pytest.raises(DataError, match="fold 3; allowed: 0 to 2"):
        load_dataset("tiny", folds=3, fold=3)
