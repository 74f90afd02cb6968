"""What a screening found: the best candidates as CSV, and a page that needs no network.

Reads one partition after the other, so memory does not grow with their number. Like the tables, the
files depend on the plan alone.
"""

from __future__ import annotations

import base64
import csv
import heapq
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from vanhove.atomic import write_bytes
from vanhove.prediction.electron_predictor import AnyInfo
from vanhove.prediction.property import Property
from vanhove.screening.expression import Expression
from vanhove.screening.writer import (
    FAILURES,
    PROPERTIES,
    PropertyRow,
    read_partitions,
    read_spectra,
)
from vanhove.spectra.plotting import COLOUR, REFERENCE_COLOUR, TEXT_COLOUR, figure, png
from vanhove.spectra.spectrum import Spectrum

REPORT, BEST = "report.html", "top.csv"
N_BINS = 40
N_PLOTS = 12
N_REASONS = 15


@dataclass(frozen=True)
class Candidate:
    """A selected crystal.

    Attributes:
        partition: in which it stands.
        index, id: place in the source, and name there.
        values: of its properties, by name.
    """

    partition: int
    index: int
    id: str
    values: PropertyRow


@dataclass(frozen=True)
class Findings:
    """Counts over all partitions, and the best rows.

    Attributes:
        n_predicted: crystals with a spectrum.
        n_selected: of these, for how many the expression holds.
        n_failed: records that gave nothing.
        best: the first by the sort expression.
        histograms: of each number, bin edges and counts of all and of the selected.
        systems: of each crystal system, all and selected; empty if it is no column.
        reasons: of failures, numbers left out, and how often.
    """

    n_predicted: int
    n_selected: int
    n_failed: int
    best: list[Candidate]
    histograms: dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]
    systems: dict[str, tuple[int, int]]
    reasons: list[tuple[str, int]]


def collect(
    out: Path, properties: Sequence[Property], sort: Expression | None, n_best: int
) -> Findings:
    """Read the finished partitions twice: once for the ranges, once for the rest."""
    numbers = [item.name for item in properties if item.kind == "number"]
    ranges = {name: [np.inf, -np.inf] for name in numbers}
    for _, table in read_partitions(out, PROPERTIES):
        for name in numbers:
            values = _numbers(table, name)
            if len(values := values[np.isfinite(values)]):
                low, high = ranges[name]
                ranges[name] = [min(low, values.min()), max(high, values.max())]
    histograms = {
        name: (_edges(low, high), np.zeros(N_BINS, int), np.zeros(N_BINS, int))
        for name, (low, high) in ranges.items()
        if low <= high
    }
    systems: dict[str, list[int]] = {}
    counts = {"predicted": 0, "selected": 0}

    def selected_rows() -> Iterator[Candidate]:
        for number, table in read_partitions(out, PROPERTIES):
            chosen = table["selected"].to_numpy(zero_copy_only=False).astype(bool)
            counts["predicted"] += len(chosen)
            counts["selected"] += int(chosen.sum())
            for name, (edges, every, some) in histograms.items():
                values = _numbers(table, name)
                every += np.histogram(values[np.isfinite(values)], edges)[0]
                kept = values[chosen]
                some += np.histogram(kept[np.isfinite(kept)], edges)[0]
            if "crystal_system" in table.column_names:
                for system, is_chosen in zip(
                    table["crystal_system"].to_pylist(), chosen, strict=True
                ):
                    both = systems.setdefault(system, [0, 0])
                    both[0] += 1
                    both[1] += bool(is_chosen)
            for row in table.filter(chosen).to_pylist():
                yield Candidate(number, row["index"], row["id"], row)

    # nsmallest keeps no more rows than it returns, and rows of equal value in their order.
    best = heapq.nsmallest(n_best, selected_rows(), key=lambda found: _place(found.values, sort))
    reasons: Counter[str] = Counter()
    n_failed = 0
    for _, table in read_partitions(out, FAILURES):
        n_failed += len(table)
        reasons.update(_kind_of(reason) for reason in table["reason"].to_pylist())
    return Findings(
        n_predicted=counts["predicted"],
        n_selected=counts["selected"],
        n_failed=n_failed,
        best=best,
        histograms=histograms,
        systems={system: (both[0], both[1]) for system, both in sorted(systems.items())},
        reasons=sorted(reasons.items(), key=lambda pair: (-pair[1], pair[0]))[:N_REASONS],
    )


def write_best(out: Path, properties: Sequence[Property], findings: Findings) -> None:
    """``top.csv``: rank, place in the source, id and the properties of the best."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    titles = [f"{item.name} ({item.unit})" if item.unit else item.name for item in properties]
    writer.writerow(["rank", "index", "id", *titles])
    for rank, found in enumerate(findings.best, 1):
        cells = [_csv_cell(found.values[item.name]) for item in properties]
        writer.writerow([rank, found.index, found.id, *cells])
    write_bytes(out / BEST, stream.getvalue().encode())


def write_report(
    out: Path,
    properties: Sequence[Property],
    findings: Findings,
    info: AnyInfo,
    facts: dict[str, str],
) -> None:
    """``report.html``: counts, histograms, the best candidates with their spectra, failures."""
    shares = {
        "predicted": f"{findings.n_predicted:,}",
        "selected": f"{findings.n_selected:,}",
        "failed": f"{findings.n_failed:,} (each with its reason in {FAILURES}/)",
    }
    named = {item.name: item for item in properties}
    sections = [
        f"<h1>Screening of {escape(facts['source'])}</h1>",
        _table([], [[key, value] for key, value in {**facts, **shares}.items()]),
        "<h2>Distributions</h2><p>All predicted crystals in grey, the selected ones in blue.</p>",
        _gallery(
            [
                (_histogram(named[name], *counts), f"Histogram of {name}")
                for name, counts in findings.histograms.items()
            ]
        ),
    ]
    if findings.systems:
        rows = [[system, *map(str, both)] for system, both in findings.systems.items()]
        sections.append(_table(["crystal system", "predicted", "selected"], rows))
    sections.append(f"<h2>The first {len(findings.best)} of the selected</h2>")
    sections.append(_gallery(_spectra(out, findings.best[:N_PLOTS], info)))
    titles = [f"{item.name} ({item.unit})" if item.unit else item.name for item in properties]
    rows = [
        [str(rank), found.id, *(_shown(found.values[item.name]) for item in properties)]
        for rank, found in enumerate(findings.best, 1)
    ]
    sections.append(_table(["", "id", *titles], rows))
    if findings.reasons:
        sections.append("<h2>Failures</h2><p>The most frequent reasons, # for any number.</p>")
        sections.append(
            _table(["reason", "records"], [[text, str(n)] for text, n in findings.reasons])
        )
    page = _PAGE.format(title=escape(f"Screening of {facts['source']}"), body="\n".join(sections))
    write_bytes(out / REPORT, page.encode())


def _numbers(table: Any, name: str) -> np.ndarray:
    """A column as float64; missing values are NaN."""
    return table[name].cast("double").to_numpy(zero_copy_only=False).astype(np.float64)


def _edges(low: float, high: float) -> np.ndarray:
    """Of the bins; they differ even where all values are one."""
    span = (high - low) or max(abs(low), 1.0) * 1e-3
    return np.linspace(low, low + span, N_BINS + 1)


def _place(row: PropertyRow, sort: Expression | None) -> tuple[bool, float]:
    """Sorts ascending, the unknown last."""
    value = None if sort is None else sort(row)
    return value is None, 0.0 if value is None else value


def _kind_of(reason: str) -> str:
    return re.sub(r"-?\d+(\.\d+)?(e[+-]?\d+)?", "#", reason)


def _csv_cell(value: Any) -> Any:
    if isinstance(value, list):
        return " ".join(value)
    return "" if value is None else value


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(_csv_cell(value))


def _table(titles: list[str], rows: list[list[str]]) -> str:
    head = "".join(f"<th>{escape(title)}</th>" for title in titles)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>\n" for row in rows
    )
    return f"<table>{f'<tr>{head}</tr>' if titles else ''}\n{body}</table>"


def _gallery(pictures: list[tuple[bytes, str]]) -> str:
    return "".join(
        f'<img alt="{escape(text)}" src="data:image/png;base64,'
        f'{base64.b64encode(picture).decode()}">\n'
        for picture, text in pictures
    )


def _histogram(item: Property, edges: np.ndarray, every: np.ndarray, some: np.ndarray) -> bytes:
    from matplotlib.figure import Figure

    drawing = Figure(figsize=(4.2, 2.6), layout="constrained")
    axes = drawing.add_subplot()
    axes.stairs(every, edges, fill=True, color=REFERENCE_COLOUR, alpha=0.4)
    axes.stairs(some, edges, fill=True, color=COLOUR)
    axes.set_xlabel(f"{item.name} ({item.unit})" if item.unit else item.name, color=TEXT_COLOUR)
    axes.set_ylabel("crystals", color=TEXT_COLOUR)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=TEXT_COLOUR, labelsize=9)
    return png(drawing)


def _spectra(out: Path, candidates: Sequence[Candidate], info: AnyInfo) -> list[tuple[bytes, str]]:
    pictures = []
    for rank, found in enumerate(candidates, 1):
        values = read_spectra(out, found.partition)[found.index, found.id]
        spectrum = Spectrum(
            grid=np.asarray(info.grid),
            values=values,
            unit=info.unit,
            normalisation=info.normalisation,
            quantity=info.quantity,
            name=f"{rank}. {found.values['formula']} ({found.id})",
        )
        pictures.append((png(figure(spectrum, size=(4.2, 2.6))), spectrum.name))
    return pictures


_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{title}</title>
<style>
body {{ font-family: system-ui, sans-serif; color: #333; max-width: 1100px; margin: 2em auto; }}
h1, h2 {{ font-weight: 600; }}
table {{ border-collapse: collapse; margin: 1em 0; font-size: 0.9em; }}
td, th {{ padding: 0.25em 0.8em; text-align: left; border-bottom: 1px solid #ddd; }}
img {{ width: 350px; margin: 0.3em; }}
</style>
</head>
<body>
{body}
</body>
</html>
"""
