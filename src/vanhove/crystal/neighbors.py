"""Periodic neighbour lists (vesin), optionally limited to the nearest whole shells."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from vanhove.crystal.crystal import Crystal

SHELL_TOLERANCE = 1e-2
"""Neighbours within this distance (angstrom) of the last one kept belong to its shell."""


class Neighbors(NamedTuple):
    """Directed edges ``source -> target``, sorted by target, then distance.

    source, target: atom indices, shape ``[n_edges]``.
    vector: from target to the (periodic image of the) source, angstrom, ``[n_edges, 3]``.
    distance: angstrom, ``[n_edges]``.
    """

    source: np.ndarray
    target: np.ndarray
    vector: np.ndarray
    distance: np.ndarray


def neighbor_list(crystal: Crystal, cutoff: float, max_neighbors: int | None = None) -> Neighbors:
    """All pairs closer than ``cutoff`` (angstrom), periodic images and an atom's own included.

    Correct for cells smaller than the cutoff. With ``max_neighbors`` each atom keeps its nearest
    ones *and every other of the same shell*, so the result does not depend on the order of atoms;
    an atom can then have more neighbours than asked for.
    """
    from vesin import NeighborList

    target, source, vector, distance = NeighborList(
        cutoff=cutoff, full_list=True, n_threads=1
    ).compute(crystal.cartesian_coordinates, crystal.lattice, True, "ijDd")
    order = np.lexsort((distance, target))
    neighbors = Neighbors(
        source[order].astype(np.int64),
        target[order].astype(np.int64),
        vector[order],
        distance[order],
    )
    if max_neighbors is None:
        return neighbors
    starts = np.searchsorted(neighbors.target, np.arange(crystal.n_atoms))
    ends = np.append(starts[1:], len(neighbors.target))
    last_kept = np.minimum(starts + max_neighbors, ends) - 1
    reach = (
        np.where(ends > starts, neighbors.distance[np.maximum(last_kept, 0)] + SHELL_TOLERANCE, 0.0)
        if len(neighbors.target)
        else np.zeros(crystal.n_atoms)
    )
    keep = neighbors.distance <= reach[neighbors.target]
    return Neighbors(*(array[keep] for array in neighbors))
