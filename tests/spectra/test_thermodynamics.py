import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import constants
from scipy.integrate import quad

from vanhove.errors import ConfigError, DataError
from vanhove.spectra import (
    Spectrum,
    entropy,
    free_energy,
    heat_capacity,
    internal_energy,
    mean_frequency,
    thermodynamics,
    zero_point_energy,
)

R = constants.R
GRID = np.linspace(0.0, 1000.0, 51)
densities = arrays(np.float64, 51, elements=st.floats(0, 10)).filter(lambda v: v[1:].max() > 0.01)


def x_of(omega, temperature):
    return constants.h * constants.c * 100 * omega / (constants.k * temperature)


def einstein(omega):
    """A peak so narrow that all modes are at ``omega``."""
    grid = np.array([0.0, omega - 1e-4, omega, omega + 1e-4, 2 * omega])
    return grid, np.array([0.0, 0.0, 1.0, 0.0, 0.0])


def test_constants_are_codata():
    kelvin = constants.value("inverse meter-kelvin relationship") * 100
    joule = constants.value("inverse meter-joule relationship") * 100
    np.testing.assert_allclose(
        [
            thermodynamics.GAS_CONSTANT,
            thermodynamics.KELVIN_PER_CM1,
            thermodynamics.KJ_PER_MOL_PER_CM1,
        ],
        [R, kelvin, joule * constants.N_A / 1000],
        rtol=1e-9,
    )


@pytest.mark.parametrize("temperature", [50.0, 300.0, 1000.0])
def test_einstein_solid(temperature):
    grid, values = einstein(200.0)
    x = x_of(200.0, temperature)
    assert mean_frequency(grid, values) == pytest.approx(200)
    capacity = 3 * R * x**2 * np.exp(x) / (np.exp(x) - 1) ** 2
    assert heat_capacity(grid, values, temperature) == pytest.approx(capacity)
    s = 3 * R * (x / (np.exp(x) - 1) - np.log(1 - np.exp(-x)))
    assert entropy(grid, values, temperature) == pytest.approx(s)
    f = 3 * R * temperature * (x / 2 + np.log(1 - np.exp(-x))) / 1000
    assert free_energy(grid, values, temperature) == pytest.approx(f)
    u = 3 * R * temperature * x * (0.5 + 1 / (np.exp(x) - 1)) / 1000
    assert internal_energy(grid, values, temperature) == pytest.approx(u)


def test_debye_solid():
    cutoff = 300.0
    grid = np.linspace(0, cutoff, 3001)
    debye = grid**2
    for temperature in (20.0, 100.0, 400.0):
        top = x_of(cutoff, temperature)
        integral, _ = quad(lambda x: x**4 * np.exp(x) / np.expm1(x) ** 2, 0, top)
        expected = 9 * R / top**3 * integral
        assert heat_capacity(grid, debye, temperature) == pytest.approx(expected, rel=1e-4)
    # Debye's T^3 law: 12 pi^4 / 5 R (T / T_D)^3.
    t3 = 12 * np.pi**4 / 5 * R / x_of(cutoff, 10.0) ** 3
    assert heat_capacity(grid, debye, 10.0) == pytest.approx(t3, rel=1e-3)
    # Zero-point energy 9/8 k_B T_D, mean frequency 3/4 of the cutoff.
    zero_point = 9 / 8 * R * x_of(cutoff, 1.0) / 1000
    assert zero_point_energy(grid, debye) == pytest.approx(zero_point, rel=1e-4)
    assert mean_frequency(grid, debye) == pytest.approx(0.75 * cutoff, rel=1e-4)


@given(densities)
def test_high_temperature_limit_is_dulong_petit(values):
    assert heat_capacity(GRID, values, 1e5) == pytest.approx(3 * R, rel=1e-4)


@given(densities, st.floats(1.0, 3000.0))
def test_thermodynamic_identities(values, temperature):
    """F = U - TS, dF/dT = -S, C = dU/dT: for any density, also one that is not 0 at 0."""
    f = free_energy(GRID, values, temperature)
    u = internal_energy(GRID, values, temperature)
    s = entropy(GRID, values, temperature)
    assert f == pytest.approx(u - temperature * s / 1000, rel=1e-9, abs=1e-9)
    around = temperature * np.array([1 - 1e-4, 1 + 1e-4])
    step = around[1] - around[0]
    slope = np.diff(free_energy(GRID, values, around))[0] / step * 1000
    assert slope == pytest.approx(-s, rel=1e-5, abs=1e-5)
    slope = np.diff(internal_energy(GRID, values, around))[0] / step * 1000
    assert slope == pytest.approx(heat_capacity(GRID, values, temperature), rel=1e-5, abs=1e-5)


@given(densities)
def test_heat_capacity_and_entropy_grow_with_temperature(values):
    temperatures = np.linspace(5, 2000, 50)
    assert (np.diff(heat_capacity(GRID, values, temperatures)) >= -1e-9).all()
    assert (np.diff(entropy(GRID, values, temperatures)) > 0).all()


@given(densities)
def test_zero_kelvin(values):
    assert heat_capacity(GRID, values, 0.0) == pytest.approx(0, abs=1e-9)
    assert entropy(GRID, values, 0.0) == pytest.approx(0, abs=1e-9)
    assert free_energy(GRID, values, 0.0) == internal_energy(GRID, values, 0.0)
    assert zero_point_energy(GRID, values) > 0


@given(densities, st.floats(1e-3, 1e3))
def test_scale_does_not_matter(values, factor):
    for function in (heat_capacity, entropy, free_energy, internal_energy):
        assert function(GRID, factor * values, 300.0) == pytest.approx(
            function(GRID, values, 300.0)
        )


def test_zero_frequency_bin_is_the_limit_and_integrates_the_logarithm():
    # Uniform density up to 20 1/cm at 300 K: the exact integral is known in the classical limit.
    exact = quad(lambda w: 3 * R * (1 - np.log(x_of(w, 300.0))), 0, 20)[0] / 20
    for n, tolerance in ((3, 0.02), (51, 0.001)):
        grid = np.linspace(0, 20, n)
        assert entropy(grid, np.ones(n), 300.0) == pytest.approx(exact, rel=tolerance)
        assert heat_capacity(grid, np.ones(n), 300.0) == pytest.approx(3 * R, rel=1e-3)


@pytest.mark.parametrize("temperature", [30.0, 300.0, 1200.0])
def test_agrees_with_pymatgen(temperature):
    """To a relative 1e-9, with imaginary modes, where the density at frequency 0 is 0."""
    grid = np.linspace(-200, 800, 101)
    values = np.where(grid < 0, 0.2, grid**2) * np.exp(-(((grid - 100) / 200) ** 2))
    values[grid == 0] = 0.0
    dos = Spectrum(grid, values, "cm-1", "max").to_pymatgen(n_atoms=4)
    pairs = [
        (heat_capacity(grid, values, temperature), dos.cv(temp=temperature)),
        (entropy(grid, values, temperature), dos.entropy(temp=temperature)),
        (
            free_energy(grid, values, temperature) * 1000,
            dos.helmholtz_free_energy(temp=temperature),
        ),
        (internal_energy(grid, values, temperature) * 1000, dos.internal_energy(temp=temperature)),
        (zero_point_energy(grid, values) * 1000, dos.zero_point_energy()),
    ]
    for ours, theirs in pairs:
        assert ours == pytest.approx(theirs / 4, rel=1e-9)


def test_agrees_with_pymatgen_on_heat_capacity_with_weight_at_zero():
    """To 0.1% at 300 K: pymatgen takes the limit at 0, here h / 2e stands for that cell."""
    values = np.ones(51)
    dos = Spectrum(GRID, values, "cm-1", "max").to_pymatgen(n_atoms=1)
    assert heat_capacity(GRID, values, 300.0) == pytest.approx(dos.cv(temp=300), rel=1e-3)


def test_imaginary_modes_count_in_the_norm_only():
    grid = np.linspace(-500, 500, 101)
    values = np.where(np.abs(np.abs(grid) - 200) < 1, 1.0, 0.0)
    assert heat_capacity(grid, values, 1e5) == pytest.approx(1.5 * R, rel=1e-4)
    assert mean_frequency(grid, values) == pytest.approx(200)


def test_vectorised_over_materials_and_temperatures():
    values = np.random.default_rng(0).random((2, 3, 51))
    temperatures = np.array([0.0, 100.0, 300.0, 500.0])
    for function in (heat_capacity, entropy, free_energy, internal_energy):
        table = function(GRID, values, temperatures)
        assert table.shape == (2, 3, 4)
        assert function(GRID, values, 300.0).shape == (2, 3)
        assert table[1, 2, 3] == pytest.approx(function(GRID, values[1, 2], 500.0))
    assert mean_frequency(GRID, values).shape == (2, 3)
    assert zero_point_energy(GRID, values).shape == (2, 3)


@pytest.mark.parametrize("temperature", [-1.0, np.nan, np.inf])
def test_bad_temperatures(temperature):
    with pytest.raises(ConfigError, match="0 K"):
        heat_capacity(GRID, np.ones(51), temperature)


def test_bad_densities():
    with pytest.raises(DataError, match="1 of 2 densities"):
        entropy(GRID, np.stack([np.zeros(51), np.ones(51)]), 300.0)
    with pytest.raises(DataError, match="last axis"):
        heat_capacity(GRID, np.ones(50), 300.0)
    with pytest.raises(DataError, match=">= 0"):
        mean_frequency(np.linspace(-10, -1, 5), np.ones(5))
    with pytest.raises(DataError, match="no weight at real"):
        mean_frequency(np.linspace(-2, 2, 5), [1.0, 1.0, 0.0, 0.0, 0.0])
