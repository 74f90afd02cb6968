"""What predictors take: one structure, several, or a folder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, cast

from vanhove.crystal.crystal import Crystal
from vanhove.crystal.reading import find_structure_files

if TYPE_CHECKING:
    from ase import Atoms
    from pymatgen.core import Structure

StructureLike: TypeAlias = "str | PathLike[str] | Structure | Atoms | Crystal"
Structures: TypeAlias = "StructureLike | Iterable[StructureLike]"

_OF_PACKAGES = ("lattice", "get_scaled_positions", "scaled_positions")


def listed(structures: Structures) -> tuple[Iterable[StructureLike], bool]:
    """The structures, of a folder its files; and whether they are several, or one alone.

    Raises:
        StructureError: a folder without a structure file.
    """
    if isinstance(structures, str | PathLike):
        # A text is no folder, and too long to ask the system.
        is_folder = "\n" not in str(structures) and Path(structures).is_dir()
        return (find_structure_files(structures), True) if is_folder else ([structures], False)
    # A pymatgen Structure and an ASE Atoms can be iterated, over their sites.
    of_package = any(hasattr(structures, name) for name in _OF_PACKAGES)
    is_one = of_package or isinstance(structures, bytes | Crystal | Mapping)
    if is_one or not isinstance(structures, Iterable):
        return [cast("StructureLike", structures)], False
    return cast("Iterable[StructureLike]", structures), True
