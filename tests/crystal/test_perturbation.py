"""Structures that are not what they should be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vanhove.crystal.crystal import Crystal
from vanhove.crystal.perturbation import STRAIN_PER_ANGSTROM, perturbed, rearranged, stretched
from vanhove.errors import ConfigError

CRYSTAL = Crystal(np.diag([4.0, 5.0, 6.0]), [[0, 0, 0], [0.5, 0.5, 0.5]], [11, 17], "NaCl")


def test_no_displacement_changes_nothing():
    same = perturbed(CRYSTAL, 0.0)
    assert np.array_equal(same.lattice, CRYSTAL.lattice)
    assert np.array_equal(same.fractional_coordinates, CRYSTAL.fractional_coordinates)


@settings(max_examples=25, deadline=None)
@given(st.floats(0.001, 0.2), st.integers(0, 5))
def test_a_perturbation_is_repeatable_and_in_proportion(displacement, seed):
    one, twice = perturbed(CRYSTAL, displacement, seed), perturbed(CRYSTAL, 2 * displacement, seed)
    again = perturbed(CRYSTAL, displacement, seed)
    assert np.array_equal(one.lattice, again.lattice)
    assert np.allclose(twice.lattice - CRYSTAL.lattice, 2 * (one.lattice - CRYSTAL.lattice))
    moved = [c.fractional_coordinates - CRYSTAL.fractional_coordinates for c in (one, twice)]
    assert np.allclose(moved[1], 2 * moved[0])
    strain = np.linalg.inv(CRYSTAL.lattice) @ one.lattice - np.eye(3)
    assert np.allclose(strain, strain.T)  # no rotation


def test_sizes_are_as_stated():
    many = [
        perturbed(Crystal(CRYSTAL.lattice, CRYSTAL.fractional_coordinates, [11, 17], str(i)), 0.05)
        for i in range(400)
    ]
    moves = [
        (c.fractional_coordinates - CRYSTAL.fractional_coordinates) @ CRYSTAL.lattice for c in many
    ]
    strains = [np.linalg.inv(CRYSTAL.lattice) @ c.lattice - np.eye(3) for c in many]
    assert np.std(moves) == pytest.approx(0.05, rel=0.1)
    diagonal = np.array(strains)[:, range(3), range(3)]
    assert np.std(diagonal) == pytest.approx(0.05 * STRAIN_PER_ANGSTROM, rel=0.1)


@pytest.mark.parametrize("wrong", [-0.1, float("nan"), float("inf")])
def test_wrong_displacements(wrong):
    with pytest.raises(ConfigError, match="displacement must be"):
        perturbed(CRYSTAL, wrong)


def test_a_stretched_crystal_keeps_all_but_its_lengths():
    long = stretched(CRYSTAL, 1.1)
    assert long.volume == pytest.approx(1.1**3 * CRYSTAL.volume)
    assert np.array_equal(long.fractional_coordinates, CRYSTAL.fractional_coordinates)
    for wrong in (0.0, -1.0, float("inf"), float("nan")):
        with pytest.raises(ConfigError, match="positive factor"):
            stretched(CRYSTAL, wrong)


def other(name: str, x: float, n_atoms: int = 2) -> Crystal:
    return Crystal(np.eye(3) * 5, [[x * i, 0, 0] for i in range(n_atoms)], [14] * n_atoms, name)


def test_rearranged_atoms_stand_on_the_sites_of_another_at_their_own_volume():
    far = other("far", 0.4)
    found = rearranged(CRYSTAL, [CRYSTAL, far, other("larger", 0.2, 3), other("too near", 0.01)])
    assert found.atomic_numbers.tolist() == [11, 17]
    assert found.name == "NaCl"
    assert found.volume == pytest.approx(CRYSTAL.volume)
    assert np.array_equal(found.fractional_coordinates, far.fractional_coordinates)


def test_a_crystal_without_a_partner_stays():
    assert rearranged(CRYSTAL, [CRYSTAL, other("larger", 0.2, 3)]) is CRYSTAL


def test_partners_are_drawn_alike_for_one_name_and_differ_between_names():
    others = [other(str(i), 0.3 + 0.01 * i) for i in range(20)]
    names = [f"crystal {i}" for i in range(10)]
    drawn = [
        rearranged(
            Crystal(CRYSTAL.lattice, CRYSTAL.fractional_coordinates, [11, 17], name), others
        ).fractional_coordinates[1, 0]
        for name in names + names
    ]
    assert drawn[:10] == drawn[10:]
    assert len(set(drawn)) > 5
