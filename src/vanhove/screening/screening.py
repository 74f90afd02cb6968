"""A screening from its source to its report."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Literal

from vanhove.atomic import held
from vanhove.errors import ConfigError
from vanhove.models.inference import Precision
from vanhove.prediction.electron_predictor import AnyInfo, electron_weights, load_electrons
from vanhove.prediction.loading import model_name
from vanhove.prediction.properties import Properties, current_names
from vanhove.prediction.property import Property
from vanhove.progress import track
from vanhove.runs.checkpoint import read_info
from vanhove.screening.expression import Variable, names_in, parse_expression
from vanhove.screening.local_engine import run_local
from vanhove.screening.partition import Job
from vanhove.screening.plan import PARTITION_SIZE, Plan, library_versions
from vanhove.screening.ray_engine import run_ray
from vanhove.screening.report import BEST, REPORT, collect, write_best, write_report
from vanhove.screening.source import Source, open_source
from vanhove.screening.writer import Tables
from vanhove.spectra.quantities import quantity
from vanhove.weights import DEFAULT_WEIGHTS, default_weights, find_weights, predicted_properties

Engine = Literal["local", "ray"]


@dataclass(frozen=True)
class ScreeningResult:
    """What a screening gave.

    Attributes:
        out: its folder.
        n_predicted: crystals with a spectrum.
        n_selected: of these, for how many the expression holds.
        n_failed: records that gave nothing.
        n_new_partitions: computed by this call; the others were there.
    """

    out: Path
    n_predicted: int
    n_selected: int
    n_failed: int
    n_new_partitions: int

    @property
    def report(self) -> Path:
        return self.out / REPORT

    @property
    def best(self) -> Path:
        return self.out / BEST


def screen(
    source: str | PathLike[str],
    output: str | PathLike[str],
    *,
    model: str | PathLike[str] | None = None,
    properties: Sequence[str] = (),
    where: str | None = None,
    sort: str | None = None,
    top: int = 100,
    engine: Engine = "local",
    workers: int | None = None,
    primitive: bool = True,
    partition_size: int = PARTITION_SIZE,
    limit: int | None = None,
    precision: Precision = "auto",
    quiet: bool = True,
) -> ScreeningResult:
    """Predict all structures of a source, select by an expression, write tables and a report.

    The same call continues one that was stopped; the files are the same byte for byte, whatever
    stopped it, and whatever the engine and the number of workers.

    Args:
        source: a file or folder of structures, see `vanhove.screening.source`.
        output: folder for the results, new or of the same screening.
        model: shipped weights, a checkpoint file or a run folder [those for the property].
        properties: columns; those in ``where`` and ``sort`` are added. None: some for the model.
            ``"electron-dos"`` among them chooses what is predicted, otherwise ``"phonon-dos"``.
        where: expression that selects, such as ``"mean_frequency > 300"``; None: all.
        sort: expression, ascending; ``"-mean_frequency"`` has the largest first. None: as in the
            source. The unknown comes last.
        top: how many of the selected ones ``top.csv`` and the report list.
        engine: processes on this machine, or a Ray cluster.
        workers: processes [one for each processor].
        primitive: reduce to the primitive cell first, as in training.
        partition_size: records in a file of the tables.
        limit: take no more records than this.
        precision: of the matrix products, as `vanhove.load`; the numbers of ``"auto"`` are those of
            ``"float32"``.
        quiet: no progress on stderr.

    Raises:
        ConfigError: a wrong option, or ``output`` holds another screening.
        DataError: the source cannot be read.
        ScreeningError: the work had to stop; the same call continues.
    """
    if engine not in ("local", "ray"):
        raise ConfigError(f"engine {engine!r}; allowed: local, ray")
    _check_counts(workers=workers, partition_size=partition_size, top=top, limit=limit)
    kinds = predicted_properties()
    checkpoint = _checkpoint(model, [name for name in properties if name in kinds])
    columns = [name for name in properties if name not in kinds]
    info = _info(checkpoint)
    if quantity(info.quantity).is_bands:
        raise ConfigError(
            f"{model_name(checkpoint)} predicts {info.quantity}; a screening needs densities of "
            "states: phonon-dos or electron-dos"
        )
    where = where if where is None else current_names(where)
    sort = sort if sort is None else current_names(sort)
    chosen = _columns(Properties(info), columns, where, sort)
    variables = {item.name: Variable(item.kind, item.choices) for item in chosen}
    if where is not None:
        parse_expression(where, variables, "flag")
    order = None if sort is None else parse_expression(sort, variables, "number")

    out = Path(output).resolve()
    reader = open_source(source)
    plan = Plan(
        source=reader.fingerprint(),
        model=model_name(checkpoint),
        weights=hashlib.sha256(checkpoint.read_bytes()).hexdigest(),
        properties=tuple(item.name for item in chosen),
        where=where,
        primitive=primitive,
        partition_size=partition_size,
        limit=limit,
        precision="float32" if precision == "auto" else precision,
        versions=library_versions(),
    )
    tables = Tables(out, chosen, info, plan.model)
    with held(out, "screening"):
        plan.enter(out)
        tables.prepare()
        job = Job(out, str(checkpoint), type(reader), plan.properties, where, primitive, precision)
        every = reader.chunks(partition_size, limit)
        chunks = (chunk for chunk in every if not tables.is_finished(chunk.number))
        if engine == "local":
            done = run_local(job, chunks, workers or _processors())
        else:
            done = run_ray(job, chunks, workers)
        n_new = sum(1 for _ in track(done, "screening", quiet, total=_todo(reader, plan, tables)))
        tables.tidy()

        findings = collect(out, chosen, order, top)
        write_best(out, chosen, findings)
        facts = {
            "source": reader.path.name,
            "model": plan.model,
            "selected by": where or "nothing: all are selected",
            "sorted by": sort or "place in the source",
        }
        write_report(out, chosen, findings, info, facts)
        return ScreeningResult(
            out, findings.n_predicted, findings.n_selected, findings.n_failed, n_new
        )


def _check_counts(**counts: int | None) -> None:
    for name, number in counts.items():
        if number is not None and number < 1:
            raise ConfigError(f"{name} {number}; allowed: 1 or more")


def _info(path: Path) -> AnyInfo:
    """What weights say of themselves."""
    return read_info(path) if electron_weights(path) is None else load_electrons(path).info


def _checkpoint(model: str | PathLike[str] | None, predicted: Sequence[str]) -> Path:
    """The weights that are named, or those shipped for the property."""
    if len(set(predicted)) > 1:
        raise ConfigError(
            f"properties {', '.join(predicted)}: a screening predicts one of them; begin one for "
            "each, with folders of their own"
        )
    if model is None:
        return find_weights(
            default_weights(predicted[0]) if predicted else DEFAULT_WEIGHTS
        ).resolve()
    path = find_weights(model).resolve()
    kind = quantity(_info(path).quantity)
    if predicted and kind.asked_as != predicted[0]:
        raise ConfigError(f"model {model} predicts {kind.name}, not {predicted[0]}; leave one out")
    return path


def _columns(
    known: Properties, asked: Sequence[str], where: str | None, sort: str | None
) -> tuple[Property, ...]:
    """The properties asked for (or the default ones), then those that the expressions need."""
    needed = [name for text in (where, sort) if text is not None for name in names_in(text)]
    return known.choose([*(asked or known.defaults), *needed])


def _todo(reader: Source, plan: Plan, tables: Tables) -> int | None:
    """How many partitions are not finished, where the source knows its length."""
    if reader.count is None:
        return None
    n_records = reader.count if plan.limit is None else min(plan.limit, reader.count)
    numbers = range(math.ceil(n_records / plan.partition_size))
    return sum(not tables.is_finished(number) for number in numbers)


def _processors() -> int:
    """Those that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
