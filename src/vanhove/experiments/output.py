"""The files of a reproduced table: NAME.json, NAME.npz and the figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from vanhove.experiments.comparison import MeasuredRow
from vanhove.experiments.results import TableResult
from vanhove.papers.table import Experiment
from vanhove.results import write_result


def write_table(
    result: TableResult,
    experiment: Experiment,
    measured: Sequence[MeasuredRow],
    output: Path,
    figures: Path,
) -> TableResult:
    """Write all files; the result with the names of the figures."""
    from vanhove.experiments.figures import FIGURES, write_figure

    names = []
    for name in experiment.figures:
        drawing = FIGURES[name](result, {entry.row.key: entry.runs for entry in measured})
        if drawing is not None:
            file = f"{result.stem}-{name.replace('_', '-')}.png"
            write_figure(drawing, figures / file)
            names.append(file)
    result = replace(result, figures=names)
    write_result(result.to_json(), output / f"{result.stem}.json")
    return result
