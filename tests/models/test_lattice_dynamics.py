"""Phonons from force constants: against textbook answers, numpy and finite differences."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vanhove.crystal.crystal import Crystal
from vanhove.crystal.elements import MASSES
from vanhove.crystal.graph import Batch, GraphSettings, build_graph, collate
from vanhove.datasets import load_tiny
from vanhove.models.lattice_dynamics import (
    FREQUENCY_UNIT,
    ForceConstants,
    Vibrations,
    mesh_size,
    vibrations,
    wave_vectors,
)
from vanhove.models.model import ModelSettings, SpectrumModel

GRAPH = GraphSettings()


def batch_of(*crystals: Crystal, cutoff: float = 4.0) -> Batch:
    graphs = [build_graph(c, GraphSettings(cutoff=cutoff)) for c in crystals]
    return collate(graphs).to("cpu", torch.float64)


def springs(batch: Batch, seed: int = 0) -> torch.Tensor:
    torch.manual_seed(seed)
    network = ForceConstants(4, 16, 3, 10, 4.0).double()
    kinds = torch.randn(120, 4, dtype=torch.float64)
    return network(kinds[batch.atomic_numbers], batch)


def modes(constants: torch.Tensor, batch: Batch) -> list[Vibrations]:
    return list(vibrations(constants, batch))


def test_simple_cubic_with_nearest_neighbours():
    """Springs along the bonds of a simple cubic crystal: w^2 = 2 k (1 - cos q_x a) / m."""
    side, stiffness = 3.35, 2.0
    crystal = Crystal(np.eye(3) * side, np.zeros((1, 3)), np.array([84]))
    batch = batch_of(crystal)
    assert batch.edge_index.shape[1] == 6
    direction = batch.edge_vector / side
    (found,) = modes(stiffness * direction[:, :, None] * direction[:, None, :], batch)
    points, _ = wave_vectors(mesh_size(1))
    squared = np.sort(2 * stiffness * (1 - np.cos(2 * np.pi * points)) / MASSES[84], axis=1)
    expected = FREQUENCY_UNIT * squared / np.sqrt(squared + 4e-4)
    order = found.frequency_cm1.sort(dim=1).values.numpy()
    # The axes of the primitive cell may be named otherwise: compare all modes as one set.
    np.testing.assert_allclose(np.sort(order.ravel()), np.sort(expected.ravel()), atol=1e-6)


def test_the_unit_is_that_of_a_spring():
    """1 eV/angstrom^2 on 1 u: sqrt(k/m) / (2 pi c) from constants of nature."""
    electron_volt, dalton, light = 1.602176634e-19, 1.66053906660e-27, 2.99792458e10
    angular = np.sqrt(electron_volt / 1e-20 / dalton)
    in_1_cm = angular / (2 * np.pi * light)
    assert abs(FREQUENCY_UNIT / in_1_cm - 1) < 1e-5


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 6])
def test_the_mesh_holds_each_wave_vector_or_its_opposite(size):
    points, weight = wave_vectors(size)
    assert weight.sum() == pytest.approx(1)
    whole = {tuple(p) for p in np.round(points * size).astype(int)}
    whole |= {tuple(-p % size) for p in np.round(points * size).astype(int)}
    assert len(whole) == size**3
    assert len(points) == (size**3 + (8 if size % 2 == 0 else 1)) // 2


def test_moving_the_whole_crystal_costs_nothing():
    batch = batch_of(*load_tiny().crystals[:6])
    for crystal, n in zip(modes(springs(batch), batch), batch.n_atoms.tolist(), strict=True):
        assert crystal.frequency_cm1.shape[1] == 3 * n
        at_gamma = crystal.frequency_cm1[0].abs().sort().values
        assert at_gamma[:3].max() < 1e-6
        assert crystal.weight.sum().item() == pytest.approx(1)
        shares = crystal.of_atom.sum(dim=1)
        torch.testing.assert_close(shares, torch.ones_like(shares))


def test_dynamical_matrices_against_a_slow_sum():
    """Every wave vector of every crystal, summed edge by edge in numpy."""
    batch = batch_of(*load_tiny().crystals[:5])
    constants = springs(batch).detach()
    first = 0
    for number, found in enumerate(modes(constants, batch)):
        n = int(batch.n_atoms[number])
        points, _ = wave_vectors(mesh_size(n))
        reciprocal = 2 * np.pi * np.linalg.inv(batch.lattice[number].numpy()).T
        mass = MASSES[batch.atomic_numbers[first : first + n].numpy()]
        for q, frequencies in zip(points @ reciprocal, found.frequency_cm1, strict=True):
            matrix = np.zeros((n, 3, n, 3), dtype=complex)
            for edge in torch.nonzero(batch.crystal_of_atom[batch.edge_index[1]] == number)[:, 0]:
                j, i = (batch.edge_index[:, edge] - first).tolist()
                spring = constants[edge].numpy()
                phase = np.exp(1j * q @ batch.edge_vector[edge].numpy())
                matrix[i, :, j] -= spring * phase / np.sqrt(mass[i] * mass[j])
                matrix[i, :, i] += spring / mass[i]
            squared = np.linalg.eigvalsh(matrix.reshape(3 * n, 3 * n))
            expected = FREQUENCY_UNIT * squared / np.sqrt(np.abs(squared) + 4e-4)
            np.testing.assert_allclose(frequencies.sort().values, expected, atol=1e-6)
        first += n


@settings(max_examples=8, deadline=None)
@given(factor=st.floats(0.2, 5), seed=st.integers(0, 100))
def test_stiffer_springs_sound_higher(factor, seed):
    batch = batch_of(load_tiny().crystals[seed % 20])
    constants = springs(batch, seed).detach()
    (soft,), (hard,) = modes(constants, batch), modes(factor * constants, batch)

    def squared(found: Vibrations) -> np.ndarray:
        y = (found.frequency_cm1 / FREQUENCY_UNIT).numpy()  # x / sqrt(|x| + s): solved for x
        return np.sign(y) * (y**2 + np.sqrt(y**4 + 4 * y**2 * 4e-4)) / 2

    np.testing.assert_allclose(
        np.sort(squared(hard), axis=1), factor * np.sort(squared(soft), axis=1), atol=1e-9
    )


def test_gradients_against_finite_differences():
    """Of a sum over all modes, which does not care how degenerate modes are mixed."""
    batch = batch_of(load_tiny().crystals[3])
    constants = springs(batch).detach()
    symmetric = torch.randn_like(constants)
    symmetric = symmetric + symmetric.transpose(1, 2)

    def total(step: torch.Tensor) -> torch.Tensor:
        (found,) = modes(constants + step * symmetric, batch)
        weight = found.weight[:, None]
        return (weight * torch.exp(-0.5 * ((found.frequency_cm1 - 150) / 60) ** 2)).sum()

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
        densities = small_model.decoder.densities(atoms, collate(graphs))
    assert densities.dtype == torch.float32


@pytest.fixture
def small_model() -> SpectrumModel:
    torch.manual_seed(0)
    decoder = {"name": "lattice_dynamics", "hidden_dim": 16}
    content = {"encoder": {"hidden_dim": 16}, "decoder": decoder, "output": "softplus"}
    return SpectrumModel(
        ModelSettings.model_validate(content), GRAPH.cutoff, np.linspace(0, 1000, 51)
    ).eval()
