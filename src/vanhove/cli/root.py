"""The command itself, to which the files of the verbs add theirs."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup


class Verbs(TyperGroup):
    """The verbs; Ctrl-C in any of them ends it with one line and exit status 130."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            verb = self.get_command(ctx, ctx.invoked_subcommand or "")
            names = {parameter.name for parameter in verb.params} if verb else set()
            how = " and --resume" if "resume" in names else ""
            typer.echo(f"stopped; continue with the same command{how}", err=True)
            raise typer.Exit(130) from None


app = typer.Typer(
    name="vanhove",
    help="Predict the spectra of crystals from the structure alone.\n\n"
    "Example: vanhove predict crystal.cif\n\n"
    "Exit status: 0 done, 1 some structures failed, 2 a mistake in what was asked, 130 stopped.",
    cls=Verbs,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
data_app = typer.Typer(
    help="Data sets: list, describe, import, label, download.",
    cls=Verbs,
    no_args_is_help=True,
    rich_markup_mode=None,
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
