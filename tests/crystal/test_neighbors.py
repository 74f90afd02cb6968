"""Neighbour lists against brute force, whole shells, and cells smaller than the cutoff."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vanhove.crystal.crystal import Crystal
from vanhove.crystal.neighbors import neighbor_list

FCC = np.array([[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])


def rock_salt(a: float = 5.64) -> Crystal:
    return Crystal(FCC * a, [[0, 0, 0], [0.5, 0.5, 0.5]], [11, 17])


def brute_force(crystal: Crystal, cutoff: float) -> list[tuple[int, int, float]]:
    heights = crystal.volume / np.linalg.norm(
        np.cross(np.roll(crystal.lattice, -1, 0), np.roll(crystal.lattice, -2, 0)), axis=1
    )
    reach = [range(-n, n + 1) for n in (np.ceil(cutoff / heights) + 1).astype(int)]
    positions = crystal.cartesian_coordinates
    pairs = []
    for shift in itertools.product(*reach):
        for i, j in itertools.product(range(crystal.n_atoms), repeat=2):
            distance = np.linalg.norm(positions[j] + shift @ crystal.lattice - positions[i])
            if 1e-9 < distance < cutoff:
                pairs.append((i, j, round(float(distance), 6)))
    return sorted(pairs)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 4), st.floats(1.0, 5.0))
def test_agrees_with_brute_force_also_beyond_the_cell(seed, n_atoms, cutoff):
    rng = np.random.default_rng(seed)
    lattice = np.diag(rng.uniform(2.0, 4.0, 3)) + rng.uniform(-0.5, 0.5, (3, 3))
    crystal = Crystal(lattice, rng.random((n_atoms, 3)), rng.integers(1, 90, n_atoms))
    found = neighbor_list(crystal, cutoff)
    ours = sorted(
        (int(t), int(s), round(float(d), 6))
        for t, s, d in zip(found.target, found.source, found.distance, strict=True)
    )
    assert ours == brute_force(crystal, cutoff)
    np.testing.assert_allclose(np.linalg.norm(found.vector, axis=1), found.distance, rtol=1e-6)


def test_vectors_point_from_target_to_source():
    crystal = Crystal(np.eye(3) * 10, [[0.1, 0.1, 0.1], [0.3, 0.1, 0.1]], [1, 2])
    found = neighbor_list(crystal, 3.0)
    first = found.target == 0
    np.testing.assert_allclose(found.vector[first], [[2.0, 0.0, 0.0]], atol=1e-9)
    assert found.source[first].tolist() == [1]


@pytest.mark.parametrize(("limit", "expected"), [(1, 6), (6, 6), (7, 18), (18, 18), (19, 26)])
def test_limit_keeps_whole_shells(limit, expected):
    found = neighbor_list(rock_salt(), 6.0, max_neighbors=limit)
    assert np.bincount(found.target).tolist() == [expected, expected]


def test_limit_does_not_depend_on_the_order_of_atoms():
    rng = np.random.default_rng(0)
    supercell = rock_salt().to_structure() * (2, 1, 1)
    supercell.perturb(0.005, seed=1)  # splits shells by less than the tolerance
    crystal = Crystal(
        supercell.lattice.matrix, supercell.frac_coords, [site.specie.Z for site in supercell]
    )
    order = rng.permutation(crystal.n_atoms)
    permuted = Crystal(
        crystal.lattice, crystal.fractional_coordinates[order], crystal.atomic_numbers[order]
    )
    counts = np.bincount(neighbor_list(crystal, 6.0, 5).target)
    permuted_counts = np.bincount(neighbor_list(permuted, 6.0, 5).target)
    np.testing.assert_array_equal(counts[order], permuted_counts)


def test_an_isolated_atom_has_no_neighbors():
    crystal = Crystal(np.eye(3) * 12, [[0, 0, 0]], [2])
    assert len(neighbor_list(crystal, 4.0).source) == 0
    assert len(neighbor_list(crystal, 4.0, max_neighbors=12).source) == 0
