"""Commands that use trained models."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from vanhove.cli.options import GivenCellOption, ModelOption, PrecisionOption, QuietOption
from vanhove.cli.root import app


@app.command()
def predict(
    structures: Annotated[
        list[Path], typer.Argument(help="Structure files (CIF, POSCAR, extxyz, JSON) or folders.")
    ],
    property_name: Annotated[
        Literal["phonon-dos", "electron-dos", "bands"],
        typer.Option("--property", "-p", help="What to predict, with the weights shipped for it."),
    ] = "phonon-dos",
    model: ModelOption = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for plots and spectra.")
    ] = Path(),
    json_path: Annotated[
        str | None, typer.Option("--json", help="Write all results to this JSON file; - is stdout.")
    ] = None,
    csv: Annotated[
        bool, typer.Option("--csv", help="Write NAME-PROPERTY.csv for each structure.")
    ] = False,
    html: Annotated[
        bool, typer.Option("--html", help="Write NAME-PROPERTY.html, an interactive plot.")
    ] = False,
    plot: Annotated[
        bool | None,
        typer.Option(
            "--plot/--no-plot",
            help="Write NAME-PROPERTY.png; by default for a single structure without --json -.",
        ),
    ] = None,
    given_cell: GivenCellOption = False,
    temperature: Annotated[
        float, typer.Option("--temperature", min=0.0, help="For C_V and entropy, in K.")
    ] = 300.0,
    path: Annotated[
        Literal["setyawan_curtarolo", "latimer_munro", "hinuma"],
        typer.Option("--path", help="Of bands: the convention of the path."),
    ] = "setyawan_curtarolo",
    every: Annotated[
        bool, typer.Option("--all", help="Use every structure of a file that holds several.")
    ] = False,
    grid: Annotated[
        tuple[float, float, float] | None,
        typer.Option("--grid", help="START STOP STEP: other frequencies (1/cm) or energies (eV)."),
    ] = None,
    precision: PrecisionOption = "auto",
    quiet: QuietOption = False,
) -> None:
    """Predict the density of states of phonons (or electrons) of crystals, or electron bands.

    One structure: a table and a plot. Several, or a folder: one line each. A structure that cannot
    be used costs one line on stderr; the others are predicted, and the exit status is 1.

    \b
    Example: vanhove predict crystal.cif
    Example: vanhove predict crystal.cif --property electron-dos
    Example: vanhove predict crystal.cif --property bands --json bands.json
    Example: vanhove predict crystal.cif --grid 0 1000 10
    Example: vanhove predict structures/ --json - | jq '.results[].name'
    """
    from vanhove.prediction.report import PredictCommand
    from vanhove.spectra.grids import even_grid

    failed = PredictCommand(
        structures=structures,
        property_name=property_name,
        model=model,
        output=output,
        json_path=json_path,
        csv=csv,
        html=html,
        plot=plot,
        primitive=not given_cell,
        temperature=temperature,
        path=path,
        every=every,
        quiet=quiet,
        grid=None if grid is None else even_grid(*grid),
        precision=precision,
    ).run()
    raise typer.Exit(1 if failed else 0)


@app.command()
def screen(
    source: Annotated[
        Path,
        typer.Argument(help="Folder of structures, npz, JSON(L), extxyz, Parquet, ASE database."),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the tables and the report.")],
    properties: Annotated[
        list[str] | None,
        typer.Option(
            "--property",
            "-p",
            help="phonon-dos (default) or electron-dos, and columns to compute (repeatable).",
        ),
    ] = None,
    model: ModelOption = None,
    where: Annotated[
        str | None, typer.Option("--where", help="Select by an expression over properties.")
    ] = None,
    sort: Annotated[
        str | None, typer.Option("--sort", help="Expression, ascending; -NAME: largest first.")
    ] = None,
    top: Annotated[int, typer.Option("--top", help="Candidates in top.csv and the report.")] = 100,
    engine: Annotated[
        str, typer.Option("--engine", help="local (processes), or ray (a cluster).")
    ] = "local",
    workers: Annotated[
        int | None, typer.Option("--workers", "-j", help="Processes [one per processor].")
    ] = None,
    given_cell: GivenCellOption = False,
    partition_size: Annotated[
        int, typer.Option("--partition-size", help="Records in a file of the tables.")
    ] = 512,
    limit: Annotated[
        int | None, typer.Option("--limit", help="Take only the first records of the source.")
    ] = None,
    precision: PrecisionOption = "auto",
    quiet: QuietOption = False,
) -> None:
    """Predict many structures, select and sort them; tables in Parquet and a report in HTML.

    A screening that was stopped or killed continues when the same command is given again. Needs
    pip install 'vanhove[screen]'.

    \b
    Example: vanhove screen structures.npz --where "mean_frequency > 400" --out found
    Example: vanhove screen cifs/ --sort "-heat_capacity_300K" --out found --engine ray
    """
    from vanhove.screening.screen import screen as run_screening

    try:
        result = run_screening(
            source,
            out,
            model=model,
            properties=properties or (),
            where=where,
            sort=sort,
            top=top,
            engine=engine,  # type: ignore[arg-type]
            workers=workers,
            primitive=not given_cell,
            partition_size=partition_size,
            limit=limit,
            precision=precision,
            quiet=quiet,
        )
    except KeyboardInterrupt:
        typer.echo("stopped; the same command continues where it was", err=True)
        raise typer.Exit(130) from None
    typer.echo(
        f"{result.n_predicted} predicted, {result.n_selected} selected, {result.n_failed} failed\n"
        f"{result.best}\n{result.report}"
    )


@app.command()
def serve(
    models: Annotated[
        list[str] | None,
        typer.Option(
            "--model", "-m", help="Also offer this checkpoint or run folder (repeatable)."
        ),
    ] = None,
    host: Annotated[
        str, typer.Option("--host", help="Address to listen at; 0.0.0.0: for everyone.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Port to listen at.")
    ] = 8000,
    workers: Annotated[
        int, typer.Option("--workers", "-j", min=1, help="Processes that predict.")
    ] = 1,
    queue: Annotated[
        int, typer.Option("--queue", min=0, help="Requests that may wait before 429.")
    ] = 64,
    max_atoms: Annotated[
        int, typer.Option("--max-atoms", min=1, help="In the cell of a structure.")
    ] = 500,
    seconds: Annotated[
        float, typer.Option("--seconds", min=0.1, help="For one prediction.")
    ] = 30.0,
) -> None:
    """Serve a web page and an API for predictions, without any other site.

    Needs pip install 'vanhove[serve]'. There is no login: think before you leave 127.0.0.1.

    \b
    Example: vanhove serve
    Example: vanhove serve --port 8080 --model runs/mine --workers 2
    """
    from vanhove import commands

    commands.serve(
        models or (),
        host=host,
        port=port,
        workers=workers,
        queue=queue,
        max_atoms=max_atoms,
        seconds=seconds,
    )
