import numpy as np
import pytest
from star_functions import interpolate_bands

from tests.conftest import STRUCTURES
from vanhove.crystal.reading import read_crystal
from vanhove.crystal.symmetry import primitive_cell
from vanhove.errors import DataError


def nearest_neighbour_band(k: np.ndarray) -> np.ndarray:
    """An s band on the face-centred lattice, as one star is."""
    shells = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, -1, 0], [0, 1, -1], [1, 0, -1]])
    return np.cos(2 * np.pi * k @ shells.T).sum(axis=1)


@pytest.fixture(scope="module")
def aluminium():
    crystal = primitive_cell(read_crystal(STRUCTURES / "MgO.cif"))
    lattice = (0.5 * 4.05) * np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0.0]])
    return type(crystal)(lattice, np.zeros((1, 3)), np.array([13]), "Al")


def mesh(n: int) -> np.ndarray:
    from spglib import get_ir_reciprocal_mesh

    lattice = 0.5 * np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0.0]])
    mapping, grid = get_ir_reciprocal_mesh([n] * 3, (lattice, [[0, 0, 0]], [13]))
    return grid[np.unique(mapping)] / n


def test_a_band_of_few_stars_is_found_everywhere(aluminium):
    k = mesh(6)
    energies = np.stack([nearest_neighbour_band(k), 20 + 0.1 * nearest_neighbour_band(k)], axis=1)
    at = np.random.default_rng(0).random((40, 3))
    found = interpolate_bands(aluminium, k, energies, at)
    np.testing.assert_allclose(found[:, 0], nearest_neighbour_band(at), atol=0.1)
    np.testing.assert_allclose(found[:, 1], 20 + 0.1 * nearest_neighbour_band(at), atol=0.01)


def test_known_points_are_met(aluminium):
    k = mesh(4)
    energies = np.random.default_rng(1).random((len(k), 3)).cumsum(axis=1)
    np.testing.assert_allclose(interpolate_bands(aluminium, k, energies, k), energies, atol=1e-8)
    # Also where symmetry brings them.
    turned = interpolate_bands(aluminium, k, energies, -k[:, [1, 2, 0]] + 1)
    np.testing.assert_allclose(turned, energies, atol=1e-8)


def test_shapes(aluminium):
    with pytest.raises(DataError, match="n_kpoints"):
        interpolate_bands(aluminium, np.zeros((3, 3)), np.zeros((4, 1)), np.zeros((1, 3)))
