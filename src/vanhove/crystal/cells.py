"""How two cells of one crystal are related."""

from __future__ import annotations

from itertools import product

import numpy as np

from vanhove.crystal.crystal import Crystal

_REACH = 4
"""Lattice vectors with coefficients up to this are tried: both cells are nearly reduced."""
_LENGTH_TOLERANCE, _PLACE_TOLERANCE = 0.02, 0.1  # angstrom


def basis_change(primitive: Crystal, other: Crystal) -> np.ndarray | None:
    """The lattice vectors of one primitive cell in those of another, whatever way it is turned.

    Returns:
        Integers M with ``other.lattice = M @ primitive.lattice @ rotation``, for which the atoms of
        both agree but for a translation, ``[3, 3]``; None where there are none.
    """
    counts = np.array(list(product(range(-_REACH, _REACH + 1), repeat=3)))
    vectors = counts @ primitive.lattice
    lengths = np.linalg.norm(vectors, axis=1)
    wanted = other.lattice @ other.lattice.T
    rows = [
        np.flatnonzero(np.abs(lengths - np.sqrt(wanted[i, i])) < _LENGTH_TOLERANCE).tolist()
        for i in range(3)
    ]

    def fits(a: int, b: int, i: int, j: int) -> bool:
        scale = np.sqrt(wanted[i, i] + wanted[j, j])
        return bool(abs(vectors[a] @ vectors[b] - wanted[i, j]) < 2 * _LENGTH_TOLERANCE * scale)

    for a, b in product(rows[0], rows[1]):
        if not fits(a, b, 0, 1):
            continue
        for c in rows[2]:
            if fits(a, c, 0, 2) and fits(b, c, 1, 2):
                change = counts[[a, b, c]]
                if abs(round(np.linalg.det(change))) == 1 and _same_atoms(primitive, other, change):
                    return change
    return None


def _same_atoms(primitive: Crystal, other: Crystal, change: np.ndarray) -> bool:
    if primitive.n_atoms != other.n_atoms:
        return False
    there = primitive.fractional_coordinates @ np.linalg.inv(change)
    kinds, counts = np.unique(other.atomic_numbers, return_counts=True)
    rarest = kinds[counts.argmin()]
    first = np.flatnonzero(primitive.atomic_numbers == rarest)
    if not len(first):
        return False
    alike = primitive.atomic_numbers[:, None] == other.atomic_numbers
    for target in other.fractional_coordinates[other.atomic_numbers == rarest]:
        moved = there + (target - there[first[0]])
        apart = moved[:, None] - other.fractional_coordinates
        distance = np.linalg.norm((apart - np.rint(apart)) @ other.lattice, axis=-1)
        close = alike & (distance < _PLACE_TOLERANCE)
        if (close.sum(axis=0) == 1).all() and (close.sum(axis=1) == 1).all():
            return True
    return False
