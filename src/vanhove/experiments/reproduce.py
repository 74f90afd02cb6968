"""Train what a table of a paper needs, measure it, and put it beside the printed numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from os import PathLike
from pathlib import Path

import torch

from vanhove.datasets import load_dataset
from vanhove.errors import ConfigError, DataError
from vanhove.evaluation.measurement import CONVENTIONS, PER_MATERIAL, Measurement, Measurer
from vanhove.evaluation.validity import PROPERTIES, SEEDS, ValidityTest, validity_test
from vanhove.experiments.comparison import (
    MeasuredRow,
    check_same_data,
    compared_row,
    errors_per_material,
    published_numbers,
    run_metrics,
)
from vanhove.experiments.options import Options
from vanhove.experiments.output import write_table
from vanhove.experiments.results import (
    ComparedRow,
    PropertyTest,
    PublishedNumbers,
    Reproduction,
    TableResult,
)
from vanhove.experiments.timing import Effort, time_models
from vanhove.experiments.trained_runs import has_run, say
from vanhove.papers.definitions import EXPERIMENTS, chosen_rows, find_experiment
from vanhove.papers.table import Column, Experiment, Row
from vanhove.results import Json
from vanhove.runs.catalog import Size
from vanhove.runs.config import RunConfig
from vanhove.runs.description import DatasetInfo
from vanhove.runs.folder import run_folder
from vanhove.version import circumstances

QUICK_EFFORT = Effort(rounds=1, steps=1, materials=8)
QUICK_NOTE = (
    "QUICK RUN on the tiny toy data set: it shows that the machinery works. NOT A MEASUREMENT: "
    "never quote a number of it."
)


@dataclass(frozen=True, kw_only=True)
class _TableOptions(Options):
    """Those of a table whose rows are runs of the catalog."""

    name: str
    size: Size

    def config(self, row: Row, seed: int) -> RunConfig:
        return row.config(self.size, seed=seed, runs=self.runs, quick=self.quick)

    def folder(self, config: RunConfig) -> Path:
        return run_folder(self.runs, config)


def reproduce(
    name: str,
    *,
    seeds: Sequence[int] | None = None,
    rows: Sequence[str] = (),
    quick: bool = False,
    measured_only: bool = False,
    size: Size | None = None,
    runs: str | PathLike[str] = "runs",
    output: str | PathLike[str] = "reproduced",
    figures: str | PathLike[str] | None = None,
    quiet: bool = False,
) -> Reproduction:
    """Reproduce a table or figure of a paper: train what is missing, measure, compare.

    Args:
        name: of `vanhove.papers.definitions.EXPERIMENTS`, ``"bandformer"`` or
            ``"finetune-fluorides"``.
        seeds: of each row; 0 by default, and with ``measured_only`` all that are there.
        rows: labels or run names; all by default.
        quick: a smoke run on little data, no measurement.
        measured_only: train nothing.
        size: settings of the named models, ``"compact"`` (default) or ``"published"``.
        runs: where run folders are.
        output: folder of the results.
        figures: folder of the figures, ``output`` by default.
        quiet: no progress.

    Returns:
        What was measured; NAME.json holds its `to_json`.

    Raises:
        ConfigError: an unknown name or row, or a run folder with other settings.
        DataError: the data cannot be used, or runs saw different data.
        KeyboardInterrupt: stopped; the same call continues.
    """
    from vanhove.experiments import bands, finetuning

    options = Options(
        seeds=None if seeds is None else tuple(dict.fromkeys(seeds)),
        quick=quick,
        measured_only=measured_only,
        runs=Path(runs),
        output=Path(output),
        figures=None if figures is None else Path(figures),
        quiet=quiet,
    )
    own_form: dict[str, Callable[[Options], Reproduction]] = {
        bands.NAME: bands.reproduce_bandformer,
        finetuning.NAME: finetuning.reproduce_finetuning,
    }
    if name not in own_form:
        return reproduce_table(name, rows, size or "compact", options)
    if rows or size is not None:
        raise ConfigError(f"{name} has one form: leave out --rows and --size")
    return own_form[name](options)


def reproducible() -> dict[str, str]:
    """Name -> title of every table and figure that `reproduce` knows."""
    from vanhove.experiments import bands, finetuning

    tables = {name: experiment.title for name, experiment in EXPERIMENTS.items()}
    return tables | {bands.NAME: bands.TITLE, finetuning.NAME: finetuning.TITLE}


def reproduce_table(name: str, rows: Sequence[str], size: Size, options: Options) -> TableResult:
    """A table or figure of a paper; see `vanhove.reproduce`.

    Every row is a run folder ``RUNS/RUN-seedSEED``, shared by all tables that need it. A finished
    run is not trained again, an interrupted one continues; a finished run that was measured before
    does not even load the data.
    """
    experiment = find_experiment(name)
    chosen = chosen_rows(name, list(rows))
    options = _TableOptions(name=name, size=size, **vars(options))
    measured: list[MeasuredRow] = []
    beside: list[MeasuredRow] = []
    with _few_threads(options.quick):
        if experiment.kind == "timing":
            content = _timed_rows(experiment, chosen, options)
        else:
            measured = _measured_rows(chosen, options)
            beside = _measured_rows(list(experiment.beside), replace(options, measured_only=True))
            content = _compared_rows(experiment, measured, options)
    result = TableResult(
        experiment=name,
        stem=_stem(options),
        title=experiment.title,
        quick=options.quick,
        size=size,
        split="test",
        notes=[*([QUICK_NOTE] if options.quick else []), *content.pop("notes")],
        **content,
        **circumstances(),
        figures=[],
    )
    return write_table(
        result, experiment, [*measured, *beside], options.output, options.figure_folder
    )


@contextmanager
def _few_threads(quick: bool) -> Iterator[None]:
    """One thread for a quick run: its arrays are so small that more would wait for each other."""
    threads = torch.get_num_threads()
    if quick:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _stem(options: _TableOptions) -> str:
    suffix = "" if options.size == "compact" else f"-{options.size}"
    return options.name + suffix + ("-quick" if options.quick else "")


def _measured_rows(chosen: list[Row], options: _TableOptions) -> list[MeasuredRow]:
    """Train (unless told not to) and measure the runs of each row."""
    measurer = Measurer(options.quiet)
    measured = []
    for number, row in enumerate(chosen, start=1):
        entry = MeasuredRow(row, options.config(row, 0))
        say(f"row {number} of {len(chosen)}: {row.label}", options.quiet)
        for seed in options.seeds_of(entry.config.name):
            if not all(_trained(needed, seed, options) for needed in (row.start, row.scale, row)):
                continue
            folder = options.folder(options.config(row, seed))
            measurement = measurer.measure(folder, row.conditions)
            if row.scale is not None:
                scale = options.folder(options.config(row.scale, seed))
                measurement = measurement.scaled_as(measurer.measure(scale))
            entry.runs.append(measurement)
        measured.append(entry)
    return measured


def _trained(row: Row | None, seed: int, options: _TableOptions) -> bool:
    """Whether the run is there; it is trained first unless nothing is to be trained."""
    if row is None:
        return True
    config = options.config(row, seed)
    folder = options.folder(config)
    return has_run(config, folder, measured_only=options.measured_only, quiet=options.quiet)


def _compared_rows(
    experiment: Experiment, measured: list[MeasuredRow], options: _TableOptions
) -> Json:
    columns = list(experiment.columns)
    if experiment.common_materials:
        _restrict_to_common(measured)
    present = [entry for entry in measured if entry.runs]
    notes = list(experiment.notes)
    properties: dict[str, PropertyTest] = {}
    tests = []
    for name in experiment.properties if present else ():
        test = _validity(name, present[0].config, options, notes)
        if test is not None:
            tests.append(test)
            properties[name] = _describe_test(test)
            notes += properties[name].notes
    absent = set(PROPERTIES) - {test.of.name for test in tests}
    columns = [c for c in columns if c.key.removesuffix("_mse") not in absent]
    metrics = [[run_metrics(run, columns, tests) for run in entry.runs] for entry in measured]
    _add_ratios(metrics, measured, experiment.reference)
    rows = [compared_row(entry, own, columns) for entry, own in zip(measured, metrics, strict=True)]
    counts = {len(entry.runs) for entry in present}
    if len(counts) > 1:
        notes.append("Rows have different numbers of seeds; spreads stand where there are several.")
    elif counts == {1}:
        notes.append("One seed for each row: differences between rows include chance.")
    missing = [entry.row.label for entry in measured if not entry.runs]
    if missing:
        notes.append(f"Not run yet: {'; '.join(missing)}.")
    every = len(chosen_rows(options.name))
    if len(measured) < every:
        notes.append(f"{len(measured)} of {every} rows were asked for.")
    keys = dict.fromkeys(key for row in rows for key in row.mean or ())
    content: Json = {
        "notes": notes,
        "conventions": {key: CONVENTIONS[key] for key in keys},
        "columns": columns,
        "rows": rows,
        "properties": properties,
    }
    if present:
        first = present[0].runs[0]
        check_same_data(present, _shared_by(experiment))
        content |= {
            "n_materials": len(first.ids),
            "dataset": first.description["dataset"],
            "ids": first.ids,
            "per_material_conventions": PER_MATERIAL,
            "per_material": {entry.row.key: errors_per_material(entry.runs) for entry in present},
        }
        content["notes"] += first.description["notes"]
    return content


def _shared_by(experiment: Experiment) -> tuple[str, ...]:
    """What of the data must be the same for rows that are compared."""
    if experiment.common_materials:
        return ("hash",)
    return ("name", "split_hash") if experiment.several_grids else tuple(DatasetInfo.model_fields)


def _restrict_to_common(measured: list[MeasuredRow]) -> None:
    """Leave the test materials that all rows share; also between the seeds of a row."""
    every: list[Measurement] = [run for entry in measured for run in entry.runs]
    if every:
        shared = set.intersection(*(set(run.ids) for run in every))
        ids = [material for material in every[0].ids if material in shared]
        for entry in measured:
            entry.runs = [run.restricted(ids) for run in entry.runs]


def _add_ratios(
    metrics: list[list[dict[str, float | None]]], measured: list[MeasuredRow], reference: str
) -> None:
    """``mae_ratio`` of each run: its MAE over that of its reference row's run of that seed."""
    of_label = {
        entry.row.label: {
            run.description["seed"]: found["mae"]
            for run, found in zip(entry.runs, own, strict=True)
        }
        for entry, own in zip(measured, metrics, strict=True)
    }
    for entry, own in zip(measured, metrics, strict=True):
        whole = of_label.get(entry.row.reference or reference, {})
        for run, found in zip(entry.runs, own, strict=True):
            mae, other = found["mae"], whole.get(run.description["seed"])
            if mae is not None and other is not None:
                found["mae_ratio"] = mae / other


def _validity(
    name: str, config: RunConfig, options: _TableOptions, notes: list[str]
) -> ValidityTest | None:
    try:
        say(f"{PROPERTIES[name].title}: training the networks of the validity test", options.quiet)
        return validity_test(name, config.data.dataset, seeds=2 if options.quick else SEEDS)
    except DataError as error:
        notes.append(f"The {PROPERTIES[name].title} test is left out: {error}.")
        return None


def _describe_test(test: ValidityTest) -> PropertyTest:
    counts, of = test.counts, test.of
    learned = "standardised logarithm of the value" if of.logarithm else "value"
    bound = ", ".join(f"{key} {value:.3f}" for key, value in test.lower_bound.items())
    return PropertyTest(
        counts=counts,
        mean=test.mean,
        std=test.std,
        networks=len(test.networks),
        true_spectra=test.lower_bound,
        notes=[
            f"{of.title.capitalize()}: an MLP learns the {learned} from the true DOS "
            f"({counts['train']} train, {counts['valid']} valid crystals where it is known) and is "
            f"applied to the predicted DOS of {counts['test']} test crystals; mean over "
            f"{len(test.networks)} networks. On the true DOS: {bound}; what a perfect prediction "
            f"would give. {of.note}",
        ],
    )


def _timed_rows(experiment: Experiment, chosen: list[Row], options: _TableOptions) -> Json:
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
