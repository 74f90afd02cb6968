"""`vanhove train vanhove-electron`, with the engine of `vanhove.training.electron_run`."""

import pytest
import yaml
from typer.testing import CliRunner

from vanhove.errors import ConfigError
from vanhove.runs.hamiltonian import load_hamiltonian
from vanhove.training import electron_run as engine
from vanhove.training.electron_run import ElectronRun, electron_run, quick_run, train_member


def test_what_is_a_run_of_electrons(tmp_path):
    assert electron_run("vanhove-electron", seed=3) == ElectronRun(seed=3)
    assert electron_run("dostransformer") is None
    own, other = tmp_path / "own.yaml", tmp_path / "other.yaml"
    own.write_text(yaml.safe_dump({"gap_atoms": 0, "teacher": None}))
    other.write_text(yaml.safe_dump({"model": {"encoder": "atomwise"}}))
    assert electron_run(str(own)).teacher is None
    assert electron_run(str(other)) is None
    own.write_text(yaml.safe_dump({"gap_atoms": 0, "unknown": 1}))
    with pytest.raises(ConfigError):
        electron_run(str(own))


def test_the_run_file_of_the_repository_is_the_default():
    assert electron_run("configs/electron/vanhove-electron.yaml") == ElectronRun()


@pytest.fixture
def few(monkeypatch):
    rows = engine.pbe_rows()[:6]
    monkeypatch.setattr(engine, "pbe_rows", lambda: rows)


def test_quick_on_the_command_line(few, tmp_path):
    from vanhove.cli import app

    out = tmp_path / "run"
    arguments = ["train", "vanhove-electron", "--quick", "-o", str(out)]
    found = CliRunner().invoke(app, arguments)
    assert found.exit_code == 0, found.output
    assert "member.safetensors" in found.output
    assert CliRunner().invoke(app, arguments).exit_code != 0  # there is a training already
    assert CliRunner().invoke(app, [*arguments, "--resume"]).exit_code == 0


def test_going_on_from_weights(few, tmp_path):
    run = quick_run(ElectronRun())
    first = train_member(run, tmp_path / "first")
    slow = run.pbe.model_copy(update={"epochs": 1, "learning_rate": 1e-12})
    again = run.model_copy(update={"start": first, "pbe": slow})
    second = train_member(again, tmp_path / "second")
    (before,), (after,) = (load_hamiltonian(path)[0] for path in (first, second))
    for old, new in zip(before.parameters(), after.parameters(), strict=True):
        assert (old - new).abs().max() < 1e-6
    assert load_hamiltonian(second)[1].members[0].history["start"]["run"]["name"] == run.name
