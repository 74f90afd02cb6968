"""What the command does is also a function of the package."""

from __future__ import annotations

import inspect
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

import vanhove
from tests.conftest import SMALL_RUN
from vanhove import cli
from vanhove.cli import app
from vanhove.errors import ConfigError, MissingExtraError
from vanhove.runs.config import RunConfig

API = Path(__file__).parents[1] / "docs" / "api.md"
OTHER_NAMES = {"models": "list_models"}  # vanhove.models is the folder of the models


def command_names() -> list[str]:
    def name(command) -> str:
        return command.name or command.callback.__name__

    return [
        *(name(command) for command in cli.app.registered_commands),
        *(f"data {name(command)}" for command in cli.data_app.registered_commands),
    ]


@pytest.mark.parametrize("command", command_names())
def test_every_command_is_a_function(command):
    wanted = command.replace(" ", "_").replace("-", "_")
    name = OTHER_NAMES.get(wanted, wanted)
    add = f"add it to _HOME of vanhove/__init__.py and to the table of {API.name}"
    assert name in vanhove.__all__, f"vanhove {command} has no function vanhove.{name}: {add}"
    assert inspect.isfunction(getattr(vanhove, name))
    row = f"| `vanhove {command}` | [`vanhove.{name}`]"
    assert row in API.read_text(encoding="utf-8"), f"{row} is missing: {add}"


def test_every_public_name_is_there_and_documented():
    for name in vanhove.__all__:
        made = getattr(vanhove, name)
        assert made.__doc__, name
        where = f"{made.__module__}.{made.__name__}"
        assert f"\n::: {where}\n" in API.read_text(encoding="utf-8"), where
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        vanhove.nothing  # noqa: B018


def test_train_takes_what_the_command_takes(monkeypatch, tmp_path):
    seen = []
    monkeypatch.setattr(
        "vanhove.training.train._train_in", lambda _, config, *__: seen.append(config)
    )
    file = tmp_path / "run.yaml"
    config = RunConfig.parse(SMALL_RUN)
    file.write_text(config.to_yaml())
    vanhove.train(config)
    vanhove.train(config, seed=3, settings={"training.epochs": 7})
    vanhove.train(file, settings={"training.epochs": 8})
    vanhove.train("mlp-energy", size="published", settings={"data.dataset": "tiny"})
    assert seen[0] is config
    assert (seen[1].seed, seen[1].training.epochs) == (3, 7)
    assert (seen[2].seed, seen[2].training.epochs) == (0, 8)
    assert seen[3].data.dataset == "tiny"
    assert seen[3].model.encoder.hidden_dim == 256
    with pytest.raises(ConfigError, match="named models"):
        vanhove.train(config, size="published")


def test_reproduce_finds_bandformer_too(monkeypatch):
    seen = []
    monkeypatch.setattr(
        "vanhove.experiments.bands.reproduce_bandformer", lambda options: seen.append(options)
    )
    vanhove.reproduce("bandformer", seeds=[1], quick=True)
    assert seen[0].seeds == (1,)
    with pytest.raises(ConfigError, match="one form"):
        vanhove.reproduce("bandformer", rows=["mlp"])
    with pytest.raises(ConfigError, match="nothing"):
        vanhove.reproduce("nothing")


def test_lists_and_export(small_run, tmp_path):
    names = vanhove.list_models()
    assert "dostransformer" in names["catalog"]
    assert "vanhove-phonon" in names["weights"]
    assert "vanhove-electron" in names["weights"]
    assert vanhove.data_list()["tiny"]
    assert vanhove.data_info("tiny").name == "tiny"
    file = vanhove.export(small_run, tmp_path / "new" / "mine.safetensors")
    assert file.stat().st_size > 1000


def test_lists_as_json():
    def said(*arguments):
        result = CliRunner().invoke(app, [*arguments, "--json"])
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    assert "dostransformer" in said("models")["catalog"]
    assert said("models", "mlp")["name"] == "mlp"
    assert "tiny" in said("data", "list")
    assert said("data", "info", "tiny")["materials"] == 48
    table = CliRunner().invoke(app, ["models"]).stdout.splitlines()
    weights = table[next(n for n, line in enumerate(table) if line.startswith("weights")) + 1 :]
    where = {line.index(line.split()[2]) for line in weights if line.startswith("vanhove-")}
    assert len(where) == 1  # columns stand under each other
    assert "familiarity" in CliRunner().invoke(app, ["models", "vanhove-electron"]).stdout.lower()


def test_weights_are_exported_under_their_ending(small_run, tmp_path):
    result = CliRunner().invoke(app, ["export", str(small_run), "-o", str(tmp_path / "mine")])
    assert "ends with .safetensors" in f"{result.output} {result.exception}"
    assert not list(tmp_path.iterdir())


def test_serve_without_its_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "vanhove.server.app", None)
    with pytest.raises(MissingExtraError, match="serve"):
        vanhove.serve()
