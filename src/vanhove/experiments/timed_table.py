"""A table of times: steps of its models are timed in turns, as ratios to one of them."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from vanhove.datasets import load_dataset
from vanhove.errors import ConfigError
from vanhove.experiments.comparison import published_numbers
from vanhove.experiments.options import TableOptions
from vanhove.experiments.results import ComparedRow, PublishedNumbers
from vanhove.experiments.timing import Effort, time_models
from vanhove.experiments.trained_runs import say
from vanhove.papers.table import Column, Experiment, Row
from vanhove.results import Json
from vanhove.runs.description import DatasetInfo

QUICK_EFFORT = Effort(rounds=1, steps=1, materials=8)


def timed_rows(experiment: Experiment, chosen: list[Row], options: TableOptions) -> Json:
    """What `TableResult` holds of a table whose rows are timed: nothing is trained to its end.

    Raises:
        ConfigError: ``measured_only``.
    """
    if options.measured_only:
        raise ConfigError(
            f"{options.name} times training steps, which no finished run holds; leave "
            "--measured-only out"
        )
    reference = next(row for row in experiment.rows if row.label == experiment.reference)
    if reference not in chosen:
        chosen = [*chosen, reference]
    configs = [options.config(row, 0) for row in chosen]
    effort = QUICK_EFFORT if options.quick else Effort()
    dataset = load_dataset(configs[0].data.dataset, split=configs[0].data.split)
    seconds = time_models(dataset, configs, effort, partial(say, quiet=options.quiet))
    own = seconds[chosen.index(reference)]
    columns = list(experiment.columns)
    rows = [
        ComparedRow(
            label=row.label,
            model=row.model,
            run=row.run,
            seeds=[],
            n_parameters=None,
            mean={
                "train_ratio": times["train_seconds"] / own["train_seconds"],
                "inference_ratio": times["inference_seconds"] / own["inference_seconds"],
                **times,
            },
            std=None,
            published=_published_ratios(row, reference, columns),
            distance={},
            runs=[],
            config=config.model_dump(mode="json"),
        )
        for row, config, times in zip(chosen, configs, seconds, strict=True)
    ]
    notes = [
        *experiment.notes,
        f"Each number is the median of {effort.rounds} rounds, in which the models take turns: "
        f"{effort.steps} training steps of {configs[0].training.batch_size} crystals and "
        f"{effort.materials} test crystals per turn, taken to the whole train and test parts; one "
        "round of warm-up does not count. Neither the building of graphs nor validation is in it.",
    ]
    conventions = {
        "train_ratio": f"training time per epoch, {experiment.reference} = 1",
        "inference_ratio": f"inference time over the test split, {experiment.reference} = 1",
        "train_seconds": "training seconds per epoch",
        "inference_seconds": "inference seconds over the test split",
    }
    return {
        "notes": notes,
        "dataset": DatasetInfo.of(dataset).model_dump(),
        "conventions": conventions,
        "columns": columns,
        "rows": rows,
        "properties": {},
    }


def _published_ratios(row: Row, reference: Row, columns: list[Column]) -> PublishedNumbers | None:
    """The printed seconds of a row over those of the reference."""
    published, whole = (published_numbers(one, columns) for one in (row, reference))
    if published is None or whole is None:
        return published
    values = {key: value / whole.values[key] for key, value in published.values.items()}
    return replace(published, values=values)
