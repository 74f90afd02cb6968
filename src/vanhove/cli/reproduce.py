"""``vanhove reproduce``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vanhove.cli.options import QuietOption, SizeOption, parse_rows, parse_seeds
from vanhove.cli.root import app


@app.command()
def reproduce(
    name: Annotated[
        str | None, typer.Argument(help="Which table or figure; without it, all are listed.")
    ] = None,
    seeds: Annotated[
        str | None,
        typer.Option("--seeds", help="How many seeds for each row (3), or which (0,1,2) [1]."),
    ] = None,
    rows: Annotated[
        list[str] | None,
        typer.Option(
            "--rows",
            help="Only these rows: run names with commas between them, or a label (may be "
            "repeated).",
        ),
    ] = None,
    quick: Annotated[
        bool,
        typer.Option("--quick", help="Try it for a minute on the tiny data set; no measurement."),
    ] = False,
    measured_only: Annotated[
        bool,
        typer.Option("--measured-only", help="Train nothing: measure the runs that are finished."),
    ] = False,
    size: SizeOption = None,
    runs: Annotated[Path, typer.Option("--runs", help="Folder that holds the run folders.")] = Path(
        "runs"
    ),
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for NAME.json, NAME.npz and the figures.")
    ] = Path("reproduced"),
    figures: Annotated[
        Path | None, typer.Option("--figures", help="Folder for the figures, if another one.")
    ] = None,
    status: Annotated[
        bool,
        typer.Option(
            "--status",
            help="Train nothing: show how many seeds each table of the results folder (--output) "
            "has, how long the missing ones take, and which rows wait or will not run, and why.",
        ),
    ] = False,
    queue: Annotated[
        bool,
        typer.Option(
            "--queue",
            help="Train the seeds that are missing in the results folder (--output), those that a "
            "claim of a paper rests on first; several processes may share the work.",
        ),
    ] = False,
    hours: Annotated[
        float | None,
        typer.Option("--hours", help="With --queue: begin nothing that would take longer."),
    ] = None,
    quiet: QuietOption = False,
) -> None:
    """Reproduce a table or figure of a paper: train what is missing, measure, compare.

    Without a name: list what can be reproduced. A command that was stopped continues when it is
    given again; runs are shared between tables, and seeds that the table already holds are kept.
    With --status and --queue the name may also be that of a page of results, such as phonon.

    \b
    Example: vanhove reproduce dostransformer-table1 --seeds 3
    Example: vanhove reproduce xtal2dos-table1 --rows xtal2dos,e3nn2dos
    Example: vanhove reproduce mat2spec-table1 --quick
    Example: vanhove reproduce --status --output results
    Example: vanhove reproduce phonon --queue --hours 2 --output results
    """
    from vanhove.experiments import backlog
    from vanhove.experiments.reproduce import reproduce as run
    from vanhove.experiments.reproduce import reproducible
    from vanhove.experiments.tables import result_table

    wanted = [] if name is None else [name]
    count = backlog.SEEDS if seeds is None else len(parse_seeds(seeds))
    if status:
        typer.echo(backlog.backlog_table(backlog.backlog(output, wanted, count), count))
        return
    if queue:
        added = backlog.work_off(
            output, wanted, seeds=count, hours=hours, runs=runs, figures=figures, quiet=quiet
        )
        typer.echo(f"{added} runs added")
        typer.echo(backlog.backlog_table(backlog.backlog(output, wanted, count), count))
        return
    if name is None:
        for known, title in reproducible().items():
            typer.echo(f"{known:31s} {title}")
        return
    result = run(
        name,
        seeds=None if seeds is None else parse_seeds(seeds),
        rows=parse_rows(rows or []),
        quick=quick,
        measured_only=measured_only,
        size=size,
        runs=runs,
        output=output,
        figures=figures,
        quiet=quiet,
    )
    typer.echo(result_table(result))
    typer.echo(f"\n{output / result.stem}.json")
