"""Grids by their ends and step."""

from __future__ import annotations

import numpy as np
import pytest

from vanhove.errors import ConfigError
from vanhove.spectra.grids import even_grid, interpolate_rows


def test_the_last_point_is_in_the_grid_where_a_step_meets_it():
    np.testing.assert_array_equal(even_grid(0, 1000, 10), np.arange(101) * 10)
    np.testing.assert_allclose(even_grid(-1, 1, 0.1), np.linspace(-1, 1, 21), atol=1e-12)
    assert even_grid(0, 10, 4).tolist() == [0, 4, 8]


@pytest.mark.parametrize(
    "wrong", [(0, 10, 0), (0, 10, -1), (10, 0, 1), (0, 10, 11), (0, np.nan, 1), (0, np.inf, 1)]
)
def test_other_grids_are_refused(wrong):
    with pytest.raises(ConfigError, match="give START < STOP and a STEP"):
        even_grid(*wrong)


def test_rows_are_interpolated_along_the_last_axis():
    values = np.arange(12.0).reshape(2, 2, 3)
    new = interpolate_rows(np.array([0, 1, 2]), values, np.array([0.5, 2]))
    assert new[1, 0].tolist() == [6.5, 8]
