"""Rows of a table that need no model: what every model must beat."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vanhove.crystal.symmetry import CRYSTAL_SYSTEMS, crystal_system_of, space_group
from vanhove.datasets.dataset import SpectrumDataset
from vanhove.evaluation.baselines import spectrum_constants
from vanhove.evaluation.measurement import CONVENTIONS, Measurement
from vanhove.evaluation.validity import ValidityTest
from vanhove.experiments.results import BaselineRow, ComparedRow
from vanhove.papers.table import Column
from vanhove.runs.config import RunConfig
from vanhove.runs.description import DatasetInfo
from vanhove.runs.prepared import load_run_data

BEST_CONSTANT = "best constant"
"""The training mean of a property itself, where a table learns properties from spectra."""


def baseline_rows(
    config: RunConfig, ids: Sequence[str], columns: Sequence[Column], tests: Sequence[ValidityTest]
) -> list[BaselineRow]:
    """Training mean, training median, nearest composition, and the best constant of properties.

    Args:
        config: of a run of the table; all of its training part is used.
        ids: of the test materials that the table is measured on.
        columns: of the table.
        tests: of properties that follow from spectra.

    Returns:
        Measured as the rows of models are.
    """
    whole = config.data.model_copy(update={"train_fraction": None})
    dataset = load_run_data(config.model_copy(update={"data": whole}))
    return baselines_of(dataset, ids, columns, tests)


def baselines_of(
    dataset: SpectrumDataset,
    ids: Sequence[str],
    columns: Sequence[Column],
    tests: Sequence[ValidityTest],
) -> list[BaselineRow]:
    """`baseline_rows` of a data set that is there; arguments as there."""
    place = {name: row for row, name in enumerate(dataset.ids)}
    rows = np.array([place[name] for name in ids])
    crystals = [dataset.crystals[row] for row in rows]
    systems = [crystal_system_of(space_group(crystal)[1]) for crystal in crystals]
    found = []
    for label, prediction in spectrum_constants(dataset, rows).items():
        measurement = Measurement(
            {
                "unit": dataset.unit,
                "normalisation": dataset.normalisation,
                "dataset": DatasetInfo.of(dataset).model_dump(),
                "mean_neighbors": 0.0,
            },
            list(ids),
            np.array([len(crystal.atomic_numbers) for crystal in crystals]),
            np.array([len(np.unique(crystal.atomic_numbers)) for crystal in crystals]),
            np.array([CRYSTAL_SYSTEMS.index(system) for system in systems]),
            dataset.grid,
            dataset.values[rows].astype(np.float64),
            prediction,
        )
        metrics = measurement.metrics() | measurement.group_metrics()
        for test in tests:
            metrics |= test.errors(list(ids), prediction)
        shown = [*CONVENTIONS, *(column.key for column in columns)]
        values = {key: metrics[key] for key in dict.fromkeys(shown) if key in metrics}
        values.pop("mean_neighbors")
        found.append(BaselineRow(label, {k: v for k, v in values.items() if np.isfinite(v)}))
    if tests:
        constants = {key: v for test in tests for key, v in test.constant_errors().items()}
        found.append(BaselineRow(BEST_CONSTANT, constants))
    return found


def unbeaten(
    columns: Sequence[Column], rows: Sequence[ComparedRow], baselines: Sequence[BaselineRow]
) -> list[str]:
    """A sentence for each column in which no model beats what needs none."""
    found = []
    for column in columns:
        key, sign = column.key, 1 if column.smaller_is_better else -1
        known = [(sign * row.mean[key], row.label) for row in baselines if key in row.mean]
        models = [sign * row.means[key] for row in rows if key in row.means]
        if known and models and min(known)[0] <= min(models):
            value, label = min(known)
            shown = f"{sign * value:.{column.digits}f}"
            found.append(f"{column.title}: no model beats the {label} ({shown}).")
    return found
