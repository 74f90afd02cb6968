import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from vanhove.errors import ConfigError, DataError
from vanhove.spectra import resample

GRID = np.linspace(0.0, 1000.0, 51)


@given(
    arrays(np.float64, 20, elements=st.floats(0, 10)),
    arrays(np.float64, 20, elements=st.floats(0.01, 45)),
)
def test_area_is_kept(values, steps):
    frequency = np.cumsum(steps)
    area = np.trapezoid(values, frequency)
    assert np.trapezoid(resample(frequency, values, GRID), GRID) == pytest.approx(area, abs=1e-9)


def test_a_peak_between_grid_points_is_kept():
    fine = np.linspace(0, 1000, 10001)
    peak = np.exp(-(((fine - 250) / 1.0) ** 2))
    assert np.interp(GRID, fine, peak).max() < 1e-9
    coarse = resample(fine, peak, GRID)
    assert np.trapezoid(coarse, GRID) == pytest.approx(np.sqrt(np.pi), rel=1e-6)
    assert set(np.flatnonzero(coarse > 1e-6)) == {12, 13}


def test_a_line_is_its_own_mean_and_the_outside_is_zero():
    frequency = np.linspace(100, 900, 37)
    coarse = resample(frequency, 2 + 0.01 * frequency, GRID)
    inside = (GRID > 111) & (GRID < 889)
    np.testing.assert_allclose(coarse[inside], 2 + 0.01 * GRID[inside])
    assert (coarse[(GRID < 90) | (GRID > 910)] == 0).all()
    assert coarse[GRID == 100][0] == pytest.approx((2 + 0.01 * 105) / 2)


def test_only_the_part_on_the_grid_is_kept():
    frequency = np.linspace(-500, 500, 11)
    coarse = resample(frequency, np.ones(11), np.linspace(0, 400, 5))
    np.testing.assert_allclose(coarse, 1)


@pytest.mark.parametrize("width", [0.5, 10.0, 40.0])  # less and more than the step of 2.5
def test_broadening_has_its_area_mean_and_width(width):
    frequency = np.linspace(499.9, 500.1, 21)
    values = np.ones(21)
    grid = np.linspace(0, 1000, 401)
    new = resample(frequency, values, grid, width=width)
    area = np.trapezoid(new, grid)
    assert area == pytest.approx(0.2)
    assert np.trapezoid(new * grid, grid) / area == pytest.approx(500)
    variance = np.trapezoid(new * (grid - 500) ** 2, grid) / area
    # Averaging over cells changes the variance by less than a squared step.
    assert variance == pytest.approx(width**2, abs=2.5**2 / 4)


def test_bad_input_is_refused():
    with pytest.raises(ConfigError, match="width"):
        resample(GRID, np.ones(51), GRID, width=0.0)
    with pytest.raises(DataError, match="increase"):
        resample(GRID[::-1], np.ones(51), GRID)
    with pytest.raises(DataError, match="one density"):
        resample(GRID, np.ones((2, 51)), GRID)
