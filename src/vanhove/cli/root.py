"""The command itself, to which the groups of commands add theirs."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(
    name="vanhove",
    help="Predict the spectra of crystals from the structure alone.\n\n"
    "Example: vanhove predict crystal.cif",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
data_app = typer.Typer(
    help="Data sets: list, describe, label, fetch.", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(data_app, name="data")


def _version(wanted: bool) -> None:
    if wanted:
        from vanhove.version import __version__

        typer.echo(f"vanhove {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass
