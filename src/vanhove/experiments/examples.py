"""What a result keeps of predictions, so that its figures can be drawn without the run folders."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vanhove.evaluation.measurement import Measurement
from vanhove.experiments.comparison import MeasuredRow
from vanhove.experiments.results import Example
from vanhove.results import Json

N_GROUPS = 5
_PERCENTILES = (5, 25, 50, 75, 95)
RELATIVE_ERRORS = {"heat_capacity_300K": "C_V(300 K)", "mean_frequency": "the mean frequency"}


def examples_of(present: Sequence[MeasuredRow]) -> dict[str, list[Example]]:
    """By row: the typical crystal of each fifth of the test crystals by MAE, of its first run.

    Rows whose runs are gone keep what the earlier file held.
    """
    found = {}
    for entry in present:
        if entry.earlier is not None and entry.earlier.examples:
            found[entry.row.key] = [Example(**one) for one in entry.earlier.examples]
        elif entry.runs:
            found[entry.row.key] = typical(entry.runs[0])
    return found


def typical(run: Measurement) -> list[Example]:
    """The crystal in the middle of each fifth, from the best to the worst; fewer than 5: fewer."""
    errors = run.per_material()["mae"]
    fifths = np.array_split(np.argsort(errors), N_GROUPS)
    return [
        Example(
            run.ids[row],
            float(f"{errors[row]:.4g}"),
            run.grid.tolist(),
            np.round(run.target[row].astype(float), 4).tolist(),
            np.round(run.prediction[row].astype(float), 4).tolist(),
        )
        for row in (group[len(group) // 2] for group in fifths if len(group))
    ]


def relative_errors_of(present: Sequence[MeasuredRow]) -> Json:
    """By row: 5, 25, 50, 75 and 95 % of the relative errors of `RELATIVE_ERRORS`, in percent.

    Over the test crystals of all runs; of rows whose runs are gone, as the earlier file held.
    Empty for electrons.
    """
    found: Json = {}
    for entry in present:
        kinds = (Measurement.capacities, Measurement.frequencies)
        own = {
            key: [100 * (ours - true) / true for true, ours in map(kind, entry.runs)]
            for key, kind in zip(RELATIVE_ERRORS, kinds, strict=True)
        }
        if entry.earlier is not None and entry.earlier.relative_errors:
            found[entry.row.key] = dict(entry.earlier.relative_errors)
        elif all(errors and np.concatenate(errors).size for errors in own.values()):
            found[entry.row.key] = {
                key: np.round(np.percentile(np.concatenate(errors), _PERCENTILES), 3).tolist()
                for key, errors in own.items()
            }
    return found
