"""Out-of-distribution runs with mean prompts, and fine-tuning."""

from __future__ import annotations

import pytest
import torch

from vanhove.crystal.symmetry import CRYSTAL_SYSTEMS
from vanhove.errors import CheckpointError, ConfigError
from vanhove.evaluation.evaluate import evaluate
from vanhove.runs.checkpoint import load_model, run_settings
from vanhove.runs.config import RunConfig, with_overrides
from vanhove.training.start import tuning_config
from vanhove.training.train import train

UNSEEN = [CRYSTAL_SYSTEMS.index(system) for system in ("monoclinic", "triclinic")]


@pytest.fixture(scope="module")
def held_out_run(small_config, tmp_path_factory):
    """A run that never saw monoclinic and triclinic crystals."""
    content = with_overrides(
        small_config.model_dump(mode="json"), {"data.split": "crystal_system", "name": "held-out"}
    )
    folder = tmp_path_factory.mktemp("runs") / "held-out"
    return train(RunConfig.parse(content), folder, quiet=True).folder


@pytest.fixture(scope="module")
def species_run(small_config, tmp_path_factory):
    """A run that saw binary and ternary crystals alone; enough others are left to tune on."""
    content = with_overrides(
        small_config.model_dump(mode="json"), {"data.split": "species", "name": "species"}
    )
    folder = tmp_path_factory.mktemp("runs") / "species"
    return train(RunConfig.parse(content), folder, quiet=True).folder


def prompts(run) -> torch.Tensor:
    model, _ = load_model(run / "best.safetensors")
    return model.system.embedding.weight.detach()


def test_unseen_systems_get_the_mean_prompt(held_out_run):
    weight = prompts(held_out_run)
    seen = [index for index in range(len(CRYSTAL_SYSTEMS)) if index not in UNSEEN]
    for index in UNSEEN:
        torch.testing.assert_close(weight[index], weight[seen].mean(dim=0))
    assert weight[seen].std(dim=0).min() > 0


def test_groups_add_up(held_out_run):
    result = evaluate(held_out_run, "test", quiet=True)
    groups = result.groups["crystal_system"]
    assert set(groups) == {"monoclinic", "triclinic"}
    total = sum(group["n"] * group["mae"] for group in groups.values())
    assert total / result.n_materials == pytest.approx(result.mean["mae"])


def tune(checkpoint, folder, **arguments):
    overrides = {"training.epochs": 2, "training.ema_decay": None}
    config = tuning_config(str(checkpoint), overrides=overrides, **arguments)
    return train(config, folder, quiet=True).folder


def test_only_prompts_changes_nothing_else(species_run, tmp_path):
    tuned = tune(species_run, tmp_path / "prompts", fraction=0.2, mode="prompts")
    before, _ = load_model(species_run / "best.safetensors")
    after, info = load_model(tuned / "best.safetensors")
    changed = {
        name
        for (name, old), new in zip(before.named_parameters(), after.parameters(), strict=True)
        if not torch.equal(old, new)
    }
    assert changed == {"system.embedding.weight", "decoder.out.weight", "decoder.out.bias"}
    assert run_settings(tuned).start.trainable == "prompts"
    assert "tuning on 0.2" in info.trained.dataset.split
    groups = evaluate(tuned, "test", quiet=True).groups["n_species"]
    assert set(groups) == {"1"}


def test_tuning_all_starts_from_the_checkpoint(species_run, tmp_path):
    tuned = tune(species_run, tmp_path / "all", fraction=0.2)
    before, _ = load_model(species_run / "best.safetensors")
    after, _ = load_model(tuned / "best.safetensors")
    distance = max(
        float((a - b).detach().abs().max())
        for a, b in zip(before.parameters(), after.parameters(), strict=True)
    )
    assert 0 < distance < 0.05


def test_mistakes_are_named(held_out_run, small_config):
    with pytest.raises(ConfigError, match="nothing to tune on"):
        tuning_config(str(held_out_run))
    with pytest.raises(ConfigError, match=r"data\.tuning_fraction"):
        tuning_config(str(held_out_run), fraction=0.5)
    start = {"start.checkpoint": str(held_out_run)}
    other = with_overrides(
        small_config.model_dump(mode="json"), start | {"model.encoder.hidden_dim": 24}
    )
    with pytest.raises(CheckpointError, match="another model"):
        train(RunConfig.parse(other), "never-made", quiet=True)
    without = with_overrides(
        small_config.model_dump(mode="json"),
        start | {"start.trainable": "prompts", "model.crystal_system.kind": "none"},
    )
    with pytest.raises((ConfigError, CheckpointError)):
        train(RunConfig.parse(without), "never-made", quiet=True)
