"""Crystal structures from files and from pymatgen / ASE objects.

Whatever is wrong with a file ends in a `StructureError` of one line that names it. Every crystal
returned has passed `check_crystal`.
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from vanhove.crystal.checks import check_crystal
from vanhove.crystal.cif import parse_cif_block, split_cif
from vanhove.crystal.crystal import Crystal
from vanhove.crystal.extxyz import split_extxyz
from vanhove.crystal.json_structures import crystal_of_json, split_json
from vanhove.crystal.objects import crystal_of_atoms, crystal_of_structure
from vanhove.crystal.poscar import parse_poscar
from vanhove.errors import StructureError
from vanhove.results import Json
from vanhove.untrusted import TYPOGRAPHIC

if TYPE_CHECKING:
    from ase import Atoms
    from pymatgen.core import Structure

    Source = str | os.PathLike[str] | Structure | Atoms | Crystal

ALLOWED_FILES = ".cif, .mcif, .vasp, .poscar, POSCAR*, CONTCAR*, .xyz, .extxyz, .json"


def read_crystal(source: Source, *, index: int | None = None) -> Crystal:
    """One structure.

    Args:
        source: path of a CIF, POSCAR, extxyz (with a lattice) or JSON file (pymatgen's
            ``as_dict`` of a structure or of an entry with one, or ASE's), or a pymatgen
            ``Structure``, what its ``as_dict`` gives, an ASE ``Atoms``, a ``PhonopyAtoms`` or a
            `Crystal`.
        index: which structure of a file with several, counted from 0, negative from the end.

    Returns:
        Named after the file (``"Si.cif"``, with several structures ``"all.xyz[3]"``) or after
        ``Atoms.info["name"]``, else ``""``. Oxidation states and moments are dropped; D and T are
        hydrogen.

    Raises:
        StructureError: the file is missing or unreadable, has several structures and no index is
            given, is disordered, not periodic in three directions, or `check_crystal` refuses it.
    """
    if isinstance(index, str):
        raise ValueError(f"index {index!r}: read_crystals reads several structures")
    return read_crystals(source, index=index)[0]


def read_crystals(source: Source, *, index: int | str | None = None) -> list[Crystal]:
    """As `read_crystal`; ``index`` ``":"`` or ``"all"`` takes every structure of a file."""
    return _crystals(*_open(source), index)


def _crystals(
    name: str, items: list[Any], convert: Converter, index: int | str | None
) -> list[Crystal]:
    crystals = []
    for i in _chosen(len(items), index, name):
        item_name = name if len(items) == 1 else f"{name}[{i}]"
        crystal = guarded(convert, items[i], item_name)
        check_crystal(crystal)
        crystals.append(crystal)
    return crystals


def parse_crystals(content: bytes, name: str, *, index: int | str | None = None) -> list[Crystal]:
    """As `read_crystals`, of the content of a file: nothing is opened.

    Args:
        content: of the file.
        name: its name, which tells the format; in error messages.
        index: see `read_crystals`.
    """
    return _crystals(*_parse(content, Path(name)), index)


def crystal_from_dict(data: Json, name: str = "") -> Crystal:
    """One structure from what a JSON file or a table holds of it.

    Args:
        data: pymatgen's ``as_dict`` of a structure or an entry with a ``"structure"`` (also as
            JSON text), ASE's ``numbers``, ``positions``, ``cell`` and ``pbc``, an OPTIMADE entry,
            or the fields of a `Crystal`.
        name: of the crystal, and in error messages.

    Raises:
        StructureError: as `read_crystal`.
    """
    crystal = guarded(crystal_of_json, data, name)
    check_crystal(crystal)
    return crystal


def find_structure_files(
    sources: str | os.PathLike[str] | Iterable[str | os.PathLike[str]], *, recursive: bool = False
) -> list[Path]:
    """The structure files of a folder, or of several folders and files.

    A folder gives its files with a recognised name, hidden ones left out, in natural order
    (``Si2`` before ``Si10``); a file is taken whatever its name. No file comes twice.

    Raises:
        StructureError: a path does not exist, or a folder holds no structure file.
    """
    if isinstance(sources, (str, os.PathLike)):
        sources = [sources]
    found: list[Path] = []
    for path in map(Path, sources):
        if not path.exists():
            raise StructureError("no such file or folder", str(path))
        if not path.is_dir():
            found.append(path)
            continue
        files = [
            file
            for file in (path.rglob("*") if recursive else path.iterdir())
            if file.is_file()
            and _reader(file) is not None
            and not any(part.startswith(".") for part in file.relative_to(path).parts)
        ]
        if not files:
            raise StructureError(f"no structure file in this folder ({ALLOWED_FILES})", str(path))
        found += sorted(files, key=_natural_order)
    return list(dict.fromkeys(found))


def _natural_order(path: Path) -> list[tuple[int, int, str]]:
    words = re.split(r"(\d+)", str(path))
    return [(0, int(w), w) if w.isdecimal() else (1, 0, w) for w in words if w]


# A source is opened into its items and a function that makes a crystal of one of them with a name.
Converter = Callable[[Any, str], Crystal]
Made = TypeVar("Made")


def _open(source: Any) -> tuple[str, list[Any], Converter]:
    if isinstance(source, str) and "\n" in source:
        raise StructureError(
            "a text of several lines is no path; of the content of a file give "
            "vanhove.crystal.reading.parse_crystals(text.encode(), 'name.cif')"
        )
    if isinstance(source, (str, os.PathLike)):
        path = Path(source)
        return _parse(_content(path), path)
    # By their attributes: asking pymatgen and ASE for the classes would import both.
    if isinstance(source, Crystal):
        return source.name, [source], lambda crystal, _: crystal
    if isinstance(source, dict):
        return "", [source], crystal_of_json
    if hasattr(source, "lattice") and hasattr(source, "sites"):
        return "", [source], crystal_of_structure
    if hasattr(source, "scaled_positions") and hasattr(source, "numbers"):  # of phonopy
        return "", [source], _crystal_of_phonopy
    if hasattr(source, "cell") and hasattr(source, "numbers"):
        return str(source.info.get("name", "")), [source], crystal_of_atoms
    raise StructureError(
        f"a {type(source).__name__} is no crystal structure; allowed: a path, a pymatgen "
        "Structure or its dictionary, an ASE Atoms, phonopy's PhonopyAtoms, a Crystal"
    )


def _crystal_of_phonopy(atoms: Any, name: str) -> Crystal:
    return Crystal(atoms.cell, atoms.scaled_positions, atoms.numbers, name)


def _parse(content: bytes, path: Path) -> tuple[str, list[Any], Converter]:
    reader = _reader(path)
    text = _text(content, path.name)
    if reader is None:
        raise StructureError(f"not a known structure file; allowed: {ALLOWED_FILES}", path.name)
    split, convert = reader
    return path.name, guarded(split, text, path.name), convert


def _reader(path: Path) -> tuple[Callable[[str, str], list[Any]], Converter] | None:
    """How to split a file's text into structures, and to convert one; None: unknown file name."""
    suffix = path.suffix.lower()
    if suffix in (".cif", ".mcif"):
        return split_cif, parse_cif_block
    if suffix in (".xyz", ".extxyz"):
        return split_extxyz, crystal_of_atoms
    if suffix == ".json":
        return split_json, crystal_of_json
    if suffix in (".vasp", ".poscar") or re.fullmatch(
        r"(POSCAR|CONTCAR)([._-].*)?", path.name, re.IGNORECASE
    ):
        return lambda text, _: [text], parse_poscar
    return None


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise StructureError("no such file", str(path)) from None
    except IsADirectoryError:
        raise StructureError("is a folder; a file is needed", str(path)) from None
    except OSError as error:
        raise StructureError(f"cannot be opened: {error.strerror}", str(path)) from None


def _text(content: bytes, name: str) -> str:
    if not content.strip():
        raise StructureError("is empty", name)
    if re.search(rb"[\x00-\x08\x0e-\x1f]", content):
        raise StructureError("is binary or UTF-16; plain text is needed", name)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")  # authors' names in old CIFs
    return text.replace("\r\n", "\n").replace("\r", "\n").translate(TYPOGRAPHIC)


def guarded(function: Callable[[Any, str], Made], item: Any, name: str) -> Made:
    """``function(item, name)``: warnings silenced, whatever it raises made a `StructureError`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return function(item, name)
        except StructureError:
            raise
        except Exception as error:
            words = " ".join(str(error).split())[:200]
            if isinstance(error, KeyError):
                words = f"{words} is missing"
            raise StructureError(
                f"cannot be read: {words or type(error).__name__}", name or None
            ) from error


def _chosen(n: int, index: int | str | None, name: str) -> list[int]:
    if n == 0:
        raise StructureError("holds no structure", name or None)
    if index in (":", "all"):
        return list(range(n))
    if isinstance(index, str):
        raise ValueError(f'index {index!r}; allowed: a number, ":" or "all"')
    choice = f'index 0 to {n - 1} for one, ":" for all'
    if index is None:
        if n > 1:
            raise StructureError(f"holds {n} structures; choose: {choice} (--all)", name)
        return [0]
    if not -n <= index < n:
        raise StructureError(f"has no structure {index}; allowed: {choice}", name or None)
    return [index % n]
