"""Madelung constants of the textbooks, and what a sum over a lattice must not depend on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vanhove.physics.ewald import COULOMB, charge_matrix, lattice_points

FCC = np.array([[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
# Per nearest distance; Kittel, Introduction to Solid State Physics, chapter 3.
MADELUNG = {
    "NaCl": (FCC * 5.6, [[0, 0, 0], [2.8, 2.8, 2.8]], 2.8, 1.747564594633),
    "CsCl": (np.eye(3) * 4.1, [[0, 0, 0], [2.05] * 3], 2.05 * np.sqrt(3), 1.762674773071),
    "ZnS": (FCC * 5.4, [[0, 0, 0], [1.35] * 3], 1.35 * np.sqrt(3), 1.638055053389),
}


@pytest.mark.parametrize("name", MADELUNG)
def test_madelung_constants(name):
    lattice, positions, nearest, expected = MADELUNG[name]
    potential = charge_matrix(np.array(lattice), np.array(positions)) @ [1.0, -1.0]
    assert potential[0] == pytest.approx(-expected * COULOMB / nearest, rel=1e-10)
    assert potential[1] == pytest.approx(expected * COULOMB / nearest, rel=1e-10)


def test_one_charge_in_its_background():
    """The simple cubic Wigner lattice: -2.837297479 / L."""
    matrix = charge_matrix(np.eye(3) * 3.0, np.zeros((1, 3)))
    assert matrix[0, 0] == pytest.approx(-2.8372974794806 * COULOMB / 3.0, rel=1e-10)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_the_cell_does_not_matter(seed):
    rng = np.random.default_rng(seed)
    lattice = np.eye(3) * 4 + rng.normal(size=(3, 3)) * 0.7
    fractional = rng.random((3, 3))
    charges = rng.normal(size=3)
    charges -= charges.mean()
    found = charge_matrix(lattice, fractional @ lattice) @ charges
    other_basis = np.array([[1, 1, 0], [0, 1, 0], [1, 0, 1]]) @ lattice
    moved = fractional @ lattice + rng.integers(-2, 3, size=(3, 3)) @ lattice + rng.normal(size=3)
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    again = charge_matrix(other_basis @ turn, moved @ turn) @ charges
    np.testing.assert_allclose(again, found, atol=1e-9)
    # Twice the cell along one axis.
    double = np.diag([2, 1, 1]) @ lattice
    both = np.concatenate([fractional @ lattice, fractional @ lattice + lattice[0]])
    large = charge_matrix(double, both) @ np.tile(charges, 2)
    np.testing.assert_allclose(large, np.tile(found, 2), atol=1e-9)


def test_lattice_points_are_all_there():
    lattice = np.array([[1.0, 0, 0], [0.9, 0.5, 0], [0.3, 0.2, 2.0]])
    counts = np.indices((41, 41, 41)).reshape(3, -1).T - 20
    vectors = counts @ lattice
    expected = (np.linalg.norm(vectors, axis=1) <= 3.0).sum()
    assert len(lattice_points(lattice, 3.0)) == expected
