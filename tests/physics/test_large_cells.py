"""Large cells: products with the matrix at Gamma, and densities without diagonalisation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from vanhove.crystal.crystal import Crystal
from vanhove.crystal.neighbors import neighbor_list
from vanhove.physics import large_cells
from vanhove.physics.harmonic import HarmonicCrystal
from vanhove.physics.kernel_polynomials import weighted_diagonals
from vanhove.physics.large_cells import GammaMatrix


@pytest.fixture(scope="module")
def crystal() -> HarmonicCrystal:
    """24 atoms at random around a lattice, polar."""
    rng = np.random.default_rng(0)
    places = np.stack(np.meshgrid(*[np.arange(n) / n for n in (2, 3, 4)], indexing="ij"), axis=-1)
    lattice = np.array([[5.5, 0.2, 0.0], [0.4, 8.3, 0.1], [-0.3, 0.5, 11.2]])
    cell = Crystal(lattice, places.reshape(-1, 3) + 0.03 * rng.normal(size=(24, 3)), [12] * 24)
    neighbors = neighbor_list(cell, 4.0)
    direction = torch.from_numpy(neighbors.vector / neighbors.distance[:, None]).float()
    stiffness = torch.from_numpy(5 * np.exp(2 - neighbors.distance)).float()
    charges = torch.from_numpy(rng.normal(size=(24, 3, 3))).float()
    return HarmonicCrystal(
        masses=torch.linspace(10, 40, 24),
        lattice=torch.from_numpy(lattice).float(),
        positions=torch.from_numpy(cell.cartesian_coordinates).float(),
        source=torch.from_numpy(neighbors.source),
        target=torch.from_numpy(neighbors.target),
        vector=torch.from_numpy(neighbors.vector).float(),
        springs=stiffness[:, None, None] * direction[:, :, None] * direction[:, None],
        charges=charges - charges.mean(dim=0),
        dielectric=torch.diag(torch.tensor([2.0, 3.0, 4.0])),
    )


@pytest.mark.parametrize("is_polar", [True, False])
def test_the_matrix_is_that_of_any_crystal_at_gamma(crystal, is_polar, monkeypatch):
    if not is_polar:
        crystal = replace(crystal, charges=None, dielectric=None)
    right = crystal.dynamical_matrices(torch.zeros(1, 3))[0]
    assert right.imag.abs().max() < 1e-5
    matrix = GammaMatrix(crystal)
    assert (matrix.matrix - right.real).abs().max() < 1e-5 * right.abs().max()
    monkeypatch.setattr(large_cells, "MOST_DENSE", 0)
    vectors = torch.randn(72, 5, generator=torch.Generator().manual_seed(0))
    wanted = right.real @ vectors
    assert (GammaMatrix(crystal)(vectors) - wanted).abs().max() < 2e-3 * wanted.abs().max()


def test_diagonals_of_functions_of_a_matrix():
    generator = torch.Generator().manual_seed(0)
    matrix = torch.randn(60, 60, generator=generator)
    matrix = matrix + matrix.T
    weights = torch.rand(60, 2, generator=generator)
    values, vectors = torch.linalg.eigh(matrix)

    def functions(x):
        return torch.exp(-0.5 * ((torch.tensor([[-5.0], [0.0], [8.0]]) - x) / 2) ** 2)

    right = functions(values) @ (vectors.square().T @ weights)
    found = weighted_diagonals(lambda x: matrix @ x, functions, weights, 20_000)
    assert found.shape == (3, 2)
    assert (found - right).abs().max() < 0.02 * right.max()
    again = weighted_diagonals(lambda x: matrix @ x, functions, weights, 20_000)
    assert torch.equal(found, again)
    other = weighted_diagonals(lambda x: matrix @ x, functions, weights, 20_000, seed=1)
    assert not torch.equal(found, other)
