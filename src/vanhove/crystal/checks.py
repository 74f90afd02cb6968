"""Is a `Crystal` physically possible? Refuses what would give meaningless predictions."""

from __future__ import annotations

import numpy as np

from vanhove.crystal.crystal import Crystal
from vanhove.crystal.elements import N_ELEMENTS, SYMBOLS
from vanhove.crystal.lattice import minkowski_reduced
from vanhove.errors import StructureError

MINIMUM_DISTANCE = 0.5
"""Angstrom. The shortest bond there is, H-H, has 0.74."""
MINIMUM_VOLUME_PER_ATOM = 0.5
"""Cubic angstrom. Diamond, the densest known at ambient pressure, has 5.7."""
MAXIMUM_VOLUME_PER_ATOM = 1e4
"""Cubic angstrom. An atom alone in a box of 21 angstrom: no crystal."""
MAXIMUM_LATTICE_COMPONENT = 1e6
"""Angstrom. Strongly skewed cells are fine, numbers that overflow are not."""

_MOST_PAIRS = 20_000
"""Of atoms that are all compared; of more a tree tells those that are near."""


def check_crystal(crystal: Crystal) -> None:
    """Refuse a crystal that cannot exist. The number of atoms is not limited.

    Raises:
        StructureError: no atoms; an atomic number outside 1 to 118; a coordinate or lattice
            component that is not finite or absurdly large; a volume of (almost) zero or an absurd
            volume per atom; two atoms, periodic images included, closer than `MINIMUM_DISTANCE`.
    """
    source = crystal.name or None
    numbers = crystal.atomic_numbers
    if crystal.n_atoms == 0:
        raise StructureError("has no atoms; at least one is needed", source)
    impossible = np.unique(numbers[(numbers < 1) | (numbers > N_ELEMENTS)])
    if len(impossible):
        raise StructureError(
            f"atomic number {', '.join(map(str, impossible))}; allowed: 1 (H) to 118 (Og)", source
        )
    if not np.isfinite(crystal.lattice).all():
        raise StructureError("the lattice holds NaN or infinity; give three finite vectors", source)
    not_finite = np.flatnonzero(~np.isfinite(crystal.fractional_coordinates).all(axis=1))
    if len(not_finite):
        raise StructureError(
            f"the coordinates of {_atom(crystal, not_finite[0])} hold NaN or infinity; "
            "give finite numbers",
            source,
        )
    _check_volume(crystal, source)
    _check_distances(crystal, source)


def _check_volume(crystal: Crystal, source: str | None) -> None:
    longest = float(np.abs(crystal.lattice).max())
    if longest > MAXIMUM_LATTICE_COMPONENT:
        raise StructureError(
            f"a lattice vector is {longest:.3g} angstrom long; allowed: up to "
            f"{MAXIMUM_LATTICE_COMPONENT:g}; check the lattice vectors and their unit",
            source,
        )
    per_atom = crystal.volume / crystal.n_atoms
    if not MINIMUM_VOLUME_PER_ATOM <= per_atom <= MAXIMUM_VOLUME_PER_ATOM:
        raise StructureError(
            f"cell volume {crystal.volume:.3g} cubic angstrom for {crystal.n_atoms} atoms; allowed "
            f"per atom: {MINIMUM_VOLUME_PER_ATOM:g} to {MAXIMUM_VOLUME_PER_ATOM:g}; "
            "check the lattice vectors and their unit",
            source,
        )


def _check_distances(crystal: Crystal, source: str | None) -> None:
    # Not vesin: it imports torch, and with so short a cutoff it crashes the process (division by
    # zero) on thin wide cells. In the reduced cell the shortest vector is the shortest distance
    # of an atom to its own image, and few periodic images reach into the cell.
    reduced = minkowski_reduced(crystal.lattice)
    shortest = float(np.linalg.norm(reduced, axis=1).min())
    if shortest < MINIMUM_DISTANCE:
        raise _too_close(crystal, 0, 0, shortest, source)

    to_reduced = np.rint(crystal.lattice @ np.linalg.inv(reduced))
    home = crystal.fractional_coordinates % 1.0 @ to_reduced % 1.0
    images, atoms = home, np.arange(crystal.n_atoms)
    margins = MINIMUM_DISTANCE * np.linalg.norm(np.linalg.inv(reduced), axis=0)
    for axis, margin in enumerate(margins):
        reach = int(np.ceil(margin))
        shifts = sorted(range(-reach, reach + 1), key=abs)  # the home cell stays in front
        shifted = np.repeat(images[None], len(shifts), axis=0)
        shifted[:, :, axis] += np.array(shifts)[:, None]
        images, atoms = shifted.reshape(-1, 3), np.tile(atoms, len(shifts))
        near = (images[:, axis] >= -margin) & (images[:, axis] <= 1 + margin)
        images, atoms = images[near], atoms[near]

    distance, other = _nearest_other(home @ reduced, images @ reduced)
    i = int(np.argmin(distance))
    if distance[i] < MINIMUM_DISTANCE:
        j = int(atoms[other[i]])
        raise _too_close(crystal, min(i, j), max(i, j), float(distance[i]), source)


def _nearest_other(home: np.ndarray, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of each atom of the cell the nearest image of any but itself: its distance and number.

    ``images`` begins with ``home``. Distances beyond `MINIMUM_DISTANCE` may be infinite.
    """
    everyone = np.arange(len(home))
    if len(home) * len(images) <= _MOST_PAIRS:
        apart = np.linalg.norm(images - home[:, None], axis=2)
        apart[everyone, everyone] = np.inf
        other = apart.argmin(axis=1)
        return apart[everyone, other], other
    from scipy.spatial import KDTree

    distances, found = KDTree(images).query(home, k=2, distance_upper_bound=MINIMUM_DISTANCE)
    # The first of the two is the atom itself, or another right on it.
    return distances[:, 1], np.where(found[:, 0] == everyone, found[:, 1], found[:, 0])


def _too_close(
    crystal: Crystal, i: int, j: int, distance: float, source: str | None
) -> StructureError:
    other = "its own periodic image" if i == j else _atom(crystal, j)
    return StructureError(
        f"{_atom(crystal, i)} and {other} are {distance:.3f} angstrom apart; "
        f"allowed: {MINIMUM_DISTANCE} or more; remove duplicates or check the lattice",
        source,
    )


def _atom(crystal: Crystal, index: int) -> str:
    """``"atom 3 (Si)"``, counted from 1."""
    return f"atom {index + 1} ({SYMBOLS[crystal.atomic_numbers[index]]})"
