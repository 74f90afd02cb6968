"""Descriptions of checkpoints: formats, upgrades, what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.conftest import STRUCTURES
from vanhove.crystal.graph import build_graph
from vanhove.crystal.reading import read_crystal
from vanhove.errors import CheckpointError
from vanhove.models.registry import DECODERS
from vanhove.runs.checkpoint import (
    build,
    load_model,
    read_info,
    read_safetensors,
    run_settings,
    save_model,
    write_safetensors,
)
from vanhove.runs.config import RunConfig
from vanhove.runs.description import FORMAT, ModelInfo
from vanhove.runs.upgrades import MODEL_FORMAT, UPGRADES
from vanhove.spectra.quantities import quantity

HEADERS = Path(__file__).parent / "headers"
OLD = sorted(HEADERS.rglob("*.json"))
"""Headers of shipped weights as they were in each format: ``format-N/NAME.json``."""


def header(path: Path) -> dict:
    return json.loads(path.read_text())


def test_every_format_has_an_upgrade_and_headers():
    assert sorted(UPGRADES) == list(range(1, FORMAT))
    assert MODEL_FORMAT.current == FORMAT
    assert {path.parent.name for path in OLD} == {f"format-{number}" for number in UPGRADES}


@pytest.mark.parametrize("path", OLD, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_an_old_file_is_read_and_predicts(path, tmp_path):
    info = ModelInfo.model_validate(MODEL_FORMAT.upgraded(header(path)))
    assert (info.format, info.name) == (FORMAT, path.stem)
    torch.manual_seed(0)
    model = build(info, {}).eval()
    write_safetensors(tmp_path / "old.safetensors", model.state_dict(), path.read_text())
    loaded, known = load_model(tmp_path / "old.safetensors")
    assert known == info
    graph = build_graph(read_crystal(STRUCTURES / "MgO.cif"), info.graph)
    if quantity(info.quantity).is_bands:
        graph = replace(graph, kpoints=torch.zeros(1, 3))
    assert torch.equal(loaded.predict([graph]), model.predict([graph]))


def test_format_1_to_2():
    """The settings of a run become the model, the graph and a short provenance."""
    path = HEADERS / "format-1" / "vanhove-phonon.json"
    first = header(path)
    second = MODEL_FORMAT.upgraded(header(path))
    assert "config" not in second
    assert second["model"] == first["config"]["model"]
    assert second["graph"] == first["config"]["graph"]
    assert second["name"] == "vanhove-phonon"
    trained = second["trained"]
    assert trained["data"] == first["config"]["data"]
    assert trained["dataset"] == first["dataset"]
    assert (trained["epoch"], trained["validation"]) == (first["epoch"], first["validation"])
    assert trained["fine_tuned"]
    assert trained["objective"] == {
        "loss": "rmse",
        "beta": 1.0,
        "shape_weight": 0.03,
        "select_by": "rmse",
    }
    assert second["ensemble"] == first["ensemble"]
    # Older still: keys that came later have the value that they stood for.
    bare = MODEL_FORMAT.upgraded(header(HEADERS / "format-1" / "dostransformer-phonon.json"))
    assert bare["trained"]["objective"]["shape_weight"] == 0.0
    assert not bare["trained"]["fine_tuned"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"format": FORMAT + 1, "version": "9.0"},
            rf"written in format {FORMAT + 1} by a newer vanhove \(9\.0\); this one reads up to "
            rf"{FORMAT}: update vanhove",
        ),
        ({"format": "two"}, "format 'two' was never written by vanhove"),
        ({"format": 0}, "format 0 was never written"),
        ({"format": None}, "format None was never written"),
        ({"colour": "red"}, "not a model checkpoint that this version knows .colour: Extra inputs"),
        ({"grid": ["a"]}, r"not a model checkpoint that this version knows .grid\.0: "),
        (
            {"model": {"decoder": {"name": "tomorrow"}}},
            f"model.decoder: must be a section whose name is one of {', '.join(DECODERS)}",
        ),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_sentence(small_run, tmp_path, change, message):
    tensors, text = read_safetensors(small_run / "best.safetensors")
    path = tmp_path / "changed.safetensors"
    write_safetensors(path, tensors, json.dumps(json.loads(text) | change))
    for read in (read_info, load_model):
        with pytest.raises(CheckpointError, match=message) as error:
            read(path)
        assert str(error.value).startswith(str(path))
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("text", ["no JSON", "[1]", '{"config": 3}', "{}"])
def test_other_headers_are_refused(small_run, tmp_path, text):
    path = tmp_path / "other.safetensors"
    write_safetensors(path, {"x": torch.zeros(1)}, text)
    with pytest.raises(CheckpointError, match="not a model checkpoint"):
        read_info(path)


def test_a_description_holds_no_settings_of_a_run(small_run):
    content = json.loads(read_safetensors(small_run / "best.safetensors", tensors=False)[1])
    assert content["format"] == FORMAT
    assert not content.keys() & {"config", "training", "start"}
    assert "training" not in content["trained"]


def test_a_run_folder_knows_its_settings_a_file_its_model(small_run, small_config, tmp_path):
    assert run_settings(small_run) == small_config
    tensors, _ = read_safetensors(small_run / "best.safetensors")
    alone = tmp_path / "alone.safetensors"
    save_model(alone, tensors, read_info(small_run / "best.safetensors"))
    known = run_settings(alone)
    assert (known.model, known.graph, known.data) == (
        small_config.model,
        small_config.graph,
        small_config.data,
    )
    assert known.training.loss == small_config.training.loss
    assert known.training.epochs == RunConfig().training.epochs
