"""A row of a table: our runs beside the printed numbers, and how far they are apart."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from vanhove.errors import DataError
from vanhove.evaluation.measurement import CONVENTIONS, PER_MATERIAL, Measurement
from vanhove.evaluation.measures import mean_and_std
from vanhove.evaluation.validity import ValidityTest
from vanhove.experiments.results import ComparedRow, Distance, PublishedNumbers, RunNumbers
from vanhove.papers.published import PHONON_DATA
from vanhove.papers.table import Column, Row
from vanhove.runs.config import RunConfig

LARGE_SPREADS, LARGE_RELATIVE, ROUNDING = 2.0, 0.1, 0.0005
"""A distance is large beyond twice the printed spread (which is at least its rounding), or, where
no spread is printed, beyond 10 %."""

_OF_A_RUN = ("seed", "epoch", "n_parameters", "training_seconds", "validation")


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


def run_metrics(
    run: Measurement, columns: list[Column], tests: list[ValidityTest]
) -> dict[str, float | None]:
    """All metrics of a run, those of the tests and of the groups that columns name included."""
    metrics = run.metrics()
    for test in tests:
        metrics |= test.errors(run.ids, run.prediction)
    groups = run.group_metrics()
    metrics |= {column.key: groups[column.key] for column in columns if column.key in groups}
    return {key: value if math.isfinite(value) else None for key, value in metrics.items()}


def compared_row(
    entry: MeasuredRow, metrics: list[dict[str, float | None]], columns: list[Column]
) -> ComparedRow:
    """A row from the metrics of its runs."""
    row, first = entry.row, entry.runs[0].description if entry.runs else None
    mean, std = mean_and_std(metrics, CONVENTIONS) if entry.runs else (None, None)
    published = published_numbers(row, columns)
    return ComparedRow(
        label=row.label,
        model=row.model,
        run=row.run,
        seeds=[run.description["seed"] for run in entry.runs],
        n_parameters=None if first is None else first["n_parameters"],
        mean=mean,
        std=std,
        published=published,
        distance={} if mean is None else _distances(mean, published, columns),
        runs=[
            RunNumbers(**{key: run.description[key] for key in _OF_A_RUN}, metrics=own)
            for run, own in zip(entry.runs, metrics, strict=True)
        ],
        config=entry.config.model_dump(mode="json") if first is None else first["config"],
    )


def published_numbers(row: Row, columns: list[Column]) -> PublishedNumbers | None:
    """The printed row in our keys and units; None where the paper has no such row."""
    published = row.published_row()
    if published is None:
        return None

    def ours(printed: Mapping[str, float]) -> dict[str, float]:
        return {
            column.key: printed[column.published] * column.factor
            for column in columns
            if column.published and column.published in printed
        }

    return PublishedNumbers(
        source=published.source,
        table=published.table,
        dataset=published.dataset,
        model=published.model,
        variant=published.variant,
        values=ours(published.values),
        spread=ours(published.spread),
    )


def _distances(
    mean: Mapping[str, float], published: PublishedNumbers | None, columns: list[Column]
) -> dict[str, Distance]:
    """How far each number is from the printed one, where data and size can be compared."""
    if published is None or published.dataset != PHONON_DATA[0]:
        return {}
    found = {}
    for column in columns:
        if not column.comparable or column.key not in published.values:
            continue
        value = published.values[column.key]
        difference = mean[column.key] - value
        relative = difference / abs(value)
        spreads = None
        if column.key in published.spread:
            spreads = difference / max(published.spread[column.key], ROUNDING)
        large = abs(relative) > LARGE_RELATIVE if spreads is None else abs(spreads) > LARGE_SPREADS
        found[column.key] = Distance(relative, spreads, bool(large))
    return found


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
