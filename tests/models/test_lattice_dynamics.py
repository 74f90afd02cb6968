"""Phonons from force constants: against textbook answers, numpy and finite differences."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vanhove.crystal.crystal import Crystal
from vanhove.crystal.elements import MASSES
from vanhove.crystal.graph import Batch, GraphSettings, build_graph, collate
from vanhove.crystal.symmetry import standardize
from vanhove.datasets import load_tiny
from vanhove.models.lattice_dynamics import (
    AngleConstants,
    Bonds,
    ForceConstants,
    Polarity,
    Springs,
    harmonic_crystals,
)
from vanhove.models.model import ModelSettings, SpectrumModel
from vanhove.models.wave_vectors import mesh_size, meshes_of, wave_vectors
from vanhove.physics.harmonic import FREQUENCY_UNIT, HarmonicCrystal, softened

GRAPH = GraphSettings()


def batch_of(*crystals: Crystal, cutoff: float = 4.0) -> Batch:
    graphs = [build_graph(c, GraphSettings(cutoff=cutoff)) for c in crystals]
    return collate(graphs).to("cpu", torch.float64)


def springs(batch: Batch, seed: int = 0) -> torch.Tensor:
    torch.manual_seed(seed)
    network = ForceConstants(4, 16, 3, 10, 4.0).double()
    kinds = torch.randn(120, 4, dtype=torch.float64)
    atoms = kinds[batch.atomic_numbers]
    return network(atoms, Bonds(atoms, batch))


def crystals(constants: torch.Tensor, batch: Batch) -> list[HarmonicCrystal]:
    return list(harmonic_crystals(Springs(*batch.edge_index, batch.edge_vector, constants), batch))


def mesh_of(lattice: torch.Tensor, n_atoms: int) -> tuple[torch.Tensor, torch.Tensor]:
    points, weight = meshes_of(lattice[None], n_atoms, [None])
    return points[0], weight[0]


def on_mesh(crystal: HarmonicCrystal) -> torch.Tensor:
    """Squared frequencies on the mesh of training, ``[n_k, 3 n_atoms]``."""
    return crystal.modes(mesh_of(crystal.lattice, crystal.n_atoms)[0])[0]


def test_simple_cubic_with_nearest_neighbours():
    """Springs along the bonds of a simple cubic crystal: w^2 = 2 k (1 - cos q_x a) / m."""
    side, stiffness = 3.35, 2.0
    crystal = Crystal(np.eye(3) * side, np.zeros((1, 3)), np.array([84]))
    batch = batch_of(crystal)
    assert batch.edge_index.shape[1] == 6
    direction = batch.edge_vector / side
    (found,) = crystals(stiffness * direction[:, :, None] * direction[:, None, :], batch)
    points = np.random.default_rng(0).normal(size=(7, 3))
    squared, _ = found.modes(torch.from_numpy(points))
    # The axes of the primitive cell are those of the cube, in some order.
    expected = np.sort(2 * stiffness * (1 - np.cos(points * side)) / MASSES[84], axis=1)
    np.testing.assert_allclose(squared, expected, atol=1e-6)


def test_the_unit_is_that_of_a_spring():
    """1 eV/angstrom^2 on 1 u: sqrt(k/m) / (2 pi c) from constants of nature."""
    electron_volt, dalton, light = 1.602176634e-19, 1.66053906660e-27, 2.99792458e10
    angular = np.sqrt(electron_volt / 1e-20 / dalton)
    in_1_cm = angular / (2 * np.pi * light)
    assert abs(FREQUENCY_UNIT / in_1_cm - 1) < 1e-5


def test_moving_the_whole_crystal_costs_nothing():
    batch = batch_of(*load_tiny().crystals[:6])
    for crystal, n in zip(crystals(springs(batch), batch), batch.n_atoms.tolist(), strict=True):
        squared, vectors = crystal.modes(torch.zeros(1, 3, dtype=torch.float64))
        assert squared.shape == (1, 3 * n)
        assert squared.abs().sort().values[0, :3].max() < 1e-10
        assert mesh_of(crystal.lattice, n)[1].sum().item() == pytest.approx(1)
        shares = vectors.abs().square().sum(dim=1)
        torch.testing.assert_close(shares, torch.ones_like(shares))


def test_dynamical_matrices_against_a_slow_sum():
    """Every wave vector of every crystal, summed edge by edge in numpy."""
    batch = batch_of(*load_tiny().crystals[:5])
    constants = springs(batch).detach()
    first = 0
    for number, found in enumerate(crystals(constants, batch)):
        n = int(batch.n_atoms[number])
        points, _ = mesh_of(found.lattice, n)
        mass = MASSES[batch.atomic_numbers[first : first + n].numpy()]
        for q, squared in zip(points.numpy(), on_mesh(found), strict=True):
            matrix = np.zeros((n, 3, n, 3), dtype=complex)
            for edge in torch.nonzero(batch.crystal_of_atom[batch.edge_index[1]] == number)[:, 0]:
                j, i = (batch.edge_index[:, edge] - first).tolist()
                spring = constants[edge].numpy()
                phase = np.exp(1j * q @ batch.edge_vector[edge].numpy())
                matrix[i, :, j] -= spring * phase / np.sqrt(mass[i] * mass[j])
                matrix[i, :, i] += spring / mass[i]
            expected = np.linalg.eigvalsh(matrix.reshape(3 * n, 3 * n))
            np.testing.assert_allclose(squared, expected, atol=1e-9)
        first += n


def test_frequencies_do_not_depend_on_the_cell():
    """Of a crystal of 12 atoms, whose mesh has two points a side: skewed cell, moved origin."""
    places = np.indices((2, 2, 3)).reshape(3, -1).T / [2, 2, 3]
    jitter = np.random.default_rng(1).normal(scale=0.02, size=(12, 3))
    crystal = Crystal(np.diag([5.2, 5.6, 8.1]), places + jitter, np.tile([12, 8, 14, 8], 3))
    assert mesh_size(crystal.n_atoms) == 2
    basis = np.array([[1, 0, 0], [1, 1, 0], [0, -1, 1]])
    other = Crystal(
        basis @ crystal.lattice,
        crystal.fractional_coordinates @ np.linalg.inv(basis) + [0.3, 0.1, 0.7],
        crystal.atomic_numbers,
    )
    found = []
    for cell in (crystal, other):
        graph = build_graph(cell, GraphSettings(primitive=False))
        batch = collate([graph]).to("cpu", torch.float64)
        (own,) = crystals(springs(batch), batch)
        found.append(on_mesh(own).sort().values.flatten().sort().values)
    torch.testing.assert_close(found[0], found[1], rtol=1e-4, atol=1e-5)


@settings(max_examples=8, deadline=None)
@given(factor=st.floats(0.2, 5), seed=st.integers(0, 100))
def test_stiffer_springs_sound_higher(factor, seed):
    batch = batch_of(load_tiny().crystals[seed % 20])
    constants = springs(batch, seed).detach()
    (soft,), (hard,) = crystals(constants, batch), crystals(factor * constants, batch)
    torch.testing.assert_close(on_mesh(hard), factor * on_mesh(soft), rtol=1e-7, atol=1e-9)


def test_gradients_against_finite_differences():
    """Of a sum over all modes, which does not care how degenerate modes are mixed."""
    batch = batch_of(load_tiny().crystals[3])
    constants = springs(batch).detach()
    symmetric = torch.randn_like(constants)
    symmetric = symmetric + symmetric.transpose(1, 2)

    def total(step: torch.Tensor) -> torch.Tensor:
        (found,) = crystals(constants + step * symmetric, batch)
        weight = mesh_of(found.lattice, found.n_atoms)[1][:, None]
        frequency = softened(on_mesh(found))
        return (weight * torch.exp(-0.5 * ((frequency - 150) / 60) ** 2)).sum()

    step = torch.zeros((), dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(total(step), step)
    h = torch.tensor(1e-6, dtype=torch.float64)
    expected = (total(h) - total(-h)) / (2 * h)
    assert slope.item() == pytest.approx(expected.item(), rel=1e-5)


def test_springs_are_the_same_in_both_directions_and_turn_with_the_crystal():
    crystal = load_tiny().crystals[5]
    batch = batch_of(crystal)
    constants = springs(batch).detach()
    torch.testing.assert_close(constants, constants.transpose(1, 2))
    back = {
        (*pair, *np.round(vector, 4)): index
        for index, (pair, vector) in enumerate(
            zip(batch.edge_index.T.tolist(), batch.edge_vector.numpy() + 0.0, strict=True)
        )
    }
    for (j, i, *vector), index in back.items():
        opposite = back[(i, j, *(np.round(-np.array(vector), 4) + 0.0))]
        torch.testing.assert_close(constants[index], constants[opposite])


def test_springs_stay_in_single_precision(small_model):
    """bfloat16 changes the network along the energies, hardly the densities of the modes."""
    crystals = load_tiny().crystals[:4]
    graphs = [build_graph(c, GRAPH) for c in crystals]
    exact = small_model.predict(graphs)
    small_model.prepare_inference("bfloat16")
    low = small_model.predict(graphs)
    assert 0 < (low - exact).abs().max() < 0.05 * exact.max()
    with small_model.own_precision():
        atoms, _ = small_model.encode(collate(graphs))
        batch = collate(graphs)
        own = small_model.decoder.crystals(atoms, batch)
        densities, _ = small_model.decoder.densities(atoms, batch, own)
    assert densities.dtype == torch.float32


@pytest.fixture
def small_model() -> SpectrumModel:
    torch.manual_seed(0)
    decoder = {"name": "lattice_dynamics", "hidden_dim": 16}
    content = {"encoder": {"hidden_dim": 16}, "decoder": decoder, "output": "softplus"}
    return SpectrumModel(
        ModelSettings.model_validate(content), GRAPH.cutoff, np.linspace(0, 1000, 51)
    ).eval()


def angles(batch: Batch, seed: int = 0) -> Springs:
    torch.manual_seed(seed)
    network = AngleConstants(4, 16, 10, 3.6).double()
    torch.nn.init.normal_(network.scalars[-1].weight)
    kinds = torch.randn(120, 4, dtype=torch.float64)
    atoms = kinds[batch.atomic_numbers]
    return network(atoms, Bonds(atoms, batch)).both_ways()


def test_angles_do_not_resist_moves_and_bending_no_turns():
    batch = batch_of(*load_tiny().crystals[:6])
    found = angles(batch)
    assert len(found.source)
    (own,) = list(harmonic_crystals(found, batch))[:1]
    squared, _ = own.modes(torch.zeros(1, 3, dtype=torch.float64))
    assert squared.abs().sort().values[0, :3].max() < 1e-10
    matrix = own.dynamical_matrices(torch.tensor([[0.2, 0.1, -0.3]], dtype=torch.float64))
    torch.testing.assert_close(matrix, matrix.mH)


def test_a_water_molecule_has_its_bending_mode():
    """One angle alone, k (d cos theta)^2 / 2: one mode, whose frequency is known in closed form."""
    side, bond, theta = 12.0, 0.96, np.radians(104.5)
    ends = bond * np.array([[1, 0, 0], [np.cos(theta), np.sin(theta), 0]])
    places = np.concatenate([np.zeros((1, 3)), ends])
    water = Crystal(np.eye(3) * side, places / side, np.array([8, 1, 1]))
    batch = collate([build_graph(water, GraphSettings(primitive=False, cutoff=1.2))])
    batch = batch.to("cpu", torch.float64)
    network = AngleConstants(4, 8, 6, 1.2).double()
    with torch.no_grad():
        network.scalars[-1].bias[:] = torch.tensor([1.0, 0, 0, 0])
    with torch.no_grad():
        atoms = torch.zeros(3, 4, dtype=torch.float64)
        found = network(atoms, Bonds(atoms, batch)).both_ways()
    (own,) = harmonic_crystals(found, batch)
    squared, _ = own.modes(torch.zeros(1, 3, dtype=torch.float64))
    fade = 0.5 * (np.cos(np.pi * bond / 1.2) + 1)
    to_b = (ends[1] - np.cos(theta) * ends[0]) / bond**2
    to_c = (ends[0] - np.cos(theta) * ends[1]) / bond**2
    gradient = np.concatenate([-(to_b + to_c), to_b, to_c])
    mass = np.repeat(MASSES[[8, 1, 1]], 3)
    np.testing.assert_allclose(squared[0, :8], 0, atol=1e-9)
    assert squared[0, 8].item() == pytest.approx(fade**2 * (gradient**2 / mass).sum(), rel=1e-4)


def test_charges_add_up_to_nothing_and_turn_with_the_crystal():
    crystal = next(c for c in load_tiny().crystals if len(set(c.atomic_numbers)) > 1)
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    turned = Crystal(crystal.lattice @ turn, crystal.fractional_coordinates, crystal.atomic_numbers)
    torch.manual_seed(0)
    network = Polarity(4, 16, 10, 4.0).double()
    for layer in (network.bond[-1], network.atom[-1], network.crystal[-1]):
        torch.nn.init.normal_(layer.weight, std=0.3)
    kinds = torch.randn(120, 4, dtype=torch.float64)
    found = []
    for cell in (crystal, turned):
        graph = build_graph(cell, GraphSettings(primitive=False))
        batch = collate([graph]).to("cpu", torch.float64)
        atoms = kinds[batch.atomic_numbers]
        found.append(network(atoms, Bonds(atoms, batch), batch))
    (charges, dielectric), (other, of_other) = found
    assert charges.sum(dim=0).abs().max() < 1e-10
    assert charges.abs().max() > 0.1
    r = torch.from_numpy(turn)
    torch.testing.assert_close(other, r.T @ charges @ r, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(of_other, r.T @ dielectric @ r, rtol=1e-4, atol=1e-5)
    assert torch.linalg.eigvalsh(dielectric).min() > 1


def test_symmetry_spares_wave_vectors_and_changes_nothing():
    """Of crystals with other groups together, one of them without known rotations."""
    settings = ModelSettings.model_validate(
        {
            "encoder": {"name": "graph_network", "hidden_dim": 16},
            "decoder": {"name": "lattice_dynamics", "hidden_dim": 16, "is_polar": True},
            "output": "softplus",
        }
    )
    torch.manual_seed(0)
    model = SpectrumModel(settings, GRAPH.cutoff, np.linspace(0, 1000, 51)).eval()
    found = [standardize(crystal) for crystal in load_tiny().crystals]
    known = [own for own in found if own.exact_rotations is not None][:12]
    graphs = [build_graph(own.primitive, GRAPH) for own in known]
    turned = [
        replace(graph, rotations=own.exact_rotations if row else None)
        for row, (graph, own) in enumerate(zip(graphs, known, strict=True))
    ]
    counts = [
        [len(wave_vectors(graph.n_atoms, graph.rotations)[1]) for graph in some]
        for some in (graphs, turned)
    ]
    assert sum(counts[1]) < 0.7 * sum(counts[0])
    torch.testing.assert_close(model.predict(turned), model.predict(graphs), rtol=0, atol=2e-5)
