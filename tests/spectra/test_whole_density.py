"""The density of states of the whole spectrum."""

from __future__ import annotations

import numpy as np
import pytest

import vanhove
from vanhove.errors import ConfigError
from vanhove.spectra.spectrum import Spectrum
from vanhove.spectra.whole_density import STEP, broadened_on

DIAMOND = vanhove.Crystal(
    1.785 * np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]]),
    np.array([[0, 0, 0], [0.25, 0.25, 0.25]]),
    np.array([6, 6]),
)
SALT = "examples/structures/NaCl.cif"


@pytest.fixture(scope="module")
def diamond():
    return vanhove.predict(DIAMOND)


def test_it_ends_where_the_spectrum_does(diamond):
    highest = vanhove.phonons(DIAMOND).highest_frequency[0]
    assert highest > 1000
    assert highest < diamond.grid[-1] < highest + 60
    assert vanhove.predict(SALT).grid[-1] < 400
    np.testing.assert_allclose(np.diff(diamond.grid), STEP)
    assert diamond.values[-1] < 0.01 * diamond.values.max()


def test_it_is_the_network_at_the_points_of_the_network(diamond):
    window = vanhove.load(grid="training").predict(DIAMOND)
    assert len(window.grid) == 51
    np.testing.assert_allclose(
        np.interp(window.grid, diamond.grid, diamond.values), window.values, atol=1e-6
    )


def test_thermodynamics_are_those_of_the_phonons(diamond):
    kelvin = [100.0, 300.0, 800.0]
    own = diamond.thermal_properties(kelvin)
    phonons = vanhove.phonons(DIAMOND).thermal_properties(kelvin)
    np.testing.assert_allclose(own.heat_capacity, phonons.heat_capacity, atol=0.01)
    np.testing.assert_allclose(own.entropy, phonons.entropy, atol=0.01)
    assert own.heat_capacity[1] == pytest.approx(6.1, abs=0.4)  # DFPT, J/(K mol of atoms)
    again = Spectrum.from_json(diamond.to_json())
    np.testing.assert_array_equal(again.thermal_properties(kelvin).heat_capacity, own.heat_capacity)
    for name, half in phonons.half_widths.items():
        np.testing.assert_allclose(own.half_widths[name], half, atol=0.01)


def test_error_bars_reach_over_the_whole_spectrum(diamond):
    low, high = diamond.interval(0.9)
    assert (low <= diamond.values).all()
    assert (diamond.values <= high).all()
    beyond = (diamond.grid > 1000) & (diamond.values > 0.1)
    assert (high - low)[beyond].min() > 0


def test_broadening_loses_no_mode():
    frequency = np.arange(0.0, 301.0)
    values = np.where(frequency < 40, frequency, 0.0)  # also next to 0
    grid = np.arange(0.0, 401.0)
    broad = broadened_on(grid, frequency, values)
    assert np.trapezoid(broad, grid) == pytest.approx(values.sum(), rel=0.01)


def test_other_grids_and_models():
    assert len(vanhove.predict(SALT, grid=np.arange(0, 1001, 10.0)).grid) == 101
    assert len(vanhove.predict(SALT, "dostransformer-phonon").grid) == 51
    with pytest.raises(ConfigError, match="allowed: 'training', or numbers"):
        vanhove.load(grid="whole")
