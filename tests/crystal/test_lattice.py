"""Lattice lengths against brute force."""

import itertools

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from vanhove.crystal.lattice import successive_minima

FCC = np.array([[0.0, 0.5, 0.5], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0]])


def by_brute_force(lattice: np.ndarray) -> np.ndarray:
    # No minimum is longer than the longest of these vectors, which bounds its coefficients.
    longest = np.linalg.norm(lattice, axis=1).max()
    reach = np.floor(longest * np.linalg.norm(np.linalg.inv(lattice), axis=0) + 1e-9).astype(int)
    steps = np.array(list(itertools.product(*(range(-n, n + 1) for n in reach))))
    steps = steps[np.argsort(np.linalg.norm(steps @ lattice, axis=1))]
    chosen: list[np.ndarray] = []
    for step in steps:
        if len(chosen) < 3 and np.linalg.matrix_rank(np.array([*chosen, step])) > len(chosen):
            chosen.append(step)
    return np.linalg.norm(np.array(chosen) @ lattice, axis=1)


@pytest.mark.parametrize("seed", range(40))
def test_the_shortest_independent_vectors_are_found(seed):
    rng = np.random.default_rng(seed)
    lattice = rng.normal(size=(3, 3)) + np.diag(rng.uniform(0.5, 3, 3))
    if seed % 4 == 0:  # many vectors of one length
        lattice = FCC
    expected = by_brute_force(lattice)
    np.testing.assert_allclose(successive_minima(lattice), expected, rtol=1e-8)
    skew = np.eye(3, dtype=int)
    for i, j in ((0, 1), (1, 2), (2, 0)):
        skew[i] += rng.integers(-9, 10) * skew[j]
    rotated = skew @ lattice @ Rotation.random(random_state=seed).as_matrix()
    np.testing.assert_allclose(successive_minima(rotated), expected, rtol=1e-6)
