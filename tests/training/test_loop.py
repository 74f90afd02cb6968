"""Training: kill and resume, early stopping, several processes, logs."""

from __future__ import annotations

import csv
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from tests.conftest import SMALL_RUN, STRUCTURES
from vanhove.errors import CheckpointError, ConfigError, MissingExtraError
from vanhove.runs.checkpoint import load_model, read_safetensors
from vanhove.runs.config import RunConfig, TrainingSettings, with_overrides
from vanhove.runs.folder import BEST, STATE
from vanhove.training.logs import read_log
from vanhove.training.loop import Trainer, learning_rate
from vanhove.training.train import train

DROPOUT = {"model.encoder.dropout": 0.1, "model.decoder.dropout": 0.1}


def weights(folder: Path, name: str = STATE) -> dict[str, torch.Tensor]:
    return read_safetensors(folder / name)[0]


def write_run(folder: Path, **overrides: object) -> Path:
    path = folder / "run.yaml"
    path.write_text(RunConfig.parse(SMALL_RUN).to_yaml())
    path.write_text(RunConfig.load(path, overrides).to_yaml())
    return path


def without_time(folder: Path) -> list[dict]:
    return [{k: v for k, v in row.items() if k != "seconds"} for row in read_log(folder)]


def command(config: Path, output: Path, *extra: str, launcher: tuple[str, ...] = ()) -> list[str]:
    return [
        *(launcher or (sys.executable, "-m", "vanhove")),
        *("train", str(config), "--output", str(output), "--quiet", *extra),
    ]


def test_a_run_learns_and_is_repeatable(small_config, small_run, tmp_path):
    rows = read_log(small_run)
    assert [row["epoch"] for row in rows] == [0, 1, 2]
    assert rows[-1]["train_loss"] < rows[0]["train_loss"]
    with (small_run / "metrics.csv").open() as stream:
        table = list(csv.DictReader(stream))
    assert [float(row["valid_rmse"]) for row in table] == [row["valid_rmse"] for row in rows]
    _, info = load_model(small_run / BEST)
    best = min(rows, key=lambda row: row["valid_rmse"])
    assert info.trained.epoch == best["epoch"]
    assert info.trained.validation["rmse"] == best["valid_rmse"]
    again = train(small_config, tmp_path / "again", quiet=True).folder
    for name, tensor in weights(small_run).items():
        assert torch.equal(tensor, weights(again)[name]), name


def test_a_run_leaves_the_process_as_it_was(small_config, tmp_path):
    asked = with_overrides(SMALL_RUN, {"training.deterministic": True, "training.epochs": 1})
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    inside = []

    def look(row):
        inside.append(torch.are_deterministic_algorithms_enabled())
        assert signal.getsignal(signal.SIGINT) is not before[signal.SIGINT]
        raise MemoryError

    with pytest.raises(MemoryError):
        train(RunConfig.parse(asked), tmp_path / "run", quiet=True, on_epoch=look)
    assert inside == [True]
    assert not torch.are_deterministic_algorithms_enabled()
    assert {number: signal.getsignal(number) for number in before} == before


def test_the_seed_matters(small_config, small_run, tmp_path):
    other = small_config.model_copy(update={"seed": 1})
    folder = train(other, tmp_path / "seed1", quiet=True).folder
    name = "model.decoder.out.weight"
    assert not torch.equal(weights(folder)[name], weights(small_run)[name])


@pytest.mark.parametrize("kill", [signal.SIGKILL, signal.SIGTERM])
def test_killed_in_mid_epoch_and_resumed_equals_unbroken(tmp_path, kill):
    """Dropout, weight averaging and the optimiser all continue where they were."""
    overrides = {"training.epochs": 10, "training.checkpoint_seconds": 0, **DROPOUT}
    config = write_run(tmp_path, **overrides)
    broken, unbroken = tmp_path / "broken", tmp_path / "unbroken"
    process = subprocess.Popen(command(config, broken), stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while not (broken / STATE).exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.1)
    process.send_signal(kill)
    process.wait()
    assert process.returncode == (-9 if kill == signal.SIGKILL else 130)
    progress = read_safetensors(broken / STATE)[1]
    assert '"finished": false' in progress

    resumed = train(RunConfig.load(config), broken, resume=True, quiet=True)
    straight = train(RunConfig.load(config), unbroken, quiet=True)
    assert resumed.validation == straight.validation
    for name, tensor in weights(unbroken).items():
        assert torch.equal(tensor, weights(broken)[name]), name
    for name, tensor in weights(unbroken, BEST).items():
        assert torch.equal(tensor, weights(broken, BEST)[name]), name
    assert without_time(broken) == without_time(unbroken)


def test_stopped_between_the_last_step_and_the_end_of_an_epoch(
    small_config, small_run, tmp_path, monkeypatch
):
    settings = small_config.training.model_copy(update={"checkpoint_seconds": 0})
    config = small_config.model_copy(update={"training": settings})

    def power_cut(trainer: Trainer, log: object) -> None:
        raise RuntimeError("power cut")

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "finish_epoch", power_cut)
        with pytest.raises(RuntimeError, match="power cut"):
            train(config, tmp_path / "run", quiet=True)
    train(config, tmp_path / "run", resume=True, quiet=True)
    assert without_time(tmp_path / "run") == without_time(small_run)


def test_two_processes_give_the_loss_curve_of_one(tmp_path):
    config = write_run(tmp_path)
    launcher = (
        *(sys.executable, "-m", "torch.distributed.run"),
        *("--standalone", "--nproc-per-node", "2", "-m", "vanhove"),
    )
    subprocess.run(
        command(config, tmp_path / "two", launcher=launcher),
        check=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
    )
    train(RunConfig.load(config), tmp_path / "one", quiet=True)
    one, two = read_log(tmp_path / "one"), read_log(tmp_path / "two")
    assert len(one) == len(two) == 3
    for a, b in zip(one, two, strict=True):
        assert a["train_loss"] == pytest.approx(b["train_loss"], rel=3e-3)
        assert a["valid_rmse"] == pytest.approx(b["valid_rmse"], rel=3e-3)


def test_early_stopping(small_config, tmp_path):
    settings = small_config.training.model_copy(
        update={"epochs": 50, "patience": 2, "learning_rate": 1e-20, "ema_decay": None}
    )
    result = train(small_config.model_copy(update={"training": settings}), tmp_path, quiet=True)
    rows = read_log(tmp_path)
    assert len({row["valid_rmse"] for row in rows}) == 1  # nothing ever gets better
    assert result.epochs == len(rows) == 3


def test_a_folder_is_never_overwritten_by_another_run(small_config, small_run):
    with pytest.raises(ConfigError, match="already holds a run; continue it with --resume"):
        train(small_config, small_run)
    other = small_config.model_copy(update={"seed": 5})
    with pytest.raises(ConfigError, match=r"differs from the settings given in seed; resume"):
        train(other, small_run, resume=True)


def test_a_damaged_state_is_named(small_config, tmp_path):
    folder = train(small_config, tmp_path / "run", quiet=True).folder
    (folder / STATE).write_bytes(b"not a checkpoint")
    with pytest.raises(CheckpointError, match=r"last\.safetensors: not a readable"):
        train(small_config, folder, resume=True, quiet=True)


def test_a_loss_that_explodes_says_what_to_change(small_config, tmp_path):
    settings = small_config.training.model_copy(update={"learning_rate": 1e30})
    with pytest.raises(ConfigError, match=r"not finite .* lower training\.learning_rate"):
        train(small_config.model_copy(update={"training": settings}), tmp_path, quiet=True)


def test_bfloat16_follows_float32(small_config, small_run, tmp_path):
    settings = small_config.training.model_copy(update={"precision": "bfloat16"})
    train(small_config.model_copy(update={"training": settings}), tmp_path, quiet=True)
    for a, b in zip(read_log(tmp_path), read_log(small_run), strict=True):
        assert a["train_loss"] == pytest.approx(b["train_loss"], rel=0.05)


def test_learning_rate_schedules():
    cosine = TrainingSettings(learning_rate=1.0, schedule="cosine", warmup_steps=10)
    cosine = cosine.model_copy(update={"epochs": 10})
    rates = [learning_rate(cosine, step, 10) for step in range(100)]
    assert rates[0] == pytest.approx(0.1, rel=0.01)
    assert max(rates) > 0.9
    assert rates[50:] == sorted(rates[50:], reverse=True)
    assert rates[-1] == pytest.approx(0.01, abs=2e-3)
    assert learning_rate(cosine, 3, 3) > 0.9  # a short run has a short warm-up
    constant = TrainingSettings(learning_rate=2.0, schedule="constant", warmup_steps=0)
    assert {learning_rate(constant, step, 10) for step in range(100)} == {2.0}


def test_exponential_and_step_fall_with_the_epochs():
    """``decay`` per epoch, smoothly; ``decay`` per ``decay_epochs``, at once."""
    common = {"learning_rate": 2.0, "epochs": 20, "warmup_steps": 0, "decay": 0.25}
    exponential = TrainingSettings(schedule="exponential", **common)
    assert [learning_rate(exponential, step, 10) for step in (0, 5, 10, 30)] == pytest.approx(
        [2.0, 1.0, 0.5, 2.0 / 64]
    )
    steps = TrainingSettings(schedule="step", decay_epochs=3, **common)
    rates = [learning_rate(steps, step, 10) for step in range(90)]
    assert rates == pytest.approx([2.0] * 30 + [0.5] * 30 + [0.125] * 30)


def test_noam_falls_with_the_root_of_the_step():
    """Rises to ``learning_rate`` at the end of the warm-up, then ``sqrt(warm-up / step)``."""
    noam = TrainingSettings(learning_rate=2.0, epochs=100, warmup_steps=50, schedule="noam")
    rates = [learning_rate(noam, step, 10) for step in range(1000)]
    assert rates[:50] == pytest.approx([2.0 * (step + 1) / 50 for step in range(50)])
    assert max(rates) == pytest.approx(2.0)
    assert [rates[199], rates[799]] == pytest.approx([1.0, 0.5])
    without = noam.model_copy(update={"warmup_steps": 0})
    assert learning_rate(without, 0, 10) == 2.0
    assert learning_rate(without, 99, 10) == pytest.approx(0.2)


@pytest.mark.parametrize("schedule", ["exponential", "step"])
def test_every_schedule_warms_up(schedule):
    settings = TrainingSettings(learning_rate=1.0, epochs=50, warmup_steps=20, decay=0.95)
    settings = settings.model_copy(update={"schedule": schedule})
    rates = [learning_rate(settings, step, 10) for step in range(20)]
    assert rates == sorted(rates)
    assert rates[0] == pytest.approx(0.05)


@pytest.mark.parametrize("logger", ["tensorboard", "wandb"])
def test_a_missing_logger_gives_the_pip_line(small_config, tmp_path, logger, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    monkeypatch.setitem(sys.modules, "wandb", None)
    settings = small_config.training.model_copy(update={"loggers": (logger,)})
    config = small_config.model_copy(update={"training": settings})
    with pytest.raises(MissingExtraError, match=rf"pip install 'vanhove\[{logger}\]'"):
        train(config, tmp_path / "run", quiet=True)
    train(small_config, tmp_path / "run", quiet=True)  # the failed start left nothing behind


def test_an_output_without_a_scale_learns_data_of_maximum_one(small_config, tmp_path):
    folder = tmp_path / "native"
    folder.mkdir()
    for name in ("NaCl", "MgO", "Si"):
        shutil.copy(STRUCTURES / f"{name}.cif", folder)
    (folder / "spectra.csv").write_text(
        "# unit: eV\n# normalisation: states/eV/cell\nid,split,0,1,2\n"
        "NaCl,train,1,2,3\nMgO,train,2,3,4\nSi,valid,4,5,1\n"
    )
    content = with_overrides(
        small_config.model_dump(mode="json"),
        {"data.dataset": str(folder), "model.output": "sum", "training.loss": "kl"},
    )
    train(RunConfig.parse(content), tmp_path / "run", quiet=True)
    _, info = load_model(tmp_path / "run" / "best.safetensors")
    assert info.normalisation == "max"


def test_a_folder_in_use_is_left_alone(small_config, tmp_path):
    folder = tmp_path / "run"
    refused = []

    def begin_another(row):
        with pytest.raises(ConfigError, match=r"another process is training in .*run"):
            train(small_config, folder, resume=True, quiet=True)
        refused.append(row["epoch"])

    train(small_config, folder, quiet=True, on_epoch=begin_another)
    assert refused == [0, 1, 2]
    assert [row["epoch"] for row in read_log(folder)] == [0, 1, 2]
    train(small_config, folder, resume=True, quiet=True)
