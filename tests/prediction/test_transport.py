from types import SimpleNamespace

import numpy as np
import pytest

from vanhove.crystal.crystal import Crystal
from vanhove.errors import ConfigError
from vanhove.prediction.electron_predictor import load_electrons
from vanhove.prediction.electrons import Electrons
from vanhove.prediction.transport import BOLTZMANN_EV, HBAR2_OVER_ELECTRON_MASS, carriers
from vanhove.spectra.eigenvalues import BandEdges

SIDES = np.array([3.0, 3.0, 4.0])
ALONG, ACROSS = 0.8, 0.2  # eV, hopping along z and in the plane
EDGES = BandEdges(vbm=-1.0, cbm=0.0, fermi_level=-0.5, is_metal=False)


def cosine_bands(n_turned: int = 0) -> SimpleNamespace:
    """A solver of two bands of cosines, both with their edge at Gamma: what is known exactly."""
    hopping = np.array([ACROSS, ACROSS, ALONG])

    def energies(fractional: np.ndarray) -> np.ndarray:
        up = (2 * hopping * (1 - np.cos(2 * np.pi * fractional))).sum(axis=1)
        return np.stack([EDGES.vbm - 2 * up, up], axis=1)

    lattice = np.roll(np.diag(SIDES), n_turned, axis=1)
    crystal = Crystal(lattice, np.zeros((1, 3)), np.array([3]), "tetragonal")
    return SimpleNamespace(crystal=crystal, energies=energies)


def test_masses_and_seebeck_of_cosine_bands():
    found = carriers(cosine_bands(), EDGES, 100.0, 1e15)
    exact = HBAR2_OVER_ELECTRON_MASS / (2 * np.array([ACROSS, ACROSS, ALONG]) * SIDES**2)
    np.testing.assert_allclose(1 / np.diag(found["electrons"].inverse_mass), exact, rtol=0.05)
    np.testing.assert_allclose(1 / np.diag(found["holes"].inverse_mass), exact / 2, rtol=0.05)
    assert found["electrons"].mass == pytest.approx(exact.mean(), rel=0.05)
    # Of few carriers: entropy (5/2 - potential / kT) k_B each.
    kt = BOLTZMANN_EV * 100.0
    for kind, potential, sign in (
        ("electrons", found["electrons"].chemical_potential - EDGES.gap, -1),
        ("holes", -found["holes"].chemical_potential, 1),
    ):
        expected = sign * 1e6 * BOLTZMANN_EV * (2.5 - potential / kt)
        np.testing.assert_allclose(np.diag(found[kind].seebeck), expected, rtol=0.03)


def test_tensors_turn_with_the_crystal():
    one, turned = (carriers(cosine_bands(n), EDGES, 300.0, 1e18)["electrons"] for n in (0, 1))
    turn = np.roll(np.eye(3), 1, axis=1)
    np.testing.assert_allclose(turned.inverse_mass, turn.T @ one.inverse_mass @ turn, rtol=1e-6)


def test_concentration_moves_the_potential_and_shrinks_seebeck():
    few, many = (carriers(cosine_bands(), EDGES, 300.0, n)["electrons"] for n in (1e17, 1e20))
    assert many.chemical_potential > few.chemical_potential + 0.1
    assert abs(many.seebeck[0, 0]) < abs(few.seebeck[0, 0]) / 2


def test_refused():
    with pytest.raises(ConfigError, match="temperature"):
        carriers(cosine_bands(), EDGES, 0.0, 1e18)
    with pytest.raises(ConfigError, match="positive"):
        carriers(cosine_bands(), EDGES, 300.0, 0.0)
    with pytest.raises(ConfigError, match="ask for fewer"):
        carriers(cosine_bands(), EDGES, 300.0, 1e24)


def test_magnesium_oxide_in_two_cells():
    models = load_electrons().models
    fcc = 4.21 * np.array([[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    numbers, places = np.array([12, 8]), np.array([[0.0] * 3, [0.5] * 3])
    cell = np.array([[1, 0, 0], [0, 1, 0], [1, 1, 1]])
    turned = Crystal(cell @ fcc, places @ np.linalg.inv(cell) % 1, numbers, "MgO")
    one = Electrons(models, Crystal(fcc, places, numbers, "MgO"), "").carriers()
    other = Electrons(models, turned, "").carriers()
    for kind in ("holes", "electrons"):
        assert one[kind].mass == pytest.approx(other[kind].mass, rel=1e-2)
        assert np.ptp(one[kind].masses) < 1e-3 * one[kind].mass  # cubic
    assert 0.25 < one["electrons"].mass < 0.5
