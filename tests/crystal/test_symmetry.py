import dataclasses
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import STRUCTURES
from vanhove.crystal import symmetry
from vanhove.crystal.crystal import Crystal
from vanhove.crystal.reading import read_crystal
from vanhove.crystal.symmetry import (
    CRYSTAL_SYSTEMS,
    crystal_system,
    crystal_system_of,
    primitive_cell,
    space_group,
    standardize,
)
from vanhove.errors import StructureError


def cell(a, b, c, alpha=90.0, beta=90.0, gamma=90.0) -> np.ndarray:
    ca, cb, cg = np.cos(np.radians([alpha, beta, gamma]))
    sg = np.sin(np.radians(gamma))
    x = (ca - cb * cg) / sg
    return np.array(
        [[a, 0, 0], [b * cg, b * sg, 0], [c * cb, c * x, c * np.sqrt(1 - cb**2 - x**2)]]
    )


def with_images(lattice, images, sites, name) -> Crystal:
    """``sites``: (number, coordinates); each is put at every one of ``images``."""
    coordinates = [np.add(site, image) for _, site in sites for image in images]
    numbers = [z for z, _ in sites for _ in images]
    return Crystal(lattice, coordinates, numbers, name)


FACES = [(0, 0, 0), (0, 0.5, 0.5), (0.5, 0, 0.5), (0.5, 0.5, 0)]
ONE = [(0, 0, 0)]
THIRD, U = 1 / 3, 0.3053

# name: (crystal, atoms in the primitive cell, space group number, symbol, crystal system)
PROTOTYPES = {
    "rock salt": (
        with_images(
            cell(5.64, 5.64, 5.64), FACES, [(11, (0, 0, 0)), (17, (0.5, 0.5, 0.5))], "NaCl"
        ),
        (2, 225, "Fm-3m", "cubic"),
    ),
    "zincblende": (
        with_images(cell(5.65, 5.65, 5.65), FACES, [(31, (0, 0, 0)), (33, (0.25,) * 3)], "GaAs"),
        (2, 216, "F-43m", "cubic"),
    ),
    "wurtzite": (
        with_images(
            cell(3.25, 3.25, 5.207, gamma=120),
            ONE,
            [
                (30, (THIRD, 2 * THIRD, 0)),
                (30, (2 * THIRD, THIRD, 0.5)),
                (8, (THIRD, 2 * THIRD, 0.3819)),
                (8, (2 * THIRD, THIRD, 0.8819)),
            ],
            "ZnO",
        ),
        (4, 186, "P6_3mc", "hexagonal"),
    ),
    "rutile": (
        with_images(
            cell(4.594, 4.594, 2.959),
            ONE,
            [
                (22, (0, 0, 0)),
                (22, (0.5, 0.5, 0.5)),
                (8, (U, U, 0)),
                (8, (-U, -U, 0)),
                (8, (0.5 + U, 0.5 - U, 0.5)),
                (8, (0.5 - U, 0.5 + U, 0.5)),
            ],
            "TiO2",
        ),
        (6, 136, "P4_2/mnm", "tetragonal"),
    ),
    "tetradymite": (  # Bi2Te3, hexagonal cell of a rhombohedral lattice
        with_images(
            cell(4.386, 4.386, 30.497, gamma=120),
            [(0, 0, 0), (2 * THIRD, THIRD, THIRD), (THIRD, 2 * THIRD, 2 * THIRD)],
            [
                (52, (0, 0, 0)),
                (52, (0, 0, 0.2095)),
                (52, (0, 0, -0.2095)),
                (83, (0, 0, 0.4001)),
                (83, (0, 0, -0.4001)),
            ],
            "Bi2Te3",
        ),
        (5, 166, "R-3m", "trigonal"),
    ),
    "black phosphorus": (
        with_images(
            cell(3.3136, 10.478, 4.3763),
            [(0, 0, 0), (0.5, 0.5, 0)],
            [
                (15, (0, 0.10168, 0.08056)),
                (15, (0, -0.10168, -0.08056)),
                (15, (0, 0.5 - 0.10168, 0.5 + 0.08056)),
                (15, (0, 0.5 + 0.10168, 0.5 - 0.08056)),
            ],
            "P",
        ),
        (4, 64, "Cmce", "orthorhombic"),
    ),
    "baddeleyite": (  # ZrO2, P 2_1/c
        with_images(
            cell(5.15, 5.21, 5.31, beta=99.2),
            ONE,
            [
                (z, position)
                for z, (x, y, w) in [
                    (40, (0.2754, 0.0395, 0.2083)),
                    (8, (0.070, 0.3317, 0.3447)),
                    (8, (0.4496, 0.7569, 0.4792)),
                ]
                for position in [
                    (x, y, w),
                    (-x, -y, -w),
                    (-x, 0.5 + y, 0.5 - w),
                    (x, 0.5 - y, 0.5 + w),
                ]
            ],
            "ZrO2",
        ),
        (12, 14, "P2_1/c", "monoclinic"),
    ),
    "triclinic": (
        with_images(
            cell(4.1, 5.3, 6.2, 77, 83, 95),
            ONE,
            [(14, (0.1, 0.2, 0.3)), (8, (0.5, 0.61, 0.07)), (6, (0.77, 0.35, 0.66))],
            "triclinic",
        ),
        (3, 1, "P1", "triclinic"),
    ),
}

prototypes = pytest.mark.parametrize("name", PROTOTYPES)


def disguised(crystal: Crystal, rng: np.random.Generator, max_copies: int = 4) -> Crystal:
    """The same physical crystal: supercell, sheared, rotated, shifted, atoms in another order."""
    size = np.diag(rng.permutation([int(rng.integers(1, max_copies + 1)), 1, 1]))
    size[np.triu_indices(3, 1)] = rng.integers(-2, 3, 3)
    shear = np.eye(3, dtype=int)
    shear[np.tril_indices(3, -1)] = rng.integers(-2, 3, 3)
    matrix = shear @ size
    lattice = matrix @ crystal.lattice

    inside = np.stack(np.meshgrid(*[np.arange(-30, 31)] * 3, indexing="ij"), -1).reshape(-1, 3)
    fractional = inside @ np.linalg.inv(matrix)
    copies = inside[((fractional > -1e-9) & (fractional < 1 - 1e-9)).all(1)]
    n_copies = round(abs(np.linalg.det(matrix)))
    assert len(copies) == n_copies

    coordinates = (crystal.fractional_coordinates[:, None] + copies).reshape(-1, 3)
    coordinates = coordinates @ np.linalg.inv(matrix) + rng.uniform(-1, 1, 3)
    coordinates += rng.integers(-1, 2, coordinates.shape)
    order = rng.permutation(len(coordinates))
    rotation = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    return Crystal(
        lattice @ rotation,
        coordinates[order],
        np.repeat(crystal.atomic_numbers, n_copies)[order],
        crystal.name,
    )


def environments(crystal: Crystal, n_nearest: int = 20) -> list[np.ndarray]:
    """Per atom: its number and the distances to the nearest atoms of every element."""
    elements = np.unique(crystal.atomic_numbers)
    shifts = np.stack(np.meshgrid(*[np.arange(-4, 5)] * 3, indexing="ij"), -1).reshape(-1, 3)
    result = []
    for z, center in zip(crystal.atomic_numbers, crystal.fractional_coordinates, strict=True):
        row = [np.array([float(z)])]
        for element in elements:
            others = crystal.fractional_coordinates[crystal.atomic_numbers == element]
            vectors = ((others - center) % 1.0)[:, None] + shifts
            distances = np.linalg.norm(vectors.reshape(-1, 3) @ crystal.lattice, axis=1)
            row.append(np.sort(distances)[:n_nearest])
        result.append(np.concatenate(row))
    return result


def assert_same_crystal(one: Crystal, other: Crystal, tolerance: float = 1e-6) -> None:
    assert one.n_atoms == other.n_atoms
    assert one.volume == pytest.approx(other.volume, rel=1e-6)
    rest = environments(other)
    for environment in environments(one):
        matches = [i for i, e in enumerate(rest) if np.allclose(e, environment, atol=tolerance)]
        assert matches, "an atom of one crystal has no counterpart in the other"
        del rest[matches[0]]


@prototypes
def test_prototypes(name):
    crystal, (n_atoms, number, symbol, system) = PROTOTYPES[name]
    result = standardize(crystal)
    assert result.primitive.n_atoms == n_atoms
    assert result.primitive.name == crystal.name
    assert (result.space_group_number, result.space_group_symbol) == (number, symbol)
    assert result.crystal_system == system
    assert crystal_system(crystal) == system
    assert space_group(crystal) == (symbol, number)
    assert_same_crystal(result.primitive, primitive_cell(crystal))


def test_prototypes_cover_every_crystal_system():
    assert {expected[3] for _, expected in PROTOTYPES.values()} == set(CRYSTAL_SYSTEMS)


@prototypes
@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_the_given_cell_does_not_matter(name, seed):
    crystal, (n_atoms, number, _, system) = PROTOTYPES[name]
    result = standardize(disguised(crystal, np.random.default_rng(seed)))
    assert result.primitive.n_atoms == n_atoms
    assert (result.space_group_number, result.crystal_system) == (number, system)
    assert_same_crystal(result.primitive, primitive_cell(crystal))
    coordinates = result.primitive.fractional_coordinates
    assert coordinates.min() >= 0
    assert coordinates.max() < 1


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_random_triclinic_crystals(seed):
    rng = np.random.default_rng(seed)
    lattice = cell(*rng.uniform(3, 6, 3), *rng.uniform(75, 105, 3))
    crystal = Crystal(lattice, rng.uniform(0, 1, (3, 3)), [3, 9, 26], "random")
    result = standardize(disguised(crystal, rng))
    assert result.crystal_system == "triclinic"
    assert_same_crystal(result.primitive, primitive_cell(crystal))


@prototypes
def test_primitive_atoms_lie_on_atoms_of_the_input(name):
    crystal = disguised(PROTOTYPES[name][0], np.random.default_rng(7))
    primitive = primitive_cell(crystal)
    inverse = np.linalg.inv(crystal.lattice)
    for z, position in zip(primitive.atomic_numbers, primitive.cartesian_coordinates, strict=True):
        offsets = position @ inverse - crystal.fractional_coordinates[crystal.atomic_numbers == z]
        offsets -= np.rint(offsets)
        assert np.linalg.norm(offsets @ crystal.lattice, axis=1).min() < 1e-6


def test_noise_in_a_supercell_is_averaged_below_the_tolerance():
    rng = np.random.default_rng(3)
    salt = PROTOTYPES["rock salt"][0]
    double = Crystal(
        salt.lattice * [[2], [1], [1]],
        np.vstack([np.add(salt.fractional_coordinates, (i, 0, 0)) for i in (0, 1)]) / [2, 1, 1],
        np.tile(salt.atomic_numbers, 2),
    )
    noise = rng.uniform(-5e-4, 5e-4, double.fractional_coordinates.shape)  # angstrom
    noisy = dataclasses.replace(
        double,
        fractional_coordinates=double.fractional_coordinates
        + noise @ np.linalg.inv(double.lattice),
    )
    primitive = primitive_cell(noisy)
    assert primitive.n_atoms == 2
    # The copies of each atom are averaged, so the offset of Cl from Na carries the mean noise.
    sodium, chlorine = (noise[noisy.atomic_numbers == z].mean(axis=0) for z in (11, 17))
    order = np.argsort(primitive.atomic_numbers)
    vector = np.diff(primitive.cartesian_coordinates[order], axis=0)[0] - (chlorine - sodium)
    halves = vector / (5.64 / 2)
    assert np.abs(halves - np.rint(halves)).max() < 1e-9
    assert primitive.volume * 8 == pytest.approx(noisy.volume, rel=1e-12)
    # Below the noise it is no longer a symmetric crystal.
    assert primitive_cell(noisy, 1e-5).n_atoms == 16


def test_tolerance_decides():
    crystal = Crystal(cell(4.0, 4.0, 4.03), [[0, 0, 0]], [26])
    assert crystal_system(crystal) == "tetragonal"
    assert crystal_system(crystal, tolerance=0.1) == "cubic"


@pytest.mark.parametrize(
    ("number", "system"),
    [
        (1, "triclinic"),
        (2, "triclinic"),
        (3, "monoclinic"),
        (15, "monoclinic"),
        (16, "orthorhombic"),
        (74, "orthorhombic"),
        (75, "tetragonal"),
        (142, "tetragonal"),
        (143, "trigonal"),
        (167, "trigonal"),
        (168, "hexagonal"),
        (194, "hexagonal"),
        (195, "cubic"),
        (230, "cubic"),
    ],
)
def test_crystal_system_of_a_space_group(number, system):
    assert crystal_system_of(number) == system


@pytest.mark.parametrize("number", [-1, 0, 231])
def test_no_such_space_group(number):
    with pytest.raises(ValueError, match="allowed: 1 to 230"):
        crystal_system_of(number)


def test_prompt_order():  # DOSTransformer's weights depend on it
    assert CRYSTAL_SYSTEMS == (
        "cubic",
        "hexagonal",
        "tetragonal",
        "trigonal",
        "orthorhombic",
        "monoclinic",
        "triclinic",
    )


def test_failure_names_the_crystal():
    twice = Crystal(np.eye(3) * 3, np.zeros((2, 3)), [14, 14], "twice.cif")
    with pytest.raises(StructureError, match=r"^twice\.cif: spglib finds no symmetry at 0\.01"):
        standardize(twice)


def test_retries_at_tighter_tolerances(monkeypatch):
    import spglib

    tried = []
    search = spglib.get_symmetry_dataset

    def picky(cell, symprec):
        tried.append(symprec)
        return search(cell, symprec=symprec) if symprec < 1e-4 else None

    monkeypatch.setattr(spglib, "get_symmetry_dataset", picky)
    monkeypatch.setattr(symmetry, "_unambiguous", lambda *_: None)
    assert crystal_system(PROTOTYPES["rutile"][0]) == "tetragonal"
    assert tried == [symmetry.SYMMETRY_TOLERANCE, 1e-3, 1e-5]


def test_the_fast_search_finds_what_spglib_finds(monkeypatch):
    cells = [primitive_cell(crystal) for crystal, *_ in PROTOTYPES.values()]
    fast = [symmetry._unambiguous(cell, symmetry.SYMMETRY_TOLERANCE, 3.0) for cell in cells]
    assert sum(found is not None for found in fast) > len(cells) / 2
    monkeypatch.setattr(symmetry, "_unambiguous", lambda *_: None)
    for cell, found in zip(cells, fast, strict=True):
        if found is not None:
            right = standardize(cell)
            assert found.space_group_symbol == right.space_group_symbol
            assert found.fingerprint == right.fingerprint
            assert_same_crystal(found.primitive, right.primitive)


def test_the_fast_search_gives_way_to_spglib_where_it_could_differ():
    noisy = PROTOTYPES["rock salt"][0]
    coordinates = noisy.fractional_coordinates.copy()
    coordinates[0] += 0.02 / np.linalg.norm(noisy.lattice[0])
    noisy = Crystal(noisy.lattice, coordinates, noisy.atomic_numbers)
    assert symmetry._unambiguous(noisy, symmetry.SYMMETRY_TOLERANCE, 3.0) is None


def test_spglib_deprecation_warnings_stay_inside():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        standardize(PROTOTYPES["rock salt"][0])


def test_fingerprints_of_copies_and_of_others():
    def fingerprint(crystal):
        return standardize(crystal).fingerprint

    salt = read_crystal(STRUCTURES / "NaCl.cif")
    assert fingerprint(salt) == "NaCl 225 Cl1-3mm Na1-3mm"
    bigger = Crystal(1.02 * salt.lattice, salt.fractional_coordinates + 0.3, salt.atomic_numbers)
    for copy in (bigger, salt.to_structure() * (2, 1, 1)):
        assert fingerprint(read_crystal(copy)) == fingerprint(salt)
    caesium = Crystal(4 * np.eye(3), [[0, 0, 0], [0.5, 0.5, 0.5]], [11, 17])
    assert fingerprint(caesium) != fingerprint(salt)


@pytest.mark.parametrize("name", ["NaCl", "TiO2_rutile", "Al2O3", "ZnO"])
def test_noise_is_no_phase_transition(name):
    crystal = read_crystal(STRUCTURES / f"{name}.cif")
    right = standardize(crystal)
    draw = np.random.default_rng(0)
    for _ in range(5):
        moved = crystal.cartesian_coordinates + draw.normal(0, 0.003, (crystal.n_atoms, 3))
        noisy = Crystal(
            crystal.lattice, moved @ np.linalg.inv(crystal.lattice), crystal.atomic_numbers
        )
        found = standardize(noisy, near=3.0)
        assert found.space_group_number == right.space_group_number
        assert found.primitive.n_atoms == right.primitive.n_atoms
    assert standardize(crystal, near=3.0).tolerance == right.tolerance == 0.01


def test_exact_rotations_are_those_that_hold():
    salt, *_ = PROTOTYPES["rock salt"]
    found = standardize(primitive_cell(salt))
    rotations = found.exact_rotations
    assert len(rotations) == 48
    lattice = found.primitive.lattice
    turned = rotations.transpose(0, 2, 1) @ (lattice @ lattice.T) @ rotations
    np.testing.assert_allclose(
        turned, np.broadcast_to(lattice @ lattice.T, turned.shape), atol=1e-9
    )
    # An atom out of its place by less than the tolerance: symmetric, but not exactly.
    moved = found.primitive.fractional_coordinates.copy()
    moved[0] += np.array([5e-4, 0, 0]) @ np.linalg.inv(lattice)
    off = standardize(Crystal(lattice, moved, found.primitive.atomic_numbers))
    assert off.space_group_number == found.space_group_number
    assert len(off.exact_rotations) < 48
