"""A folder of electron DOS made by others: files of all kinds that `read_electron_dos` reads."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from vanhove.crystal.reading import find_structure_files
from vanhove.datasets.calculated_dos import ElectronDOS
from vanhove.datasets.dataset import SpectrumDataset
from vanhove.datasets.splits import hashed_split
from vanhove.datasets.vasp import DOS_FILES, dos_id, dos_kind, read_electron_dos
from vanhove.errors import DataError, StructureError
from vanhove.progress import track
from vanhove.spectra.electron_dos import ELECTRON_TARGETS
from vanhove.spectra.quantities import ELECTRON_DOS

MANIFEST = "manifest.json"
"""Of a download, see `vanhove.datasets.materials_project`; no DOS."""
_NAMES_SHOWN = 3


@dataclass(frozen=True)
class Unusable:
    """A material that is not among the DOS, and why."""

    id: str
    reason: str


@dataclass
class FolderReport:
    """What became of every file of a folder.

    Attributes:
        used: how many DOS were read.
        failed: what could not be used.
        ignored: files of other kinds (INCAR, notes), relative to the folder.
    """

    used: int = 0
    failed: list[Unusable] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        lines = [f"{self.used} electron DOS read, {len(self.failed)} not usable"]
        lines += [f"  {item.id}: {item.reason}" for item in self.failed]
        if self.ignored:
            more = ", ..." if len(self.ignored) > _NAMES_SHOWN else ""
            names = ", ".join(self.ignored[:_NAMES_SHOWN])
            lines.append(f"{len(self.ignored)} other files ignored: {names}{more}")
        return "\n".join(lines)


def load_electron_folder(
    path: str | Path, *, quiet: bool = False, **options: Any
) -> tuple[list[ElectronDOS], FolderReport]:
    """All DOS of a folder in the order of their paths, and what could not be used.

    Arguments and errors are those of `iterate_electron_folder`.
    """
    report = FolderReport()
    found = [
        item
        for item in iterate_electron_folder(path, report=report, quiet=quiet, **options)
        if isinstance(item, ElectronDOS)
    ]
    return found, report


def iterate_electron_folder(
    path: str | Path,
    *,
    report: FolderReport | None = None,
    quiet: bool = False,
    **options: Any,
) -> Iterator[ElectronDOS | Unusable]:
    """The DOS of a folder one by one, so that only one is in memory.

    Files are found in subfolders too, hidden ones left out; ``mp-1/vasprun.xml`` has the id
    ``mp-1``. A file that cannot be used gives an `Unusable`; so do a second file with the same
    id, a structure without a DOS, and what the manifest of a download says has failed.

    Args:
        path: of the folder.
        report: is filled on the way.
        quiet: no progress bar.
        options: of `read_electron_dos`: spin, max_spacing, window, reference, empty_below.

    Raises:
        DataError: no folder, or no file of a DOS in it.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder; give one with files of DOS ({DOS_FILES})")
    report = FolderReport() if report is None else report
    files, structures, ignored = _sort_files(folder)
    if not files:
        raise DataError(
            f"{folder}: no file of a DOS in it; allowed: {DOS_FILES}. Other spectra stand in a "
            "table, spectra.csv or spectra.json"
        )
    report.ignored += [file.relative_to(folder).as_posix() for file in ignored]

    def failed(name: str, reason: str) -> Unusable:
        report.failed.append(Unusable(name, reason))
        return report.failed[-1]

    seen: dict[str, str] = {}
    for file in track(files, "reading electron DOS", quiet):
        name = file.relative_to(folder).as_posix()
        try:
            dos = read_electron_dos(file, **options)
        except DataError as error:
            seen.setdefault(dos_id(file), name)
            yield failed(dos_id(file), str(error))
            continue
        if dos.id in seen:
            yield failed(dos.id, f"{file}: {seen[dos.id]} has the same id; keep one")
            continue
        seen[dos.id] = name
        report.used += 1
        yield dos
    named = {(file.parent, dos_id(file)) for file in files}
    in_folder = Counter(file.parent for file in files)
    for file in structures:
        # Beside the only DOS of its folder, a structure needs no name of its own.
        if (file.parent, file.stem) not in named and in_folder[file.parent] != 1:
            yield failed(file.stem, f"{file}: structure without a DOS; add one or remove it")
    for material, reason in _not_downloaded(folder).items():
        if material not in seen:
            yield failed(material, reason)


def _sort_files(folder: Path) -> tuple[list[Path], list[Path], list[Path]]:
    """Files of DOS, structures, and others."""
    try:
        structures = {
            file
            for file in find_structure_files(folder, recursive=True)
            if file.suffix.lower() != ".json"
        }
    except StructureError:
        structures = set()
    groups: dict[str, list[Path]] = defaultdict(list)
    for file in sorted(folder.rglob("*")):
        inside = file.relative_to(folder)
        if not file.is_file() or any(part.startswith(".") for part in inside.parts):
            continue
        if inside.as_posix() == MANIFEST:
            continue
        if file in structures:
            groups["structure"].append(file)
        else:
            groups["dos" if dos_kind(file) else "other"].append(file)
    return groups["dos"], groups["structure"], groups["other"]


def _not_downloaded(folder: Path) -> dict[str, str]:
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        failed = manifest["failed"]
        return {material: f"not downloaded: {item['reason']}" for material, item in failed.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def load_electron_dataset(
    path: str | Path, target: str = "dostransformer", *, quiet: bool = False, **options: Any
) -> SpectrumDataset:
    """A folder of electron DOS as a data set: spectra as a paper trains on, split by formula.

    Args:
        path: of the folder, read by `iterate_electron_folder`; ``options`` go there.
        target: ``"dostransformer"`` or ``"mat2spec"``, see
            `vanhove.spectra.electron_dos.ELECTRON_TARGETS`.
        quiet: no progress.

    Raises:
        DataError: an unknown target, no folder, or no DOS in it that can be used. What cannot be
            used stands in the notes with its reason.
    """
    if target not in ELECTRON_TARGETS:
        raise DataError(f"electron target {target!r}; allowed: {', '.join(ELECTRON_TARGETS)}")
    chosen = ELECTRON_TARGETS[target]
    report = FolderReport()
    crystals, values, ids = [], [], []
    for item in iterate_electron_folder(path, report=report, quiet=quiet, **options):
        if isinstance(item, Unusable):
            continue
        try:
            values.append(chosen.density(item.states, item.edges))
        except DataError as error:
            report.used -= 1
            report.failed.append(Unusable(item.id, str(error)))
            continue
        crystals.append(item.crystal)
        ids.append(item.id)
    if not values:
        raise DataError(f"{path}: no electron DOS that can be used. {report}")
    notes = [chosen.note]
    if report.failed:
        reasons = "; ".join(f"{item.id}: {item.reason}" for item in report.failed)
        notes.append(f"{len(report.failed)} materials left out: {reasons}.")
    return SpectrumDataset(
        name=Path(path).resolve().name,
        ids=ids,
        crystals=crystals,
        grid=chosen.grid,
        unit="eV",
        normalisation=chosen.normalisation,
        quantity=ELECTRON_DOS.name,
        values=np.stack(values),
        splits=hashed_split([crystal.formula for crystal in crystals]),
        split_name="random by formula (seed 0)",
        notes=notes,
    )
