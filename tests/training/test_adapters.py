"""Low-rank adapters and last layers: what is trained, and that merging changes no prediction."""

from __future__ import annotations

import pytest
import torch

from vanhove.crystal.graph import build_graph
from vanhove.datasets import load_tiny
from vanhove.errors import ConfigError
from vanhove.runs.catalog import run_config
from vanhove.runs.checkpoint import build_model, load_model, run_settings
from vanhove.runs.config import StartSettings
from vanhove.training.adapters import LowRank, add_adapters, merged_parameters
from vanhove.training.start import start_from, tuning_config
from vanhove.training.train import train

PAIRS = {"dostransformer": "dostransformer", "lattice_dynamics": "vanhove-phonon", "pooled": "mlp"}


def untrained(decoder: str):
    narrow = {"model.encoder.hidden_dim": 16, "model.decoder.hidden_dim": 16}
    return run_config(PAIRS[decoder], overrides=narrow)


@pytest.mark.parametrize("decoder", PAIRS)
def test_merged_adapters_predict_the_same(decoder):
    config = untrained(decoder)
    torch.manual_seed(0)
    plain, adapted = (build_model(config, range(51)).eval() for _ in range(2))
    adapted.load_state_dict(plain.state_dict())
    assert add_adapters(adapted, rank=2, scale=0.5) > 2
    graphs = [build_graph(crystal, config.graph) for crystal in load_tiny().crystals[:3]]
    before = plain.predict(graphs)
    assert torch.equal(adapted.predict(graphs), before)  # zero before training
    for module in adapted.modules():
        if isinstance(module, LowRank):
            torch.nn.init.normal_(module.up, std=0.3)
    after = adapted.predict(graphs)
    assert (after - before).abs().max() > 1e-3
    merged = merged_parameters(adapted)
    assert merged.keys() == plain.state_dict().keys()
    plain.load_state_dict(merged)
    torch.testing.assert_close(plain.predict(graphs), after, atol=1e-5, rtol=1e-4)


def test_a_saved_adapted_run_is_an_ordinary_checkpoint(small_run, tmp_path):
    overrides = {"training.epochs": 1, "start.adapter_rank": 2}
    config = tuning_config(str(small_run), data="tiny", mode="adapters", overrides=overrides)
    run = train(config, tmp_path / "run", quiet=True)
    before, _ = load_model(small_run / "best.safetensors")
    after, _ = load_model(run.best)
    assert run_settings(run.best).start.trainable == "adapters"
    old, new = before.state_dict(), after.state_dict()
    assert old.keys() == new.keys()
    changes = {name: new[name] - old[name] for name in old}
    for name, change in changes.items():
        if name.startswith("decoder.out."):
            assert change.any()
        elif name.endswith("bias") or "norm" in name or "embedding" in name:
            assert not change.any(), name
        elif change.any():
            assert torch.linalg.matrix_rank(change, rtol=1e-3) <= 2, name
    assert any(change.any() for name, change in changes.items() if name.startswith("encoder."))


def test_adapters_resume_exactly(small_run, tmp_path, monkeypatch):
    from vanhove.training.loop import Trainer

    overrides = {"training.epochs": 2, "training.ema_decay": 0.9}
    config = tuning_config(str(small_run), data="tiny", mode="adapters", overrides=overrides)
    whole = train(config, tmp_path / "whole", quiet=True)
    step = Trainer.train_step

    def stopping(self, rows):
        step(self, rows)
        self.stop_asked = self.run.progress.step == 5

    monkeypatch.setattr(Trainer, "train_step", stopping)
    assert train(config, tmp_path / "parts", quiet=True).interrupted
    monkeypatch.undo()
    parts = train(config, tmp_path / "parts", resume=True, quiet=True)
    first, second = (load_model(run.best)[0].state_dict() for run in (whole, parts))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_last_layers_of_the_flagship():
    decoder = build_model(untrained("lattice_dynamics"), range(51)).decoder
    assert decoder.last_layers() == [decoder.layers[-1], decoder.out]


def test_prompts_need_prompts(small_config, tmp_path):
    from vanhove.runs.config import RunConfig, with_overrides

    content = with_overrides(
        small_config.model_dump(mode="json"),
        {"model.crystal_system.kind": "none", "training.epochs": 1},
    )
    run = train(RunConfig.parse(content), tmp_path / "plain", quiet=True)
    start = StartSettings(checkpoint=str(run.best), trainable="prompts")
    with pytest.raises(ConfigError, match=r"no prompts; train last_layers, adapters or all"):
        start_from(build_model(RunConfig.parse(content), range(51)), start)
