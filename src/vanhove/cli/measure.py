"""Commands that measure and compare models."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vanhove.cli.options import QuietOption, SetOption, SizeOption, checked_size
from vanhove.cli.root import app
from vanhove.errors import ConfigError


@app.command()
def evaluate(
    checkpoints: Annotated[
        list[str], typer.Argument(help="Checkpoints, run folders or shipped names.")
    ],
    split: Annotated[str, typer.Option("--split", help="test, valid or train.")] = "test",
    data: Annotated[
        str | None, typer.Option("--data", help="Another data set (name or folder).")
    ] = None,
    grid_points: Annotated[
        int | None,
        typer.Option("--grid-points", min=2, help="On spectra interpolated to so many points."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the result as JSON.")
    ] = None,
    groups: Annotated[
        bool, typer.Option("--groups", help="Also by crystal system and number of species.")
    ] = False,
    leaderboard: Annotated[
        Path | None,
        typer.Option(
            "--jarvis-leaderboard",
            help="Write a submission for a model trained on phonon_jarvis into this folder.",
        ),
    ] = None,
    quiet: QuietOption = False,
) -> None:
    """Measure checkpoints in every convention, beside the published numbers.

    Several checkpoints are seeds of one model: the table shows mean and spread.

    Example: vanhove evaluate runs/dostransformer-phonon-seed* --split test -o result.json
    """
    from vanhove.evaluation.evaluate import evaluate as measure
    from vanhove.experiments.tables import evaluation_table, groups_table

    if leaderboard is not None:
        from vanhove.evaluation.leaderboard import write_submission

        if len(checkpoints) != 1:
            raise ConfigError(f"--jarvis-leaderboard takes one checkpoint, got {len(checkpoints)}")
        submission = write_submission(checkpoints[0], leaderboard, quiet=quiet)
        typer.echo(
            f"{leaderboard}: {submission['n_materials']} materials, MAE {submission['mae']:.4f} "
            f"over all points; without imaginary modes {submission['clean']['n_materials']}, MAE "
            f"{submission['clean']['mae']:.4f}"
        )
        return
    result = measure(
        checkpoints, split, data=data, grid_points=grid_points, output=output, quiet=quiet
    )
    typer.echo(evaluation_table(result))
    if groups:
        typer.echo("\n" + groups_table(result))


@app.command()
def reproduce(
    name: Annotated[str | None, typer.Argument(help="The table or figure.")] = None,
    seeds: Annotated[
        str | None, typer.Option("--seeds", help="How many (3) or which (0,1,2) [1].")
    ] = None,
    rows: Annotated[
        list[str] | None,
        typer.Option("--rows", help="Only these: run names, with commas, or labels (repeatable)."),
    ] = None,
    quick: Annotated[
        bool,
        typer.Option("--quick", help="A minute's try on the tiny data set: no measurement."),
    ] = False,
    measured_only: Annotated[
        bool, typer.Option("--measured-only", help="Train nothing: show the runs that are there.")
    ] = False,
    size: SizeOption = None,
    runs: Annotated[Path, typer.Option("--runs", help="Folder of the run folders.")] = Path("runs"),
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for NAME.json, NAME.csv, figures.")
    ] = Path("reproduced"),
    figures: Annotated[
        Path | None, typer.Option("--figures", help="Another folder for the figures.")
    ] = None,
    quiet: QuietOption = False,
) -> None:
    """Reproduce a table or figure of a paper: train what is missing, measure, compare.

    Without a name: list what can be reproduced. A command that was stopped continues when it is
    given again; runs are shared between tables.

    \b
    Example: vanhove reproduce dostransformer-table1 --seeds 3
    Example: vanhove reproduce xtal2dos-table1 --rows xtal2dos,e3nn2dos
    Example: vanhove reproduce mat2spec-table1 --quick
    """
    from vanhove import commands
    from vanhove.experiments import bands, finetuning
    from vanhove.experiments.reproduce import parse_rows, parse_seeds
    from vanhove.experiments.tables import experiment_table
    from vanhove.papers.definitions import EXPERIMENTS

    if name is None:
        for known, experiment in EXPERIMENTS.items():
            typer.echo(f"{known:24s} {experiment.title}")
        for module in (bands, finetuning):
            typer.echo(f"{module.NAME:24s} {module.TITLE}")
        return
    try:
        result = commands.reproduce(
            name,
            seeds=parse_seeds(seeds) if seeds is not None else None,
            rows=parse_rows(rows or []),
            quick=quick,
            measured_only=measured_only,
            size=checked_size(size),
            runs=runs,
            output=output,
            figures=figures,
            quiet=quiet,
        )
    except KeyboardInterrupt:
        typer.echo("stopped; the same command continues where it was", err=True)
        raise typer.Exit(130) from None
    own_tables = {
        bands.NAME: bands.bandformer_table,
        finetuning.NAME: finetuning.finetuning_table,
    }
    if name in own_tables:
        typer.echo(own_tables[name](result))
        return
    typer.echo(experiment_table(result))
    typer.echo(f"\n{output / result['stem']}.json")


@app.command()
def sweep(
    settings: Annotated[
        list[str],
        typer.Argument(help="KEY=VALUE,VALUE,...: a setting and its values; all combinations."),
    ],
    model: Annotated[
        str,
        typer.Option(
            "--model",
            "--config",
            "-m",
            help="What is changed: a model of the catalog, a YAML run file, or shipped weights.",
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for the runs, tables and figure.")
    ] = Path("sweep"),
    seeds: Annotated[
        str, typer.Option("--seeds", help="How many (3) or which (0,1,2) of each value.")
    ] = "1",
    metric: Annotated[
        str | None, typer.Option("--metric", help="Of the figure [what selects the epoch].")
    ] = None,
    test: Annotated[
        bool,
        typer.Option("--test", help="At the end, also measure on the test part: not to choose by."),
    ] = False,
    set_: SetOption = None,
    size: SizeOption = None,
    quiet: QuietOption = False,
) -> None:
    """Train a model with each value of some settings, with several seeds; a table and a figure.

    Numbers are of the validation part. A sweep that was stopped or killed continues when the same
    command is given again, also with more values or seeds.

    \b
    Example: vanhove sweep graph.cutoff=2,4,6 --model graph-network-energy --seeds 3
    Example: vanhove sweep model.decoder.energies=learned,gaussian training.beta=0,1 -m run.yaml
    """
    from vanhove.experiments.reproduce import parse_seeds
    from vanhove.experiments.sweep import parse_values
    from vanhove.experiments.sweep import sweep as run_sweep
    from vanhove.experiments.sweep_output import sweep_table
    from vanhove.runs.catalog import find_config
    from vanhove.runs.config import parse_overrides

    base = find_config(
        model, None if size is None else checked_size(size), parse_overrides(set_ or [])
    )
    try:
        result = run_sweep(
            base,
            parse_values(settings),
            seeds=parse_seeds(seeds),
            output=output,
            metric=metric,
            test=test,
            quiet=quiet,
        )
    except KeyboardInterrupt:
        typer.echo("stopped; the same command continues where it was", err=True)
        raise typer.Exit(130) from None
    typer.echo(sweep_table(result))
    typer.echo(f"\n{output / 'sweep.json'}")
