"""``vanhove train``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vanhove.cli.options import QuietOption, ResumeOption, SeedOption, SetOption, SizeOption
from vanhove.cli.root import app
from vanhove.errors import ConfigError

if TYPE_CHECKING:
    from vanhove.training.electron_run import ElectronRun
    from vanhove.training.train import TrainingResult


@app.command()
def train(
    config: Annotated[
        str,
        typer.Argument(
            help="What to train: a YAML run file, a named model (vanhove models), or shipped "
            "weights, whose settings are taken; vanhove-electron: one member of it."
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Run folder [default: runs/NAME-seedSEED]."),
    ] = None,
    resume: ResumeOption = False,
    seed: SeedOption = None,
    set_: SetOption = None,
    size: SizeOption = None,
    log: Annotated[
        list[str] | None,
        typer.Option("--log", help="Log to tensorboard or wandb as well (may be repeated)."),
    ] = None,
    quick: Annotated[
        bool,
        typer.Option("--quick", help="Two epochs, to see that data and settings work."),
    ] = False,
    quiet: QuietOption = False,
) -> None:
    """Train a model; killed or interrupted runs continue with --resume, to the same result.

    `vanhove models` lists the named models.

    \b
    Example: vanhove train dostransformer --seed 1
    Example: vanhove train mlp-energy --size published
    Example: vanhove train vanhove-electron --quick
    Example: torchrun --nproc-per-node 2 -m vanhove train dostransformer
    """
    from vanhove.runs.config import parse_overrides
    from vanhove.training.electron_run import electron_run
    from vanhove.training.train import train as run

    electrons = electron_run(config, seed=seed or 0)
    if electrons is not None:
        if set_ or size or log:
            raise ConfigError(f"--set, --size and --log of {config}: write a run file instead")
        _train_electrons(electrons, output, resume=resume, quick=quick)
        return
    settings = parse_overrides(set_ or [])
    if log:
        settings["training.loggers"] = log
    result = run(
        config,
        output,
        resume=resume,
        seed=seed,
        settings=settings,
        size=size,
        quick=quick,
        quiet=quiet,
    )
    report_training(result)


def _train_electrons(run: ElectronRun, output: Path | None, *, resume: bool, quick: bool) -> None:
    from vanhove.training.electron_run import quick_run, train_member

    out = output or Path("runs") / f"{run.name}-seed{run.seed}"
    if (out / "run.json").exists() and not resume:
        raise ConfigError(f"{out} holds a training; --resume goes on with it, or take another -o")
    typer.echo(train_member(quick_run(run) if quick else run, out))


def report_training(result: TrainingResult) -> None:
    """Print what a training ended with; one that a signal stopped ends as Ctrl-C does."""
    if result.interrupted:
        raise KeyboardInterrupt
    typer.echo(f"{result.best}  (validation: {shown_metrics(result.validation)})")


def shown_metrics(metrics: dict[str, float]) -> str:
    """Names and values in a line."""
    return "  ".join(f"{key} {value:.4f}" for key, value in metrics.items())
