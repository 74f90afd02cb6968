"""``vanhove serve``."""

from __future__ import annotations

from typing import Annotated

import typer

from vanhove.cli.root import app


@app.command()
def serve(
    models: Annotated[
        list[str] | None,
        typer.Option(
            "--model", "-m", help="Offer this checkpoint or run folder as well (may be repeated)."
        ),
    ] = None,
    host: Annotated[
        str, typer.Option("--host", help="Address to listen at; 0.0.0.0: every network interface.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Port to listen at.")
    ] = 8000,
    workers: Annotated[
        int, typer.Option("--workers", "-j", min=1, help="Number of processes that predict.")
    ] = 1,
    queue: Annotated[
        int,
        typer.Option(
            "--queue", min=0, help="Requests that may wait; more are answered with status 429."
        ),
    ] = 64,
    max_atoms: Annotated[
        int, typer.Option("--max-atoms", min=1, help="Most atoms in the cell of a structure.")
    ] = 500,
    seconds: Annotated[
        float, typer.Option("--seconds", min=0.1, help="Most seconds that a prediction may take.")
    ] = 60.0,
    structures: Annotated[
        str | None,
        typer.Option(
            "--structures",
            help="File or folder to search on the page, as vanhove screen reads them; by default "
            "some hundred crystals that ship with vanhove.",
        ),
    ] = None,
    keep_hours: Annotated[
        float, typer.Option("--keep-hours", min=0.0, help="Hours that links to results work.")
    ] = 168.0,
) -> None:
    """Serve a web page and an API for predictions, without any other site.

    Needs pip install 'vanhove[serve]'. There is no login: think before you leave 127.0.0.1.

    \b
    Example: vanhove serve
    Example: vanhove serve --port 8080 --model runs/mine --workers 2
    """
    from vanhove.server.serve import serve as run

    run(
        models or (),
        host=host,
        port=port,
        workers=workers,
        queue=queue,
        max_atoms=max_atoms,
        seconds=seconds,
        structures=structures,
        keep_hours=keep_hours,
    )
