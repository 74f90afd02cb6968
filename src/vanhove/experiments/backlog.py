"""Which rows of the tables are done, and working off what is missing."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from vanhove.errors import BusyError, ConfigError
from vanhove.experiments.earlier import Earlier, EarlierRow
from vanhove.experiments.reproduce import reproduce
from vanhove.experiments.trained_runs import say
from vanhove.papers.claims import CLAIMED
from vanhove.papers.definitions import EXPERIMENTS
from vanhove.results import Result

SEEDS = 3
UNKNOWN_SECONDS = 600.0
"""Of a run, while none of its table has been trained."""


@dataclass(frozen=True)
class RowState(Result):
    """How far a row of a table is.

    Attributes:
        table: name of the table.
        label: of the row.
        run: name of its runs.
        seeds: that the table holds.
        missing: seeds that are to be trained.
        seconds: that the training of one seed takes, from those that were trained, in all of them
            on one core; estimated by the median of the others where there is none.
        is_known: whether ``seconds`` was measured.
        not_run: why it is not to be run; empty where it is.
    """

    table: str
    label: str
    run: str
    seeds: tuple[int, ...]
    missing: tuple[int, ...]
    seconds: float
    is_known: bool
    not_run: str = ""

    @property
    def is_claimed(self) -> bool:
        """Whether a claim of a paper rests on it (`vanhove.papers.claims`)."""
        return self.run in CLAIMED

    @property
    def wait(self) -> str:
        """What it waits for, in words; empty where nothing is missing."""
        if self.not_run or not self.missing:
            return self.not_run
        cost = f"{len(self.missing)} x {self.seconds / 60:.0f} min of one core"
        return f"waits for computing time: {cost}" + ("" if self.is_known else " (estimated)")


@dataclass(frozen=True)
class TableState(Result):
    """How far a table is.

    Attributes:
        name: of the table.
        title: what it shows.
        page: of the documentation, and folder of its results.
        rows: in the paper's order.
    """

    name: str
    title: str
    page: str
    rows: tuple[RowState, ...]

    @property
    def n_missing(self) -> int:
        return sum(len(row.missing) for row in self.rows)


def backlog(
    results: str | Path = "results", wanted: Sequence[str] = (), seeds: int = SEEDS
) -> list[TableState]:
    """How far the tables are.

    Args:
        results: folder that holds ``PAGE/NAME.json``.
        wanted: names of tables or of pages; all by default.
        seeds: that each row should have.

    Raises:
        ConfigError: an unknown table or page.
    """
    pages = {experiment.page for experiment in EXPERIMENTS.values()}
    for name in wanted:
        if name not in EXPERIMENTS and name not in pages:
            raise ConfigError(
                f"{name!r} is no table; allowed: {', '.join(EXPERIMENTS)}, or a page: "
                f"{', '.join(sorted(pages))}"
            )
    return [
        _table_state(name, Path(results), seeds)
        for name, experiment in EXPERIMENTS.items()
        if experiment.kind == "metrics"
        and (not wanted or name in wanted or experiment.page in wanted)
    ]


def work_off(
    results: str | Path = "results",
    wanted: Sequence[str] = (),
    *,
    seeds: int = SEEDS,
    hours: float | None = None,
    runs: str | Path = "runs",
    figures: str | Path | None = None,
    quiet: bool = False,
) -> int:
    """Train what is missing, runs of claims first, and add it to every table that shows it.

    Several processes may do this at once: a run that another one trains is left to it. What is
    stopped continues with the next call.

    Args:
        results: folder of ``PAGE/NAME.json``.
        wanted: names of tables or of pages; all by default.
        seeds: that each row should have.
        hours: begin nothing that will probably not end within them; no limit by default.
        runs: where run folders are.
        figures: folder of the figures; that of the results by default.
        quiet: no progress.

    Returns:
        How many runs were added.

    Raises:
        KeyboardInterrupt: stopped.
    """
    end = None if hours is None else time.monotonic() + 3600 * hours
    tried: set[tuple[str, int]] = set()
    added = 0

    def measure(table: TableState, row: RowState, seed: int, only: bool) -> None:
        reproduce(
            table.name,
            seeds=(seed,),
            rows=(row.label,),
            measured_only=only,
            runs=runs,
            output=Path(results) / table.page,
            figures=figures,
            quiet=quiet,
        )

    while True:
        tables = backlog(results, wanted, seeds)
        left = None if end is None else end - time.monotonic()
        choice = next(_in_order(tables, tried, left), None)
        if choice is None:
            return added
        table, row, seed = choice
        tried.add((row.run, seed))
        say(f"{table.name}: {row.label}, seed {seed}, about {row.seconds / 60:.0f} min", quiet)
        try:
            measure(table, row, seed, only=False)
        except BusyError as error:
            say(str(error), quiet)
            continue
        added += 1
        for other in tables:
            for same in other.rows:
                if same.run == row.run and seed in same.missing and same != row:
                    measure(other, same, seed, only=True)


def _in_order(
    tables: Sequence[TableState], tried: set[tuple[str, int]], left: float | None
) -> Iterator[tuple[TableState, RowState, int]]:
    """What is missing: runs of claims, then first seeds before second ones, then the longest."""
    every = [
        (table, row, seed)
        for table in tables
        for row in table.rows
        for seed in row.missing
        if (row.run, seed) not in tried and (left is None or row.seconds < left)
    ]
    yield from sorted(every, key=lambda one: (not one[1].is_claimed, one[2], -one[1].seconds))


def _table_state(name: str, results: Path, seeds: int) -> TableState:
    experiment = EXPERIMENTS[name]
    earlier = Earlier.read(results / experiment.page / f"{name}.json")
    held = [earlier.row(row, row.config()) if earlier else None for row in experiment.rows]
    times = [_seconds(found) for found in held]
    known = [seconds for seconds in times if seconds is not None]
    usual = statistics.median(known) if known else UNKNOWN_SECONDS
    rows = []
    for row, found, seconds in zip(experiment.rows, held, times, strict=True):
        there = found.seeds if found else ()
        missing = [seed for seed in range(seeds) if seed not in there]
        rows.append(
            RowState(
                name,
                row.label,
                row.run,
                there,
                () if row.not_run else tuple(missing[: max(0, seeds - len(there))]),
                usual if seconds is None else seconds,
                seconds is not None,
                row.not_run,
            )
        )
    return TableState(name, experiment.title, experiment.page, tuple(rows))


def _seconds(found: EarlierRow | None) -> float | None:
    """Of the training of one seed; None where that is not known."""
    times = [run.training_seconds for run in found.runs] if found else []
    known = [seconds for seconds in times if seconds is not None]
    return statistics.median(known) if known else None


def backlog_table(tables: Sequence[TableState], seeds: int = SEEDS) -> str:
    """The state of tables as text: rows, seeds, hours that are left on one core.

    It ends with the rows that have no seed and those of claims that have too few, each with its
    reason.
    """
    titles = "".join(f" {title:>9s}" for title in ("rows", "done", "not run", "runs left", "hours"))
    lines = [f"{'table':34s}{titles}"]
    left: dict[tuple[str, int], float] = {}
    for table in tables:
        own = {(row.run, seed): row.seconds for row in table.rows for seed in row.missing}
        left |= own
        done = sum(not row.missing and not row.not_run for row in table.rows)
        none = sum(not row.seeds for row in table.rows)
        lines.append(
            f"{table.name:34s} {len(table.rows):9d} {done:9d} {none:9d} {len(own):9d} "
            f"{sum(own.values()) / 3600:9.1f}"
        )
    hours = sum(left.values()) / 3600
    lines += ["", f"{len(left)} runs are missing, {hours:.1f} hours of one core"]
    rows: dict[str, RowState] = {}
    for row in (row for table in tables for row in table.rows):
        if row.run not in rows or len(row.seeds) > len(rows[row.run].seeds):
            rows[row.run] = row
    for title, chosen in (
        ("rows not run", [row for row in rows.values() if not row.seeds]),
        (
            f"rows of claims with fewer than {seeds} seeds",
            [row for row in rows.values() if row.seeds and row.is_claimed and row.missing],
        ),
    ):
        waiting = sum(not row.not_run for row in chosen)
        apart = f", {waiting} wait and {len(chosen) - waiting} will not run" if chosen else ""
        lines += ["", f"{len(chosen)} {title}{apart}"]
        lines += [f"  {row.run:52s} {row.wait}" for row in chosen]
    return "\n".join(lines)
