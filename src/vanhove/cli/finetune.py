"""``vanhove finetune``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from vanhove.cli.options import QuietOption, ResumeOption, SeedOption, SetOption
from vanhove.cli.root import app
from vanhove.cli.train import report_training
from vanhove.errors import ConfigError


@app.command()
def finetune(
    checkpoint: Annotated[
        str,
        typer.Argument(
            help="Weights to start from: shipped weights, a checkpoint file or a run folder."
        ),
    ],
    data: Annotated[
        str | None, typer.Option("--data", help="Data set to fine-tune on: a name or a folder.")
    ] = None,
    fraction: Annotated[
        float | None,
        typer.Option(
            "--fraction",
            help="Share of the model's own test split to fine-tune on, at most 0.2; the rest is "
            "tested on.",
        ),
    ] = None,
    mode: Annotated[
        Literal["auto", "all", "prompts", "last_layers", "adapters"] | None,
        typer.Option(
            "--mode", help="Which weights to train; auto: chosen by cross-validation [all]."
        ),
    ] = None,
    only_prompt: Annotated[
        bool, typer.Option("--only-prompt", help="The same as --mode prompts.")
    ] = False,
    folds: Annotated[
        int | None,
        typer.Option(
            "--folds",
            help="Number of cross-validation folds; 0: none [default: as few materials need].",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Run folder [default: runs/NAME-tuned-seedSEED]."),
    ] = None,
    resume: ResumeOption = False,
    seed: SeedOption = None,
    set_: SetOption = None,
    quiet: QuietOption = False,
) -> None:
    """Train a trained model further, on other data or on a share of what it was tested on.

    Up to 500 materials without a validation split are cross-validated: the folds say when to stop
    and what was gained over the original, with error bars.

    \b
    Example: vanhove finetune vanhove-phonon --data my-spectra/ -o runs/mine
    Example: vanhove finetune runs/ood --fraction 0.1 --mode prompts
    """
    from vanhove.runs.config import parse_overrides
    from vanhove.training.finetuning import finetune as run
    from vanhove.training.finetuning_report import FinetuningReport, report_table

    settings = parse_overrides(set_ or [])
    if seed is not None:
        settings["seed"] = seed
    if only_prompt and mode not in (None, "prompts"):
        raise ConfigError(f"--only-prompt and --mode {mode}: give one of them")
    result = run(
        checkpoint,
        data=data,
        fraction=fraction,
        mode="prompts" if only_prompt else mode or "all",
        folds=folds,
        output=output,
        resume=resume,
        overrides=settings,
        quiet=quiet,
    )
    if isinstance(result, FinetuningReport):
        typer.echo(report_table(result))
    else:
        report_training(result)
