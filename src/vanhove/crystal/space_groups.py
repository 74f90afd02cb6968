"""Symmetry operations and the settings of space groups, as structure files state them.

The table of settings is gemmi's (Wojdyr, J. Open Source Softw. 7, 4200 (2022)): the 530 settings
of International Tables A and some further ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

CELL_TOLERANCE = 0.02
"""Relative to the metric of the cell: an operation that changes it by more does not fit."""

_ONE_TERM = r"[+-]?(?:[xyz]|\d+/\d+|\d*\.\d+|\d+\.?)"
_COMPONENT = re.compile(rf"{_ONE_TERM}(?:[+-](?:[xyz]|\d+/\d+|\d*\.\d+|\d+\.?))*")
_MARKS = {"H": "H", "HR": "H", "R": "R", "S": "1", "Z": "2", "1": "1", "2": "2"}
_MARK = re.compile(
    r"(?P<stem>.*?)(?::(?P<colon>HR|[HRSZ12])|(?P<letter>HR|[HSZ]|(?<=[^:])R)"
    r"|\(?ORIGIN(?:CHOICE)?(?P<origin>[12])\)?|O(?P<o>[12]))"
)


@dataclass(frozen=True)
class Operations:
    """Symmetry operations of a cell: a point ``x`` (column) goes to ``rotation @ x + translation``.

    Attributes:
        rotations: ``[n, 3, 3]`` integers.
        translations: ``[n, 3]``, fractions of the lattice vectors.
        name: how a message calls them.
    """

    rotations: np.ndarray
    translations: np.ndarray
    name: str = "the symmetry operations"

    def __len__(self) -> int:
        return len(self.rotations)

    def images(self, point: np.ndarray) -> np.ndarray:
        """Where the operations take a point of fractional coordinates: ``[n, 3]``."""
        return self.rotations @ point + self.translations

    def keys(self) -> np.ndarray:
        """One integer for each operation, translations modulo the lattice: ``[n]``."""
        return _keys(self.rotations, self.translations)

    def checked(self) -> Operations:
        """These operations.

        Raises:
            ValueError: more than a cell can have, or no group: names one that the list lacks.
        """
        if len(self) > 192:
            raise ValueError(f"{len(self)} symmetry operations; a cell has at most 192")
        missing = self.missing_product()
        if missing is not None:
            raise ValueError(
                f"the {len(self)} symmetry operations are no group: {missing} follows from "
                "them but is not among them"
            )
        return self

    def fit(self, lattice: np.ndarray) -> bool:
        """Whether every operation leaves the lengths and angles of the cell (rows) as they are."""
        metric = lattice @ lattice.T
        moved = self.rotations.transpose(0, 2, 1) @ metric @ self.rotations
        scale = np.sqrt(np.outer(metric.diagonal(), metric.diagonal()))
        return bool((np.abs(moved - metric) <= CELL_TOLERANCE * scale).all())

    def missing_product(self) -> str | None:
        """The first product of two operations that is not among them; None: they are a group."""
        rotations = np.einsum("aij,bjk->abik", self.rotations, self.rotations)
        translations = np.einsum("aij,bj->abi", self.rotations, self.translations)
        translations = translations + self.translations[:, None]
        known = self.keys()
        missing = np.argwhere(~np.isin(_keys(rotations, translations), known))
        if not len(missing):
            return None
        i, j = missing[0]
        return _triplet(rotations[i, j], translations[i, j])

    def group_number(self) -> int | None:
        """1 to 230; None if spglib does not recognise the group."""
        from spglib import get_spacegroup_type_from_symmetry

        try:
            found = get_spacegroup_type_from_symmetry(
                self.rotations, self.translations % 1.0, symprec=1e-3
            )
        except Exception:  # SpglibError where the installed version raises
            return None
        return None if found is None else int(found.number)


def _keys(rotations: np.ndarray, translations: np.ndarray) -> np.ndarray:
    """One integer for each operation, translations modulo the lattice: ``[...]``."""
    turned = (np.asarray(rotations, dtype=np.int64) + 5) @ np.array([11**2, 11, 1])
    turned = turned @ np.array([11**6, 11**3, 1])
    shifted = np.rint(translations * 24).astype(np.int64) % 24 @ np.array([24**2, 24, 1])
    return turned * 24**3 + shifted


def _triplet(rotation: np.ndarray, translation: np.ndarray) -> str:
    from gemmi import Op

    op = Op()
    op.rot = (24 * rotation).astype(int).tolist()
    op.tran = (np.rint(translation * 24).astype(int) % 24).tolist()
    return str(op.triplet())


def parse_operation(text: str) -> tuple[np.ndarray, np.ndarray]:
    """``"-x+y, 1/2-y, z"`` as a rotation ``[3, 3]`` and a translation ``[3]``.

    Raises:
        ValueError: it is no operation in x, y, z, or does not keep the volume.
    """
    from gemmi import Op

    compact = re.sub(r"\s*([+,-])\s*", r"\1", text.strip().lower())
    parts = compact.split(",")
    if len(parts) != 3 or not all(_COMPONENT.fullmatch(part) for part in parts):
        raise ValueError(text)
    try:
        op = Op(",".join(part.lstrip("+") for part in parts))
    except RuntimeError as error:  # a denominator that no space group has
        raise ValueError(text) from error
    rotation = np.array(op.rot) // Op.DEN
    if round(abs(np.linalg.det(rotation))) != 1:
        raise ValueError(text)
    return rotation, np.array(op.tran) / Op.DEN


def operations_of(texts: Iterable[str]) -> Operations:
    """Operations from ``"x, y, z"`` and so on, each once; blanks may have cut them into pieces.

    Raises:
        ValueError: says which one cannot be read, or which one the list lacks to be a group.
    """
    read = []
    for text in _joined(list(texts)):
        try:
            read.append(parse_operation(text))
        except ValueError:
            raise ValueError(f"the symmetry operation {text!r} cannot be read") from None
    rotations, translations = map(np.array, zip(*read, strict=True))
    once = np.sort(np.unique(_keys(rotations, translations), return_index=True)[1])
    return Operations(rotations[once], translations[once]).checked()


def _joined(texts: list[str]) -> list[str]:
    """``["x,", "y,", "z"]`` -> ``["x, y, z"]``: a list without the quotes that blanks need."""
    if not any(text.rstrip().endswith(",") for text in texts):
        return texts
    joined = [""]
    for text in texts:
        if joined[-1].count(",") >= 2 and not joined[-1].endswith(","):
            joined.append("")
        joined[-1] = f"{joined[-1]} {text.strip()}".strip()
    return joined


def operations_of_hall(symbol: str) -> Operations:
    """The operations of a Hall symbol, ``"-P 2ybc"``.

    Raises:
        ValueError: it cannot be read.
    """
    from gemmi import symops_from_hall

    try:
        group = symops_from_hall(symbol.replace("_", " "))
    except (RuntimeError, ValueError) as error:
        raise ValueError(f"the Hall symbol {symbol!r} is not known") from error
    return _of_group(group, f"Hall symbol {symbol!r}")


@dataclass(frozen=True)
class Setting:
    """One setting of a space group: its number, its operations and its unique axis, if it has one.

    Attributes:
        number: 1 to 230.
        name: extended Hermann-Mauguin symbol, ``"F d -3 m:2"``.
        qualifier: choice of axes as in International Tables, ``"b2"``.
    """

    number: int
    name: str
    qualifier: str
    hall: str

    def operations(self) -> Operations:
        return operations_of_hall(self.hall)


def settings_of_symbol(symbol: str) -> list[Setting]:
    """Every setting that a Hermann-Mauguin symbol can mean.

    Marks behind it choose: ``H`` and ``R`` the axes, ``:1``, ``:2``, ``S`` (first) and ``Z`` (at
    the inversion centre) the origin. Short monoclinic symbols (``P 21/n``) mean every axis.

    Returns:
        Empty: the symbol is not known.
    """
    compact = re.sub(r"[\s_]", "", symbol)
    match = _MARK.fullmatch(compact.upper())
    if match is None or compact.lower() in _by_name():
        return _by_name().get(compact.lower()) or _alias(compact)
    mark = next(m for m in match.group("colon", "letter", "origin", "o") if m)
    stem = compact[: len(match.group("stem"))]
    found = _by_name().get(stem.lower()) or _alias(stem)
    return [s for s in found if s.name.partition(":")[2] == _MARKS[mark]]


def settings_of_number(number: int) -> list[Setting]:
    """The standard settings of a group: one, or two where the origin or the axes are open."""
    from gemmi import find_spacegroup_by_number

    group = find_spacegroup_by_number(number)
    return [] if group is None else settings_of_symbol(group.hm)


@cache
def _by_name() -> dict[str, list[Setting]]:
    from gemmi import spacegroup_table

    names: dict[str, list[Setting]] = {}
    for group in spacegroup_table():
        setting = Setting(group.number, group.xhm(), group.qualifier, group.hall)
        spellings = {group.hm, group.xhm()}
        if 3 <= group.number <= 15:
            lattice, *axes = group.hm.split()
            spellings.add(lattice + "".join(axis for axis in axes if axis != "1"))
        for spelling in spellings:
            names.setdefault(spelling.replace(" ", "").lower(), []).append(setting)
    return names


def _alias(symbol: str) -> list[Setting]:
    """Old and new spellings: ``Fm3m``, ``Cmce``."""
    from gemmi import find_spacegroup_by_name

    for spelling in (symbol, symbol[:1].upper() + symbol[1:].lower()):
        group = find_spacegroup_by_name(spelling)
        if group is not None:
            name = group.xhm() if spelling[0] == "H" else group.hm
            return _by_name()[name.replace(" ", "").lower()]
    return []


def _of_group(group: Any, name: str) -> Operations:
    operations = list(group)
    return Operations(
        np.array([op.rot for op in operations]) // 24,
        np.array([op.tran for op in operations]) / 24,
        name,
    )
