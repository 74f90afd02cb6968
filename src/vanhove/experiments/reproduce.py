"""Train what a table of a paper needs, measure it, and put it beside the printed numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from os import PathLike
from pathlib import Path

import torch
from filelock import FileLock

from vanhove.errors import ConfigError, DataError
from vanhove.evaluation.measurement import CONVENTIONS, PER_MATERIAL, Measurement, Measurer
from vanhove.evaluation.validity import PROPERTIES, SEEDS, ValidityTest, validity_test
from vanhove.experiments.baseline_rows import baseline_rows, unbeaten
from vanhove.experiments.comparison import (
    MeasuredRow,
    check_same_data,
    compared_row,
    errors_per_material,
    run_numbers,
)
from vanhove.experiments.discovery import discovered_rows
from vanhove.experiments.earlier import Earlier, EarlierRow
from vanhove.experiments.examples import examples_of, relative_errors_of
from vanhove.experiments.grouped_table import grouped_rows
from vanhove.experiments.options import Options, TableOptions
from vanhove.experiments.output import write_table
from vanhove.experiments.results import (
    PropertyTest,
    Reproduction,
    RunNumbers,
    TableResult,
)
from vanhove.experiments.timed_table import timed_rows
from vanhove.experiments.trained_runs import has_run, say
from vanhove.papers.definitions import EXPERIMENTS, chosen_rows, find_experiment
from vanhove.papers.table import Experiment, Kind, Row
from vanhove.results import Json
from vanhove.runs.catalog import Size
from vanhove.runs.config import RunConfig
from vanhove.runs.description import DatasetInfo
from vanhove.runs.prepared import load_run_data
from vanhove.version import circumstances

QUICK_NOTE = (
    "QUICK RUN on the tiny toy data set: it shows that the machinery works. NOT A MEASUREMENT: "
    "never quote a number of it."
)


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
    does not even load the data. Seeds that ``OUTPUT/NAME.json`` holds stay there and are not
    trained again, if settings and data are those of today; delete the file to begin anew.
    """
    experiment = find_experiment(name)
    chosen = chosen_rows(name, list(rows))
    options = TableOptions(name=name, size=size, **vars(options))
    with _few_threads(options.quick):
        if experiment.kind in _OTHER_KINDS:
            content = _OTHER_KINDS[experiment.kind](experiment, chosen, options)
            return _written(experiment, content, options)
        earlier = _earlier(experiment, options)
        for row in chosen:
            say(f"row {row.label}", options.quiet)
            config = options.config(row, 0)
            kept = earlier.row(row, config) if earlier else None
            for seed in _wanted_seeds(config, options, kept):
                _has_runs(row, seed, options)
        with _sole_writer(options):
            earlier = _earlier(experiment, options)
            whole = list(experiment.rows) if earlier else chosen
            measured = _measured_rows(whole, chosen, options, earlier)
            content = _compared_rows(experiment, measured, options, earlier)
            return _written(experiment, content, options)


_OTHER_KINDS: dict[Kind, Callable[[Experiment, list[Row], TableOptions], Json]] = {
    "timing": timed_rows,
    "discovery": discovered_rows,
    "groups": grouped_rows,
}
"""How tables are made whose numbers are not those of runs on the test part."""


def _written(experiment: Experiment, content: Json, options: TableOptions) -> TableResult:
    """The result, written with its figures."""
    result = TableResult(
        experiment=options.name,
        stem=options.stem,
        title=experiment.title,
        quick=options.quick,
        size=options.size,
        split="test",
        notes=[*([QUICK_NOTE] if options.quick else []), *content.pop("notes")],
        **content,
        **circumstances(),
        figures=[],
    )
    return write_table(result, experiment, options.output, options.figure_folder)


def _earlier(experiment: Experiment, options: TableOptions) -> Earlier | None:
    """What the file of the table holds, if it is of the data of today.

    None for a quick run, and where the materials that rows share depend on all their seeds.

    Raises:
        DataError: it is of other data, and nothing is to be trained that could take its place.
    """
    if options.quick or experiment.common_materials:
        return None
    path = options.output / f"{options.stem}.json"
    earlier = Earlier.read(path)
    if earlier is None or earlier.dataset is None:
        return None
    today = DatasetInfo.of(load_run_data(options.config(experiment.rows[0], 0))).model_dump()
    # How a split is worded is no part of it.
    if any(
        earlier.dataset[what] != today[what] for what in _shared_by(experiment) if what != "split"
    ):
        if options.measured_only:
            raise DataError(
                f"{path} is of other data than today's: leave --measured-only out, or give another "
                "--output"
            )
        say(f"{path} is of other data than today's: all rows are measured anew", options.quiet)
        return None
    return earlier


@contextmanager
def _sole_writer(options: TableOptions) -> Iterator[None]:
    """Several processes may work on one table: one at a time adds to its file."""
    options.runs.mkdir(parents=True, exist_ok=True)
    with FileLock(options.runs / f"{options.stem}.lock"):
        yield


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


def _measured_rows(
    rows: Sequence[Row], chosen: Sequence[Row], options: TableOptions, earlier: Earlier | None
) -> list[MeasuredRow]:
    """What the table held of each row, and for the chosen ones the finished runs."""
    measurer = Measurer(options.quiet)
    measured = []
    for row in rows:
        entry = MeasuredRow(row, options.config(row, 0))
        entry.earlier = earlier.row(row, entry.config) if earlier else None
        for seed in _wanted_seeds(entry.config, options, entry.earlier) if row in chosen else ():
            if not _has_runs(row, seed, replace(options, measured_only=True)):
                continue
            measurement = measurer.measure(options.folder(row, seed), row.conditions)
            if row.scale is not None:
                scale = measurer.measure(options.folder(row.scale, seed))
                measurement = measurement.scaled_as(scale)
            entry.runs.append(measurement)
        measured.append(entry)
    return measured


def _wanted_seeds(config: RunConfig, options: TableOptions, kept: EarlierRow | None) -> list[int]:
    """Those asked for that the table does not hold yet."""
    return [s for s in options.seeds_of(config.name) if kept is None or s not in kept.seeds]


def _has_runs(row: Row, seed: int, options: TableOptions) -> bool:
    """Whether the run is there, and those it needs; trained first unless nothing is to be."""
    return all(
        has_run(
            options.config(needed, seed),
            options.folder(needed, seed),
            measured_only=options.measured_only,
            quiet=options.quiet,
        )
        for needed in (row.start, row.scale, row)
        if needed is not None
    )


def _compared_rows(
    experiment: Experiment,
    measured: list[MeasuredRow],
    options: TableOptions,
    earlier: Earlier | None,
) -> Json:
    columns = list(experiment.columns)
    if experiment.common_materials:
        _restrict_to_common(measured)
    present = [entry for entry in measured if entry.n_seeds]
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
    numbers = [run_numbers(entry, columns, tests) for entry in measured]
    _add_ratios(numbers, measured, experiment.reference)
    rows = [compared_row(entry, own, columns) for entry, own in zip(measured, numbers, strict=True)]
    counts = {entry.n_seeds for entry in present}
    if len(counts) > 1:
        notes.append("Rows have different numbers of seeds; spreads stand where there are several.")
    elif counts == {1}:
        notes.append("One seed for each row: differences between rows include chance.")
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
        check_same_data(present, _shared_by(experiment))
        config = options.config(experiment.rows[0], 0)
        content |= _data(present, config, earlier)
        notes += content["data_notes"]
        baselines = baseline_rows(config, content["ids"], columns, tests)
        content |= {"baselines": baselines, "unbeaten": unbeaten(columns, rows, baselines)}
    return content


def _data(present: list[MeasuredRow], config: RunConfig, earlier: Earlier | None) -> Json:
    """Of which materials the rows are, and their errors."""
    first = next((run for entry in present for run in entry.runs), None)
    if first is not None:
        ids, dataset, notes = first.ids, first.description["dataset"], first.description["notes"]
    else:
        assert earlier is not None
        ids, dataset = earlier.ids, earlier.content["dataset"]
        notes = earlier.content.get("data_notes", load_run_data(config).notes)
    return {
        "n_materials": len(ids),
        "dataset": dataset,
        "data_notes": list(notes),
        "ids": ids,
        "per_material_conventions": PER_MATERIAL,
        "per_material": {entry.row.key: errors_per_material(entry) for entry in present},
        "examples": examples_of(present),
        "relative_errors": relative_errors_of(present) or None,
    }


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
    numbers: list[list[RunNumbers]], measured: list[MeasuredRow], reference: str
) -> None:
    """``mae_ratio`` of each run: its MAE over that of its reference row's run of that seed."""
    of_label = {
        entry.row.label: {run.seed: run.metrics["mae"] for run in own}
        for entry, own in zip(measured, numbers, strict=True)
    }
    for entry, own in zip(measured, numbers, strict=True):
        whole = of_label.get(entry.row.reference or reference, {})
        for run in own:
            mae, other = run.metrics["mae"], whole.get(run.seed)
            if mae is not None and other is not None:
                run.metrics["mae_ratio"] = mae / other


def _validity(
    name: str, config: RunConfig, options: TableOptions, notes: list[str]
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
