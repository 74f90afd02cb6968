"""The files of a sweep: sweep.json, sweep.csv, sweep.md and sweep.png."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vanhove.atomic import write_text
from vanhove.experiments.figures import write_figure
from vanhove.experiments.results import SweepResult
from vanhove.results import write_result
from vanhove.spectra import plotting

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN = ("mae", "mse_x10", "r2", "energy_mae", "centre_mae", "dispersion_mae", "gap_mae")
"""Metrics of the table, where they are measured."""
COLOURS = (plotting.COLOUR, plotting.ACCENT_COLOUR, plotting.REFERENCE_COLOUR, "#3f8f4f", "#7a4fa3")


def label_of(values: Mapping[str, object], separator: str = ", ") -> str:
    """``graph.cutoff=4, training.beta=1``."""
    return separator.join(f"{key}={shown(value)}" for key, value in values.items())


def shown(value: object) -> str:
    """A value as a run file has it, lists with ``+`` between."""
    if isinstance(value, list):
        return "+".join(map(shown, value))
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def write_sweep(result: SweepResult, folder: Path) -> None:
    """All files; ``result`` holds one point at least."""
    write_result(result.to_json(), folder / "sweep.json")
    write_text(
        folder / "sweep.md",
        f"# {result.title}\n\n{sweep_table(result)}\n\n![{result.metric}](sweep.png)\n",
    )
    write_figure(figure(result), folder / "sweep.png")
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([*result.keys, "split", "metric", "seeds", "mean", "std"])
    for point in result.points:
        values = [shown(value) for value in point.values.values()]
        for split, measured in point.splits.items():
            for key, mean in measured.mean.items():
                spread = (measured.std or {}).get(key, "")
                writer.writerow([*values, split, key, len(measured.runs), mean, spread])
    write_text(folder / "sweep.csv", stream.getvalue())


def sweep_table(result: SweepResult) -> str:
    """As Markdown: a row for each value, mean ± spread over the seeds."""
    first = result.points[0]
    keys = [key for key in SHOWN if key in first.valid.mean]
    keys = list(dict.fromkeys([result.metric, *keys]))
    splits = list(first.splits)
    header = [*result.keys, "seeds", *(f"{split} {key}" for split in splits for key in keys)]
    rows = []
    for point in result.points:
        cells = [shown(value) for value in point.values.values()]
        cells.append(str(len(point.valid.runs)))
        for measured in point.splits.values():
            for key in keys:
                spread = (measured.std or {}).get(key)
                text = f"{measured.mean[key]:.4f}"
                cells.append(text if spread is None else f"{text} ± {spread:.4f}")
        rows.append(cells)
    lines = ["| " + " | ".join(row) + " |" for row in (header, *rows)]
    lines.insert(1, "|---" * len(header) + "|")
    meaning = [f"- {key}: {result.conventions[key]}" for key in keys]
    return "\n".join([*lines, "", *meaning, *(f"- {note}" for note in result.notes)])


def figure(result: SweepResult) -> Figure:
    """The metric over the first setting: numbers as lines, categories as bars.

    Error bars are spreads over the seeds. Of several settings, each combination of the others is a
    line, or a bar of every group.
    """
    from matplotlib.figure import Figure

    first, metric = result.keys[0], result.metric
    series: dict[str, list[tuple[Any, float, float]]] = {}
    for point in result.points:
        others = {key: value for key, value in point.values.items() if key != first}
        spread = (point.valid.std or {}).get(metric, 0.0)
        series.setdefault(label_of(others), []).append(
            (point.values[first], point.valid.mean[metric], spread)
        )
    values = [value for line in series.values() for value, _, _ in line]
    names = list(dict.fromkeys(map(shown, values)))
    numeric = all(isinstance(value, int | float) and value is not True for value in values)
    drawing = Figure(figsize=(2.0 + max(3.2, 0.8 * len(names)), 3.2), layout="constrained")
    axes = drawing.add_subplot()
    width = 0.8 / len(series)
    for number, (label, line) in enumerate(series.items()):
        colour = COLOURS[number % len(COLOURS)]
        if numeric:
            x, y, spreads = zip(*sorted(line), strict=True)
            axes.errorbar(x, y, spreads, fmt="o-", color=colour, markersize=4, label=label)
        else:
            places = np.array([names.index(shown(value)) for value, _, _ in line])
            _, y, spreads = zip(*line, strict=True)
            shift = (number - (len(series) - 1) / 2) * width
            axes.bar(places + shift, y, width, yerr=spreads, color=colour, label=label)
    if not numeric:
        axes.set_xticks(range(len(names)), names)
    if len(series) > 1:
        axes.legend(fontsize=7, frameon=False)
    axes.set_xlabel(first, color=plotting.TEXT_COLOUR, fontsize=9)
    axes.set_ylabel(f"{metric} (validation)", color=plotting.TEXT_COLOUR, fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=plotting.TEXT_COLOUR, labelsize=8)
    drawing.suptitle(result.title, fontsize=9, color=plotting.TEXT_COLOUR, x=0.01, ha="left")
    return drawing
