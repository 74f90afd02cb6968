"""The whole data set of Petretto et al.; needs the data."""

from __future__ import annotations

import numpy as np
import pytest

from vanhove.datasets import load_dataset
from vanhove.datasets.petretto_full import CrystalPhonons
from vanhove.runs.prepared import SAMPLED_KPOINTS, phonon_labels
from vanhove.spectra.thermodynamics import heat_capacity

pytestmark = pytest.mark.data


@pytest.fixture(scope="module")
def dataset():
    return load_dataset("phonon_petretto_full")


def test_it_holds_the_materials_spectra_and_split_of_phonon_petretto(dataset):
    small = load_dataset("phonon_petretto")
    assert dataset.ids == small.ids
    assert dataset.split_hash == small.split_hash
    np.testing.assert_array_equal(dataset.values, small.values)
    for own, other in zip(dataset.crystals, small.crystals, strict=True):
        assert own.volume == pytest.approx(other.volume, rel=1e-5)
        assert sorted(own.atomic_numbers) == sorted(other.atomic_numbers)


def test_bands_and_densities_fit_each_other(dataset):
    for row in range(0, len(dataset), 97):
        crystal, phonons = dataset.crystals[row], dataset.phonons[row]
        assert phonons.frequencies.shape == (len(phonons.kpoints), 3 * crystal.n_atoms)
        assert (np.diff(phonons.frequencies, axis=1) >= 0).all()
        integral = np.trapezoid(phonons.dos, phonons.dos_frequency)
        assert integral == pytest.approx(3 * crystal.n_atoms, rel=5e-3)
        at_gamma = np.linalg.norm(phonons.kpoints, axis=1) < 1e-6
        assert (np.abs(phonons.directions).max(axis=1) > 0)[at_gamma].all()
        assert not phonons.directions[~at_gamma].any()
        low, high = phonons.quantiles(np.array([0.0, 1.0]))
        assert low < high
        assert abs(high - phonons.frequencies.max()) < 30


def test_heat_capacities_are_per_mole_of_atoms(dataset):
    checked = 0
    for row in range(0, len(dataset), 61):
        phonons = dataset.phonons[row]
        if phonons.is_unstable:
            assert np.isnan(phonons.heat_capacity).all()
            continue
        at = int(np.argmin(np.abs(phonons.temperatures - 300)))
        own = heat_capacity(phonons.dos_frequency, phonons.dos, phonons.temperatures[at])
        assert phonons.heat_capacity[at] == pytest.approx(own, abs=0.05)
        checked += 1
    assert checked > 10


def test_charges_of_magnesium_oxide(dataset):
    phonons = dataset.phonons[dataset.ids.index("mp-1265")]
    np.testing.assert_allclose(phonons.charges[0], 1.9857 * np.eye(3), atol=1e-3)
    np.testing.assert_allclose(phonons.dielectric, 3.2333 * np.eye(3), atol=1e-3)


def test_labels_of_a_training_step(dataset):
    chosen: list[CrystalPhonons] = [dataset.phonons[0], dataset.phonons[1]]
    labels = phonon_labels(chosen)
    n_modes = max(own.frequencies.shape[1] for own in chosen)
    assert labels["frequencies"].shape == (2, SAMPLED_KPOINTS, n_modes)
    first = chosen[0]
    for k, frequencies in zip(labels["kpoints"][0], labels["frequencies"][0], strict=True):
        distance = np.abs(first.kpoints - k.numpy()).max(axis=1)
        own = frequencies[: first.frequencies.shape[1]].numpy()
        same = np.flatnonzero(distance < 1e-5)
        assert min(np.abs(first.frequencies[i] - own).max() for i in same) < 1e-3
