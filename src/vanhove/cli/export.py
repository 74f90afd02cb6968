"""``vanhove export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vanhove.cli.root import app


@app.command()
def export(
    checkpoint: Annotated[str, typer.Argument(help="A checkpoint file or a run folder.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="File to write, NAME.safetensors.")
    ],
) -> None:
    """Write the weights of a run as one half-precision file, as the shipped ones are.

    \b
    Example: vanhove export runs/dostransformer-seed0 -o my-model.safetensors
    """
    from vanhove.errors import ConfigError
    from vanhove.runs.checkpoint import export as write
    from vanhove.weights import SUFFIX

    if output.suffix != SUFFIX:
        raise ConfigError(f"--output {output}; allowed: a name that ends with {SUFFIX}")
    write(checkpoint, output)
    typer.echo(f"{output}  {output.stat().st_size / 1e6:.1f} MB")
