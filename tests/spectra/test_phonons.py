"""`Phonons`: against phonopy, in other cells, and what sums must be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from vanhove.crystal.crystal import Crystal
from vanhove.crystal.elements import MASSES
from vanhove.crystal.kpath import gamma_directions, reciprocal_lattice
from vanhove.crystal.neighbors import neighbor_list
from vanhove.physics.harmonic import HarmonicCrystal
from vanhove.spectra.phonons import Phonons

FCC = np.array([[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
SALT = Crystal(5.6 * FCC, np.array([[0, 0, 0], [0.5, 0.5, 0.5]]), np.array([11, 17]))


def phonons_of(crystal: Crystal, charge: float = 1.1) -> Phonons:
    """Springs that fall with the distance, and charges of both signs by element."""
    edges = neighbor_list(crystal, 4.2)
    r = np.linalg.norm(edges.vector, axis=1)
    unit = edges.vector / r[:, None]
    stiff = 9 * np.exp(-r / 1.1)
    springs = stiff[:, None, None] * (unit[:, :, None] * unit[:, None] + 0.06 * np.eye(3))
    sign = np.where(crystal.atomic_numbers == crystal.atomic_numbers.min(), 1.0, -1.0)
    return Phonons(
        crystal,
        HarmonicCrystal(
            masses=torch.from_numpy(MASSES[crystal.atomic_numbers]).double(),
            lattice=torch.from_numpy(crystal.lattice.copy()),
            positions=torch.from_numpy(crystal.cartesian_coordinates.copy()),
            source=torch.from_numpy(edges.source),
            target=torch.from_numpy(edges.target),
            vector=torch.from_numpy(edges.vector),
            springs=torch.from_numpy(springs),
            charges=torch.from_numpy(charge * sign[:, None, None] * np.eye(3)),
            dielectric=2.4 * torch.eye(3, dtype=torch.float64),
            accuracy=5.0,
        ),
    )


@pytest.fixture(scope="module")
def salt() -> Phonons:
    return phonons_of(SALT)


def test_phonopy_has_the_same_bands(salt):
    pytest.importorskip("phonopy")
    phonopy = salt.to_phonopy()
    q = np.array([[0.5, 0.5, 0.0], [0.21, 0.33, -0.1], [0.03, 0.0, 0.03], [0.5, 0.5, 0.5]])
    phonopy.run_qpoints(q)
    found = phonopy.qpoints.frequencies / 2.99792458e-2
    np.testing.assert_allclose(salt.frequencies(q), found, atol=0.1)
    phonopy.run_qpoints(np.zeros((1, 3)), nac_q_direction=[1, 0, 1])
    split = phonopy.qpoints.frequencies[0] / 2.99792458e-2
    ours = salt.frequencies(np.zeros((1, 3)), [[1, 0, 1]])[0]
    np.testing.assert_allclose(ours, split, atol=0.1)
    assert ours[5] > ours[4] + 20  # longitudinal above transverse


def test_wave_vectors_that_are_equal(salt):
    q, shift = np.array([[0.12, 0.3, -0.4]]), np.array([1, -2, 0])
    found = salt.frequencies(q)
    np.testing.assert_allclose(salt.frequencies(-q), found, atol=1e-6)
    np.testing.assert_allclose(salt.frequencies(q + shift), found, atol=1e-6)
    shifted = salt.eigenvectors(q + shift)[0]
    phase = np.exp(-2j * np.pi * SALT.fractional_coordinates @ shift)
    overlap = np.abs(np.conj(salt.eigenvectors(q)[0] * np.repeat(phase, 3)) @ shifted.T)
    np.testing.assert_allclose(overlap, np.eye(6), atol=1e-6)


def test_the_conventional_cell_folds_and_unfolds(salt):
    places = np.array([[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])
    cube = Crystal(
        5.6 * np.eye(3),
        np.concatenate([places, places + np.array([0.5, 0, 0])]),
        np.repeat([11, 17], 4),
    )
    whole = phonons_of(cube)
    assert whole.frequencies([[0.1, 0.2, 0.3]]).shape == (1, 24)
    cartesian = np.array([[0.1, 0.2, 0.3]]) @ reciprocal_lattice(cube.lattice)
    q = cartesian @ np.linalg.inv(reciprocal_lattice(SALT.lattice))
    large = whole.frequencies([[0.1, 0.2, 0.3]])[0]
    assert all(np.abs(large - own).min() < 1e-4 for own in salt.frequencies(q)[0])
    back = whole.primitive
    assert back.n_modes == 6
    q = cartesian @ np.linalg.inv(reciprocal_lattice(back.crystal.lattice))
    np.testing.assert_allclose(
        back.frequencies(q),
        salt.frequencies(cartesian @ np.linalg.inv(reciprocal_lattice(SALT.lattice))),
        atol=1e-4,
    )
    np.testing.assert_allclose(
        whole.bands(n_points=20).energies, salt.bands(n_points=20).energies, atol=1e-3
    )


def test_bands_on_the_standard_path(salt):
    bands = salt.bands(n_points=60)
    assert bands.energies.shape == (60, 6)
    assert bands.quantity == "phonon_bands"
    at_x = bands.kpoints.labels.index("X")
    np.testing.assert_allclose(
        bands.energies[at_x], salt.frequencies([[0.5, 0, 0.5]])[0], atol=1e-4
    )
    directions = gamma_directions(bands.kpoints)
    at_gamma = np.flatnonzero(np.abs(directions).max(axis=1) > 0)
    assert len(at_gamma)
    assert (bands.energies[at_gamma, 5] > bands.energies[at_gamma, 4] + 20).all()


@pytest.mark.parametrize("broadening", [None, 3.0])
def test_no_state_is_lost(salt, broadening):
    dos = salt.dos(broadening=broadening)
    assert np.trapezoid(dos.values, dos.grid) == pytest.approx(6, rel=0.01)
    coarse = salt.dos(np.arange(0, 400, 20.0), broadening)
    fine = salt.dos(np.arange(0, 381, 1.0), broadening)
    assert np.trapezoid(coarse.values, coarse.grid) == pytest.approx(
        np.trapezoid(fine.values, fine.grid), rel=0.02
    )


def test_projections_add_up(salt):
    grid = salt.grid()
    whole = salt.dos(grid, 4.0, mesh=(6, 6, 6)).values
    for by in ("element", "site", "direction"):
        parts = salt.projected_dos(by, grid, 4.0, mesh=(6, 6, 6))
        np.testing.assert_allclose(sum(own.values for own in parts.values()), whole, atol=1e-4)
    elements = salt.projected_dos("element", grid, 4.0, mesh=(6, 6, 6))
    assert np.trapezoid(elements["Na"].values, grid) == pytest.approx(3, abs=0.05)


def test_thermodynamics_of_all_modes(salt):
    properties = salt.thermal_properties([20.0, 300.0, 2000.0])
    assert properties.heat_capacity[2] == pytest.approx(24.94, abs=0.05)
    points = np.indices((6, 6, 6)).reshape(3, -1).T / 6
    frequencies = salt.frequencies(points)[1:].ravel()
    x = frequencies * 1.438777 / 300
    expected = 8.314463 * 3 * np.mean((x / 2 / np.sinh(x / 2)) ** 2)
    assert properties.heat_capacity[1] == pytest.approx(expected, abs=0.05)


def test_stability(salt):
    assert salt.stability.is_stable
    soft = Phonons(SALT, replace(salt.harmonic, springs=salt.harmonic.springs * 0.1))
    assert not soft.stability.is_stable
    worst = soft.frequencies([soft.stability.qpoint])[0, 0]
    assert worst == pytest.approx(soft.stability.frequency, abs=1e-3)


def test_light_sees_the_transverse_mode(salt):
    """Lyddane, Sachs and Teller: eps_static / eps_electronic = (longitudinal / transverse)^2."""
    seen = salt.infrared
    transverse = salt.frequencies([[0, 0, 0]])[0, 3:]
    np.testing.assert_allclose(seen.frequencies, transverse, atol=1e-6)
    assert (seen.activity > 0.01).all()
    longitudinal = salt.frequencies([[0, 0, 0]], [[1, 0, 0]])[0, 5]
    expected = 2.4 * (longitudinal / transverse[0]) ** 2
    np.testing.assert_allclose(seen.static_dielectric_tensor, expected * np.eye(3), atol=1e-4)


def test_densities_and_thermodynamics_are_those_of_many_wave_vectors(salt):
    mesh, kelvin = (24, 24, 24), [100.0, 300.0]
    grid = salt.grid()
    many = salt.dos(grid, 6.0, mesh=mesh)
    few = salt.dos(np.arange(grid[0] - 40, grid[-1] + 40.5))
    kernel = np.exp(-0.5 * (np.arange(-40, 41) / 6.0) ** 2)
    smooth = np.convolve(few.values, kernel / kernel.sum(), mode="valid")
    assert np.abs(smooth - many.values).max() < 0.04 * many.values.max()
    own = salt.thermal_properties(kelvin)
    points = (np.indices(mesh).reshape(3, -1).T + 0.5) / mesh
    x = np.maximum(salt.frequencies(points[: len(points) // 2]), 0.1) * 1.438777 / 300
    capacity = 8.314463 * 3 * np.mean((x / 2 / np.sinh(x / 2)) ** 2)
    entropy = 8.314463 * 3 * np.mean(x / np.expm1(x) - np.log(-np.expm1(-x)))
    assert own.heat_capacity[1] == pytest.approx(capacity, abs=0.005)
    assert own.entropy[1] == pytest.approx(entropy, abs=0.03)
