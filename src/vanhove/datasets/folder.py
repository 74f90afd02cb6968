"""A user's own data set: a folder of structure files and a table of their spectra."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from vanhove.crystal.crystal import Crystal
from vanhove.datasets.dataset import PARTS, SpectrumDataset
from vanhove.datasets.splits import given_split, random_split
from vanhove.errors import ConfigError, DataError, StructureError
from vanhove.progress import track
from vanhove.results import Json
from vanhove.spectra.conversions.spreadsheet import comments, read_text
from vanhove.spectra.conversions.spreadsheet import rows as table_rows
from vanhove.spectra.plausibility import check_modes
from vanhove.spectra.quantities import Quantity, density_in, quantity

_TABLES = ("spectra.csv", "spectra.json")
_SPLITS = "splits.json"
_GRID_UNITS = {"cm-1": "cm-1", "1/cm": "cm-1", "cm^-1": "cm-1", "eV": "eV", "THz": "THz"}
_UNIT_WORDS = {*_GRID_UNITS, *(f"[{unit}]" for unit in _GRID_UNITS), "-", "[-]", "unit", "units"}
_NAMES_SHOWN = 3
_NO_MAXIMUM = (
    "maximum below 1, unlike the others (is a column missing, or a comma a separator? if not, "
    "state '# normalisation:' or scale all spectra alike)"
)


@dataclass
class _Table:
    """What the file of spectra says, numbers not yet checked."""

    path: Path
    header: dict[str, str]
    grid: Sequence[Any]
    spectra: list[tuple[str, Sequence[Any]]]
    parts: dict[str, str] | None = None


@dataclass
class _Problems:
    """Names of materials by what is wrong with them."""

    found: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def __str__(self) -> str:
        texts = []
        for reason, names in self.found.items():
            more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
            texts.append(f"{reason}: {', '.join(names[:_NAMES_SHOWN])}{more}")
        return "; ".join(texts)

    def __len__(self) -> int:
        return sum(map(len, self.found.values()))


def holds_table(path: str | Path) -> bool:
    """Whether the folder has a table of spectra (or nothing at all, so that one is missing)."""
    folder = Path(path)
    return any((folder / name).is_file() for name in _TABLES) or not any(folder.iterdir())


def load_folder(
    path: str | Path,
    *,
    spectra: str | Path | None = None,
    on_error: str = "raise",
    seed: int = 0,
) -> SpectrumDataset:
    """Structures and spectra from a folder.

    The folder holds structure files (any format of `vanhove.crystal.reading`) and one of

    - ``spectra.csv``: the header is ``id`` and the grid; a row is an id (file name, with or
      without its ending) and the values. A column ``split`` may name the part (train, valid,
      test). Lines ``# quantity: phonon_dos``, ``# unit: cm-1`` and ``# normalisation: max`` may
      stand before the header.
    - ``spectra.json``: ``{"quantity": "phonon_dos", "unit": "cm-1", "normalisation": "max",
      "grid": [...], "spectra": {id: [...]}}``; the first three may be left out.

    ``splits.json``, ``{"train": [ids], "valid": [...], "test": [...]}``, may give the split;
    without one it is random, 80 / 10 / 10. Without a stated quantity the unit decides: ``"cm-1"``
    (phonon DOS; also where no unit is stated) or ``"eV"`` (electron DOS). Spectra without a stated
    normalisation are scaled to a maximum of 1.

    Args:
        path: of the folder.
        spectra: the table, where it lies or is named differently; ``.csv`` or ``.json``.
        on_error: ``"raise"`` reports all materials that cannot be used in one error; ``"skip"``
            leaves them out and lists them in the notes.
        seed: of the random split.

    Raises:
        DataError: no table, a table of another form, or materials that cannot be used: a
            structure without spectrum or the reverse, an unreadable structure, a wrong number of
            values, values that are negative, not finite or all zero, or that contradict the
            stated normalisation.
    """
    if on_error not in ("raise", "skip"):
        raise DataError(f"on_error {on_error!r}; allowed: 'raise', 'skip'")
    folder = Path(path)
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder; give one with structures and spectra")
    table = _read_table(_find_table(folder, spectra))
    grid = _grid(table)
    kind, normalisation, notes = _header(table)
    split = _given_parts(folder, table)

    problems = _Problems()
    values = _check_spectra(table, len(grid), normalisation, problems)
    crystals = _read_crystals(folder, table, values, problems, grid, normalisation)
    if split is not None:
        known = {material for material, _ in table.spectra}
        for part in PARTS:
            strangers = [i for i in split.get(part, ()) if i not in known]
            if strangers:
                problems.found["in the split without a spectrum"] += strangers
    if problems and (on_error == "raise" or not crystals):
        remedy = "correct them" if not crystals else "correct them or pass on_error='skip'"
        raise DataError(f"{folder}: {len(problems)} entries cannot be used: {problems}; {remedy}")
    if problems:
        notes.append(f"{len(problems)} entries left out: {problems}.")
    if not crystals:
        raise DataError(f"{table.path}: no spectrum in it; at least one row is needed")

    ids = list(crystals)
    array = np.stack([values[i] for i in ids])
    if normalisation is None:
        array = array / array.max(axis=1, keepdims=True)
        notes.append("No normalisation was stated: each spectrum is scaled to a maximum of 1.")
    if split is None:
        splits, split_name = random_split(len(ids), seed=seed), f"random (seed {seed})"
    else:
        kept = {part: [i for i in listed if i in crystals] for part, listed in split.items()}
        splits, split_name = given_split(ids, kept), "given"
    return SpectrumDataset(
        name=folder.resolve().name,
        ids=ids,
        crystals=list(crystals.values()),
        grid=grid,
        unit=kind.unit,
        normalisation=normalisation or "max",
        quantity=kind.name,
        values=array,
        splits=splits,
        split_name=split_name,
        notes=notes,
    )


def _find_table(folder: Path, given: str | Path | None) -> Path:
    if given is not None:
        candidates = [Path(given)]
    else:
        candidates = [folder / name for name in _TABLES]
    found = [candidate for candidate in candidates if candidate.is_file()]
    if len(found) > 1:
        raise DataError(f"{folder} holds {' and '.join(_TABLES)}; keep one or name it in spectra=")
    if not found:
        raise DataError(f"no {' or '.join(map(str, candidates))}; add a table of spectra")
    if found[0].suffix.lower() not in (".csv", ".json"):
        raise DataError(f"{found[0]}: format {found[0].suffix!r}; allowed: .csv, .json")
    return found[0]


def _read_table(path: Path) -> _Table:
    return _read_csv(path) if path.suffix.lower() == ".csv" else _read_spectra_json(path)


def _read_csv(path: Path) -> _Table:
    text = read_text(path)
    header, rows = comments(text), table_rows(text, str(path))
    if not rows:
        raise DataError(f"{path} is empty; the first row must be id and the grid")
    columns = rows[0]
    if len(columns) < 2:
        raise DataError(
            f"{path}: one column, {columns[0][:40]!r}; the separator is a comma, semicolon or tab"
        )
    units = {cell for cell in rows[1] if cell} if len(rows) > 1 else set()
    if units and units <= _UNIT_WORDS:  # a second line of headings
        header.setdefault("unit", _unit_among(units))
        rows.pop(1)
    stated = header.get("unit", "").strip("[]()")
    header["unit"] = _GRID_UNITS.get(stated, stated)
    splits = [k for k, name in enumerate(columns) if k and name.lower() == "split"]
    table = _Table(path, header, [x for k, x in enumerate(columns) if k and k not in splits], [])
    if splits:
        table.parts = {}
    for row in rows[1:]:
        material = row[0]
        table.spectra.append((material, [x for k, x in enumerate(row) if k and k not in splits]))
        if table.parts is not None and len(row) > splits[0]:
            table.parts[material] = row[splits[0]]
    return table


def _unit_among(words: set[str]) -> str:
    return next((word for word in sorted(words) if word.strip("[]") in _GRID_UNITS), "")


def _read_spectra_json(path: Path) -> _Table:
    content = _read_json(path)
    form = '{"unit": ..., "normalisation": ..., "grid": [...], "spectra": {id: [...]}}'
    if not isinstance(content, dict) or not isinstance(content.get("spectra"), dict):
        raise DataError(f"{path} has no object 'spectra'; the form is {form}")
    if not isinstance(content.get("grid"), list):
        raise DataError(f"{path} has no list 'grid'; the form is {form}")
    stated = ("quantity", "unit", "normalisation")
    header = {k: str(content[k]) for k in stated if content.get(k) is not None}
    return _Table(path, header, content["grid"], list(content["spectra"].items()))


def _read_json(path: Path) -> Any:
    def unique(pairs: list[tuple[str, Any]]) -> Json:
        repeated = [key for key, count in Counter(key for key, _ in pairs).items() if count > 1]
        if repeated:
            raise DataError(f"{path}: {repeated[0]!r} stands in it twice; keep one")
        return dict(pairs)

    try:
        return json.loads(path.read_text(encoding="utf-8-sig"), object_pairs_hook=unique)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: {error}; give JSON in UTF-8") from error


def _grid(table: _Table) -> np.ndarray:
    grid = _numbers(table.grid)
    if grid is None or not len(grid) or not np.isfinite(grid).all() or (np.diff(grid) <= 0).any():
        raise DataError(
            f"{table.path}: grid {', '.join(map(str, table.grid[:4]))} ...; "
            "allowed: increasing numbers"
        )
    return grid


def _header(table: _Table) -> tuple[Quantity, str | None, list[str]]:
    """What is measured, the stated normalisation and notes."""
    notes = []
    stated, unit = table.header.get("quantity"), table.header.get("unit")
    normalisation = table.header.get("normalisation") or None
    try:
        kind = quantity(stated, "density") if stated else density_in(unit or "cm-1")
        if not unit:
            notes.append(f"No unit was stated: the grid is taken to be in {kind.unit}.")
        kind.check(unit or kind.unit, normalisation or next(iter(kind.normalisations)))
    except ConfigError as error:
        raise DataError(f"{table.path}: {error}") from None
    return kind, normalisation, notes


def _given_parts(folder: Path, table: _Table) -> Mapping[str, list[str]] | None:
    path = folder / _SPLITS
    if not path.is_file():
        if table.parts is None:
            return None
        listed: dict[str, list[str]] = defaultdict(list)
        for material, part in table.parts.items():
            listed[part].append(material)
        return listed
    if table.parts is not None:
        raise DataError(f"{path} and a column split in {table.path}; keep one")
    content = _read_json(path)
    if not isinstance(content, dict) or not all(
        isinstance(ids, list) and all(isinstance(i, str) for i in ids) for ids in content.values()
    ):
        raise DataError(f'{path}: the form is {{"train": [ids], "valid": [...], "test": [...]}}')
    return content


def _numbers(raw: Any) -> np.ndarray | None:
    try:
        values = np.array([float(x) for x in raw])
    except (TypeError, ValueError):
        return None
    return values


def _check_spectra(
    table: _Table, n_points: int, normalisation: str | None, problems: _Problems
) -> dict[str, np.ndarray]:
    """The spectra that can be used, by id."""
    good: dict[str, np.ndarray] = {}
    seen = set()
    for material, raw in table.spectra:
        values = _numbers(raw)
        if material in seen:
            reason = "two spectra"
        elif values is None:
            reason = "values that are no numbers"
        elif len(values) != n_points:
            reason = f"not {n_points} values"
        elif not np.isfinite(values).all():
            reason = "NaN or infinite values"
        elif (values < 0).any():
            reason = "negative values"
        elif not values.any():
            reason = "all values zero"
        elif normalisation == "max" and abs(values.max() - 1) > 1e-3:
            reason = "maximum not 1 as stated"
        elif normalisation == "sum" and abs(values.sum() - 1) > 1e-3:
            reason = "sum not 1 as stated"
        elif normalisation == "min-max" and (abs(values.max() - 1) > 1e-3 or values.min() > 1e-3):
            reason = "minimum and maximum not 0 and 1 as stated"
        else:
            good[material] = values
            reason = None
        if reason:
            problems.found[reason].append(material)
            # Of two spectra it is unknown which is right.
            good.pop(material, None)
        seen.add(material)
    if normalisation is None:
        _check_scale(good, problems)
    return good


def _check_scale(spectra: dict[str, np.ndarray], problems: _Problems) -> None:
    """Where most spectra have a maximum of 1 and none more, the others have lost their maximum."""
    less = [material for material, values in spectra.items() if values.max() < 1 - 1e-3]
    if 2 * len(less) < len(spectra) and all(v.max() < 1 + 1e-3 for v in spectra.values()):
        for material in less:
            problems.found[_NO_MAXIMUM].append(material)
            del spectra[material]


def _read_crystals(
    folder: Path,
    table: _Table,
    values: Mapping[str, np.ndarray],
    problems: _Problems,
    grid: np.ndarray,
    normalisation: str | None,
) -> dict[str, Crystal]:
    """The crystals that can be used, by id, in the order of the table."""
    from vanhove.crystal.reading import find_structure_files, read_crystal

    others = {*_TABLES, _SPLITS, table.path.name}
    try:
        structures = [file for file in find_structure_files(folder) if file.name not in others]
    except StructureError as error:
        raise DataError(f"{error}; add one for each spectrum") from error
    files_of: dict[str, list[Path]] = defaultdict(list)
    for file in structures:
        for name in {file.name, file.stem}:
            files_of[name].append(file)

    crystals: dict[str, Crystal] = {}
    taken: dict[Path, str] = {}
    for material in track(list(dict.fromkeys(i for i, _ in table.spectra)), "reading structures"):
        files = files_of.get(material, [])
        if not files:
            problems.found["spectrum without structure"].append(material)
            continue
        if len(files) > 1:
            problems.found["several structures"].append(material)
            taken.update(dict.fromkeys(files, material))
            continue
        if files[0] in taken:
            problems.found["structure that another id also names"].append(material)
            continue
        taken[files[0]] = material
        if material not in values:
            continue
        try:
            crystal = replace(read_crystal(files[0]), name=material)
            if normalisation == "3N":
                check_modes(grid, values[material], crystal.n_atoms, material)
            crystals[material] = crystal
        except StructureError as error:
            problems.found["unreadable structure"].append(f"{material} ({error.reason})")
        except DataError as error:
            problems.found["not 3N modes as stated"].append(str(error))
    missing = [file.name for file in structures if file not in taken]
    if missing:
        problems.found["structure without spectrum"] += missing
    return crystals
