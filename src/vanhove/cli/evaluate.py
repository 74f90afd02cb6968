"""``vanhove evaluate``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from vanhove.cli.options import JsonOption, QuietOption
from vanhove.cli.root import app
from vanhove.errors import ConfigError


@app.command()
def evaluate(
    checkpoints: Annotated[
        list[str],
        typer.Argument(
            help="Checkpoint files, run folders or names of shipped weights; several: seeds of one "
            "model."
        ),
    ],
    split: Annotated[
        Literal["test", "valid", "train"],
        typer.Option("--split", help="Which split to measure on."),
    ] = "test",
    data: Annotated[
        str | None,
        typer.Option("--data", help="Measure on this data set instead: a name or a folder."),
    ] = None,
    grid_points: Annotated[
        int | None,
        typer.Option(
            "--grid-points", min=2, help="Measure on spectra interpolated to this many grid points."
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the result to this JSON file.")
    ] = None,
    groups: Annotated[
        bool,
        typer.Option(
            "--groups", help="Show the metrics by crystal system and by number of species as well."
        ),
    ] = False,
    leaderboard: Annotated[
        Path | None,
        typer.Option(
            "--jarvis-leaderboard",
            help="Write a submission to the JARVIS leaderboard into this folder instead; for a "
            "model trained on phonon_jarvis.",
        ),
    ] = None,
    phonons: Annotated[
        bool,
        typer.Option(
            "--phonons",
            help="Compare bands, thermodynamics and stability with DFPT (phonon_petretto_full) "
            "instead; for one model with force constants.",
        ),
    ] = False,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Measure checkpoints in every convention, beside the published numbers.

    Several checkpoints are seeds of one model: the table shows mean and spread.

    \b
    Example: vanhove evaluate runs/dostransformer-phonon-seed* --split test -o result.json
    """
    if leaderboard is not None:
        from vanhove.evaluation.leaderboard import write_submission

        if len(checkpoints) != 1:
            raise ConfigError(f"--jarvis-leaderboard takes one checkpoint, got {len(checkpoints)}")
        submission = write_submission(checkpoints[0], leaderboard, quiet=quiet)
        typer.echo(f"{leaderboard}: {submission}")
        return
    if phonons:
        from vanhove.evaluation.phonons import evaluate_phonons

        if len(checkpoints) != 1:
            raise ConfigError(f"--phonons takes one checkpoint, got {len(checkpoints)}")
        found = evaluate_phonons(checkpoints[0], split, output=output, quiet=quiet)
        typer.echo(str(found) if not json_output else json.dumps(found.to_json(), indent=1))
        return
    from vanhove.evaluation.evaluate import evaluate as measure
    from vanhove.experiments.tables import evaluation_table, groups_table

    result = measure(
        checkpoints, split, data=data, grid_points=grid_points, output=output, quiet=quiet
    )
    if json_output:
        typer.echo(json.dumps(result.to_json(), indent=1))
        return
    typer.echo(evaluation_table(result))
    if groups:
        typer.echo("\n" + groups_table(result))
