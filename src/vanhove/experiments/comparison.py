"""A row of a table: our runs beside the printed numbers, and how far they are apart."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from vanhove.errors import DataError
from vanhove.evaluation.measurement import CONVENTIONS, PER_MATERIAL, Measurement
from vanhove.evaluation.measures import mean_and_std
from vanhove.evaluation.validity import ValidityTest
from vanhove.papers.published import PHONON_DATA
from vanhove.papers.table import Column, Row
from vanhove.results import Json
from vanhove.runs.config import RunConfig

LARGE_SPREADS, LARGE_RELATIVE, ROUNDING = 2.0, 0.1, 0.0005
"""A distance is large beyond twice the printed spread (which is at least its rounding), or, where
no spread is printed, beyond 10 %."""


@dataclass
class MeasuredRow:
    """A row and its finished runs."""

    row: Row
    config: RunConfig
    runs: list[Measurement] = field(default_factory=list)


def check_same_data(present: list[MeasuredRow], shared: tuple[str, ...]) -> None:
    """Rows can be compared only when all their runs saw the same data.

    ``shared`` names what of `vanhove.runs.checkpoint.DatasetInfo` must be the same.

    Raises:
        DataError: they did not.
    """
    first = present[0].runs[0].description["dataset"]
    for entry in present:
        for run in entry.runs:
            dataset = run.description["dataset"]
            if any(dataset[what] != first[what] for what in shared):
                raise DataError(
                    f"the runs of {entry.row.run} and {present[0].row.run} saw different data or "
                    "splits: train one of them again in another --runs folder"
                )


def row_content(entry: MeasuredRow, columns: list[Column], tests: list[ValidityTest]) -> Json:
    """What NAME.json says of a row; without runs, means and spreads are None."""
    row = entry.row
    content: Json = {
        "label": row.label,
        "model": row.model,
        "run": row.run,
        "seeds": [run.description["seed"] for run in entry.runs],
        "n_parameters": entry.runs[0].description["n_parameters"] if entry.runs else None,
        "mean": None,
        "std": None,
        "published": published_content(row, columns),
        "distance": {},
        "runs": [],
        "config": (
            entry.runs[0].description["config"]
            if entry.runs
            else entry.config.model_dump(mode="json")
        ),
    }
    for run in entry.runs:
        metrics = run.metrics()
        for test in tests:
            metrics |= test.errors(run.ids, run.prediction)
        groups = run.group_metrics()
        metrics |= {column.key: groups[column.key] for column in columns if column.key in groups}
        content["runs"].append(
            {
                key: run.description[key]
                for key in ("seed", "epoch", "n_parameters", "training_seconds", "validation")
            }
            | {"metrics": {k: v if math.isfinite(v) else None for k, v in metrics.items()}}
        )
    if entry.runs:
        content["mean"], content["std"] = mean_and_std(
            [run["metrics"] for run in content["runs"]], CONVENTIONS
        )
        content["distance"] = _distances(content, row, columns)
    return content


def published_content(row: Row, columns: list[Column]) -> Json | None:
    """The printed row in our keys and units; None where the paper has no such row."""
    published = row.published_row()
    if published is None:
        return None
    pairs = [(column, column.published) for column in columns if column.published]
    return {
        "source": published.source,
        "table": published.table,
        "dataset": published.dataset,
        "model": published.model,
        "variant": published.variant,
        "values": {
            column.key: published.values[name] * column.factor
            for column, name in pairs
            if name in published.values
        },
        "spread": {
            column.key: published.spread[name] * column.factor
            for column, name in pairs
            if name in published.spread
        },
    }


def _distances(content: Json, row: Row, columns: list[Column]) -> Json:
    """How far each number is from the printed one: relative, and in printed spreads."""
    published = content["published"]
    if published is None or published["dataset"] != PHONON_DATA[0]:
        return {}
    found = {}
    for column in columns:
        if not column.comparable or column.key not in published["values"]:
            continue
        value = published["values"][column.key]
        difference = content["mean"][column.key] - value
        relative = difference / abs(value)
        spreads = None
        if column.key in published["spread"]:
            spreads = difference / max(published["spread"][column.key], ROUNDING)
        large = abs(relative) > LARGE_RELATIVE if spreads is None else abs(spreads) > LARGE_SPREADS
        found[column.key] = {
            "relative": relative,
            "published_spreads": spreads,
            "large": bool(large),
        }
    return found


def column_content(column: Column) -> Json:
    """What NAME.json says of a column."""
    return {
        "key": column.key,
        "title": column.title,
        "published": column.published,
        "factor": column.factor,
        "digits": column.digits,
        "comparable": column.comparable,
        "smaller_is_better": column.smaller_is_better,
    }


def errors_per_material(runs: list[Measurement]) -> dict[str, list[float | None]]:
    """Means over the seeds, to three digits; small enough to be kept with the results."""
    every = [run.per_material() for run in runs]
    return {
        key: [
            float(f"{value:.3g}") if math.isfinite(value) else None
            for value in np.mean([one[key] for one in every], axis=0)
        ]
        for key in PER_MATERIAL
    }
