"""``vanhove data import``: a folder of calculations becomes a data set."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path

import numpy as np

from vanhove.atomic import whole_folder, write_text
from vanhove.datasets.calculations import PREFERENCE, Found, NoDensityError, reader_of
from vanhove.errors import ConfigError, DataError, VanhoveError
from vanhove.progress import track
from vanhove.results import Json
from vanhove.spectra.electron_dos import ELECTRON_TARGETS
from vanhove.spectra.grids import check_grid, even_grid
from vanhove.spectra.quantities import PHONON_DOS
from vanhove.spectra.smoothing import resample
from vanhove.spectra.spectrum import Spectrum

PHONON_GRID = even_grid(0, 1000, 20)
"""1/cm: that of the shipped models of phonons."""
TABLE = "import.json"


@dataclass
class Imported:
    """What was taken from where.

    Attributes:
        folder: the data set.
        quantity: of its spectra.
        taken: a row for each material: id, file, quantity, unit, normalisation, structure.
        skipped: file -> reason.
        beside: file -> why it is not needed: another one of the same material is taken.
        other: names of files that are no data of a calculation.
    """

    folder: Path
    quantity: str = ""
    taken: list[dict[str, str]] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    beside: dict[str, str] = field(default_factory=dict)
    other: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        keys = ("id", "file", "quantity", "unit", "normalisation", "structure")
        rows = [dict(zip(keys, keys, strict=True)), *self.taken]
        widths = {key: max(len(row[key]) for row in rows) for key in keys}
        lines = ["  ".join(f"{row[key]:{widths[key]}}" for key in keys).rstrip() for row in rows]
        lines += [f"skipped {name}: {reason}" for name, reason in self.skipped.items()]
        lines += [f"not needed {name}: {reason}" for name, reason in self.beside.items()]
        if self.other:
            more = " ..." if len(self.other) > 5 else ""
            lines.append(f"no data: {len(self.other)} files ({', '.join(self.other[:5])}{more})")
        lines.append(f"{self.folder}: {len(self.taken)} materials, {len(self.skipped)} skipped")
        return "\n".join(lines)


def import_calculations(
    folder: str | PathLike[str],
    output: str | PathLike[str],
    *,
    quantity: str | None = None,
    grid: np.ndarray | None = None,
    quiet: bool = True,
) -> Imported:
    """Write a data set of what calculations left in a folder, a folder for each material.

    Recognised are ``vasprun.xml``, ``DOSCAR`` with ``POSCAR``, phonopy's ``total_dos.dat``,
    ``projected_dos.dat``, ``mesh.yaml``, ``FORCE_CONSTANTS`` and ``phonopy_params.yaml``, densities
    of Quantum ESPRESSO's ``matdyn.x``, and JSON of pymatgen and the Materials Project. Units and
    normalisations are those of the programs; the modes must be those of the cell.

    Args:
        folder: of the calculations, folders in it included.
        output: the data set, a new folder; ``vanhove train --set data.dataset=OUTPUT`` takes it.
        quantity: ``"phonon_dos"`` or ``"electron_dos"``; where both are found, which to take.
        grid: of phonons, 1/cm, ``[n_points]``, increasing; by default 0 to 1000 in steps of 20.
            Electrons are brought to the grid of DOSTransformer.
        quiet: no progress.

    Raises:
        ConfigError: the output holds files, or both quantities are found and none is chosen.
        DataError: no folder, or nothing that can be used.
        OutputError: the output cannot be written.
    """
    source, out = Path(folder), Path(output)
    if not source.is_dir():
        raise DataError(f"{source} is no folder; give one with calculations")
    if out.exists() and any(out.iterdir()):
        raise ConfigError(f"{out}: holds files; give a new folder")
    with whole_folder(out, "importing") as part:
        found, result = _read(source, out, quiet)
        kinds = sorted({item.quantity for _, _, item in found})
        if quantity is None and len(kinds) > 1:
            raise ConfigError(f"{source}: holds {' and '.join(kinds)}; choose one as quantity")
        result.quantity = quantity or (kinds[0] if kinds else "")
        points = PHONON_GRID if grid is None else check_grid(grid)
        spectra, structures = _converted(found, source, points, result)
        if not spectra:
            raise DataError(f"{source}: nothing that can be used\n{result}".replace("\n", "; "))
        target = ELECTRON_TARGETS["dostransformer"]
        is_phonon = result.quantity == PHONON_DOS.name
        table = {
            "quantity": result.quantity,
            "unit": "cm-1" if is_phonon else "eV",
            "normalisation": "max" if is_phonon else target.normalisation,
            "grid": (points if is_phonon else target.grid).tolist(),
            "spectra": spectra,
        }
        _write(part, table, structures, result)
    return result


def _converted(
    found: list[tuple[str, Path, Found]], source: Path, points: np.ndarray, result: Imported
) -> tuple[dict[str, list[float]], dict[str, str]]:
    """Values and structures by id, as the data set has them; ``result`` gets the rest."""
    spectra: dict[str, list[float]] = {}
    structures: dict[str, str] = {}
    for id, file, item in found:
        name = str(file.relative_to(source))
        if item.quantity != result.quantity:
            result.skipped[name] = f"{item.quantity}, not {result.quantity}"
            continue
        try:
            values = _values(item, points)
        except VanhoveError as error:
            result.skipped[name] = _reason(error, file)
            continue
        spectra[id] = [float(f"{value:.6g}") for value in values]
        structures[id] = json.dumps(item.crystal.to_dict() | {"name": id})
        row = {"id": id, "file": name, "quantity": item.quantity, "unit": item.unit}
        result.taken.append(
            row | {"normalisation": item.normalisation, "structure": item.structure}
        )
    return spectra, structures


def _read(source: Path, out: Path, quiet: bool) -> tuple[list[tuple[str, Path, Found]], Imported]:
    """The spectra found: id, file, content; of several of one material and quantity the best."""
    result = Imported(out)
    groups: dict[tuple[Path, str], list[Path]] = defaultdict(list)
    for file in sorted(source.rglob("*")):
        inside = file.relative_to(source)
        if not file.is_file() or any(part.startswith(".") for part in inside.parts):
            continue
        if reader_of(file) is None:
            result.other.append(str(inside))
        else:
            alone = file.name.lower().removesuffix(".gz").endswith(".json")
            groups[inside.parent, file.name.split(".")[0] if alone else ""].append(file)
    found: list[tuple[str, Path, Found]] = []
    ids: Counter[str] = Counter()
    for (parent, stem), files in track(list(groups.items()), "reading", quiet):
        id = "-".join([*parent.parts, *([stem] if stem else [])]) or source.resolve().name
        ids[id] += 1
        id = id if ids[id] == 1 else f"{id}-{ids[id]}"  # a-b is another folder than a/b
        files.sort(key=lambda f: (PREFERENCE.index(f.name) if f.name in PREFERENCE else 9, f.name))
        taken: dict[str, str] = {}
        for file in files:
            name = str(file.relative_to(source))
            if file.name in PREFERENCE[1:] and PHONON_DOS.name in taken:
                result.beside[name] = f"{taken[PHONON_DOS.name]} is taken"
                continue
            reader = reader_of(file)
            assert reader is not None
            try:
                item = reader(file)
            except NoDensityError:
                result.other.append(name)
                continue
            except VanhoveError as error:
                result.skipped[name] = _reason(error, file)
                continue
            if item.quantity in taken:
                result.beside[name] = f"{taken[item.quantity]} is taken"
                continue
            taken[item.quantity] = file.name
            found.append((id, file, item))
    return found, result


def _reason(error: VanhoveError, file: Path) -> str:
    return str(error).removeprefix(f"{file}: ")


def _values(item: Found, grid: np.ndarray) -> np.ndarray:
    if isinstance(item.spectrum, Spectrum):
        values = resample(item.spectrum.grid, item.spectrum.values, grid)
        lost = 1 - np.trapezoid(values, grid) / (3 * item.crystal.n_atoms)
        if lost > 0.05:
            raise DataError(f"{lost:.0%} of the modes lie outside the grid; give another grid")
        return values / values.max()
    return ELECTRON_TARGETS["dostransformer"].density(item.spectrum.states, item.spectrum.edges)


def _write(out: Path, table: Json, structures: dict[str, str], result: Imported) -> None:
    for id, text in structures.items():
        write_text(out / f"{id}.json", text)
    write_text(out / "spectra.json", json.dumps(table))
    content = {"taken": result.taken, "skipped": result.skipped}
    content |= {"beside": result.beside, "other": result.other}
    (out / "report").mkdir()
    write_text(out / "report" / TABLE, json.dumps(content, indent=1) + "\n")
