"""Named models: what their files say, and folders of other packages."""

from __future__ import annotations

from pathlib import Path

import pytest

from vanhove.errors import ConfigError
from vanhove.runs.catalog import CATALOG, NAMED, Catalog, find_config, merged, run_config
from vanhove.runs.config import RunConfig


@pytest.mark.parametrize("name", CATALOG)
def test_both_sizes_are_valid_runs(name):
    for size in ("compact", "published"):
        config = run_config(name, size, seed=3)
        assert (config.name, config.seed) == (name, 3)
        assert RunConfig.parse(config.model_dump(mode="json")) == config


def test_every_file_is_a_named_model_or_a_part_of_one():
    files = {path.stem for path in NAMED.glob("*.yaml")}
    parts = {name for name in files if name.startswith("_")}
    assert files - parts == set(CATALOG)
    used = {
        base
        for path in NAMED.glob("*.yaml")
        for base in parts
        if f"{base}," in path.read_text() or f"{base}]" in path.read_text()
    }
    assert used == parts


def test_the_published_size_lies_over_the_compact_one():
    assert run_config("mlp").training.epochs == 60
    assert run_config("mlp", "published").training.epochs == 1000
    assert run_config("mlp", "published").model.decoder.name == "pooled"
    assert run_config("mlp-energy", overrides={"training.epochs": 3}).training.epochs == 3
    assert CATALOG["e3nn-energy"].paper != CATALOG["e3nn"].paper


def test_models_by_their_data():
    assert CATALOG.trained_on("phonon_jarvis") == ["vanhove-jarvis"]
    assert "dostransformer" in CATALOG.trained_on("phonon_petretto")


def test_merged_sections_are_joined():
    base = {"a": {"b": 1, "c": 2}, "d": [1]}
    assert merged(base, {"a": {"c": 3}, "d": [2], "e": 4}) == {
        "a": {"b": 1, "c": 3},
        "d": [2],
        "e": 4,
    }
    assert merged(base, {"a": None})["a"] is None
    assert base == {"a": {"b": 1, "c": 2}, "d": [1]}


def write(folder: Path, **contents: str) -> Path:
    for name, content in contents.items():
        (folder / f"{name}.yaml").write_text(content)
    return folder


PLAIN = "title: Plain\npaper: none\nlicence: MIT\nsettings: {training: {epochs: 3}}\n"


def test_a_folder_of_another_package(tmp_path):
    catalog = Catalog(NAMED)
    assert len(catalog) == len(CATALOG)
    catalog.add(write(tmp_path, plain=PLAIN, other="based_on: [plain, _sum-kl]\n"))
    assert list(catalog)[-2:] == ["other", "plain"]  # without a place: last, by name
    assert catalog["other"].settings["training"] == {
        "epochs": 3,
        "loss": "kl",
        "select_by": "sum_mae",
    }


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("based_on: [nowhere]", "wrong: based_on 'nowhere', which is no file beside it"),
        ("based_on: [wrong]", "wrong: based_on itself"),
        ("title: x", "wrong: paper: Field required"),
        (PLAIN + "seeds: 3", "wrong: seeds: Extra inputs"),
        ("- 1", r"wrong\.yaml: a named model holds keys and values, got list"),
    ],
)
def test_mistakes_name_the_file(tmp_path, content, message):
    with pytest.raises(ConfigError, match=message):
        list(Catalog(write(tmp_path, wrong=content)))


def test_a_name_is_taken_once(tmp_path):
    with pytest.raises(ConfigError, match=r"mlp\.yaml: there is already a named model"):
        list(Catalog(NAMED, write(tmp_path, mlp=PLAIN)))


def test_unknown_names_and_sizes():
    with pytest.raises(ConfigError, match="model 'nope'; allowed: mlp, "):
        run_config("nope")
    with pytest.raises(ConfigError, match="--size is for named models: mlp, "):
        find_config("some.yaml", "published")
