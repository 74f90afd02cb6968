"""``vanhove models``."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from vanhove.cli.options import JsonOption, SizeOption
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
    json_output: JsonOption = False,
) -> None:
    """List the models that can be trained by name, and the shipped weights, with test metrics.

    \b
    Example: vanhove models
    Example: vanhove models dostransformer --size published
    Example: vanhove models vanhove-electron
    Example: vanhove models --json
    """
    from vanhove.experiments.tables import catalog_table, measured, weights_table
    from vanhove.runs.catalog import CATALOG, list_models, run_config
    from vanhove.weights import card_of

    if name is not None and name not in CATALOG and card_of(name):
        typer.echo(card_of(name), nl=False)
        return
    if name is not None:
        config = run_config(name, size or "compact")
        text = config.model_dump_json(indent=1) + "\n" if json_output else config.to_yaml()
        typer.echo(text, nl=False)
        return
    if json_output:
        typer.echo(json.dumps({**list_models(), "measured": measured()}, indent=1))
        return
    typer.echo(f"{catalog_table()}\n\n{weights_table()}")
