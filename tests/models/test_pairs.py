"""Conformance: what every encoder with every decoder must do. New ones are tested by themselves."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from tests.crystal.transform import transformed
from tests.datasets.test_band_files import rocksalt, toy_bands
from vanhove.crystal.crystal import Crystal
from vanhove.crystal.graph import CrystalGraph, GraphSettings, build_graph, collate
from vanhove.crystal.kpath import reciprocal_lattice
from vanhove.crystal.symmetry import primitive_cell
from vanhove.datasets import load_tiny
from vanhove.errors import ConfigError, StructureError
from vanhove.models.model import ModelSettings, SpectrumModel
from vanhove.models.output import OutputKind
from vanhove.models.registry import DECODERS, DEFAULT_DECODER, DEFAULT_ENCODER, ENCODERS
from vanhove.prediction.loading import load
from vanhove.runs.checkpoint import load_model, save_model
from vanhove.runs.config import RunConfig
from vanhove.runs.description import DatasetInfo, ModelInfo, Provenance, objective_of
from vanhove.training.losses import training_loss

GRAPH = GraphSettings()
N_POINTS, N_KPOINTS, N_BANDS = 51, 12, 6
TOLERANCE = 1e-5
BANDS = [name for name, decoder in DECODERS.items() if decoder.gives_bands]
PAIRS = list(itertools.product(ENCODERS, DECODERS))
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
    settings = {"hidden_dim": 32, "dropout": 0.0, "n_bands": N_BANDS} | SMALL.get(name, {})
    known = registry[name].settings_type.model_fields
    return {"name": name} | {key: value for key, value in settings.items() if key in known}


def pair_settings(encoder: str, decoder: str, output: OutputKind | None = None) -> dict:
    return {
        "encoder": small("encoder", encoder),
        "decoder": small("decoder", decoder),
        "crystal_system": {"dim": 8},
        "output": output or ("energies" if decoder in BANDS else "raw"),
    }


def make(encoder: str, decoder: str, output: OutputKind | None = None) -> SpectrumModel:
    if encoder == "e3nn":
        pytest.importorskip("e3nn")
    torch.manual_seed(0)
    settings = ModelSettings.model_validate(pair_settings(encoder, decoder, output))
    return SpectrumModel(settings, GRAPH.cutoff, np.linspace(0, 1000, N_POINTS)).eval()


def some_k(crystal: Crystal) -> np.ndarray:
    """Cartesian, 1/angstrom, ``[N_KPOINTS, 3]``; the same for a crystal however often asked."""
    fractional = np.random.default_rng(0).random((N_KPOINTS, 3)) - 0.5
    return fractional @ reciprocal_lattice(primitive_cell(crystal).lattice)


def graphs_for(
    decoder: str, crystals: Sequence[Crystal], kpoints: Sequence[np.ndarray] | None = None
) -> list[CrystalGraph]:
    """Graphs as the decoder needs them: with k-points, for one of bands."""
    graphs = [build_graph(crystal, GRAPH) for crystal in crystals]
    if decoder not in BANDS:
        return graphs
    points = kpoints or [some_k(crystal) for crystal in crystals]
    pairs = zip(graphs, points, strict=True)
    return [replace(graph, kpoints=torch.from_numpy(k).float()) for graph, k in pairs]


def any_target(decoder: str, n: int) -> Tensor:
    """Of n crystals."""
    if decoder in BANDS:
        return torch.randn(n, N_KPOINTS, N_BANDS).sort(dim=-1).values
    return torch.rand(n, N_POINTS)


@pytest.fixture(scope="module")
def crystals() -> list[Crystal]:
    return load_tiny().crystals


@pytest.fixture(scope="module")
def one_of_each_system(crystals) -> list[Crystal]:
    by_system = {build_graph(c, GRAPH).crystal_system: c for c in crystals}
    assert len(by_system) == 7  # otherwise some prompts would get no gradient
    return list(by_system.values())


def predict(model: SpectrumModel, graphs: Sequence[CrystalGraph]) -> np.ndarray:
    with torch.inference_mode():
        return model(collate(graphs)).numpy()


def loss_of(decoder: str) -> str:
    return "bands" if decoder in BANDS else "mse"


@pytest.mark.parametrize(("encoder", "decoder"), PAIRS)
def test_shapes_and_outputs(encoder, decoder, crystals):
    graphs = graphs_for(decoder, crystals[:3])
    target = any_target(decoder, 3)
    for output in ("energies",) if decoder in BANDS else ("raw", "max", "sum"):
        model = make(encoder, decoder, output)
        values = predict(model, graphs)
        assert values.shape == target.shape
        assert np.isfinite(values).all()
        if output == "sum":
            np.testing.assert_allclose(values.sum(axis=1), 1, rtol=1e-5)
        outputs, scaled = model.outputs(collate(graphs), target)
        assert all(values.shape == scaled.shape for values in outputs.spectra.values())
        assert all(values.shape == (3,) for values in outputs.penalties.values())
        prediction = model.predict(graphs)
        if decoder in BANDS:
            assert (prediction.diff(dim=-1) >= 0).all()
        else:
            assert prediction.min() >= 0
        if output in ("max", "sum"):
            assert torch.all((prediction.amax(dim=1) - 1).abs() < 1e-5)


@pytest.mark.parametrize(("encoder", "decoder"), PAIRS)
def test_the_same_crystal_gives_the_same_spectrum(encoder, decoder, crystals):
    """Rotation (of the k-points, too), translation, order of atoms and choice of cell at once."""
    model = make(encoder, decoder)
    for seed in range(2):
        crystal = crystals[seed * 7]
        other = transformed(crystal, seed)
        turned = some_k(crystal) @ Rotation.random(random_state=seed).as_matrix().T
        first = predict(model, graphs_for(decoder, [crystal]))
        second = predict(model, graphs_for(decoder, [other], [turned]))
        assert np.abs(second - first).max() < TOLERANCE * max(1, np.abs(first).max())


@pytest.mark.parametrize(("encoder", "decoder"), SOME_PAIRS)
def test_a_batch_changes_nothing(encoder, decoder, crystals):
    model = make(encoder, decoder)
    by_size = sorted(crystals, key=lambda c: c.n_atoms)
    mixed = [by_size[0], by_size[-1], by_size[len(by_size) // 2], by_size[1]]
    graphs = graphs_for(decoder, mixed)
    together = predict(model, graphs)
    alone = np.concatenate([predict(model, [graph]) for graph in graphs])
    assert np.abs(together - alone).max() < TOLERANCE * max(1, np.abs(alone).max())


@pytest.mark.parametrize(("encoder", "decoder"), PAIRS)
def test_a_gradient_reaches_every_parameter(encoder, decoder, one_of_each_system):
    model = make(encoder, decoder).train()
    batch = collate(graphs_for(decoder, one_of_each_system))
    target = any_target(decoder, len(one_of_each_system))
    outputs, target = model.outputs(batch, target)
    training_loss(outputs, target, loss_of(decoder), 1.0).sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.abs().max() > 0, name


@pytest.mark.parametrize("decoder", DECODERS)
def test_a_decoder_is_what_its_attributes_say(decoder, crystals):
    model = make(DEFAULT_ENCODER, decoder)
    parts = [model.decoder, model.encoder]
    for part in parts:
        assert all(hasattr(part, name) for name in part.full_precision)
    head = {id(p) for module in model.decoder.head() for p in module.parameters()}
    last = {id(p) for module in model.decoder.last_layers() for p in module.parameters()}
    assert head
    assert head <= last <= {id(p) for p in model.decoder.parameters()}
    graphs = graphs_for(decoder, crystals[:2])
    places = torch.linspace(0, 1, 2 * N_POINTS - 1)
    if not DECODERS[decoder].answers_on_other_grids:
        with pytest.raises(ConfigError, match="interpolate its spectra"):
            model.set_places(places)
        return
    settings = pair_settings(DEFAULT_ENCODER, decoder)
    settings["decoder"]["energies"] = "gaussian"
    torch.manual_seed(0)
    smooth = SpectrumModel(
        ModelSettings.model_validate(settings), GRAPH.cutoff, np.linspace(0, 1000, N_POINTS)
    ).eval()
    own = predict(smooth, graphs)
    smooth.set_places(places)
    np.testing.assert_allclose(predict(smooth, graphs)[:, ::2], own, atol=1e-4)


def by_heart(decoder: str) -> tuple[list[CrystalGraph], Tensor]:
    """Eight crystals of the tiny set; of bands, tight-binding electrons of four."""
    if decoder not in BANDS:
        dataset = load_tiny()
        return graphs_for(decoder, dataset.crystals[:8]), torch.from_numpy(dataset.values[:8])
    sizes = ((4, 4), (4.2, 12), (4.8, 20), (5, 38))
    toys = [toy_bands(rocksalt(a, (z, 8)), N_BANDS) for a, z in sizes]
    crystals = [toy.crystal for toy in toys]
    graphs = graphs_for(decoder, crystals, [toy.kpoints.cartesian for toy in toys])
    return graphs, torch.tensor(np.stack([toy.energies for toy in toys]), dtype=torch.float32)


@pytest.mark.parametrize(("encoder", "decoder"), SOME_PAIRS)
def test_it_learns_a_few_crystals_by_heart(encoder, decoder):
    model = make(encoder, decoder).train()
    graphs, target = by_heart(decoder)
    batch = collate(graphs)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    for step in range(400):
        optimizer.param_groups[0]["lr"] = 5e-3 * min(1.0, (step + 1) / 30)
        optimizer.zero_grad()
        training_loss(*model.outputs(batch, target), loss_of(decoder), 1.0).mean().backward()
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
    config = RunConfig.parse(
        {
            "model": pair_settings(encoder, decoder),
            "training": {"loss": "bands", "select_by": "energy_mae"} if decoder in BANDS else {},
        }
    )
    info = ModelInfo(
        version="0",
        name="pair",
        model=config.model,
        graph=config.graph,
        grid=np.linspace(0, 1000, N_POINTS).tolist(),
        unit="eV" if decoder in BANDS else "cm-1",
        normalisation="from the Fermi level" if decoder in BANDS else "max",
        quantity="electron_bands" if decoder in BANDS else "phonon_dos",
        elements=elements,
        trained=Provenance(
            seed=0,
            data=config.data,
            dataset=DatasetInfo(
                name="tiny", hash="", split="", split_hash="", n_train=0, n_valid=0, n_test=0
            ),
            objective=objective_of(config),
            fine_tuned=False,
            epoch=0,
            validation={},
        ),
    )
    path = tmp_path / "model.safetensors"
    save_model(path, dict(model.named_parameters()), info)
    loaded, _ = load_model(path)
    graphs = graphs_for(decoder, crystals[:2])
    np.testing.assert_array_equal(predict(loaded, graphs), predict(model, graphs))
    stranger = next(c for c in crystals if not set(c.atomic_numbers.tolist()) <= set(elements))
    with pytest.raises(StructureError, match="element"):
        load(path).predict(stranger)
