"""The state of a training: formats, upgrades, what is refused; run files alike."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
import yaml

from vanhove.errors import CheckpointError, ConfigError
from vanhove.runs import config as config_module
from vanhove.runs.checkpoint import read_safetensors, write_safetensors
from vanhove.runs.config import RunConfig
from vanhove.runs.folder import RUN_FILE, STATE
from vanhove.runs.formats import Format
from vanhove.runs.state import STATE_FORMAT, read_state, write_state
from vanhove.training.train import train

TENSORS = {"x": torch.arange(3.0)}
OLD = {
    "of a run": {"config": {"name": "mine"}, "progress": {"epoch": 3, "seconds": 1.5}},
    "of tight binding": {"epoch": 3, "step": 9, "seconds": 1.5, "losses": [2.0], "seed": 1},
    "of an embedding": {"settings": {"kind": "vae"}, "fingerprint": "0", "step": 9},
}
"""Headers of format 1."""


def test_state_comes_back(tmp_path):
    write_state(tmp_path / "state", TENSORS, {"a": 1}, {"step": 2})
    tensors, saved = read_state(tmp_path / "state")
    assert torch.equal(tensors["x"], TENSORS["x"])
    assert (saved.config, saved.progress) == ({"a": 1}, {"step": 2})
    header = json.loads(read_safetensors(tmp_path / "state")[1])
    assert header["format"] == STATE_FORMAT.current


@pytest.mark.parametrize("content", OLD.values(), ids=OLD)
def test_states_of_format_1_are_read(tmp_path, content):
    write_safetensors(tmp_path / "state", TENSORS, json.dumps(content))
    saved = read_state(tmp_path / "state", tensors=False)[1]
    flat = {**content, **content.get("progress", {})}
    assert saved.progress == {
        key: flat[key] for key in ("epoch", "step", "seconds", "losses") if key in flat
    }
    assert saved.config == content.get("config") or saved.config == {
        key: content[key] for key in content if key not in saved.progress
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (json.dumps({"format": 9, "version": "2.0"}), r"format 9 by a newer vanhove \(2\.0\)"),
        (json.dumps({"format": 0}), "format 0 was never written"),
        (json.dumps({"format": 2}), "no 'config'"),
        ("{}", "format None was never written"),
        ("[1]", "no JSON object"),
        ("no JSON", "not the state of a training"),
    ],
)
def test_other_states_are_refused(tmp_path, text, message):
    write_safetensors(tmp_path / "state", TENSORS, text)
    with pytest.raises(
        CheckpointError, match=f"state: not the state of a training.*{message}|{message}"
    ):
        read_state(tmp_path / "state")


def test_a_run_folder_of_format_1_resumes(small_run, small_config, tmp_path):
    """Neither its run file nor its state has a number."""
    folder = tmp_path / "run"
    shutil.copytree(small_run, folder)
    content = yaml.safe_load((folder / RUN_FILE).read_text())
    assert content.pop("format") == config_module.RUN_FORMAT.current
    (folder / RUN_FILE).write_text(yaml.safe_dump(content))
    tensors, saved = read_state(folder / STATE)
    # As if it had been stopped before its last epoch was counted as the end.
    header = {"config": saved.config, "progress": saved.progress}
    write_safetensors(folder / STATE, tensors, json.dumps(header))
    result = train(small_config, folder, resume=True, quiet=True)
    assert result.epochs == saved.progress["epoch"]
    again = read_state(folder / STATE)[1]
    assert again.progress == saved.progress


def test_run_files_are_upgraded_and_newer_ones_refused(tmp_path, monkeypatch):
    path = tmp_path / "config.yaml"

    def renamed(content):
        content["training"]["epochs"] = content["training"].pop("rounds")
        return content

    path.write_text("training: {rounds: 7}\n")
    with pytest.raises(ConfigError, match=r"config\.yaml: training\.rounds"):
        RunConfig.load(path)
    monkeypatch.setattr(config_module, "RUN_FORMAT", Format({1: renamed}, lambda content: True))
    assert RunConfig.load(path).training.epochs == 7
    path.write_text(RunConfig.load(path).to_yaml())
    assert path.read_text().startswith("format: 2\n")
    assert RunConfig.load(path).training.epochs == 7
    path.write_text("format: 3\n")
    with pytest.raises(ConfigError, match=r"config\.yaml: written in format 3 by a newer vanhove"):
        RunConfig.load(path)
