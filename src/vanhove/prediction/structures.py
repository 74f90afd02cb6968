"""What predictors take: one structure, several, or a folder."""

from __future__ import annotations

from collections.abc import Iterable
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


def listed(structures: Structures) -> tuple[Iterable[StructureLike], bool]:
    """The structures, of a folder its files; and whether they are several, or one alone.

    Raises:
        StructureError: a folder without a structure file.
    """
    if isinstance(structures, str | PathLike) and Path(structures).is_dir():
        return list(find_structure_files(structures)), True
    # A pymatgen Structure and an ASE Atoms can be iterated, over their sites.
    of_package = hasattr(structures, "lattice") or hasattr(structures, "get_scaled_positions")
    is_one = of_package or isinstance(structures, str | PathLike | Crystal)
    if is_one or not isinstance(structures, Iterable):
        return [cast("StructureLike", structures)], False
    return cast("Iterable[StructureLike]", structures), True
