"""Numbers that papers print, to stand beside ours."""

from __future__ import annotations

import csv
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files

from vanhove.errors import ConfigError
from vanhove.spectra.quantities import PHONON_DOS

PHONON_DATA = (PHONON_DOS.name, "chen2021")
"""What ``published.csv`` calls the data and the split of ``phonon_petretto``."""

PAPERS = {
    "DOSTransformer": "Lee et al., arXiv 2311.12856",
    "Mat2Spec": "Kong et al., Nat. Commun. 13, 949 (2022)",
    "Xtal2DoS": "Bai et al., arXiv 2302.01486",
}
"""Citation of a ``source`` that is a paper."""


@dataclass(frozen=True)
class PublishedRow:
    """One row of a printed table, in the paper's own metric names and units.

    Attributes:
        source: the paper.
        table: number of the table, or where else in the source.
        dataset: what was predicted, e.g. ``"phonon_dos"``.
        split: e.g. ``"chen2021"``, the published split of ``phonon_petretto``.
        model: as printed.
        variant: as printed, e.g. ``"energy"``; may be empty.
        note: what a reader must know.
        values: metric name -> number.
        spread: metric name -> printed standard deviation, where there is one.
    """

    source: str
    table: str
    dataset: str
    split: str
    model: str
    variant: str
    note: str
    values: dict[str, float] = field(default_factory=dict)
    spread: dict[str, float] = field(default_factory=dict)


@cache
def published_rows() -> tuple[PublishedRow, ...]:
    """All of ``published.csv`` (one line per number), as rows of tables, in the file's order."""
    rows: dict[tuple[str, ...], PublishedRow] = {}
    with (files("vanhove.papers") / "published.csv").open(encoding="utf-8") as stream:
        for line in csv.DictReader(stream):
            names = ("source", "table", "dataset", "split", "model", "variant", "note")
            key = {name: line[name] for name in names}
            row = rows.setdefault(tuple(key.values()), PublishedRow(**key))  # type: ignore[arg-type]
            row.values[line["metric"]] = float(line["value"])
            if line["std"]:
                row.spread[line["metric"]] = float(line["std"])
    return tuple(rows.values())


def find_published(
    source: str,
    table: str,
    model: str,
    variant: str = "",
    dataset: str = PHONON_DOS.name,
    split: str = "",
) -> PublishedRow:
    """The one row of a table.

    Args:
        source: the paper; the others as in `PublishedRow`.
        table: see there.
        model: see there.
        variant: see there.
        dataset: see there.
        split: needed where the table has the same row for several. Where a table prints a number
            for each of several groups, they are named ``METRIC[group]``.

    Raises:
        ConfigError: the table has no such row.
    """
    key = (source, table, dataset, model, variant)
    found = [
        row
        for row in published_rows()
        if (row.source, row.table, row.dataset, row.model, row.variant) == key
        and split in ("", row.split)
    ]
    if not found:
        raise ConfigError(f"published.csv has no row {', '.join(key)}")
    if len(found) == 1:
        return found[0]
    return replace(
        found[0],
        note="",
        values={f"{name}[{row.note}]": v for row in found for name, v in row.values.items()},
        spread={f"{name}[{row.note}]": v for row in found for name, v in row.spread.items()},
    )
