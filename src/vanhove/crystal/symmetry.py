"""Symmetry: the primitive cell, the crystal system and the space group of a crystal.

From spglib, or from moyo where that is sure to give the same.

Every function takes a crystal in any cell (supercell, skewed, shifted, atoms in any order). The
primitive cell is spglib's Delaunay-reduced one, kept in the orientation and at the place of the
input: nothing is idealized, an atom moves only by the averaging over the copies that a supercell
holds of it (less than the tolerance).
"""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from vanhove.crystal.crystal import Crystal
from vanhove.crystal.elements import SYMBOLS
from vanhove.errors import StructureError

if TYPE_CHECKING:
    from spglib import SpglibDataset

SYMMETRY_TOLERANCE = 0.01
"""Angstrom: atoms this close to a symmetric position count as symmetric (spglib's ``symprec``)."""

NEAR_SYMMETRY = 3.0
"""Times the tolerance: displacements up to here are taken for noise, as a relaxation leaves it."""

EXACT = 1e-5
"""Angstrom: symmetry that holds to this changes no prediction beyond its rounding."""

CRYSTAL_SYSTEMS = (
    "cubic",
    "hexagonal",
    "tetragonal",
    "trigonal",
    "orthorhombic",
    "monoclinic",
    "triclinic",
)

_TIGHTER_TOLERANCES = (1e-3, 1e-5)
_LARGE = 500
"""Atoms: a search of minutes for spglib."""
_LAST_SPACE_GROUP = {
    "triclinic": 2,
    "monoclinic": 15,
    "orthorhombic": 74,
    "tetragonal": 142,
    "trigonal": 167,
    "hexagonal": 194,
    "cubic": 230,
}


@dataclass(frozen=True, eq=False)
class StandardizedCrystal:
    """A crystal in a primitive cell, with its symmetry.

    Attributes:
        primitive: the same physical crystal, same orientation and origin, in a Delaunay-reduced
            primitive cell, fractional coordinates in [0, 1).
        crystal_system: one of `CRYSTAL_SYSTEMS`.
        space_group_number: 1 to 230.
        space_group_symbol: short Hermann-Mauguin symbol (``"Fm-3m"``).
        tolerance: angstrom, with which the symmetry was found.
        operations: rotations ``[n, 3, 3]`` and translations ``[n, 3]`` of fractional coordinates
            (``x -> R x + t``) in ``primitive``, as far as they are known.
        orbits: for each orbit of the primitive cell its element, number of atoms and site symmetry
            (the letters of its symbol in order, which no choice of axes changes).
    """

    primitive: Crystal
    crystal_system: str
    space_group_number: int
    space_group_symbol: str
    tolerance: float = SYMMETRY_TOLERANCE
    orbits: tuple[str, ...] = ()
    operations: tuple[np.ndarray, np.ndarray] | None = None

    @cached_property
    def exact_rotations(self) -> np.ndarray | None:
        """Rotations of those operations that hold to `EXACT`, int8 ``[n, 3, 3]``."""
        if self.operations is None:
            return None
        rotations, translations = self.operations
        lattice, numbers = self.primitive.lattice, self.primitive.atomic_numbers
        places = self.primitive.fractional_coordinates
        metric = lattice @ lattice.T
        turned = rotations.transpose(0, 2, 1) @ metric @ rotations
        kept = np.abs(turned - metric).max(axis=(1, 2)) < EXACT * np.sqrt(metric.max())
        images = np.einsum("oij,nj->oni", rotations, places) + translations[:, None]
        apart = images[:, :, None] - places
        distance = np.linalg.norm((apart - np.rint(apart)) @ lattice, axis=-1)
        distance[:, numbers[:, None] != numbers] = np.inf
        kept &= distance.min(axis=2).max(axis=1) < EXACT
        return rotations[kept].astype(np.int8)

    @property
    def fingerprint(self) -> str:
        """What two copies of one material share, ``"NaCl 225 Cl1-33mm Na1-33mm"``: reduced formula,
        group and orbits. Coordinates that a group leaves free are not compared."""
        return " ".join([self.primitive.formula, str(self.space_group_number), *self.orbits])


def standardize(
    crystal: Crystal, tolerance: float = SYMMETRY_TOLERANCE, *, near: float | None = None
) -> StandardizedCrystal:
    """Primitive cell, crystal system and space group with one symmetry search.

    Args:
        crystal: in any cell; assumed to pass `check_crystal`.
        tolerance: angstrom; if the search fails there, 1e-3 and 1e-5 are tried.
        near: times the tolerance; where the crystal has more symmetry with that larger one, it is
            taken for a noisy copy of the more symmetric crystal. By default it is not asked.

    Raises:
        StructureError: no symmetry found at any of these tolerances.
    """
    found = _unambiguous(crystal, tolerance, near or NEAR_SYMMETRY)
    if found is not None:
        return found
    dataset = _dataset(crystal, tolerance)
    if near is not None:
        wider = search_symmetry(crystal, near * tolerance)
        if wider is not None and len(wider.rotations) > len(dataset.rotations):
            dataset, tolerance = wider, near * tolerance
    in_primitive = dataset.mapping_to_primitive
    return StandardizedCrystal(
        primitive=_primitive(crystal, dataset.primitive_lattice, in_primitive),
        crystal_system=crystal_system_of(dataset.number),
        space_group_number=int(dataset.number),
        space_group_symbol=str(dataset.international),
        tolerance=tolerance,
        orbits=_orbits(
            crystal, in_primitive, dataset.crystallographic_orbits, dataset.site_symmetry_symbols
        ),
    )


def primitive_cell(crystal: Crystal, tolerance: float = SYMMETRY_TOLERANCE) -> Crystal:
    """The same crystal in a reduced primitive cell; arguments and errors as `standardize`."""
    return standardize(crystal, tolerance).primitive


def crystal_system(crystal: Crystal, tolerance: float = SYMMETRY_TOLERANCE) -> str:
    """One of `CRYSTAL_SYSTEMS`; arguments and errors as `standardize`."""
    return standardize(crystal, tolerance).crystal_system


def space_group(crystal: Crystal, tolerance: float = SYMMETRY_TOLERANCE) -> tuple[str, int]:
    """Symbol and number, ``("Fm-3m", 225)``; arguments and errors as `standardize`."""
    found = standardize(crystal, tolerance)
    return found.space_group_symbol, found.space_group_number


def crystal_system_of(space_group_number: int) -> str:
    """The crystal system of a space group; 143-167 are trigonal, 168-194 hexagonal.

    Raises:
        ValueError: the number is not in 1 to 230.
    """
    if space_group_number >= 1:
        for system, last in _LAST_SPACE_GROUP.items():
            if space_group_number <= last:
                return system
    raise ValueError(f"space group {space_group_number}; allowed: 1 to 230")


def _dataset(crystal: Crystal, tolerance: float) -> SpglibDataset:
    for attempt in (tolerance, *(t for t in _TIGHTER_TOLERANCES if t < tolerance)):
        dataset = search_symmetry(crystal, attempt)
        if dataset is not None:
            return dataset
    raise StructureError(
        f"spglib finds no symmetry at {tolerance:g} angstrom or tighter; "
        "look for overlapping atoms or a flat cell",
        crystal.name or None,
    )


def search_symmetry(crystal: Crystal, tolerance: float) -> SpglibDataset | None:
    """What spglib finds at this tolerance (angstrom), rotations and equal atoms; None: nothing."""
    from spglib import get_symmetry_dataset

    cell: Any = (crystal.lattice, crystal.fractional_coordinates, crystal.atomic_numbers)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # spglib announces its next error handling on every call
        try:
            return get_symmetry_dataset(cell, symprec=tolerance)
        except Exception:  # SpglibError from spglib 2.7, opt-in until 3.0, None otherwise
            return None


def _orbits(
    crystal: Crystal, in_primitive: np.ndarray, orbits: np.ndarray, site_symmetries: list[str]
) -> tuple[str, ...]:
    found = []
    for first in np.unique(orbits):
        n_atoms = len(np.unique(in_primitive[orbits == first]))
        site_symmetry = "".join(sorted(site_symmetries[first].replace(".", "")))
        found.append(f"{SYMBOLS[crystal.atomic_numbers[first]]}{n_atoms}{site_symmetry}")
    return tuple(sorted(found))


def _unambiguous(crystal: Crystal, tolerance: float, near: float) -> StandardizedCrystal | None:
    """The symmetry of a primitive cell that is the same at all tolerances near the one asked for.

    By moyo, ten times as fast as spglib, which then finds the same. None where the two could
    differ: noise about as large as the tolerance, cells that are not primitive, and small crystals
    without symmetry, which could be noisy copies.
    """
    from spglib import delaunay_reduce

    moyopy = _moyopy()
    cell = moyopy.Cell(
        crystal.lattice.tolist(),
        crystal.fractional_coordinates.tolist(),
        crystal.atomic_numbers.tolist(),
    )
    found = []
    for attempt in (near * tolerance, tolerance / 10):
        try:
            own = moyopy.MoyoDataset(cell, symprec=attempt, setting=moyopy.Setting.spglib())
        except Exception:  # one kind of error for each way to fail
            return None
        copies = crystal.n_atoms - len(set(own.mapping_std_prim))
        none = own.number == 1 and crystal.n_atoms < _LARGE
        if own.symprec != attempt or copies or none:
            return None
        found.append((own.number, len(own.operations), own.orbits))
    lattice = delaunay_reduce(crystal.lattice)
    if found[0] != found[1] or lattice is None:
        return None
    number, everyone = own.number, np.arange(crystal.n_atoms)
    # Fractional coordinates as columns turn with `change` into those of the reduced basis.
    change = np.linalg.inv(lattice).T @ crystal.lattice.T
    rotations = change @ np.array(own.operations.rotations) @ np.linalg.inv(change)
    translations = np.array(own.operations.translations) @ change.T
    return StandardizedCrystal(
        primitive=_primitive(crystal, lattice, everyone),
        crystal_system=crystal_system_of(number),
        space_group_number=number,
        space_group_symbol=moyopy.SpaceGroupType(number).hm_short.replace(" ", ""),
        tolerance=tolerance,
        orbits=_orbits(crystal, everyone, np.array(own.orbits), own.site_symmetry_symbols),
        operations=(np.rint(rotations), translations),
    )


@cache
def _moyopy() -> Any:
    import moyopy

    logging.getLogger("moyo").setLevel(logging.ERROR)  # it speaks of every supercell
    return moyopy


def _primitive(crystal: Crystal, lattice: np.ndarray, groups: np.ndarray) -> Crystal:
    representatives = np.unique(groups, return_index=True)[1]
    coordinates = crystal.cartesian_coordinates @ np.linalg.inv(lattice)
    offsets = coordinates - coordinates[representatives][groups]
    offsets -= np.rint(offsets)
    sums = np.zeros((len(representatives), 3))
    np.add.at(sums, groups, offsets)
    averaged = coordinates[representatives] + sums / np.bincount(groups)[:, None]

    return Crystal(
        lattice=lattice,
        # Twice: the first remainder of a tiny negative number is 1.0.
        fractional_coordinates=averaged % 1.0 % 1.0,
        atomic_numbers=crystal.atomic_numbers[representatives],
        name=crystal.name,
    )
