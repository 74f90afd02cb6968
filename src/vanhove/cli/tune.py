"""``vanhove tune``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vanhove.cli.options import QuietOption, parse_seeds
from vanhove.cli.root import app
from vanhove.errors import ConfigError, MissingExtraError


@app.command()
def tune(
    space: Annotated[
        str | None,
        typer.Argument(help="Search space: a YAML file, or the name of a shipped one."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder of the search [default: searches/NAME]."),
    ] = None,
    trials: Annotated[
        int,
        typer.Option(
            "--trials", min=1, help="Trials of the whole search, those of earlier calls included."
        ),
    ] = 40,
    jobs: Annotated[
        int, typer.Option("--jobs", "-j", min=1, help="Number of processes on this machine.")
    ] = 1,
    storage: Annotated[
        str | None,
        typer.Option(
            "--storage",
            help="Database of the search: sqlite:///FILE, postgresql://... or journal:FILE "
            "[default: a file in the folder].",
        ),
    ] = None,
    timeout: Annotated[
        float | None, typer.Option("--timeout", help="Begin no trial after this many seconds.")
    ] = None,
    show: Annotated[
        Path | None, typer.Option("--show", help="Show the search in this folder; run nothing.")
    ] = None,
    test_best: Annotated[
        Path | None,
        typer.Option(
            "--test-best",
            help="Train the best settings of the search in this folder again, and measure them on "
            "the test split, once.",
        ),
    ] = None,
    seeds: Annotated[
        str, typer.Option("--seeds", help="How many seeds (3), or which (0,1,2), for --test-best.")
    ] = "0,1,2",
    wandb_sweep: Annotated[
        Path | None,
        typer.Option("--wandb-sweep", help="Write the space to this file, as a sweep for wandb."),
    ] = None,
    wandb_trial: Annotated[
        bool, typer.Option("--wandb-trial", help="Run one trial of a sweep, for wandb agent.")
    ] = False,
    quiet: QuietOption = False,
) -> None:
    """Search the settings of a model by the validation split; write the best as a run file.

    Without a space: list the shipped ones. A search that was stopped or killed continues when the
    same command is given again; other processes join with the same --output or --storage. Needs
    pip install 'vanhove[tune]'.

    \b
    Example: vanhove tune dostransformer-short --trials 40 -o searches/first
    Example: vanhove tune my-space.yaml --jobs 2
    Example: vanhove tune --show searches/first
    Example: vanhove tune --test-best searches/first --seeds 0,1,2
    """
    if sum(given is not None for given in (space, show, test_best)) > 1:
        raise ConfigError("give one of SPACE, --show FOLDER and --test-best FOLDER")
    if wandb_sweep is not None or wandb_trial:
        if space is None or (wandb_sweep is not None and wandb_trial):
            raise ConfigError("give SPACE and one of --wandb-sweep FILE and --wandb-trial")
        typer.echo(_wandb(space, output, trials, wandb_sweep, quiet))
        return
    if space is None and show is None and test_best is None:
        from vanhove.tuning.space import SearchSpace, shipped_spaces

        for name in shipped_spaces():
            typer.echo(f"{name:24s} {SearchSpace.load(name).about}")
        return
    try:
        from vanhove.tuning import report, search
    except ModuleNotFoundError as error:
        raise MissingExtraError(str(error.name), "tune", "vanhove tune") from None

    if test_best is not None:
        result = search.measure_best(test_best, parse_seeds(seeds), storage=storage, quiet=quiet)
        typer.echo(report.test_table(result))
        return
    if space is None:
        assert show is not None
        found = search.show(show, storage)
    else:
        found = search.tune(
            space,
            output,
            trials=trials,
            jobs=jobs,
            storage=storage,
            timeout=timeout,
            quiet=quiet,
        )
    typer.echo(report.search_table(found.content))
    if found.best_run.exists():
        typer.echo(found.best_run)


def _wandb(space: str, output: Path | None, trials: int, sweep: Path | None, quiet: bool) -> str:
    from vanhove.tuning.space import SearchSpace
    from vanhove.tuning.wandb import run_sweep_trial, write_sweep

    loaded = SearchSpace.load(space)
    if sweep is None:
        return str(run_sweep_trial(loaded, output, quiet).best)
    write_sweep(loaded, space, sweep, trials)
    return f"{sweep}\nnext: wandb sweep {sweep}, then wandb agent with the name it prints"
