"""``vanhove ensemble``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vanhove.cli.options import QuietOption
from vanhove.cli.root import app
from vanhove.cli.train import shown_metrics


@app.command()
def ensemble(
    checkpoints: Annotated[
        list[str],
        typer.Argument(help="Run folders or checkpoints that differ in their seed alone."),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="File to write, NAME.safetensors.")
    ],
    name: Annotated[
        str | None, typer.Option("--name", help="Name of the model in predictions and results.")
    ] = None,
    quiet: QuietOption = False,
) -> None:
    """Join runs into one model that predicts their mean, with error bars.

    The error bars are calibrated on the validation split; a single run is enough for error bars
    that do not know where members disagree.

    \b
    Example: vanhove ensemble runs/model-seed0 runs/model-seed1 -o my-ensemble.safetensors
    """
    from vanhove.training.ensemble import make_ensemble

    validation = make_ensemble(checkpoints, output, name=name, quiet=quiet)
    size = output.stat().st_size / 1e6
    typer.echo(f"{output}  {size:.1f} MB  (validation: {shown_metrics(validation)})")
