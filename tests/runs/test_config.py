"""Run files."""

from typing import get_args

import pytest

from vanhove.errors import ConfigError
from vanhove.models.output import OutputKind
from vanhove.models.registry import DECODERS, ENCODERS
from vanhove.runs.config import LossName, RunConfig, parse_overrides
from vanhove.training.losses import LOSSES

OUTPUTS = [output for output in get_args(OutputKind) if output != "energies"]


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
        (
            "model: {decoder: {name: pooled, attention: bare}}",
            r"model\.decoder\.attention: Extra inputs",
        ),
        (
            "model: {encoder: {name: atom_mlp, hidden_dim: 0}}",
            r"model\.encoder\.hidden_dim: .*greater .*\(got 0\)",
        ),
        ("model: {decoder: pooled}", r"model\.decoder: must be a section .*\(got 'pooled'\)"),
        ("model: {encoder: null}", r"model\.encoder: must be a section .*\(got None\)"),
        ("model: {decoder: {name: [pooled]}}", r"model\.decoder: must be a section"),
        ("model: {output: minmax}", r"model\.output: .*'raw', .*'energies' \(got 'minmax'\)"),
        ("training: {loss: huber}", r"training\.loss: .*'bands' \(got 'huber'\)"),
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


@pytest.mark.parametrize(("section", "registry"), [("encoder", ENCODERS), ("decoder", DECODERS)])
def test_an_unknown_name_lists_the_allowed(section, registry):
    with pytest.raises(ConfigError) as error:
        RunConfig.parse({"model": {section: {"name": "nope"}}}, "run.yaml")
    assert str(error.value) == (
        f"run.yaml: model.{section}: must be a section whose name is one of "
        f"{', '.join(registry)} (got {{'name': 'nope'}})"
    )


LOSS_NEEDS = {
    "kl": (("sum",), "spectra of sum 1: set model.output to sum"),
    "bregman": (("softplus", "sum"), "positive values: set model.output to softplus or sum"),
}


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("loss", LOSSES)
def test_a_loss_that_does_not_fit_the_output_says_what_to_set(loss, output):
    content = {"model": {"output": output}, "training": {"loss": loss}}
    allowed, need = LOSS_NEEDS.get(loss, (OUTPUTS, ""))
    if output in allowed:
        assert RunConfig.parse(content).training.loss == loss
        return
    with pytest.raises(ConfigError) as error:
        RunConfig.parse(content, "run.yaml")
    assert str(error.value) == f"run.yaml: training.loss {loss} needs {need} (got {output!r})"


def test_every_loss_has_a_name():
    assert set(get_args(LossName)) == {*LOSSES, "bands"}


BANDS = {
    "model": {"decoder": {"name": "bandformer"}, "output": "energies"},
    "training": {"loss": "bands", "select_by": "energy_mae"},
}


def test_bands_need_settings_of_their_own():
    assert RunConfig.parse(BANDS).model.decoder.name == "bandformer"
    for section, key in (("model", "output"), ("training", "loss"), ("training", "select_by")):
        other = {**BANDS, section: {k: v for k, v in BANDS[section].items() if k != key}}
        with pytest.raises(ConfigError, match=rf"missing: {section}\.{key}"):
            RunConfig.parse(other)
    with pytest.raises(ConfigError, match=r"missing: .*model\.decoder"):
        RunConfig.parse({"model": {"output": "energies"}})


def test_a_missing_file_and_a_bad_override():
    with pytest.raises(ConfigError, match=r"none\.yaml: cannot read"):
        RunConfig.load("none.yaml")
    with pytest.raises(ConfigError, match=r"--set training\.epochs: write key=value"):
        parse_overrides(["training.epochs"])
