"""Conformance: what every encoder with every decoder must do. New ones are tested by themselves."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from tests.crystal.transform import transformed
from vanhove.crystal.crystal import Crystal
from vanhove.crystal.graph import GraphSettings, build_graph, collate
from vanhove.datasets import load_tiny
from vanhove.errors import StructureError
from vanhove.models.model import (
    BAND_DECODERS,
    DECODERS,
    DEFAULT_DECODER,
    DEFAULT_ENCODER,
    ENCODERS,
    ModelSettings,
    SpectrumModel,
)
from vanhove.models.output import OutputKind
from vanhove.prediction.predictor import load
from vanhove.runs.checkpoint import DatasetInfo, ModelInfo, load_model, save_model
from vanhove.runs.config import RunConfig
from vanhove.training.losses import training_loss

GRAPH = GraphSettings()
N_POINTS = 51
TOLERANCE = 1e-5
# Of bands: tests/models/test_bandformer.py.
PAIRS = list(itertools.product(ENCODERS, [d for d in DECODERS if d not in BAND_DECODERS]))
# What takes longer: every encoder and every decoder once, and the pairs that ship.
SOME_PAIRS = [
    (encoder, decoder)
    for encoder, decoder in PAIRS
    if encoder == DEFAULT_ENCODER
    or decoder == DEFAULT_DECODER
    or (encoder, decoder) in (("alignn", "lattice_dynamics"), ("alignn", "atomwise"))
]
# Keep models small; anything not named here is tested with a narrow hidden_dim.
SMALL: dict[str, dict] = {
    "e3nn": {"multiplicity": 8, "embedding_dim": 16, "radial_dim": 16},
    "alignn": {"n_alignn_layers": 2, "n_gcn_layers": 1, "embedding_dim": 16},
    "matformer": {"n_layers": 2, "n_heads": 2},
}


def small(kind: str, name: str) -> dict:
    registry = ENCODERS if kind == "encoder" else DECODERS
    settings = {"hidden_dim": 32, "dropout": 0.0} | SMALL.get(name, {})
    known = registry[name][0].model_fields
    return {"name": name} | {key: value for key, value in settings.items() if key in known}


def pair_settings(encoder: str, decoder: str, output: OutputKind = "raw") -> dict:
    return {
        "encoder": small("encoder", encoder),
        "decoder": small("decoder", decoder),
        "crystal_system": {"dim": 8},
        "output": output,
    }


def make(encoder: str, decoder: str, output: OutputKind = "raw") -> SpectrumModel:
    if encoder == "e3nn":
        pytest.importorskip("e3nn")
    torch.manual_seed(0)
    settings = ModelSettings.model_validate(pair_settings(encoder, decoder, output))
    return SpectrumModel(settings, GRAPH.cutoff, np.linspace(0, 1000, N_POINTS)).eval()


@pytest.fixture(scope="module")
def crystals() -> list[Crystal]:
    return load_tiny().crystals


@pytest.fixture(scope="module")
def one_of_each_system(crystals) -> list[Crystal]:
    by_system = {build_graph(c, GRAPH).crystal_system: c for c in crystals}
    assert len(by_system) == 7  # otherwise some prompts would get no gradient
    return list(by_system.values())


def predict(model: SpectrumModel, *crystals: Crystal) -> np.ndarray:
    with torch.inference_mode():
        return model(collate([build_graph(c, GRAPH) for c in crystals])).numpy()


@pytest.mark.parametrize(("encoder", "decoder"), PAIRS)
def test_shapes_and_outputs(encoder, decoder, crystals):
    graphs = [build_graph(c, GRAPH) for c in crystals[:3]]
    target = torch.rand(3, N_POINTS)
    for output in ("raw", "max", "sum"):
        model = make(encoder, decoder, output)
        values = predict(model, *crystals[:3])
        assert values.shape == (3, N_POINTS)
        assert np.isfinite(values).all()
        if output == "sum":
            np.testing.assert_allclose(values.sum(axis=1), 1, rtol=1e-5)
        outputs, scaled = model.outputs(collate(graphs), target)
        assert all(values.shape == scaled.shape for values in outputs.spectra.values())
        assert all(values.shape == (3,) for values in outputs.penalties.values())
        prediction = model.predict(graphs)
        assert prediction.min() >= 0
        if output != "raw":
            assert torch.all((prediction.amax(dim=1) - 1).abs() < 1e-5)


@pytest.mark.parametrize(("encoder", "decoder"), PAIRS)
def test_the_same_crystal_gives_the_same_spectrum(encoder, decoder, crystals):
    """Rotation, translation, order of atoms and choice of cell at once."""
    model = make(encoder, decoder)
    for seed in range(2):
        crystal = crystals[seed * 7]
        difference = predict(model, transformed(crystal, seed)) - predict(model, crystal)
        assert np.abs(difference).max() < TOLERANCE


@pytest.mark.parametrize(("encoder", "decoder"), SOME_PAIRS)
def test_a_batch_changes_nothing(encoder, decoder, crystals):
    model = make(encoder, decoder)
    by_size = sorted(crystals, key=lambda c: c.n_atoms)
    mixed = [by_size[0], by_size[-1], by_size[len(by_size) // 2], by_size[1]]
    together = predict(model, *mixed)
    alone = np.concatenate([predict(model, crystal) for crystal in mixed])
    assert np.abs(together - alone).max() < TOLERANCE


@pytest.mark.parametrize(("encoder", "decoder"), PAIRS)
def test_a_gradient_reaches_every_parameter(encoder, decoder, one_of_each_system):
    model = make(encoder, decoder).train()
    batch = collate([build_graph(c, GRAPH) for c in one_of_each_system])
    target = torch.rand(len(one_of_each_system), N_POINTS)
    outputs, target = model.outputs(batch, target)
    training_loss(outputs, target, "mse", 1.0).sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.abs().max() > 0, name


@pytest.mark.parametrize(("encoder", "decoder"), SOME_PAIRS)
def test_it_learns_eight_crystals_by_heart(encoder, decoder):
    dataset = load_tiny()
    model = make(encoder, decoder).train()
    batch = collate([build_graph(c, GRAPH) for c in dataset.crystals[:8]])
    target = torch.from_numpy(dataset.values[:8])
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    for step in range(400):
        optimizer.param_groups[0]["lr"] = 5e-3 * min(1.0, (step + 1) / 30)
        optimizer.zero_grad()
        training_loss(*model.outputs(batch, target), "mse", 1.0).mean().backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if step % 25 == 24:
            with torch.inference_mode():
                mse = ((model.eval()(batch) - target) ** 2).mean()
            model.train()
            if mse < 0.15 * target.var():
                return
    pytest.fail(f"after 400 steps the MSE is {mse:.4f}, the variance {target.var():.4f}")


@pytest.mark.parametrize(("encoder", "decoder"), SOME_PAIRS)
def test_it_reads_back_and_refuses_unseen_elements(encoder, decoder, crystals, tmp_path):
    model = make(encoder, decoder)
    elements = sorted({int(z) for c in crystals[:4] for z in c.atomic_numbers})
    info = ModelInfo(
        version="0",
        config=RunConfig.parse({"model": pair_settings(encoder, decoder)}),
        dataset=DatasetInfo(
            name="tiny", hash="", split="", split_hash="", n_train=0, n_valid=0, n_test=0
        ),
        grid=np.linspace(0, 1000, N_POINTS).tolist(),
        unit="cm-1",
        normalisation="max",
        quantity="phonon_dos",
        elements=elements,
        epoch=0,
        validation={},
    )
    path = tmp_path / "model.safetensors"
    save_model(path, dict(model.named_parameters()), info)
    loaded, _ = load_model(path)
    np.testing.assert_array_equal(predict(loaded, *crystals[:2]), predict(model, *crystals[:2]))
    stranger = next(c for c in crystals if not set(c.atomic_numbers.tolist()) <= set(elements))
    with pytest.raises(StructureError, match="element"):
        load(path).predict(stranger)
