import re

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from vanhove.crystal.checks import MINIMUM_DISTANCE, check_crystal
from vanhove.crystal.crystal import Crystal
from vanhove.errors import StructureError

CUBE = np.eye(3) * 3.0
ORIGIN = [[0.0, 0.0, 0.0]]


def reason_of(lattice, coordinates, numbers) -> str:
    with pytest.raises(StructureError) as caught:
        check_crystal(Crystal(lattice, coordinates, numbers, "bad.cif"))
    message = str(caught.value)
    assert message.startswith("bad.cif: ")
    assert "\n" not in message
    return message


def test_good_crystals_pass():
    check_crystal(Crystal(CUBE, ORIGIN, [1]))
    check_crystal(Crystal(-CUBE, ORIGIN, [118]))  # left-handed
    check_crystal(Crystal(CUBE, [[0, 0, 0], [0.5, 0.5, -7.5]], [55, 17]))
    skewed = CUBE + np.array([[0, 0, 0], [0, 0, 0], [3000.0, 0, 0]])
    check_crystal(Crystal(skewed, ORIGIN, [14]))


@pytest.mark.parametrize(
    ("lattice", "coordinates", "numbers", "reason"),
    [
        (CUBE, np.zeros((0, 3)), [], "no atoms"),
        (CUBE, ORIGIN, [0], "atomic number 0; allowed: 1"),
        (CUBE, ORIGIN, [119], "atomic number 119"),
        (CUBE * np.nan, ORIGIN, [14], "lattice holds NaN"),
        (CUBE, [[0, 0, 0], [0.5, np.inf, 0]], [14, 8], r"atom 2 \(O\) hold NaN"),
        (np.diag([3.0, 3.0, 0.0]), ORIGIN, [14], "cell volume 0 "),
        (CUBE * 1e-3, ORIGIN, [14], "cell volume 2.7e-08"),
        (CUBE * 1e2, ORIGIN, [14], "cell volume 2.7e"),
        (CUBE * 1e200, ORIGIN, [14], "lattice vector is 3e"),
        (CUBE, [[0, 0, 0], [0.1, 0, 0]], [14, 8], r"1 \(Si\) and atom 2 \(O\) are 0.300 ang"),
        (CUBE, [[0, 0, 0.01], [0, 0, 0.99]], [14, 8], "are 0.060 angstrom apart"),
        (CUBE, [[0.99, 0.01, 0], [0.01, 0.99, 0]], [14, 8], "are 0.085 angstrom apart"),
        (CUBE, [[0, 0, 0], [0, 0, 5.0]], [14, 8], "are 0.000 angstrom apart"),
        (CUBE, [[0, 0, 0], [0, 0, -1e-18]], [14, 8], "are 0.000 angstrom apart"),
        (np.diag([0.4, 9, 9]), ORIGIN, [14], r"1 \(Si\) and its own periodic image are 0.400"),
        (np.diag([1e-9, 1e5, 1e5]), ORIGIN, [14], "its own periodic image are 0.000"),
    ],
)
def test_impossible_crystals_are_refused(lattice, coordinates, numbers, reason):
    assert re.search(reason, reason_of(lattice, coordinates, numbers))


def test_thin_wide_cell_does_not_crash():
    check_crystal(Crystal(np.diag([0.6, 120.0, 120.0]), ORIGIN, [14]))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 4))
def test_closest_pair_agrees_with_trying_many_images(seed, n_atoms):
    rng = np.random.default_rng(seed)
    lattice = rng.normal(size=(3, 3)) * rng.choice([1.0, 2.0]) + np.eye(3)
    assume(abs(np.linalg.det(lattice)) > 0.6 * n_atoms)
    coordinates = rng.uniform(-1, 2, size=(n_atoms, 3))
    if n_atoms > 1 and rng.random() < 0.6:  # random atoms are rarely close
        step = rng.normal(size=3)
        step *= rng.uniform(0.2, 0.8) / np.linalg.norm(step)
        coordinates[1] = coordinates[0] + step @ np.linalg.inv(lattice) + rng.integers(-2, 3, 3)

    # A vector shorter than the limit has |fractional component| <= limit / plane spacing.
    reach = MINIMUM_DISTANCE * np.linalg.norm(np.linalg.inv(lattice), axis=0) + 4
    axes = [np.arange(-n, n + 1) for n in np.minimum(np.ceil(reach), 25).astype(int)]
    images = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)
    wrapped = coordinates % 1.0
    vectors = (wrapped[:, None, None] - wrapped[None, :, None] + images) @ lattice
    distances = np.linalg.norm(vectors, axis=-1)
    distances[np.eye(n_atoms, dtype=bool)[:, :, None] & (images == 0).all(1)] = np.inf
    closest = distances.min()
    own = distances.diagonal().min()  # between an atom and its own image: looked at first

    crystal = Crystal(lattice, coordinates, [14] * n_atoms)
    if closest >= MINIMUM_DISTANCE:
        check_crystal(crystal)
    else:
        told = own if own < MINIMUM_DISTANCE else closest
        with pytest.raises(StructureError, match=f"are {told:.3f} angstrom apart"):
            check_crystal(crystal)
