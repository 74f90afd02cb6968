"""Crystals from the objects of pymatgen and ASE, and from arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from vanhove.crystal.crystal import Crystal
from vanhove.crystal.elements import ATOMIC_NUMBERS, ISOTOPES, isotope_note, mass_notes
from vanhove.errors import StructureError

if TYPE_CHECKING:
    from ase import Atoms
    from pymatgen.core import Structure

OCCUPANCY_TOLERANCE = 0.01
"""A site occupied to within this of 1 counts as full."""


def atomic_numbers_of(symbols: list[str], name: str) -> tuple[list[int], tuple[str, ...]]:
    """The atomic numbers of element symbols, and a note for each isotope among them.

    Raises:
        StructureError: a symbol is none of an element.
    """
    numbers = []
    for i, symbol in enumerate(symbols):
        element = ISOTOPES.get(symbol, symbol)
        if element not in ATOMIC_NUMBERS:
            raise StructureError(f"atom {i + 1} has an unknown element {symbol!r}", name or None)
        numbers.append(ATOMIC_NUMBERS[element])
    return numbers, tuple(isotope_note(x) for x in dict.fromkeys(symbols) if x in ISOTOPES)


def crystal_of_structure(structure: Structure, name: str) -> Crystal:
    """Of a pymatgen ``Structure``; oxidation states and moments are dropped.

    Raises:
        StructureError: not periodic in three directions, disordered, or an unknown element.
    """
    if not all(structure.lattice.pbc):
        raise StructureError("is not periodic in three directions", name or None)
    numbers, notes = [], []
    for i, site in enumerate(structure):
        occupancies: dict[str, float] = {}
        for species, occupancy in site.species.items():
            # pymatgen's deuterium calls itself H, and D by its name.
            isotope = str(getattr(getattr(species, "element", species), "name", ""))
            notes += [isotope_note(isotope)] if isotope in ISOTOPES else []
            symbol = ISOTOPES.get(species.symbol, species.symbol)
            if symbol not in ATOMIC_NUMBERS:
                raise StructureError(
                    f"site {i + 1} ({site.label}) has an unknown element {species.symbol!r}",
                    name or None,
                )
            occupancies[symbol] = occupancies.get(symbol, 0.0) + occupancy
        if len(occupancies) != 1 or abs(sum(occupancies.values()) - 1) > OCCUPANCY_TOLERANCE:
            raise disordered(f"{i + 1} ({site.label})", occupancies, name)
        numbers.append(ATOMIC_NUMBERS[next(iter(occupancies))])
    return Crystal(
        structure.lattice.matrix,
        structure.frac_coords,
        np.array(numbers),
        name,
        notes=tuple(dict.fromkeys(notes)),
    )


def crystal_of_atoms(atoms: Atoms, name: str) -> Crystal:
    """Of an ASE ``Atoms``; errors as `crystal_of_structure`."""
    # ASE's CIF reader keeps occupancies here, and the main element in the atoms.
    for kind, occupancies in atoms.info.get("occupancy", {}).items():
        if len(occupancies) != 1 or abs(sum(occupancies.values()) - 1) > OCCUPANCY_TOLERANCE:
            raise disordered(f"kind {kind}", occupancies, name)
    notes = tuple(atoms.info.get("notes", ()))
    for key in ("masses", "mass"):
        if atoms.has(key):
            notes += mass_notes(atoms.numbers.tolist(), np.ravel(atoms.arrays[key]).tolist())
    return crystal_of_arrays(
        atoms.cell.array, atoms.positions, atoms.numbers, atoms.pbc, name, notes=notes
    )


def disordered(site: str, occupancies: dict[str, float], name: str) -> StructureError:
    """The error that names a site which is shared or not full."""
    listed = ", ".join(f"{symbol} {occupancy:g}" for symbol, occupancy in occupancies.items())
    return StructureError(
        f"site {site} has occupancy {listed}; only fully ordered crystals, with one atom on "
        "every site, can be used",
        name or None,
    )


def crystal_of_arrays(
    cell: Any, positions: Any, numbers: Any, pbc: Any, name: str, *, notes: tuple[str, ...] = ()
) -> Crystal:
    """Of Cartesian coordinates in angstrom, as ASE has them.

    Raises:
        StructureError: not periodic in three directions, or no volume.
    """
    cell = np.asarray(cell, dtype=np.float64).reshape(3, 3)
    if not np.broadcast_to(pbc, 3).all() or not cell.any(axis=1).all():
        raise StructureError(
            "has no lattice or is not periodic in three directions; "
            'a crystal has three lattice vectors and pbc="T T T"',
            name or None,
        )
    if not np.isfinite(cell).all() or abs(np.linalg.det(cell)) == 0:
        raise StructureError("the lattice vectors span no volume", name or None)
    positions = np.asarray(positions, dtype=np.float64).reshape(-1, 3)
    return Crystal(cell, positions @ np.linalg.inv(cell), np.asarray(numbers), name, notes=notes)
