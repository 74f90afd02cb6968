"""What a model was trained on: materials are recognised, and what lies outside is said."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vanhove.crystal import Crystal
from vanhove.crystal.domain import Domain, environments, material_hash
from vanhove.crystal.symmetry import standardize
from vanhove.datasets import load_tiny
from vanhove.datasets.graph_store import domain_of
from vanhove.runs.checkpoint import read_info
from vanhove.weights import find_weights, shipped_weights

TINY = load_tiny()
TRAIN = TINY.split("train").tolist()


@pytest.fixture(scope="module")
def domain() -> Domain:
    return domain_of(TINY.crystals, TRAIN, quiet=True)


def hash_of(crystal: Crystal) -> int:
    return material_hash(standardize(crystal))


def test_every_material_is_known_and_inside(domain):
    assert all(domain.knows(hash_of(TINY.crystals[row])) for row in TRAIN)
    others = TINY.split("test").tolist()
    known = {hash_of(TINY.crystals[row]) for row in TRAIN}
    for row in others:
        assert domain.knows(hash_of(TINY.crystals[row])) == (hash_of(TINY.crystals[row]) in known)
    for row in TRAIN:
        said = domain.outside(standardize(TINY.crystals[row]).primitive)
        assert all("is rare" in text for text in said)


def test_it_is_the_same_after_json_and_small(domain):
    text = domain.model_dump_json()
    assert Domain.model_validate_json(text) == domain
    assert len(domain.materials) <= 8 * len(TRAIN)


def test_what_is_trained_on_twice_counts_once(domain):
    part = domain_of(TINY.crystals, TRAIN[::2], quiet=True)
    rest = domain_of(TINY.crystals, TRAIN[1::2], quiet=True)
    assert domain.joined(domain) == domain
    assert domain.joined(part) == part.joined(domain) == domain
    assert part.joined(rest).elements == domain.elements


@given(row=st.integers(0, len(TRAIN) - 1), change=st.integers(0, 5), seed=st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_the_hash_is_that_of_any_cell_of_the_crystal(row, change, seed):
    crystal = TINY.crystals[TRAIN[row]]
    matrix = np.roll(np.array([[1, change, 0], [0, 1, -1], [0, 0, 1 + change % 2]]), seed, axis=1)
    draw = np.random.default_rng(seed)
    whole = crystal.to_structure()
    whole.make_supercell(matrix)
    order = draw.permutation(len(whole))
    copy = Crystal(
        whole.lattice.matrix,
        whole.frac_coords[order] + draw.random(3),
        np.array([site.specie.Z for site in whole])[order],
    )
    assert hash_of(copy) == hash_of(crystal)


def test_rock_salt_has_six_neighbours():
    lattice = 2.82 * np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]])
    neighbors, nearest = environments(Crystal(lattice, [[0] * 3, [0.5] * 3], [11, 17]))
    assert neighbors[1] == 6
    np.testing.assert_allclose(nearest, 2.82)


def test_what_lies_outside_is_said(domain):
    row = next(r for r in TRAIN if min(_crystals(domain, TINY.crystals[r])) > 3)
    cell = standardize(TINY.crystals[row]).primitive

    def scaled(size: float) -> str:
        return "; ".join(
            domain.outside(
                Crystal(size * cell.lattice, cell.fractional_coordinates, cell.atomic_numbers)
            )
        )

    assert scaled(1.0) == ""
    assert "density" in scaled(2.5)
    assert "the atom nearest to" in scaled(0.6)
    assert "with 0 neighbours" in scaled(2.5)
    numbers = cell.atomic_numbers.copy()
    numbers[0] = 92
    said = domain.outside(Crystal(cell.lattice, cell.fractional_coordinates, numbers))
    assert "U is in no crystal of the training data" in said
    many = cell.to_structure() * (5, 5, 5)
    arrays = many.lattice.matrix, many.frac_coords, [site.specie.Z for site in many]
    assert f"{len(many)} atoms in the primitive cell" in "; ".join(domain.outside(Crystal(*arrays)))


def _crystals(domain: Domain, crystal: Crystal) -> list[int]:
    return [domain.elements[int(z)].n_crystals for z in crystal.atomic_numbers]


def test_of_two_trainings(domain):
    half = len(TRAIN) // 2
    one, two = (domain_of(TINY.crystals, rows, quiet=True) for rows in (TRAIN[:half], TRAIN[half:]))
    assert one.joined(two) == two.joined(one) == domain


@pytest.mark.parametrize("name", shipped_weights())
def test_shipped_weights_know_their_materials_and_ranges(name):
    info = read_info(find_weights(name))
    known = info.trained.domain
    assert known is not None
    # Of materials that are listed twice, one hash.
    assert 0.98 * info.trained.dataset.n_train <= len(known.materials) / 8
    assert set(known.elements) <= set(info.elements)
    assert known.n_atoms[0] >= 1
