"""``vanhove embed``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from vanhove.cli.options import QuietOption, SeedOption, SetOption
from vanhove.cli.root import app


@app.command()
def embed(
    source: Annotated[
        str,
        typer.Argument(
            help="Crystals to learn from: a folder of structures, a file (npz, JSON, JSON lines, "
            "...), or a named data set."
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="File for the element vectors, NAME.safetensors."),
    ] = None,
    kind: Annotated[
        Literal["vae", "contrastive", "contrastive-labels", "potential"],
        typer.Option(
            "--kind",
            help="Learning objective; contrastive-labels needs a data set.",
        ),
    ] = "vae",
    encoder: Annotated[
        str | None,
        typer.Option(
            "--encoder", help="Apply this embedding (shipped, or a file) and train nothing."
        ),
    ] = None,
    latents: Annotated[
        Path | None,
        typer.Option("--latents", help="npz file for the latent vectors of atoms and crystals."),
    ] = None,
    map_: Annotated[
        Path | None, typer.Option("--map", help="HTML file for a map of the latent space.")
    ] = None,
    epochs: Annotated[
        int | None, typer.Option("--epochs", min=1, help="Number of training epochs.")
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option("--limit", help="Learn from this many crystals, drawn at random [all]."),
    ] = None,
    max_atoms: Annotated[
        int,
        typer.Option("--max-atoms", min=1, help="Leave out cells with more atoms than this."),
    ] = 12,
    leave_out: Annotated[
        str | None,
        typer.Option(
            "--leave-out",
            help="A data set: leave out the chemical formulas of its validation and test splits.",
        ),
    ] = None,
    seed: SeedOption = None,
    set_: SetOption = None,
    quiet: QuietOption = False,
) -> None:
    """Learn vectors of the elements from crystals, for atom_features of a run file.

    A training that was stopped or killed continues when the same command is given again.

    \b
    Example: vanhove embed structures.npz --kind vae -o mine.safetensors --map mine.html
    Example: vanhove embed cifs/ --encoder vae --latents latents.npz
    """
    from vanhove.embeddings import embed as learn
    from vanhove.runs.config import parse_overrides

    settings = parse_overrides(set_ or [])
    settings |= {k: v for k, v in (("epochs", epochs), ("seed", seed)) if v is not None}
    result = learn(
        source,
        output,
        kind=kind,
        encoder=encoder,
        latents=latents,
        map_=map_,
        limit=limit,
        max_atoms=max_atoms,
        leave_out=leave_out,
        settings=settings,
        quiet=quiet,
    )
    info = result.info
    n_elements = len(info.elements.split(", "))
    typer.echo(f"{info.n_crystals} crystals, {n_elements} elements x {info.dimension}")
    for name, value in (info.held_out or {}).items():
        typer.echo(f"{name:28s} {value:.4f}")
    for path in (output, latents, map_):
        if path is not None:
            typer.echo(path)
