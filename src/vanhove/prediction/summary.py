"""One line for each of many structures: on the screen, and in ``summary.csv``."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from vanhove.prediction.bands import Values
from vanhove.prediction.properties import Properties
from vanhove.prediction.property import Outcome, Property
from vanhove.spectra.quantities import ELECTRON_DOS

_NAME, _FORMULA, _GROUP, _NUMBER = 28, 14, 10, 16
"""Widths of columns; those of numbers are as wide as their headings where these are wider."""
_OF_ELECTRONS = ("band_gap", "fermi_density")


class Summary:
    """The columns of a table of many structures.

    Args:
        known: properties of the model.
        kelvin: of thermal ones.
    """

    def __init__(self, known: Properties, kelvin: float):
        names = known.derived(kelvin)
        if known.kind.name == ELECTRON_DOS.name:
            own = tuple(name for name in known.own if name != "familiarity")
            # Spectra of maximum 1 count no states and hold no gap.
            names = tuple(name for name in _OF_ELECTRONS if name in own) or own[:2]
        self.items: list[Property] = [known[name] for name in names]
        self.has_familiarity = "familiarity" in known.own
        self._rows: list[list[str | float | None]] = []

    @property
    def is_empty(self) -> bool:
        """No prediction yet."""
        return all(row[-1] for row in self._rows)

    def header(self) -> str:
        """Two lines: names, and their units."""
        names = [item.label for item in self.items]
        units = [item.unit for item in self.items]
        first, second = (
            "".join(
                f"  {text:>{self._width(item)}s}"
                for item, text in zip(self.items, row, strict=True)
            )
            for row in (names, units)
        )
        familiarity = "  familiarity" if self.has_familiarity else ""
        start = f"{'structure':{_NAME}s} {'formula':{_FORMULA}s} {'group':{_GROUP}s}"
        return f"{start}{first}{familiarity}\n{'':{len(start)}s}{second}".rstrip()

    def _width(self, item: Property) -> int:
        return max(_NUMBER, len(item.label), len(item.unit))

    def row(self, outcome: Outcome, values: Values) -> str:
        """A structure, and under it its warnings; it is kept for `to_csv`.

        Args:
            outcome: of the model.
            values: of its properties and their half widths, by name.
        """
        meta = outcome.metadata
        cells = []
        numbers: list[str | float | None] = []
        for item in self.items:
            value = values.get(item.name)
            value = item.of(outcome) if value is None else value
            half = values.get(f"{item.name}_half_width_90")
            numbers += [_plain(value), _plain(half)]
            bar = "" if half is None else f" ± {half:.{item.digits}f}"
            shown = item.shown(outcome) if isinstance(value, bool) else "–"
            if isinstance(value, int | float) and not isinstance(value, bool):
                shown = f"{value:.{item.digits}f}{bar}"
            cells.append(f"  {shown:>{self._width(item)}s}")
        familiarity = meta.get("familiarity")
        if self.has_familiarity:
            cells.append("" if familiarity is None else f"  {familiarity:11.2f}")
        group = meta["space_group_symbol"]
        warned = "; ".join(outcome.warnings)
        self._rows.append([outcome.name, meta["formula"], group, *numbers, familiarity, warned, ""])
        line = f"{outcome.name:{_NAME}s} {meta['formula']:{_FORMULA}s} {group:{_GROUP}s}"
        warnings = (f"    warning: {text}" for text in outcome.warnings)
        return "\n".join([f"{line}{''.join(cells)}".rstrip(), *warnings])

    def failed(self, name: str, reason: str) -> None:
        """A structure without a prediction, for `to_csv`."""
        empty: list[str | float | None] = [None] * (2 * len(self.items) + 4)
        self._rows.append([name, *empty, reason])

    def to_csv(self) -> str:
        """All rows; units are in the names of columns, an empty cell is not known."""
        stream = io.StringIO(newline="")
        writer = csv.writer(stream, lineterminator="\n")
        names: Sequence[str] = [
            name
            for item in self.items
            for name in (_column(item), _column(item, "half width of the 90 % interval"))
        ]
        more = ["familiarity", "warnings", "error"]
        writer.writerow(["name", "formula", "space group", *names, *more])
        writer.writerows(self._rows)
        return stream.getvalue()


def _column(item: Property, what: str = "") -> str:
    name = f"{item.label}, {what}" if what else item.label
    return f"{name} [{item.unit}]" if item.unit else name


def _plain(value: object) -> str | float | None:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, int | float | str) else None
