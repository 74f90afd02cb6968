"""Bands: what physics demands of the model, and that it trains."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import STRUCTURES
from tests.crystal.transform import transformed
from tests.datasets.test_band_files import rocksalt, toy_bands
from vanhove.crystal.crystal import Crystal
from vanhove.crystal.elements import valence_electrons
from vanhove.crystal.graph import CrystalGraph, GraphSettings, build_graph, collate
from vanhove.crystal.kpath import high_symmetry_path, reciprocal_lattice
from vanhove.crystal.reading import read_crystal
from vanhove.crystal.symmetry import primitive_cell
from vanhove.errors import ConfigError
from vanhove.models.decoders.bandformer import BandformerSettings
from vanhove.models.free_electrons import HBAR2_OVER_2M, FreeElectrons
from vanhove.models.model import ModelSettings, SpectrumModel
from vanhove.training.losses import bands as band_loss

GRAPH = GraphSettings(cutoff=5.0)
TOLERANCE = 2e-5
NAMES = ("GaAs", "AlN", "TiO2_rutile")


def make(**decoder) -> SpectrumModel:
    """In double precision; the energies vary by some 0.1 over the zone."""
    torch.manual_seed(0)
    small = {"name": "bandformer", "hidden_dim": 16, "n_heads": 2, "n_layers": 2, "channels": 3}
    settings = ModelSettings.model_validate(
        {
            "encoder": {"name": "graph_transformer", "hidden_dim": 16, "n_layers": 2},
            "decoder": small | decoder,
            "crystal_system": {"kind": "none"},
            "output": "energies",
        }
    )
    return SpectrumModel(settings, GRAPH.cutoff, range(24)).eval().double()


@pytest.fixture(scope="module")
def crystals() -> dict[str, Crystal]:
    return {name: primitive_cell(read_crystal(STRUCTURES / f"{name}.cif")) for name in NAMES}


def graph_at(crystal: Crystal, cartesian: np.ndarray) -> CrystalGraph:
    """A crystal with k-points, both in one orientation."""
    standard = primitive_cell(crystal)
    return replace(
        build_graph(crystal, GRAPH),
        kpoints=torch.from_numpy(cartesian),
        lattice=torch.from_numpy(standard.lattice),
    )


def energies(model: SpectrumModel, *graphs: CrystalGraph) -> np.ndarray:
    with torch.inference_mode():
        return model(collate(graphs).to("cpu", torch.float64)).numpy()


def random_k(crystal: Crystal, n: int = 12, seed: int = 0) -> np.ndarray:
    fractional = np.random.default_rng(seed).random((n, 3)) - 0.5
    return fractional @ reciprocal_lattice(crystal.lattice)


@pytest.fixture(scope="module")
def model() -> SpectrumModel:
    return make()


@pytest.mark.parametrize("name", NAMES)
def test_energies_depend_on_k(model, crystals, name):
    found = energies(model, graph_at(crystals[name], random_k(crystals[name])))[0]
    assert found.shape == (12, 6)
    assert found.std(axis=0).min() > 50 * TOLERANCE
    assert (np.diff(found, axis=1) >= 0).all()


@pytest.mark.parametrize("name", NAMES)
def test_k_and_minus_k(model, crystals, name):
    k = random_k(crystals[name])
    crystal = crystals[name]
    difference = energies(model, graph_at(crystal, k)) - energies(model, graph_at(crystal, -k))
    assert np.abs(difference).max() < TOLERANCE


@settings(deadline=None, max_examples=10)
@given(
    name=st.sampled_from(NAMES),
    steps=st.tuples(*[st.integers(-2, 2)] * 3),
    seed=st.integers(0, 100),
)
def test_reciprocal_lattice_vectors(model, crystals, name, steps, seed):
    crystal = crystals[name]
    k = random_k(crystal, seed=seed)
    shifted = k + np.array(steps) @ reciprocal_lattice(crystal.lattice)
    first, second = (energies(model, graph_at(crystal, points)) for points in (k, shifted))
    assert np.abs(first - second).max() < TOLERANCE


@settings(deadline=None, max_examples=10)
@given(name=st.sampled_from(NAMES), seed=st.integers(0, 1000))
def test_rotation_shift_order_and_cell(model, crystals, name, seed):
    """The k-points turn with the crystal; all else leaves them where they are."""
    crystal = crystals[name]
    k = random_k(crystal)
    other = transformed(crystal, seed)
    # The same rotation as in `transformed`.
    from scipy.spatial.transform import Rotation

    turned = k @ Rotation.random(random_state=seed).as_matrix().T
    first = energies(model, graph_at(crystal, k))
    second = energies(model, graph_at(other, turned))
    assert np.abs(first - second).max() < TOLERANCE


def test_symmetry_of_the_crystal(model, crystals):
    """Points that the point group makes equal: in the cubic crystal, all permutations of k."""
    crystal = crystals["GaAs"]
    axes = np.linalg.inv(np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]]) / 2) @ crystal.lattice
    if np.abs(axes @ axes.T - np.diag(np.diag(axes @ axes.T))).max() > 1e-6:
        pytest.skip("another setting of the primitive cell")
    axes = axes / np.linalg.norm(axes, axis=1, keepdims=True)
    k = np.random.default_rng(3).random((8, 3))
    first = energies(model, graph_at(crystal, k @ axes))
    second = energies(model, graph_at(crystal, k[:, [1, 2, 0]] @ axes))
    third = energies(model, graph_at(crystal, k[:, [1, 0, 2]] @ axes))
    assert np.abs(first - second).max() < TOLERANCE
    assert np.abs(first - third).max() < TOLERANCE


def test_the_same_k_has_the_same_energies_wherever_it_stands(model, crystals):
    path = high_symmetry_path(crystals["GaAs"]).continuous()
    points = path.sample(60)
    found = energies(model, graph_at(path.crystal, points.cartesian))[0]
    fractional = points.fractional
    twice = [
        (i, j)
        for i in range(60)
        for j in range(i)
        if np.abs(fractional[i] - fractional[j]).max() < 1e-9
    ]
    assert len(twice) > 5  # Γ, X, L, and what is walked twice
    assert max(np.abs(found[i] - found[j]).max() for i, j in twice) < TOLERANCE
    # Walked backwards, the path gives the same bands backwards.
    reverse = energies(model, graph_at(path.crystal, points.cartesian[::-1].copy()))[0]
    assert np.abs(reverse[::-1] - found).max() < TOLERANCE


def test_without_path_attention_other_points_do_not_matter(crystals):
    alone = make(path_attention=False)
    crystal = crystals["AlN"]
    k = random_k(crystal)
    all_points = energies(alone, graph_at(crystal, k))[0]
    few = energies(alone, graph_at(crystal, k[3:5]))[0]
    assert np.abs(all_points[3:5] - few).max() < TOLERANCE


@pytest.mark.parametrize("fourier", [False, True])
def test_a_batch_changes_nothing(crystals, fourier):
    model = make(fourier=fourier)
    graphs = [graph_at(crystal, random_k(crystal)) for crystal in crystals.values()]
    together = energies(model, *graphs)
    alone = np.concatenate([energies(model, graph) for graph in graphs])
    assert np.abs(together - alone).max() < TOLERANCE


def test_large_crystals_are_done_in_pieces(model, crystals, monkeypatch):
    graph = graph_at(crystals["TiO2_rutile"], random_k(crystals["TiO2_rutile"]))
    whole = energies(model, graph)
    monkeypatch.setattr("vanhove.models.bloch.MOST_NUMBERS", 3000)
    assert np.abs(energies(model, graph) - whole).max() < TOLERANCE


@pytest.mark.parametrize("fourier", [False, True])
def test_a_gradient_reaches_every_parameter(crystals, fourier):
    model = make(fourier=fourier).float().train()
    graphs = [graph_at(crystal, random_k(crystal)) for crystal in crystals.values()]
    outputs, target = model.outputs(
        collate(graphs).to("cpu", torch.float32), torch.randn(3, 12, 6).sort(dim=-1).values
    )
    band_loss(outputs.spectra["spectrum"], target, 1.0).sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.abs().max() > 0, name


@pytest.mark.parametrize("fourier", [False, True])
def test_it_learns_bands_by_heart(fourier):
    """Tight-binding electrons of four crystals; the loss halves and halves again."""
    model = make(fourier=fourier).float().train()
    toys = [toy_bands(rocksalt(a, (z, 8)), 6) for a, z in ((4, 4), (4.2, 12), (4.8, 20), (5, 38))]
    graphs = [graph_at(toy.crystal, toy.kpoints.cartesian) for toy in toys]
    batch = collate(graphs).to("cpu", torch.float32)
    target = torch.tensor(np.stack([toy.energies for toy in toys]), dtype=torch.float32)
    target = target + torch.arange(4)[:, None, None]
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    first = float("inf")
    for step in range(400):
        optimizer.zero_grad()
        outputs, goal = model.outputs(batch, target)
        loss = band_loss(outputs.spectra["spectrum"], goal, 1.0).mean()
        loss.backward()
        optimizer.step()
        first = loss.item() if step == 0 else first
        if loss.item() < 0.1 * first:
            return
    pytest.fail(f"after 400 steps the loss is {loss.item():.3f}, it was {first:.3f}")


def test_a_step_can_look_at_some_points(crystals):
    model = make(kpoints_per_step=5).train()
    graph = graph_at(crystals["AlN"], random_k(crystals["AlN"]))
    batch = collate([graph]).to("cpu", torch.float64)
    target = torch.arange(72.0).view(1, 12, 6)
    torch.manual_seed(1)
    outputs, part = model.outputs(batch, target)
    assert outputs.spectra["spectrum"].shape == part.shape == (1, 5, 6)
    assert set(part[0, :, 0].tolist()) < set(target[0, :, 0].tolist())


def test_settings_that_do_not_fit():
    with pytest.raises(ValueError, match="whole path"):
        BandformerSettings(fourier=True, kpoints_per_step=8)
    with pytest.raises(ValueError, match="multiple of n_heads"):
        BandformerSettings(hidden_dim=10, n_heads=4)


def test_graphs_without_kpoints_are_refused(model, crystals):
    with pytest.raises(ConfigError, match="k-points"):
        model(collate([build_graph(crystals["GaAs"], GRAPH)]).to("cpu", torch.float64))


def test_loss_and_masked_bands():
    target = torch.tensor([[[0.0, 1.0], [2.0, 1.0]]])
    prediction = target + torch.tensor([[[1.0, 0.0], [2.0, 0.0]]])
    # Centre off by 1.5 and 0, dispersion by 0.5 and 0.
    assert band_loss(prediction, target, 2.0).tolist() == pytest.approx([(1.5 + 2 * 0.5) / 2])
    target[:, :, 1] = float("nan")
    prediction[:, :, 1] = 1e6
    prediction.requires_grad_()
    loss = band_loss(prediction, target, 2.0)
    assert loss.tolist() == pytest.approx([2.5])
    loss.sum().backward()
    assert torch.isfinite(prediction.grad).all()
    assert (prediction.grad[:, :, 1] == 0).all()


@pytest.mark.parametrize("name", NAMES)
def test_free_electrons_are_those_of_all_reciprocal_vectors(crystals, name):
    crystal = crystals[name]
    encoding = FreeElectrons(n_bands=10)
    k = random_k(crystal, 20)
    found = encoding(collate([graph_at(crystal, k)]).to("cpu", torch.float64))[0].numpy()
    n = int(valence_electrons()[crystal.atomic_numbers].sum())
    steps = np.stack(np.meshgrid(*[np.arange(-6, 7)] * 3), axis=-1).reshape(-1, 3)
    vectors = k[:, None] + steps @ reciprocal_lattice(crystal.lattice)
    energies = np.sort(HBAR2_OVER_2M * (vectors**2).sum(axis=-1), axis=1)
    volume = abs(np.linalg.det(crystal.lattice))
    fermi = HBAR2_OVER_2M * (3 * np.pi**2 * n / volume) ** (2 / 3)
    expected = energies[:, np.arange(n // 2 - 5, n // 2 + 5).clip(min=0)] - fermi
    scale = found[0, -1] / fermi  # the last column is the Fermi energy
    np.testing.assert_allclose(found[:, :-1] / scale, expected, atol=1e-3)


def test_the_printed_encoding_is_of_fractional_coordinates(crystals):
    """Waves of the fractional k in the cell of the graph: k and k + G differ, as in the paper."""
    printed = make(encoding="reciprocal", free_electrons=False)
    crystal = crystals["GaAs"]
    k = random_k(crystal)
    graph = graph_at(crystal, k)
    fractional = k @ np.linalg.inv(reciprocal_lattice(crystal.lattice))
    seen = printed.decoder.encoding(torch.empty(2, 0), collate([graph]).to("cpu", torch.float64))
    n = printed.decoder.encoding.out_dim // 6
    assert seen.shape == (2, 12, 6 * n)
    np.testing.assert_allclose(seen[0, :, 0], np.sin(2 * np.pi * fractional[:, 0]), atol=1e-6)
    np.testing.assert_allclose(seen[1, :, n], np.cos(2 * np.pi * fractional[:, 0]), atol=1e-6)
    moved = graph_at(crystal, k + reciprocal_lattice(crystal.lattice)[0])
    assert np.abs(energies(printed, graph) - energies(printed, moved)).max() > 1e-4
