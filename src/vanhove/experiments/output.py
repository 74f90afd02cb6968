"""The files of a reproduced table: NAME.json, NAME.npz and the figures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vanhove.experiments.comparison import MeasuredRow
from vanhove.papers.table import Experiment
from vanhove.results import Json, write_result


def write_table(
    result: Json,
    experiment: Experiment,
    measured: Sequence[MeasuredRow],
    output: Path,
    figures: Path,
) -> None:
    """Write all files; the names of the figures are added to ``result``."""
    from vanhove.experiments.figures import FIGURES, write_figure

    stem = result["stem"]
    result["figures"] = []
    for name in experiment.figures:
        drawing = FIGURES[name](result, {entry.row.key: entry.runs for entry in measured})
        if drawing is not None:
            file = f"{stem}-{name.replace('_', '-')}.png"
            write_figure(drawing, figures / file)
            result["figures"].append(file)
    write_result(result, output / f"{stem}.json")
