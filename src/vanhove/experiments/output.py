"""The files of a reproduced table: NAME.json, NAME.npz and the figures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from vanhove.experiments.results import TableResult
from vanhove.papers.table import Experiment
from vanhove.results import write_result


def write_table(
    result: TableResult, experiment: Experiment, output: Path, figures: Path
) -> TableResult:
    """Write all files; the result with the names of the figures.

    A figure of single predictions stays as it is where some of them are gone with their run
    folders.
    """
    from vanhove.experiments.figures import FIGURES, OF_PREDICTIONS, write_figure

    names = []
    kept = result.examples or {}
    gone = any(row.seeds and row.key not in kept for row in result.rows)
    for name in experiment.figures:
        path = figures / f"{result.stem}-{name.replace('_', '-')}.png"
        if not (gone and name in OF_PREDICTIONS and path.exists()):
            drawing = FIGURES[name](result)
            if drawing is None:
                continue
            write_figure(drawing, path)
        names.append(path.name)
    result = replace(result, figures=names)
    write_result(result.to_json(), output / f"{result.stem}.json")
    return result
