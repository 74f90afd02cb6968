"""``vanhove screen``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from vanhove.cli.options import GivenCellOption, ModelOption, PrecisionOption, QuietOption
from vanhove.cli.root import app


@app.command()
def screen(
    source: Annotated[
        Path,
        typer.Argument(
            help="Structures: a folder of files, an npz, JSON, JSON lines, extxyz or Parquet file, "
            "or an ASE database."
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for the tables and the report.")
    ],
    properties: Annotated[
        list[str] | None,
        typer.Option(
            "--property",
            "-p",
            help="What to predict, phonon-dos (the default) or electron-dos, or a column to "
            "compute (may be repeated).",
        ),
    ] = None,
    model: ModelOption = None,
    where: Annotated[
        str | None, typer.Option("--where", help="Select by this expression over the columns.")
    ] = None,
    sort: Annotated[
        str | None,
        typer.Option(
            "--sort", help="Sort by this expression, smallest first; -NAME: largest first."
        ),
    ] = None,
    top: Annotated[
        int, typer.Option("--top", help="Number of candidates in top.csv and in the report.")
    ] = 100,
    engine: Annotated[
        Literal["local", "ray"],
        typer.Option(
            "--engine", help="local: processes on this machine; ray: those of a Ray cluster."
        ),
    ] = "local",
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers", "-j", help="Number of processes that predict [default: one per processor]."
        ),
    ] = None,
    given_cell: GivenCellOption = False,
    partition_size: Annotated[
        int, typer.Option("--partition-size", help="Number of records in each file of a table.")
    ] = 512,
    limit: Annotated[
        int | None, typer.Option("--limit", help="Take this many records, the first ones [all].")
    ] = None,
    precision: PrecisionOption = "auto",
    quiet: QuietOption = False,
) -> None:
    """Predict many structures, select and sort them; tables in Parquet and a report in HTML.

    A screening that was stopped or killed continues when the same command is given again. Needs
    pip install 'vanhove[screen]'.

    \b
    Example: vanhove screen structures.npz --where "mean_frequency > 400" --output found
    Example: vanhove screen cifs/ --sort "-heat_capacity_300K" --output found --engine ray
    """
    from vanhove.screening import screen as run

    result = run(
        source,
        output,
        model=model,
        properties=properties or (),
        where=where,
        sort=sort,
        top=top,
        engine=engine,
        workers=workers,
        primitive=not given_cell,
        partition_size=partition_size,
        limit=limit,
        precision=precision,
        quiet=quiet,
    )
    typer.echo(
        f"{result.n_predicted} predicted, {result.n_selected} selected, {result.n_failed} failed\n"
        f"{result.best}\n{result.report}"
    )
