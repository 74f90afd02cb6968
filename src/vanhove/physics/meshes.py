"""Meshes of wave vectors around Gamma, reduced by time reversal and by the crystal's symmetry."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from vanhove.crystal.crystal import Crystal
from vanhove.crystal.symmetry import SYMMETRY_TOLERANCE
from vanhove.errors import ConfigError, StructureError


@lru_cache(maxsize=128)
def time_reversed_mesh(shape: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """A mesh around Gamma, of k and -k only one.

    Args:
        shape: points along each reciprocal axis.

    Returns:
        Fractional, -0.5 to 0.5, ``[n, 3]``, Gamma first, and weights ``[n]``, sum 1.
    """
    points = np.indices(shape).reshape(3, -1).T
    opposite = np.ravel_multi_index(tuple((-points % shape).T), shape)
    kept = np.flatnonzero(np.arange(len(points)) <= opposite)
    weight = np.where(opposite[kept] == kept, 1.0, 2.0)
    fractional = points[kept] / shape
    return fractional - np.rint(fractional), weight / len(points)


@lru_cache(maxsize=1024)
def reduced_mesh(size: int, rotations: bytes) -> tuple[np.ndarray, np.ndarray]:
    """As `time_reversed_mesh` with equal sides, of points that rotations make equal only one.

    Args:
        size: points along each reciprocal axis.
        rotations: of fractional coordinates in real space, int8 ``[n, 3, 3]``, as bytes. They need
            not be all that there are.
    """
    shape = (size,) * 3
    points = np.indices(shape).reshape(3, -1).T
    turns = np.frombuffer(rotations, dtype=np.int8).astype(int).reshape(-1, 3, 3)
    first = first_of_equal(points, np.concatenate([turns, -turns]), shape)
    kept, counts = np.unique(first, return_counts=True)
    fractional = points[kept] / size
    return fractional - np.rint(fractional), counts / len(points)


def first_of_equal(points: np.ndarray, turns: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """For each point of a mesh the first that it is equal to, as a number, ``[n]``.

    Args:
        points: whole numbers, ``[n, 3]``.
        turns: by which points are equal: whole numbers that act on rows, ``[n_turns, 3, 3]``.
        shape: points of the mesh along each axis.
    """
    images = points @ turns % shape
    return np.ravel_multi_index(tuple(np.moveaxis(images, -1, 0)), shape).min(axis=0)


def irreducible_mesh(
    crystal: Crystal,
    shape: Sequence[int],
    tolerance: float = SYMMETRY_TOLERANCE,
    rotations: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The points of a mesh around Gamma that differ by symmetry, time reversal included.

    Args:
        crystal: in the cell that the mesh is of.
        shape: points along each reciprocal axis.
        tolerance: of the symmetry search, angstrom.
        rotations: of fractional coordinates in real space, whole numbers ``[n, 3, 3]``, where they
            are known: then symmetry is not searched for.

    Returns:
        Fractional, ``[n, 3]``; weights ``[n]``, sum 1; and for each point of the whole mesh, in the
        order of `numpy.indices`, the number of the point it is equal to, ``[n_full]``.

    Raises:
        ConfigError: a shape that is none.
        StructureError: no symmetry found.
    """
    import spglib

    divisions = np.asarray(shape, dtype=int)
    if divisions.shape != (3,) or (divisions < 1).any():
        raise ConfigError(f"mesh {list(shape)}; three positive numbers are needed, such as 8 8 8")
    found: Any
    try:
        if rotations is None:
            cell: Any = (
                crystal.lattice,
                crystal.fractional_coordinates,
                crystal.atomic_numbers,
            )
            found = spglib.get_ir_reciprocal_mesh(
                divisions, cell, is_shift=[0, 0, 0], is_time_reversal=True, symprec=tolerance
            )
        else:
            found = spglib.get_stabilized_reciprocal_mesh(
                divisions, rotations.astype(np.intc), is_shift=[0, 0, 0], is_time_reversal=True
            )
    except Exception as error:  # newer versions raise where older ones give None
        raise StructureError(f"no symmetry found ({error})", crystal.name or None) from error
    if found is None:
        raise StructureError("no symmetry found", crystal.name or None)
    mapping, addresses = found
    # spglib runs through the first axis fastest, numpy through the last.
    order = np.ravel_multi_index(tuple((addresses % divisions).T), tuple(divisions))
    representative = np.empty(len(mapping), dtype=int)
    representative[order] = order[mapping]
    kept, whole = np.unique(representative, return_inverse=True)
    points = np.stack(np.unravel_index(kept, tuple(divisions)), axis=1) / divisions
    return points, np.bincount(whole) / len(whole), whole
