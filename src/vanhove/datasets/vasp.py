"""Electron DOS from files: VASP's ``vasprun.xml``, pymatgen's JSON, tables beside structures.

Whatever is wrong with a file ends in a `DataError` of one line that names it and says what to do.
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from vanhove.crystal.crystal import Crystal
from vanhove.crystal.reading import find_structure_files
from vanhove.datasets.calculated_dos import (
    MAX_SPACING,
    ElectronDOS,
    Reference,
    check_electrons,
    dos_band_edges,
    require,
)
from vanhove.datasets.calculation_cell import check_same_atoms, crystal_of
from vanhove.errors import DataError, StructureError
from vanhove.results import Json
from vanhove.spectra.conversions.spreadsheet import read_text
from vanhove.untrusted import parse_json, read_file

if TYPE_CHECKING:
    from pymatgen.electronic_structure.dos import Dos
    from pymatgen.io.vasp import Vasprun

DOS_FILES = ".xml, .json (each also .gz), .dat, .csv, .tsv, .txt"
DOS_CLASSES = ("Dos", "CompleteDos", "FermiDos", "LobsterCompleteDos")
"""Classes of pymatgen whose JSON is read."""
_STRUCTURES = (".cif", ".mcif", ".vasp", ".poscar", ".xyz", ".extxyz", ".json")
_TABLES = (".dat", ".csv", ".tsv", ".txt")
_HEADER = {
    "fermi": re.compile(
        r"(?:e[-_ ]?fermi|fermi[-_ ]?(?:level|energy))\s*[:=]\s*(\S+)", re.IGNORECASE
    ),
    "atoms": re.compile(r"(?:n[-_ ]?)?atoms\s*[:=]\s*(\d+)", re.IGNORECASE),
}


@dataclass
class _Raw:
    """What a file says, numbers not yet checked."""

    name: str
    id: str
    energies: Any
    spins: Sequence[Any]
    fermi_level: Any
    crystal: Crystal
    # Of the eigenvalues, where the file has them:
    edges: tuple[float, float] | Literal["metal", "unknown"] = "unknown"
    lowest: float = -np.inf
    complete_to: float = np.inf
    n_electrons: float | None = None
    """Of the cell, where the file says it."""


def read_electron_dos(
    source: str | os.PathLike[str] | Json | Dos,
    *,
    structure: Any = None,
    fermi_level: float | None = None,
    id: str | None = None,
    spin: Literal["sum"] | None = None,
    max_spacing: float | None = MAX_SPACING,
    window: tuple[float, float] | None = None,
    reference: Reference = "edges",
    empty_below: bool = False,
) -> ElectronDOS:
    """The electron DOS of one crystal.

    Args:
        source: one of

            - ``vasprun.xml``, also ``.gz``. Band edges are those of its eigenvalues.
            - JSON, also ``.gz``, a dict, or an object: pymatgen's ``Dos`` or ``CompleteDos``, or
              ``{"material_id": ..., "dos": {Dos}, "structure": {Structure}}``.
            - a table of two columns, energy (eV) and density (states/eV/cell), with blanks or
              commas between them. Lines that begin with ``#`` or ``!`` are its header; there
              ``fermi_level: 5.32`` gives the Fermi level and ``atoms: 2`` the number of atoms.

        structure: where the source holds none: whatever `read_crystal` reads; by default the file
            of the same name beside the source, or the only structure where the source is the only
            DOS of its folder.
        fermi_level: eV, absolute; replaces that of the source.
        id: of the material; by default what the source says, else from its name.
        spin: ``"sum"`` takes the sum of both spins of a spin-polarised calculation.
        max_spacing, window, reference: demands, see `vanhove.datasets.calculated_dos.require`.
        empty_below: take a DOS whose first density is 0 to be 0 below it, where the window starts
            lower; what VASP writes without EMIN is. Eigenvalues show it, so that it is not needed
            for a ``vasprun.xml``.

    Raises:
        DataError: the file is missing, empty, damaged or of another kind, holds no DOS, no
            structure or no Fermi level, is spin-polarised, not converged, too coarse, or does not
            cover the window; densities that are negative or NaN, energies that do not increase,
            or a DOS and a structure with other numbers of atoms.
    """
    if spin not in (None, "sum"):
        raise DataError(f"spin {spin!r}; allowed: None (refuse spin-polarised data), 'sum'")
    raw = _raw(source, structure)
    level = raw.fermi_level if fermi_level is None else fermi_level
    energies = _array(raw.energies, "energies", raw.name)
    densities = _sum(raw, spin)
    dos = ElectronDOS(
        energies=energies,
        densities=densities,
        fermi_level=_level(level, raw.name),
        vbm=None,
        cbm=None,
        crystal=replace(raw.crystal, name=id or raw.id),
        id=id or raw.id,
        source=raw.name,
    )
    edges = raw.edges
    if edges == "unknown":
        edges = dos_band_edges(dos.energies, dos.densities, dos.fermi_level, raw.name) or "metal"
    if edges != "metal":
        dos = replace(dos, vbm=edges[0], cbm=edges[1])
    check_electrons(dos, raw.n_electrons)
    return require(
        dos,
        max_spacing=max_spacing,
        window=window,
        reference=reference,
        empty_below=raw.lowest > dos.energies[0] or (empty_below and dos.densities[0] == 0),
        complete_to=raw.complete_to,
    )


def dos_kind(path: Path) -> Literal["vasprun", "json", "table"] | None:
    """What `read_electron_dos` takes the file for, by its name."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] == ".gz":
        suffixes.pop()
    last = suffixes[-1] if suffixes else ""
    if last == ".xml":
        return "vasprun"
    if last == ".json":
        return "json"
    return "table" if path.suffix.lower() in _TABLES else None


def dos_id(path: Path) -> str:
    """``mp-1`` for ``mp-1.json.gz`` and for ``mp-1/vasprun.xml``."""
    name = re.sub(r"\.gz$", "", path.name, flags=re.IGNORECASE)
    stem = Path(name).stem
    return path.resolve().parent.name if stem.lower() == "vasprun" else stem


def _raw(source: Any, structure: Any) -> _Raw:
    if not isinstance(source, (str, os.PathLike)):
        data = source.as_dict() if hasattr(source, "as_dict") else source
        return _from_json(data, structure, "DOS", None)
    path = Path(source)
    kind = dos_kind(path)
    if kind is None:
        raise DataError(f"{path}: not a known file of a DOS; allowed: {DOS_FILES}")
    if kind == "vasprun":
        return _from_vasprun(path)
    content = read_file(path)
    if kind == "json":
        return _from_json(parse_json(content, str(path)), structure, str(path), path)
    return _from_table(read_text(path), structure, path)


# vasprun.xml


def _from_vasprun(path: Path) -> _Raw:
    run = open_vasprun(path)
    dos = getattr(run, "tdos", None)
    if dos is None:
        raise DataError(
            f"{path}: holds no DOS; VASP writes it at the end of a run: let it finish, or repeat "
            "it with NEDOS (for example 3001)"
        )
    if not run.converged_electronic:
        raise DataError(
            f"{path}: the electronic steps did not converge within NELM; repeat the calculation "
            "with more steps"
        )
    material = dos_id(path)
    crystal = crystal_of(run.final_structure, str(path))
    check_same_atoms(crystal, len(getattr(run, "pdos", None) or []), str(path))
    raw = _Raw(
        name=str(path),
        id=material,
        energies=dos.energies,
        spins=list(dos.densities.values()),
        fermi_level=run.efermi,
        crystal=crystal,
    )
    if run.eigenvalues:
        bands = [np.asarray(values) for values in run.eigenvalues.values()]
        weights = np.asarray(run.actual_kpoints_weights, dtype=np.float64)
        if any(len(values) != len(weights) for values in bands):
            raise DataError(
                f"{path}: eigenvalues at {len(bands[0])} k-points, weights of {len(weights)}; the "
                "file is damaged, copy it again"
            )
        if not (np.isfinite(weights).all() and weights.sum() > 0 and weights.min() >= 0):
            raise DataError(f"{path}: weights of k-points that are no weights; copy it again")
        raw.edges = eigenvalue_edges(bands, weights)
        raw.lowest = float(min(b[..., 0].min() for b in bands))
        raw.complete_to = float(min(b[:, -1, 0].min() for b in bands))
    stated = _number(str(run.parameters.get("NELECT")))
    if stated is not None and raw.lowest > dos.energies[0]:
        raw.n_electrons = stated
    return raw


def open_vasprun(path: Path) -> Vasprun:
    """A ``vasprun.xml``, also ``.gz``, read by pymatgen.

    Raises:
        DataError: missing, cut off, or not from VASP.
    """
    from pymatgen.io.vasp import Vasprun

    head = read_file(path, 4096).lstrip(b"\xef\xbb\xbf \t\r\n")
    if not head.startswith(b"<"):
        raise DataError(f"{path}: is not XML; give the vasprun.xml that VASP wrote")
    if b"<modeling" not in head:
        raise DataError(f"{path}: is XML, but VASP did not write it; give a vasprun.xml")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return Vasprun(str(path), parse_potcar_file=False)
        except SyntaxError as error:  # of both XML parsers that pymatgen may use
            line = getattr(error, "position", ("unknown",))[0]
            raise DataError(
                f"{path}: the XML is broken or cut off at line {line}; copy it again, or let VASP "
                "finish"
            ) from error
        except Exception as error:
            words = " ".join(str(error).split())[:200] or type(error).__name__
            raise DataError(
                f"{path}: cannot be read as a vasprun.xml ({words}); repeat the calculation"
            ) from error


def eigenvalue_edges(
    bands: Sequence[np.ndarray], weights: np.ndarray
) -> tuple[float, float] | Literal["metal", "unknown"]:
    """VBM and CBM from eigenvalues.

    The number of occupied bands follows from the occupations summed over the mesh, so that
    neither broadened occupations nor a Fermi level next to a band make a metal of an insulator.

    Args:
        bands: per spin, energies (eV, increasing) and occupations (0 to 1) in the last axis,
            ``[n_kpoints, n_bands, 2]``.
        weights: of the k-points, ``[n_kpoints]``.

    Returns:
        ``"unknown"`` where all bands are occupied.
    """
    vbm, cbm = -np.inf, np.inf
    for values in bands:
        energies, occupations = np.sort(values[..., 0], axis=1), values[..., 1]
        occupied = float(weights @ occupations.sum(axis=1) / weights.sum())
        n = round(occupied)
        if abs(occupied - n) > 0.01:
            return "metal"
        if n > 0:
            vbm = max(vbm, float(energies[:, n - 1].max()))
        if n < energies.shape[1]:
            cbm = min(cbm, float(energies[:, n].min()))
    if not np.isfinite([vbm, cbm]).all():
        return "unknown"
    return (vbm, cbm) if vbm < cbm else "metal"


# JSON


def _from_json(data: Any, structure: Any, name: str, path: Path | None) -> _Raw:
    entry = data if isinstance(data, dict) else {}
    dos = entry["dos"] if isinstance(entry.get("dos"), dict) else entry
    form = f'pymatgen\'s {" or ".join(DOS_CLASSES[:2])}, or {{"dos": ..., "structure": ...}}'
    kind = dos.get("@class")
    if kind is not None and kind not in DOS_CLASSES:
        raise DataError(f"{name}: holds a {kind}, no electron DOS; allowed: {form}")
    missing = [key for key in ("energies", "densities", "efermi") if key not in dos]
    if missing:
        raise DataError(f"{name}: has no {', '.join(map(repr, missing))}; allowed: {form}")
    densities = dos["densities"]
    if not isinstance(densities, dict) or not densities:
        raise DataError(f'{name}: densities must be {{"1": [...]}}, by spin; allowed: {form}')
    material = entry.get("material_id") or entry.get("id") or (dos_id(path) if path else None)
    structure = dos.get("structure") or entry.get("structure") or structure
    if structure is None and path is not None:
        structure = structure_beside(path)
    crystal = crystal_of(structure, name)
    check_same_atoms(crystal, len(dos.get("pdos") or []), name)
    return _Raw(
        name=name,
        id=str(material or crystal.name or crystal.formula),
        energies=dos["energies"],
        spins=list(densities.values()),
        fermi_level=dos["efermi"],
        crystal=crystal,
    )


# Tables


_OF_PHONONS = re.compile(r"thz|1/cm|cm\^?-1|phonon|tetrahedron method|sigma =", re.IGNORECASE)
_PHONOPY_NAMES = ("total_dos", "projected_dos", "partial_dos", "thermal_properties")


def _from_table(text: str, structure: Any, path: Path) -> _Raw:
    first = text.lstrip().partition("\n")[0]
    if path.name.startswith(_PHONOPY_NAMES) or (first[:1] == "#" and _OF_PHONONS.search(first)):
        raise DataError(f"{path}: is a density of phonons (phonopy's), none of electrons")
    header: list[str] = []
    rows: list[tuple[float, float]] = []
    decimal_comma = ";" in text or re.search(r"^\s*-?\d+,\d+\s+-?\d+,\d+", text, re.MULTILINE)
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip(";,\t "):
            continue
        if line.lstrip()[0] in "#!" or (not rows and not re.match(r"\s*[-+.\d]", line)):
            header.append(line)
            continue
        words = line.replace(";", " ").replace(",", "." if decimal_comma else " ").split()
        if len(words) != 2 or _number(words[0]) is None or _number(words[1]) is None:
            raise DataError(
                f"{path}: line {number} is {line.strip()[:60]!r}; every row must be two numbers, "
                "energy (eV) and density (states/eV/cell, both spins)"
            )
        rows.append((float(words[0]), float(words[1])))
    if not rows:
        raise DataError(f"{path}: no row of numbers; give energy and density, two columns")
    crystal = crystal_of(structure_beside(path) if structure is None else structure, str(path))
    check_same_atoms(crystal, int(_stated(header, "atoms") or 0), str(path))
    numbers = np.array(rows)
    return _Raw(
        name=str(path),
        id=dos_id(path),
        energies=numbers[:, 0],
        spins=[numbers[:, 1]],
        fermi_level=_stated(header, "fermi"),
        crystal=crystal,
    )


def _stated(header: list[str], what: str) -> str | None:
    found = [match[1] for line in header if (match := _HEADER[what].search(line))]
    return found[0] if found else None


def _number(word: str) -> float | None:
    try:
        return float(word)
    except ValueError:
        return None


# Common


def structure_beside(path: Path) -> Path | None:
    """The structure file with the name of the file, or the only one beside a lonely DOS.

    Raises:
        DataError: there are several.
    """
    named = [path.with_name(dos_id(path) + suffix) for suffix in _STRUCTURES]
    found = [file for file in named if file != path and file.is_file()] or _only_structures(path)
    if len(found) > 1:
        raise DataError(
            f"{path}: {len(found)} structures beside it ({', '.join(f.name for f in found[:3])}); "
            "keep one, or name it in structure="
        )
    return found[0] if found else None


def _only_structures(path: Path) -> list[Path]:
    """The structures of its folder, where no other DOS is in it."""
    with os.scandir(path.parent) as entries:
        for entry in entries:
            if entry.name != path.name and dos_kind(Path(entry.name)) is not None:
                return []
    try:
        return [file for file in find_structure_files(path.parent) if file != path]
    except StructureError:
        return []


def _sum(raw: _Raw, spin: str | None) -> np.ndarray:
    spins = [_array(values, "densities", raw.name) for values in raw.spins]
    if len(spins) == 1:
        return spins[0]
    if len(spins) != 2 or spins[0].shape != spins[1].shape:
        raise DataError(f"{raw.name}: densities of {len(spins)} spins that do not fit; give 1 or 2")
    if spin is None:
        same = np.allclose(spins[0], spins[1], rtol=1e-2, atol=1e-2 * spins[0].max())
        what = "the two spins are equal" if same else "the two spins differ"
        raise DataError(
            f"{raw.name}: spin-polarised, {what}; pass spin='sum' to take the sum of both, or "
            "leave it out: the papers use crystals without magnetism"
        )
    return spins[0] + spins[1]


def _array(values: Any, what: str, name: str) -> np.ndarray:
    if isinstance(values, dict) and "data" in values:  # monty's encoding of arrays
        values = values["data"]
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"{name}: {what} are no list of numbers; write the file again") from error


def _level(value: Any, name: str) -> float:
    number = _number(str(value))
    if number is None:
        raise DataError(
            f"{name}: no Fermi level in it; state it (a table: '# fermi_level: 5.32'), or pass "
            "fermi_level="
        )
    return number
