"""Any setting over a list of values: runs, a table and a figure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product
from os import PathLike
from pathlib import Path

import yaml

from vanhove.errors import ConfigError
from vanhove.evaluation.evaluate import METRIC_CONVENTIONS, Evaluation, evaluate
from vanhove.experiments.results import SweepResult, SweptPoint, SweptSplit
from vanhove.experiments.sweep_output import label_of, write_sweep
from vanhove.experiments.trained_runs import has_run, say
from vanhove.runs.config import RunConfig, flat_settings, with_overrides
from vanhove.runs.folder import run_folder
from vanhove.version import circumstances

TEST_NOTE = "Choose by the validation columns; the test columns only report."


def parse_values(assignments: Sequence[str]) -> dict[str, list[object]]:
    """``["graph.cutoff=2,4"]`` -> ``{"graph.cutoff": [2, 4]}``; values are YAML.

    Raises:
        ConfigError: no ``=``, no value, or a key that comes twice.
    """
    parsed: dict[str, list[object]] = {}
    for assignment in assignments:
        key, _, text = (part.strip() for part in assignment.partition("="))
        try:
            values = yaml.safe_load(f"[{text}]")
        except yaml.YAMLError:
            values = []
        if not key or not values or key in parsed:
            raise ConfigError(
                f"{assignment}: write each setting once, with its values, such as "
                "graph.cutoff=2,4,6"
            )
        parsed[key] = values
    return parsed


def sweep(
    base: RunConfig,
    values: Mapping[str, Sequence[object]],
    *,
    seeds: Sequence[int] = (0,),
    output: str | PathLike[str] = "sweep",
    metric: str | None = None,
    test: bool = False,
    quiet: bool = False,
) -> SweepResult:
    """Train and measure a run for each value, or combination of values, and seed.

    Writes sweep.json, sweep.csv, sweep.md and sweep.png into ``output``, anew after each value;
    run folders are ``OUTPUT/runs/NAME-KEY=VALUE-seedSEED``. Finished runs are not trained again,
    and one that was killed goes on.

    Args:
        base: the settings that are changed.
        values: dotted settings, and the values of each.
        seeds: of each run.
        output: folder.
        metric: of the figure; the one that selects the best epoch by default.
        test: once all runs are trained, also measure them on the test split.
        quiet: no progress.

    Returns:
        What was measured; sweep.json holds its `to_json`.

    Raises:
        ConfigError: a wrong setting or metric; a folder that holds a run with other settings.
        DataError: the data cannot be used.
        KeyboardInterrupt: stopped; the same call continues.
    """
    if metric is not None and metric not in METRIC_CONVENTIONS:
        raise ConfigError(f"metric {metric!r}; allowed: {', '.join(METRIC_CONVENTIONS)}")
    # All at once, so that a wrong value is found before the first hour of training.
    points = [
        _point(base, dict(zip(values, choice, strict=True))) for choice in product(*values.values())
    ]
    result = SweepResult(
        title=f"{base.name}: {', '.join(values)}",
        keys=list(values),
        seeds=list(seeds),
        metric=metric or base.training.select_by,
        notes=[
            "Each run is measured at its best epoch by validation.",
            *(["One seed: differences include chance."] if len(seeds) == 1 else []),
        ],
        conventions={},
        points=[],
        config=base.model_dump(mode="json"),
        **circumstances(),
    )

    folder = Path(output)
    every: list[list[Path]] = []
    for number, (chosen, first) in enumerate(points, start=1):
        say(f"value {number} of {len(points)}: {label_of(chosen)}", quiet)
        configs = [first.model_copy(update={"seed": seed}) for seed in seeds]
        every.append([run_folder(folder / "runs", config) for config in configs])
        for config, run in zip(configs, every[-1], strict=True):
            has_run(config, run, measured_only=False, quiet=quiet)
        found = evaluate(every[-1], "valid", quiet=quiet)
        point = SweptPoint(chosen, _swept(found), None)
        result = replace(_told(result, found), points=[*result.points, point])
        write_sweep(result, folder)
    if test:
        tested = []
        for point, runs in zip(result.points, every, strict=True):
            found = evaluate(runs, "test", quiet=quiet)
            result = _told(result, found)
            tested.append(replace(point, test=_swept(found)))
        result = replace(result, points=tested, notes=[*result.notes, TEST_NOTE])
        write_sweep(result, folder)
    return result


def _point(base: RunConfig, given: Mapping[str, object]) -> tuple[dict[str, object], RunConfig]:
    """The values as the settings hold them, and the settings."""
    # Only what was set: another encoder or decoder brings defaults of its own.
    content = base.model_dump(mode="json", exclude_unset=True)
    config = RunConfig.parse(with_overrides(content, dict(given)), label_of(given))
    flat = flat_settings(config)
    wrong = [key for key in given if key not in flat or key in ("name", "seed")]
    if wrong:
        raise ConfigError(
            f"{wrong[0]} cannot be swept: give a setting of docs/settings.md, such as "
            "graph.cutoff, and seeds with --seeds"
        )
    chosen = {key: flat[key] for key in given}
    slug = re.sub(r"[^a-zA-Z0-9_.,=+-]+", "-", label_of(chosen, ","))
    return chosen, config.model_copy(update={"name": f"{base.name}-{slug}"})


def _told(result: SweepResult, found: Evaluation) -> SweepResult:
    """Also says what the metrics of an evaluation mean, and names that of the figure as it does."""
    metric = result.metric
    if metric not in found.mean:  # such as wasserstein, in the unit of the data
        metric = next((key for key in found.mean if key.startswith(metric)), next(iter(found.mean)))
    return replace(result, metric=metric, conventions=result.conventions | found.conventions)


def _swept(found: Evaluation) -> SweptSplit:
    return SweptSplit(found.n_materials, found.dataset, found.mean, found.std, found.runs)
