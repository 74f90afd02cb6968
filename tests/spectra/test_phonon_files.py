"""Files and films of phonons: against phonopy, pymatgen and ASE."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.spectra.test_phonons import SALT, phonons_of
from vanhove.crystal.kpath import reciprocal_lattice
from vanhove.datasets.band_files import read_bands
from vanhove.errors import ConfigError
from vanhove.spectra.density import THZ_PER_CM1
from vanhove.spectra.phonons import Phonons


@pytest.fixture(scope="module")
def salt() -> Phonons:
    return phonons_of(SALT)


@pytest.fixture(scope="module")
def band_yaml(salt, tmp_path_factory):
    path = tmp_path_factory.mktemp("phonons") / "band.yaml"
    salt.write_band_yaml(path, n_points=40, eigenvectors=True)
    return path


def test_our_own_reader_gives_the_bands_back(salt, band_yaml):
    bands, again = salt.bands(n_points=40), read_bands(band_yaml)
    np.testing.assert_allclose(again.kpoints.distances, bands.kpoints.distances, atol=1e-5)
    labels = [label for label in again.kpoints.labels if label]
    assert labels == [label for label in bands.kpoints.labels if label]
    at_gamma = np.abs(again.kpoints.fractional).max(axis=1) < 1e-9
    np.testing.assert_allclose(again.energies[~at_gamma], bands.energies[~at_gamma], atol=1e-4)


def test_pymatgen_reads_band_yaml(salt, band_yaml):
    from pymatgen.io.phonopy import get_ph_bs_symm_line

    found = get_ph_bs_symm_line(str(band_yaml), has_nac=True)
    assert found.nb_bands == 6
    top = salt.bands(n_points=40).energies.max() * THZ_PER_CM1
    assert found.bands.max() == pytest.approx(top, abs=1e-4)
    assert {"X", "L", "W"} <= set(found.labels_dict)


def test_eigenvectors_are_those_of_phonopy(salt):
    pytest.importorskip("phonopy")
    phonopy = salt.to_phonopy()
    q = np.array([[0.21, 0.33, -0.1]])
    phonopy.run_qpoints(q, with_eigenvectors=True)
    theirs = phonopy.qpoints.eigenvectors[0]
    frequencies, vectors = salt.modes(q)
    overlap = np.abs(vectors[0].conj() @ theirs)
    apart = np.abs(np.subtract.outer(frequencies[0], frequencies[0])) > 1
    np.testing.assert_allclose(np.where(apart, overlap, 0), 0, atol=1e-3)


def test_the_website_moves_atoms_as_the_equation_of_motion_says(salt):
    content = json.loads(salt.to_phononwebsite(n_points=20))
    q = np.array(content["qpoints"])
    vectors = np.array(content["vectors"])
    assert vectors.shape == (len(q), 6, 2, 3, 2)
    assert content["line_breaks"][0][0] == 0
    assert content["line_breaks"][-1][1] == len(q)
    row, mode = 3, 4
    moves = vectors[row, mode, ..., 0] + 1j * vectors[row, mode, ..., 1]
    # Masses times moves, less the phase of the place in the cell, is an eigenvector.
    masses = salt.harmonic.masses.numpy()
    phase = np.exp(-2j * np.pi * q[row] @ salt.crystal.fractional_coordinates.T)
    vector = (moves * phase[:, None] * np.sqrt(masses)[:, None]).ravel()
    import torch

    wave = torch.from_numpy((q[row : row + 1]) @ reciprocal_lattice(salt.crystal.lattice))
    matrix = salt.harmonic.dynamical_matrices(wave)[0].numpy()
    value = (vector.conj() @ matrix @ vector) / (vector.conj() @ vector)
    np.testing.assert_allclose(matrix @ vector, value * vector, atol=1e-4 * np.abs(value))
    expected = salt.frequencies(q[row : row + 1])[0, mode]
    assert content["eigenvalues"][row][mode] == pytest.approx(expected, abs=1e-3)


def test_a_film_of_a_mode(salt, tmp_path):
    from ase.io import read

    path = tmp_path / "mode.extxyz"
    salt.write_animation(path, [0.5, 0.5, 0.0], 0, amplitude=0.3, n_frames=8)
    frames = read(path, index=":")
    assert len(frames) == 8
    assert len(frames[0]) == 2 * 2 * 2
    moves = np.array([frame.positions for frame in frames])
    moves = moves - moves.mean(axis=0)
    np.testing.assert_allclose(moves[:4], -moves[4:], atol=1e-6)  # half a period later
    assert np.linalg.norm(moves, axis=2).max() == pytest.approx(0.3, abs=1e-6)
    with pytest.raises(ConfigError):
        salt.animation([0, 0, 0], 6)


def test_sound_is_the_slope_of_the_acoustic_branches(salt):
    speeds = salt.sound_velocities([[1, 0, 0], [1, 1, 1], [0, 0, -2]])
    assert (np.diff(speeds, axis=1) >= -1e-6).all()
    np.testing.assert_allclose(speeds[0], speeds[2], rtol=1e-4)  # cubic
    wave = 0.02 * np.array([[1, 1, 1]]) / np.sqrt(3)
    q = wave @ np.linalg.inv(reciprocal_lattice(salt.crystal.lattice))
    slope = salt.frequencies(q)[0, :3] * 2 * np.pi * 2.99792458e10 / (0.02e10)
    np.testing.assert_allclose(speeds[1], slope, rtol=1e-3)


def test_heat_near_zero_follows_the_debye_temperature(salt):
    temperature = 4.0
    edges = np.linspace(0.0, 40, 81)
    # Debye: C = 12 pi^4 / 5 R (T / Theta)^3 for each atom; here from a fine density near Gamma.
    from vanhove.spectra.long_waves import sphere
    from vanhove.spectra.thermodynamics import GAS_CONSTANT, KELVIN_PER_CM1, LIGHT_CM

    speeds = salt.sound_velocities(sphere(150))
    per_volume = np.mean(1 / speeds**3) * 3 / (2 * np.pi**2)  # times omega^2
    omega = 2 * np.pi * LIGHT_CM * edges
    density = per_volume * omega**2 * salt.crystal.volume * 1e-30
    x = KELVIN_PER_CM1 * np.maximum(edges, 1e-9) / temperature
    heat = GAS_CONSTANT * (x / 2 / np.sinh(np.minimum(x / 2, 300))) ** 2
    total = np.trapezoid(density * heat, omega) / salt.crystal.n_atoms
    debye = 12 * np.pi**4 / 5 * GAS_CONSTANT * (temperature / salt.debye_temperature) ** 3
    assert total == pytest.approx(debye, rel=0.03)


def test_displacements_of_hot_and_cold_crystals(salt):
    cold, warm, hot = salt.mean_square_displacements([0, 300, 600])
    for tensor in (cold, warm, hot):
        for of_atom in tensor:  # cubic sites
            np.testing.assert_allclose(
                of_atom, of_atom[0, 0] * np.eye(3), atol=0.02 * of_atom[0, 0]
            )
    assert hot[:, 0, 0] / warm[:, 0, 0] == pytest.approx([2, 2], abs=0.1)
    assert (cold[:, 0, 0] < warm[:, 0, 0]).all()
    with pytest.raises(ConfigError):
        salt.mean_square_displacements([-1.0])


def test_displacements_are_those_of_phonopy(salt):
    pytest.importorskip("phonopy")
    phonopy = salt.to_phonopy()
    phonopy.run_mesh([12, 12, 12], with_eigenvectors=True, is_mesh_symmetry=False)
    phonopy.run_thermal_displacement_matrices(t_min=300, t_max=300, freq_min=0.01)
    theirs = phonopy.thermal_displacement_matrices.thermal_displacement_matrices[0]
    ours = salt.mean_square_displacements([300.0], mesh=(12, 12, 12))[0]
    np.testing.assert_allclose(ours, theirs.real, rtol=0.08, atol=1e-5)
