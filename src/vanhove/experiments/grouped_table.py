"""A table of errors by kinds of crystals, from the errors of single materials of another table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from vanhove.crystal.crystal import Crystal
from vanhove.errors import DataError
from vanhove.evaluation.measurement import PER_MATERIAL
from vanhove.evaluation.measures import bootstrap_interval
from vanhove.experiments.comparison import published_numbers
from vanhove.experiments.earlier import Earlier
from vanhove.experiments.options import TableOptions
from vanhove.experiments.results import ComparedRow
from vanhove.papers.table import Experiment, Row
from vanhove.results import Json
from vanhove.runs.prepared import load_run_data

WITH, WITHOUT = "with transition metals", "without transition metals"
TRANSITION_METALS = frozenset((*range(21, 31), *range(39, 49), 57, *range(72, 81)))
"""Groups 3 to 12 of the periodic table, La for its group."""


def grouped_rows(experiment: Experiment, chosen: list[Row], options: TableOptions) -> Json:
    """What `TableResult` holds of a table of groups: nothing is trained.

    Raises:
        DataError: the table that it is made of is not there, or lacks the data.
    """
    path = options.output / f"{experiment.source}{'-quick' if options.quick else ''}.json"
    source = Earlier.read(path)
    if source is None or not source.ids:
        raise DataError(f"{options.name} is made of {path}: vanhove reproduce {experiment.source}")
    dataset = load_run_data(options.config(experiment.rows[0], 0))
    place = {name: row for row, name in enumerate(dataset.ids)}
    groups = groups_of([dataset.crystals[place[name]] for name in source.ids])
    errors = source.content["per_material"]
    seeds = {row["run"]: row["seeds"] for row in source.content["rows"]}
    counts = ", ".join(f"{members.sum()} {name}" for name, members in groups.items())
    return {
        "notes": [
            *experiment.notes,
            f"From the errors of single crystals in `{experiment.source}`: {counts}. In brackets "
            "the 95 % interval of a bootstrap over the crystals (2,000 samples).",
        ],
        "conventions": {
            f"{key}[{group}]": f"{PER_MATERIAL[key]}, mean over those {group}"
            for key in ("mae", "mse_x10")
            for group in groups
        },
        "columns": list(experiment.columns),
        "rows": [
            _row(row, errors.get(row.key), seeds.get(row.run, []), groups, experiment, options)
            for row in chosen
        ],
        "properties": {},
        "n_materials": len(source.ids),
        "dataset": source.dataset,
    }


def groups_of(crystals: Sequence[Crystal]) -> dict[str, np.ndarray]:
    """Name -> members, ``[n_crystals]`` bool."""
    has = np.array([bool(TRANSITION_METALS & set(c.atomic_numbers.tolist())) for c in crystals])
    return {WITH: has, WITHOUT: ~has}


def _row(
    row: Row,
    errors: Mapping[str, Sequence[float | None]] | None,
    seeds: list[int],
    groups: Mapping[str, np.ndarray],
    experiment: Experiment,
    options: TableOptions,
) -> ComparedRow:
    mean: dict[str, float] = {}
    intervals: dict[str, tuple[float, float]] = {}
    for key in ("mae", "mse_x10") if errors is not None else ():
        values = np.array(errors[key], dtype=np.float64)  # type: ignore[index]
        for group, members in groups.items():
            mean[f"{key}[{group}]"] = float(values[members].mean())
            intervals[f"{key}[{group}]"] = bootstrap_interval(values[members])
    return ComparedRow(
        label=row.label,
        model=row.model,
        run=row.run,
        seeds=seeds if mean else [],
        n_parameters=None,
        mean=mean or None,
        std=None,
        published=published_numbers(row, list(experiment.columns)),
        distance={},
        runs=[],
        config=options.config(row, 0).model_dump(mode="json"),
        not_run=row.not_run or None,
        intervals=intervals or None,
    )
