import json
import sys
from types import SimpleNamespace

import pytest
import yaml

from vanhove import cli
from vanhove.errors import ConfigError
from vanhove.training.logs import read_log
from vanhove.tuning.space import SearchSpace
from vanhove.tuning.wandb import run_sweep_trial, sweep_config


def test_sweep_has_the_same_ranges():
    space = SearchSpace.load("graph-network-short")
    sweep = sweep_config(space, "graph-network-short", trials=40)
    assert sweep["method"] == "bayes"
    assert sweep["run_cap"] == 40
    assert sweep["metric"] == {"name": "valid_rmse", "goal": "minimize"}
    assert list(sweep["parameters"]) == list(space.space)
    assert sweep["parameters"]["training.learning_rate"] == {
        "distribution": "log_uniform_values",
        "min": 3e-4,
        "max": 1e-2,
    }
    assert sweep["parameters"]["model.encoder.n_layers"]["distribution"] == "int_uniform"
    assert json.loads(sweep["parameters"]["model.encoder.atom_features"]["values"][0])
    assert sweep["command"][1:] == ["vanhove", "tune", "graph-network-short", "--wandb-trial"]


def command(monkeypatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", ["vanhove", "tune", *map(str, arguments)])
    cli.app(standalone_mode=False)


def test_command_writes_the_sweep(tmp_path, monkeypatch, capsys):
    command(monkeypatch, "graph-network-short", "--wandb-sweep", tmp_path / "sweep.yaml")
    assert "wandb sweep" in capsys.readouterr().out
    written = yaml.safe_load((tmp_path / "sweep.yaml").read_text())
    assert written == sweep_config(
        SearchSpace.load("graph-network-short"), "graph-network-short", 40
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ("graph-network-short", "--show", "x"),
        ("--wandb-trial",),
        ("graph-network-short", "--wandb-sweep", "x", "--wandb-trial"),
    ],
)
def test_options_that_do_not_go_together(arguments, monkeypatch):
    with pytest.raises(ConfigError, match="give"):
        command(monkeypatch, *arguments)


def test_command_lists_the_spaces(monkeypatch, capsys):
    command(monkeypatch)
    assert "dostransformer" in capsys.readouterr().out


def test_trial_without_an_agent_says_what_to_do(space, tmp_path, monkeypatch):
    ended = []
    run = SimpleNamespace(config={}, finish=lambda exit_code: ended.append(exit_code))
    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(init=lambda **options: run))
    with pytest.raises(ConfigError, match=r"no parameters for training.learning_rate.*--wandb-sw"):
        run_sweep_trial(space, tmp_path, quiet=True)
    assert ended == [1]


def test_offline_trial_takes_the_parameters_of_an_agent(space, tmp_path, monkeypatch):
    """An agent gives parameters in a file that the environment names; no server is asked."""
    wandb = pytest.importorskip("wandb")
    given = {
        "training.learning_rate": 2e-3,
        "model.encoder.n_layers": 1,
        "model.encoder.hidden_dim": 8,
    }
    file = tmp_path / "parameters.yaml"
    file.write_text(
        yaml.safe_dump({"wandb_version": 1, **{k: {"value": v} for k, v in given.items()}})
    )
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.setenv("WANDB_RUN_ID", "trial7")
    monkeypatch.setenv("WANDB_SWEEP_ID", "sweep1")
    monkeypatch.setenv("WANDB_SWEEP_PARAM_PATH", str(file))
    try:
        result = run_sweep_trial(space, tmp_path / "trials", quiet=True)
    finally:
        wandb.teardown()
    assert result.folder == tmp_path / "trials" / "trial7"
    assert len(read_log(result.folder)) == 2
    config = yaml.safe_load((result.folder / "config.yaml").read_text())
    assert config["training"]["learning_rate"] == 2e-3
    assert config["model"]["decoder"]["hidden_dim"] == 8
    assert list((tmp_path / "trials" / "wandb").glob("offline-run-*/run-trial7.wandb"))
