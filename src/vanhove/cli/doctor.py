"""``vanhove doctor``."""

from __future__ import annotations

import typer

from vanhove.cli.options import JsonOption
from vanhove.cli.root import app


@app.command()
def doctor(
    json_output: JsonOption = False,
) -> None:
    """Say what vanhove runs on: versions, processor, data and weights found.

    In a form to paste into an issue: it names no path of yours, and asks no network. Exit status 1:
    something that vanhove needs is missing.

    \b
    Example: vanhove doctor
    Example: vanhove doctor --json
    """
    from vanhove.prediction.doctor import examine

    found = examine()
    typer.echo(found.to_text() if not json_output else found.to_json_text())
    raise typer.Exit(0 if found.is_well else 1)
