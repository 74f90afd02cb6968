"""Listed sites and the atoms that symmetry operations make of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vanhove.crystal.elements import SYMBOLS
from vanhove.crystal.space_groups import Operations
from vanhove.errors import StructureError

if TYPE_CHECKING:
    from scipy.spatial import KDTree

# Images of one atom under the symmetry operations that are this close, in fractional coordinates,
# are one atom: coordinates are often given with three or four digits (0.333 for 1/3). Two sites
# of the list that close are no rounding, and refused.
_SITE_TOLERANCE = 2e-3
_MOST_COMPARED = 200
"""Atoms that are all compared; of more a tree tells those that are near."""


@dataclass(frozen=True)
class Sites:
    """What a file lists.

    Attributes:
        labels: one for each site.
        numbers: atomic numbers.
        coordinates: fractional, ``[n_sites, 3]``.
        notes: what the reader decided.
    """

    labels: list[str]
    numbers: list[int]
    coordinates: np.ndarray
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Atoms:
    """The atoms of a cell.

    Attributes:
        numbers: atomic numbers, ``[n_atoms]``.
        coordinates: fractional, ``[n_atoms, 3]``.
        site: which site each is an image of, ``[n_atoms]``.
        images: how many atoms each site makes, ``[n_sites]``.
    """

    numbers: np.ndarray
    coordinates: np.ndarray
    site: np.ndarray
    images: np.ndarray


def expand(sites: Sites, operations: Operations, name: str) -> Atoms:
    """The images of every site, each once.

    Raises:
        StructureError: a coordinate is absurdly large.
    """
    coordinates: list[np.ndarray] = []
    images = []
    for label, point in zip(sites.labels, sites.coordinates, strict=True):
        if np.abs(point).max() > 1e6:
            raise StructureError(f"site {label} has a coordinate of {point.max():.3g}", name)
        kept: list[np.ndarray] = []
        for place in operations.images(point):
            offsets = np.array(kept).reshape(-1, 3) - place
            if not (np.abs(offsets - np.rint(offsets)) < _SITE_TOLERANCE).all(axis=1).any():
                kept.append(place)
        coordinates += kept
        images.append(len(kept))
    return Atoms(
        np.repeat(sites.numbers, images),
        np.array(coordinates).reshape(-1, 3),
        np.repeat(np.arange(len(images)), images),
        np.array(images, dtype=int),
    )


def same_atoms(expanded: list[Atoms]) -> bool:
    """Whether several settings make the same atoms."""
    first = expanded[0]
    for other in expanded[1:]:
        if len(other.numbers) != len(first.numbers):
            return False
        tree = _periodic_tree(other.coordinates)
        distance, index = tree.query(first.coordinates % 1.0 % 1.0, p=np.inf)
        if (distance > _SITE_TOLERANCE).any() or (other.numbers[index] != first.numbers).any():
            return False
    return True


def _periodic_tree(coordinates: np.ndarray) -> KDTree:
    from scipy.spatial import KDTree

    return KDTree(coordinates % 1.0 % 1.0, boxsize=1.0)


def check_coinciding(atoms: Atoms, sites: Sites, name: str) -> None:
    """Two sites of the list must not make one atom.

    Raises:
        StructureError: they do.
    """
    if len(sites.labels) < 2:
        return
    for i, j in _coinciding(atoms.coordinates % 1.0 % 1.0):
        one, other = sorted(atoms.site[k] for k in (i, j))
        if one != other:
            elements = dict.fromkeys(SYMBOLS[sites.numbers[k]] for k in (one, other))
            occupancy = " and ".join(elements) + (" 2" if len(elements) == 1 else "")
            raise StructureError(
                f"sites {sites.labels[one]} and {sites.labels[other]} are the same atom "
                f"(occupancy {occupancy}), or images of each other; only one may be listed",
                name,
            )


def _coinciding(places: np.ndarray) -> list[tuple[int, int]]:
    """Places within the tolerance of each other, each with the nearest one."""
    if len(places) <= _MOST_COMPARED:
        apart = places[:, None] - places
        distance = np.abs(apart - np.rint(apart)).max(axis=2)
        np.fill_diagonal(distance, np.inf)
        nearest = distance.argmin(axis=1)
        near = distance.min(axis=1) < _SITE_TOLERANCE
        return [(int(i), int(nearest[i])) for i in np.flatnonzero(near)]
    distances, found = _periodic_tree(places).query(
        places, k=2, p=np.inf, distance_upper_bound=_SITE_TOLERANCE
    )
    return [
        (int(found[i, 0]), int(found[i, 1])) for i in np.flatnonzero(np.isfinite(distances[:, 1]))
    ]
