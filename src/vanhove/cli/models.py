"""``vanhove models``."""

from __future__ import annotations

from typing import Annotated

import typer

from vanhove.cli.options import SizeOption
from vanhove.cli.root import app


@app.command()
def models(
    name: Annotated[
        str | None,
        typer.Argument(
            help="A named model: print its settings as a run file; of other shipped "
            "weights, what was measured."
        ),
    ] = None,
    size: SizeOption = None,
) -> None:
    """List the models that can be trained by name, and the shipped weights, with test metrics.

    \b
    Example: vanhove models
    Example: vanhove models dostransformer --size published
    Example: vanhove models vanhove-electron
    """
    from vanhove.experiments.tables import catalog_table, weights_table
    from vanhove.runs.catalog import CATALOG, run_config
    from vanhove.weights import card_of

    if name is not None and name not in CATALOG and card_of(name):
        typer.echo(card_of(name), nl=False)
        return
    if name is not None:
        typer.echo(run_config(name, size or "compact").to_yaml(), nl=False)
        return
    typer.echo(f"{catalog_table()}\n\n{weights_table()}")
