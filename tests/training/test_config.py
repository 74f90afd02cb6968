"""Run files."""

from pathlib import Path

import pytest

from vanhove.errors import ConfigError
from vanhove.training.config import RunConfig, parse_overrides

CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.mark.parametrize("path", sorted(CONFIGS.rglob("*.yaml")), ids=lambda p: p.stem)
def test_shipped_run_files_are_valid(path):
    config = RunConfig.load(path)
    assert RunConfig.parse(config.model_dump(mode="json")) == config


def test_the_yaml_of_a_run_reads_back(tmp_path, small_config):
    path = tmp_path / "run.yaml"
    path.write_text(small_config.to_yaml())
    assert RunConfig.load(path) == small_config


def test_overrides_replace_nested_keys(tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text("training: {epochs: 3}\n")
    overrides = parse_overrides(["training.epochs=7", "model.decoder.attention=bare", "seed=2"])
    config = RunConfig.load(path, overrides)
    assert (config.training.epochs, config.model.decoder.attention, config.seed) == (7, "bare", 2)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("training: {epoch: 3}", r"run\.yaml: training\.epoch: Extra inputs .* \(got 3\)"),
        ("training: {epochs: many}", r"training\.epochs: .*integer.*\(got 'many'\)"),
        ("model: {decoder: {attention: multi}}", r"model\.decoder\.attention: .*'released'"),
        ("a: [1", "not YAML"),
        ("just text", "keys and values, got str"),
    ],
)
def test_mistakes_are_named(tmp_path, content, message):
    path = tmp_path / "run.yaml"
    path.write_text(content)
    with pytest.raises(ConfigError, match=message) as error:
        RunConfig.load(path)
    assert "\n" not in str(error.value)


def test_a_missing_file_and_a_bad_override():
    with pytest.raises(ConfigError, match=r"none\.yaml: cannot read"):
        RunConfig.load("none.yaml")
    with pytest.raises(ConfigError, match=r"--set training\.epochs: write key=value"):
        parse_overrides(["training.epochs"])
