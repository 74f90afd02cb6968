"""Lengths that belong to a lattice, whatever basis it is written in."""

from __future__ import annotations

from itertools import product

import numpy as np

_GAIN = 1e-9  # what a step must take off the square of a length; rounding would never end it


def successive_minima(lattice: np.ndarray) -> np.ndarray:
    """Lengths of the shortest linearly independent lattice vectors, ascending, ``[3]``, angstrom.

    Args:
        lattice: linearly independent row vectors, angstrom, ``[3, 3]``.
    """
    return np.linalg.norm(minkowski_reduced(lattice), axis=1)


def minkowski_reduced(lattice: np.ndarray) -> np.ndarray:
    """A basis of the same lattice with the shortest vectors, in ascending order, ``[3, 3]``.

    By the three-dimensional form of Gauss' reduction (Semaev, Lecture Notes in Computer Science
    2146, 181 (2001)).

    Args:
        lattice: linearly independent row vectors, angstrom, ``[3, 3]``.
    """
    basis = np.array(lattice, dtype=np.float64)
    while True:
        basis = basis[np.einsum("ij,ij->i", basis, basis).argsort()]
        (aa, ab, ac), (_, bb, bc), (_, _, cc) = (basis @ basis.T).tolist()
        i = round(ab / aa)
        if i * i * aa - 2 * i * ab < -_GAIN * bb:
            basis[1] -= i * basis[0]
            continue
        # The first two are reduced: the point of their plane next to the third vector is among
        # the nine around the rounded one.
        determinant = aa * bb - ab * ab
        near_i = round((bb * ac - ab * bc) / determinant)
        near_j = round((aa * bc - ab * ac) / determinant)
        change, i, j = min(
            (i * i * aa + j * j * bb + 2 * (i * j * ab - i * ac - j * bc), i, j)
            for i, j in product((near_i - 1, near_i, near_i + 1), (near_j - 1, near_j, near_j + 1))
        )
        if change >= -_GAIN * cc:
            return basis
        basis[2] -= i * basis[0] + j * basis[1]
