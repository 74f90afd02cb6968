"""Crystal structures from files and from pymatgen / ASE objects.

Whatever is wrong with a file ends in a `StructureError` of one line that names it. Every crystal
returned has passed `check_crystal`.
"""

from __future__ import annotations

import json
import os
import re
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vanhove.crystal.checks import check_crystal
from vanhove.crystal.cif import OCCUPANCY_TOLERANCE, parse_cif_block, split_cif
from vanhove.crystal.crystal import Crystal
from vanhove.crystal.elements import ATOMIC_NUMBERS
from vanhove.crystal.optimade import parse_optimade
from vanhove.crystal.poscar import parse_poscar
from vanhove.errors import StructureError

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
            ``Structure``, an ASE ``Atoms`` or a `Crystal`.
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


def crystal_from_dict(data: dict[str, Any], name: str = "") -> Crystal:
    """One structure from what a JSON file or a table holds of it.

    Args:
        data: pymatgen's ``as_dict`` of a structure or an entry with a ``"structure"`` (also as
            JSON text), ASE's ``numbers``, ``positions``, ``cell`` and ``pbc``, an OPTIMADE entry,
            or the fields of a `Crystal`.
        name: of the crystal, and in error messages.

    Raises:
        StructureError: as `read_crystal`.
    """
    crystal = guarded(_from_json, data, name)
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


def _open(source: Any) -> tuple[str, list[Any], Converter]:
    if isinstance(source, (str, os.PathLike)):
        path = Path(source)
        return _parse(_content(path), path)
    # By their attributes: asking pymatgen and ASE for the classes would import both.
    if isinstance(source, Crystal):
        return source.name, [source], lambda crystal, _: crystal
    if hasattr(source, "lattice") and hasattr(source, "sites"):
        return "", [source], _from_structure
    if hasattr(source, "cell") and hasattr(source, "numbers"):
        return str(source.info.get("name", "")), [source], _from_atoms
    raise StructureError(
        f"a {type(source).__name__} is no crystal structure; allowed: a path, "
        "a pymatgen Structure, an ASE Atoms, a Crystal"
    )


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
        return split_cif, lambda block, name: _from_structure(parse_cif_block(block, name), name)
    if suffix in (".xyz", ".extxyz"):
        return _split_extxyz, _from_atoms
    if suffix == ".json":
        return _split_json, _from_json
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
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")  # authors' names in old CIFs


def guarded(function: Callable[[Any, str], Any], item: Any, name: str) -> Any:
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
            raise StructureError(f"holds {n} structures; choose: {choice}", name)
        return [0]
    if not -n <= index < n:
        raise StructureError(f"has no structure {index}; allowed: {choice}", name or None)
    return [index % n]


def _from_structure(structure: Structure, name: str) -> Crystal:
    if not all(structure.lattice.pbc):
        raise StructureError("is not periodic in three directions", name or None)
    numbers = []
    for i, site in enumerate(structure):
        occupancies: dict[str, float] = {}
        for species, occupancy in site.species.items():
            if species.symbol not in ATOMIC_NUMBERS:
                raise StructureError(
                    f"site {i + 1} ({site.label}) has an unknown element {species.symbol!r}",
                    name or None,
                )
            occupancies[species.symbol] = occupancies.get(species.symbol, 0.0) + occupancy
        if len(occupancies) != 1 or abs(sum(occupancies.values()) - 1) > OCCUPANCY_TOLERANCE:
            raise _disordered(f"{i + 1} ({site.label})", occupancies, name)
        numbers.append(ATOMIC_NUMBERS[next(iter(occupancies))])
    return Crystal(structure.lattice.matrix, structure.frac_coords, np.array(numbers), name)


def _from_atoms(atoms: Atoms, name: str) -> Crystal:
    # ASE's CIF reader keeps occupancies here, and the main element in the atoms.
    for kind, occupancies in atoms.info.get("occupancy", {}).items():
        if len(occupancies) != 1 or abs(sum(occupancies.values()) - 1) > OCCUPANCY_TOLERANCE:
            raise _disordered(f"kind {kind}", occupancies, name)
    return _from_arrays(atoms.cell.array, atoms.positions, atoms.numbers, atoms.pbc, name)


def _disordered(site: str, occupancies: dict[str, float], name: str) -> StructureError:
    listed = ", ".join(f"{symbol} {occupancy:g}" for symbol, occupancy in occupancies.items())
    return StructureError(
        f"site {site} has occupancy {listed}; only fully ordered crystals, with one atom on "
        "every site, can be used",
        name or None,
    )


def _from_arrays(cell: Any, positions: Any, numbers: Any, pbc: Any, name: str) -> Crystal:
    """From Cartesian coordinates in angstrom, as ASE has them."""
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
    return Crystal(cell, positions @ np.linalg.inv(cell), np.asarray(numbers), name)


def _split_extxyz(text: str, name: str) -> list[Atoms]:
    from io import StringIO

    from ase.io.extxyz import read_xyz

    try:
        return list(read_xyz(StringIO(text), index=slice(None)))
    except KeyError as error:  # ASE looks the symbol up in its table
        raise StructureError(
            f"not a valid extxyz file, or an unknown element: {error}", name
        ) from error


def _split_json(text: str, name: str) -> list[Any]:
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise StructureError(f"is not valid JSON: {error}", name) from error
    if isinstance(data, dict) and isinstance(data.get("ids"), list):  # ASE's database
        return [data[str(i)] for i in data["ids"]]
    return data if isinstance(data, list) else [data]


def _from_json(data: Any, name: str) -> Crystal:
    if isinstance(data, dict) and isinstance(data.get("structure"), str):
        data = json.loads(data["structure"])
    if isinstance(data, dict) and isinstance(data.get("structure"), dict):
        data = data["structure"]
    keys = set(data) if isinstance(data, dict) else set()
    if "attributes" in keys or {"lattice_vectors", "cartesian_site_positions"} <= keys:
        return parse_optimade(data, name)
    if {"lattice", "fractional_coordinates", "atomic_numbers"} <= keys:
        return Crystal(
            data["lattice"], data["fractional_coordinates"], data["atomic_numbers"], name
        )
    if {"lattice", "sites"} <= keys:
        from pymatgen.core import Structure

        return _from_structure(Structure.from_dict(_geometry(data)), name)
    if {"numbers", "positions", "cell"} <= keys:
        return _from_arrays(
            _ase_array(data["cell"]),
            _ase_array(data["positions"]),
            _ase_array(data["numbers"]),
            _ase_array(data.get("pbc", False)),
            name,
        )
    if "sites" in keys:
        raise StructureError("has no lattice: a molecule, not a crystal", name)
    raise StructureError(
        "is JSON but no structure; allowed: pymatgen's Structure.as_dict, an entry with a "
        '"structure", ASE\'s Atoms, an OPTIMADE entry',
        name,
    )


def _geometry(data: dict[str, Any]) -> dict[str, Any]:
    """Lattice, species and places of pymatgen's dictionary.

    The rest is left out: decoding "@module" entries in site properties would import that module.
    """
    sites = [
        {
            "species": [
                {key: kind[key] for key in ("element", "occu", "oxidation_state") if key in kind}
                for kind in site["species"]
            ],
            **{key: site[key] for key in ("abc", "xyz", "label") if key in site},
        }
        for site in data["sites"]
    ]
    lattice = data["lattice"]
    return {"lattice": {key: lattice[key] for key in lattice if key[:1] != "@"}, "sites": sites}


def _ase_array(value: Any) -> Any:
    """Undo ASE's JSON encoding of arrays."""
    if isinstance(value, dict) and "array" in value:
        value = value["array"]
    if isinstance(value, dict) and "__ndarray__" in value:
        shape, dtype, flat = value["__ndarray__"]
        return np.array(flat, dtype=dtype).reshape(shape)
    return value
