"""The crystal that a calculation is of."""

from __future__ import annotations

from typing import Any

from vanhove.crystal.crystal import Crystal
from vanhove.crystal.reading import crystal_from_dict, read_crystal
from vanhove.errors import DataError, StructureError


def crystal_of(structure: Any, name: str) -> Crystal:
    """The structure of a source, from whatever `read_crystal` reads or pymatgen's dict.

    Raises:
        DataError: there is none, or it cannot be used; ``name`` is that of the source.
    """
    if structure is None:
        raise DataError(
            f"{name}: no structure in it or beside it; put a structure file of the same name (for "
            "example .cif) beside it, or name it in structure="
        )
    try:
        if isinstance(structure, dict):
            return crystal_from_dict(structure)
        return read_crystal(structure)
    except StructureError as error:
        raise DataError(f"{name}: its structure cannot be used: {error}; replace it") from error


def check_same_atoms(crystal: Crystal, n_atoms: int, name: str) -> None:
    """Raise `DataError` unless the DOS was made for as many atoms; 0: not stated."""
    if n_atoms and n_atoms != crystal.n_atoms:
        raise DataError(
            f"{name}: the DOS is of {n_atoms} atoms, the structure has {crystal.n_atoms}; give the "
            "structure of the same cell"
        )
