"""Crystal structures: reading, checking and symmetry."""

from vanhove.crystal.checks import check_crystal
from vanhove.crystal.crystal import Crystal
from vanhove.crystal.reading import find_structure_files, read_crystal, read_crystals
from vanhove.crystal.symmetry import (
    CRYSTAL_SYSTEMS,
    SYMMETRY_TOLERANCE,
    StandardizedCrystal,
    crystal_system,
    primitive_cell,
    space_group,
    standardize,
)

__all__ = [
    "CRYSTAL_SYSTEMS",
    "SYMMETRY_TOLERANCE",
    "Crystal",
    "StandardizedCrystal",
    "check_crystal",
    "crystal_system",
    "find_structure_files",
    "primitive_cell",
    "read_crystal",
    "read_crystals",
    "space_group",
    "standardize",
]
