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
from vanhove.experiments.earlier import EarlierRow
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
    """A row and its finished runs: those measured now, and seeds that the table held before."""

    row: Row
    config: RunConfig
    runs: list[Measurement] = field(default_factory=list)
    earlier: EarlierRow | None = None

    @property
    def n_seeds(self) -> int:
        return len(self.runs) + (len(self.earlier.runs) if self.earlier else 0)


def check_same_data(present: list[MeasuredRow], shared: tuple[str, ...]) -> None:
    """Rows can be compared only when all their runs saw the same data.

    ``shared`` names what of `vanhove.runs.checkpoint.DatasetInfo` must be the same.

    Raises:
        DataError: they did not.
    """
    every = [(entry, run.description["dataset"]) for entry in present for run in entry.runs]
    for entry, dataset in every:
        if any(dataset[what] != every[0][1][what] for what in shared):
            raise DataError(
                f"the runs of {entry.row.run} and {every[0][0].row.run} saw different data or "
                "splits: train one of them again in another --runs folder"
            )


def run_numbers(
    entry: MeasuredRow, columns: list[Column], tests: list[ValidityTest]
) -> list[RunNumbers]:
    """Of each seed of a row, ascending: those that the table held, and those measured now."""
    found = list(entry.earlier.runs) if entry.earlier else []
    found += [
        RunNumbers(
            **{key: run.description[key] for key in _OF_A_RUN},
            metrics=_metrics(run, columns, tests),
        )
        for run in entry.runs
    ]
    return sorted(found, key=lambda run: run.seed)


def _metrics(
    run: Measurement, columns: list[Column], tests: list[ValidityTest]
) -> dict[str, float | None]:
    """All metrics of a run, those of the tests and of the groups that columns name included."""
    metrics = run.metrics()
    for test in tests:
        metrics |= test.errors(run.ids, run.prediction)
    groups = run.group_metrics()
    metrics |= {column.key: groups[column.key] for column in columns if column.key in groups}
    return {key: value if math.isfinite(value) else None for key, value in metrics.items()}


def compared_row(entry: MeasuredRow, runs: list[RunNumbers], columns: list[Column]) -> ComparedRow:
    """A row from its runs."""
    row, earlier = entry.row, entry.earlier
    n_parameters, config = None, entry.config.model_dump(mode="json")
    if earlier is not None:
        n_parameters, config = earlier.n_parameters, earlier.config
    elif entry.runs:
        n_parameters, config = (entry.runs[0].description[k] for k in ("n_parameters", "config"))
    mean, std = mean_and_std([run.metrics for run in runs], CONVENTIONS) if runs else (None, None)
    published = published_numbers(row, columns)
    return ComparedRow(
        label=row.label,
        model=row.model,
        run=row.run,
        seeds=[run.seed for run in runs],
        n_parameters=n_parameters,
        mean=mean,
        std=std,
        published=published,
        distance={} if mean is None else _distances(mean, published, columns),
        runs=runs,
        config=config,
        not_run=row.not_run or None,
        key=row.key,
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
        known = column.key in published.values and column.key in mean
        if not column.comparable or not known:
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


def errors_per_material(entry: MeasuredRow) -> dict[str, list[float | None]]:
    """Means over the seeds, to three digits; small enough to be kept with the results."""
    every = [run.per_material() for run in entry.runs]
    found = {}
    for key in PER_MATERIAL:
        errors = [run[key] for run in every]
        if entry.earlier is not None and entry.earlier.per_material is not None:
            before = np.array(entry.earlier.per_material[key], dtype=np.float64)
            errors += [before] * len(entry.earlier.runs)
        found[key] = [
            float(f"{value:.3g}") if math.isfinite(value) else None
            for value in np.mean(errors, axis=0)
        ]
    return found
