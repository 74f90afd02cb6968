"""Bands between the points of a mesh, and how many levels lie below an energy."""

from __future__ import annotations

import numpy as np
import pytest

from vanhove.physics.counts import even_counts
from vanhove.physics.interpolation import between


def bands(points: np.ndarray) -> np.ndarray:
    """Two of them, the same at k and -k."""
    x, y, z = np.moveaxis(2 * np.pi * points, -1, 0)
    return np.stack([np.cos(x) + np.cos(y - z), 3 - np.cos(x + y) * np.cos(z)], axis=-1)


def mesh(shape: tuple[int, ...], shift: float = 0.0) -> np.ndarray:
    return (np.moveaxis(np.indices(shape), 0, -1) + shift) / shape


@pytest.mark.parametrize("shape", [(8, 8, 8), (9, 10, 8), (12, 1, 6)])
def test_smooth_bands_are_found_between_the_points(shape):
    values = bands(mesh(shape))
    if shape[1] == 1:  # a band that does not change along this axis
        values = np.broadcast_to(np.cos(2 * np.pi * mesh(shape)[..., :1]), (*shape, 2))
    found = between(values, 27 * values.size)
    fine = mesh(tuple(3 * n for n in shape), 0.5)
    expected = bands(fine) if shape[1] > 1 else np.repeat(np.cos(2 * np.pi * fine[..., :1]), 2, -1)
    half = fine.shape[0] // 2 if fine.shape[0] % 2 == 0 else fine.shape[0]
    np.testing.assert_allclose(found, expected[:half].reshape(-1, 2), atol=0.01)
    np.testing.assert_allclose(found.mean(axis=0), values.mean(axis=(0, 1, 2)), atol=1e-12)


def test_the_error_falls_with_the_fourth_power_of_the_step():
    def error(n: int) -> float:
        found = between(bands(mesh((n,) * 3)), 27 * 2 * n**3)
        expected = bands(mesh((3 * n,) * 3, 0.5))[: 3 * n // 2]
        return float(np.abs(found - expected.reshape(-1, 2)).max())

    assert error(16) < error(8) / 12


def test_no_level_is_lost():
    levels = np.array([[-3.2, 10.0], [0.1, 700.3]])
    edges = np.array([-4.0, 0.0, 5.0, 800.0])
    np.testing.assert_allclose(even_counts(levels, edges), [0, 0.5, 1.0, 2.0])
