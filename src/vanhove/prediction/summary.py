"""One line for each of many structures: on the screen, and in ``summary.csv``."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from vanhove.prediction.bands import Values
from vanhove.prediction.definitions import HALF_WIDTH
from vanhove.prediction.properties import Properties
from vanhove.prediction.property import Outcome, Property, Value
from vanhove.spectra.quantities import ELECTRON_DOS

_NAME, _FORMULA, _GROUP, _NUMBER = 28, 14, 10, 16
"""Widths of columns; those of numbers are as wide as their headings where these are wider."""
_OF_ELECTRONS = ("band_gap", "fermi_density")
_FAMILIARITY = "familiarity"

Cell: TypeAlias = tuple[Value, float | None]
"""A value and half the width of its 90 % interval, None where they are not known."""


@dataclass(frozen=True)
class Column:
    """What a column holds: its name in words, its unit, and digits after the decimal point."""

    label: str
    unit: str
    digits: int = 2

    @property
    def width(self) -> int:
        """Characters."""
        return max(_NUMBER, len(self.label), len(self.unit))

    def named(self, what: str = "") -> str:
        """The name and the unit."""
        name = f"{self.label}, {what}" if what else self.label
        return f"{name} [{self.unit}]" if self.unit else name

    def shown(self, cell: Cell) -> str:
        """A cell in words."""
        value, half = cell
        if isinstance(value, bool):
            return "yes" if value else "no"
        if not isinstance(value, int | float):
            return "–"
        bar = "" if half is None else f" ± {half:.{self.digits}f}"
        return f"{value:.{self.digits}f}{bar}"


class Summary:
    """A table of many structures.

    Args:
        columns: of numbers.
        has_familiarity: whether predictions bring it.
    """

    def __init__(self, columns: Sequence[Column], has_familiarity: bool):
        self.columns, self.has_familiarity = columns, has_familiarity
        self._rows: list[list[str | float | None]] = []

    @property
    def is_empty(self) -> bool:
        """No prediction yet."""
        return all(row[-1] for row in self._rows)

    def header(self) -> str:
        """Two lines: names, and their units."""
        first, second = (
            "".join(
                f"  {text:>{column.width}s}" for column, text in zip(self.columns, row, strict=True)
            )
            for row in ([c.label for c in self.columns], [c.unit for c in self.columns])
        )
        familiarity = f"  {_FAMILIARITY}" if self.has_familiarity else ""
        start = f"{'structure':{_NAME}s} {'formula':{_FORMULA}s} {'group':{_GROUP}s}"
        return f"{start}{first}{familiarity}\n{'':{len(start)}s}{second}".rstrip()

    def row(self, name: str, metadata: Mapping[str, Any], cells: Sequence[Cell]) -> str:
        """A structure, and under it its warnings; it is kept for `to_csv`.

        Args:
            name: of the structure.
            metadata: of the prediction.
            cells: one for each column.
        """
        numbers = [_plain(number) for cell in cells for number in cell]
        text = "".join(
            f"  {column.shown(cell):>{column.width}s}"
            for column, cell in zip(self.columns, cells, strict=True)
        )
        familiarity = metadata.get(_FAMILIARITY)
        if self.has_familiarity and familiarity is not None:
            text += f"  {familiarity:11.2f}"
        formula, group = metadata["formula"], metadata["space_group_symbol"]
        warned = metadata.get("warnings", ())
        self._rows.append([name, formula, group, *numbers, familiarity, "; ".join(warned), ""])
        line = f"{name:{_NAME}s} {formula:{_FORMULA}s} {group:{_GROUP}s}{text}".rstrip()
        return "\n".join([line, *(f"    warning: {words}" for words in warned)])

    def failed(self, name: str, reason: str) -> None:
        """A structure without a prediction, for `to_csv`."""
        empty: list[str | float | None] = [None] * (2 * len(self.columns) + 4)
        self._rows.append([name, *empty, reason])

    def to_csv(self) -> str:
        """All rows; units are in the names of columns, an empty cell is not known."""
        stream = io.StringIO(newline="")
        writer = csv.writer(stream, lineterminator="\n")
        names = [
            name
            for column in self.columns
            for name in (column.named(), column.named("half width of the 90 % interval"))
        ]
        more = [_FAMILIARITY, "warnings", "error"]
        writer.writerow(["name", "formula", "space group", *names, *more])
        writer.writerows(self._rows)
        return stream.getvalue()


class PropertySummary(Summary):
    """A `Summary` of the main properties of a model's predictions.

    Args:
        known: properties of the model.
        kelvin: of thermal ones.
    """

    def __init__(self, known: Properties, kelvin: float):
        names = known.derived(kelvin)
        if known.kind.name == ELECTRON_DOS.name:
            own = tuple(name for name in known.own if name != _FAMILIARITY)
            # Spectra of maximum 1 count no states and hold no gap.
            names = tuple(name for name in _OF_ELECTRONS if name in own) or own[:2]
        self.items: list[Property] = [known[name] for name in names]
        columns = [Column(item.label, item.unit, item.digits) for item in self.items]
        super().__init__(columns, _FAMILIARITY in known.own)

    def of(self, outcome: Outcome, values: Values) -> str:
        """The row of a prediction; ``values`` of its properties and half widths, by name."""
        cells: list[Cell] = []
        for item in self.items:
            value, half = values.get(item.name), values.get(f"{item.name}{HALF_WIDTH}")
            value = item.of(outcome) if value is None else value
            cells.append((value, None if half is None else float(half)))  # type: ignore[arg-type]
        return self.row(outcome.name, outcome.metadata, cells)


def _plain(value: object) -> str | float | None:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, int | float | str) else None
