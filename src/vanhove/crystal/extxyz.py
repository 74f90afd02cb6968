"""The extended XYZ format: ASE reads it, once the numbers of atoms are known to be true."""

from __future__ import annotations

import re
from io import StringIO
from typing import TYPE_CHECKING

from vanhove.crystal.elements import isotope_note
from vanhove.errors import StructureError

if TYPE_CHECKING:
    from ase import Atoms

_MOST_COLUMNS = 1000
_ISOTOPE = re.compile(r"^(\s*)([DT])(?=\s+[-+.\d])", re.MULTILINE)


def split_extxyz(text: str, name: str) -> list[Atoms]:
    """The structures of a file.

    Raises:
        StructureError: a frame has fewer lines than atoms, absurdly many columns, or an unknown
            element.
    """
    from ase.io.extxyz import read_xyz

    _check_frames(text.splitlines(), name)
    isotopes = sorted({match.group(2) for match in _ISOTOPE.finditer(text)})
    try:
        frames = list(read_xyz(StringIO(_ISOTOPE.sub(r"\1H", text)), index=slice(None)))
    except KeyError as error:  # ASE looks the symbol up in its table
        raise StructureError(
            f"not a valid extxyz file, or an unknown element: {error}", name
        ) from error
    for frame in frames:
        frame.info["notes"] = [isotope_note(isotope) for isotope in isotopes]
    return frames


def _check_frames(lines: list[str], name: str) -> None:
    """A number of atoms that the file does not hold would keep ASE reading for ever."""
    i = 0
    while i < len(lines):
        if not lines[i].strip():
            if not any(line.strip() for line in lines[i:]):
                return
            raise StructureError(f"line {i + 1} is empty; a number of atoms is needed", name)
        word = lines[i].strip()
        if not word.isdecimal():
            raise StructureError(f"line {i + 1}, {word[:40]!r}, is no number of atoms", name)
        left = len(lines) - i - 2
        if len(word) > 9 or int(word) > left:
            raise StructureError(
                f"line {i + 1} declares {word[:20]} atoms, but {max(left, 0)} lines follow; is the "
                "file cut off?",
                name,
            )
        if re.search(r'lattice\s*=\s*(["\'])[^"\']*\1\S', lines[i + 1], re.IGNORECASE):
            raise StructureError(f"line {i + 2}: something is glued to the lattice", name)
        columns = [int(n) for n in re.findall(r":(\d{1,18})", _properties(lines[i + 1]))]
        if any(n > _MOST_COLUMNS for n in columns):
            raise StructureError(
                f"line {i + 2} declares a property of {max(columns)} columns; allowed: up to "
                f"{_MOST_COLUMNS}",
                name,
            )
        properties = _properties(lines[i + 1]).lower()
        if properties and not re.search(r"(^|:)(pos|positions):r:3", properties):
            raise StructureError(
                f"line {i + 2} declares no places (pos:R:3); write Cartesian coordinates, angstrom",
                name,
            )
        i += int(word) + 2
        while i < len(lines) and lines[i].lstrip().startswith("VEC"):
            i += 1


def _properties(line: str) -> str:
    found = re.search(r"properties\s*=\s*(\S+)", line, re.IGNORECASE)
    return found.group(1) if found else ""
