"""Commands that make models."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from vanhove.cli.options import QuietOption, ResumeOption, SetOption, SizeOption, checked_size
from vanhove.cli.root import app
from vanhove.errors import ConfigError

if TYPE_CHECKING:
    from vanhove.training.loop import TrainingResult


@app.command()
def train(
    config: Annotated[
        str,
        typer.Argument(
            help="YAML run file, a model of the catalog, or shipped weights to train again."
        ),
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Run folder [runs/NAME-seedSEED].")
    ] = None,
    resume: ResumeOption = False,
    seed: Annotated[
        int | None, typer.Option("--seed", help="Replaces the run file's seed.")
    ] = None,
    set_: SetOption = None,
    size: SizeOption = None,
    log: Annotated[
        list[str] | None, typer.Option("--log", help="Also log to: tensorboard, wandb.")
    ] = None,
    quiet: QuietOption = False,
) -> None:
    """Train a model; killed or interrupted runs continue with --resume, to the same result.

    `vanhove models` lists the catalog.

    \b
    Example: vanhove train configs/phonon/dostransformer.yaml --seed 1
    Example: vanhove train mlp-energy --size published
    Example: torchrun --nproc-per-node 2 -m vanhove train configs/phonon/dostransformer.yaml
    """
    from vanhove import commands
    from vanhove.runs.config import parse_overrides

    settings = parse_overrides(set_ or [])
    if log:
        settings["training.loggers"] = log
    result = commands.train(
        config,
        output,
        resume=resume,
        seed=seed,
        settings=settings,
        size=checked_size(size),
        quiet=quiet,
    )
    _report(result)


@app.command()
def embed(
    source: Annotated[
        str,
        typer.Argument(help="Folder of structures, npz, JSON(L), ..., or a named data set."),
    ],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="File for the table, NAME.safetensors.")
    ] = None,
    kind: Annotated[
        str,
        typer.Option("--kind", help="vae, contrastive, contrastive-labels (data set), potential."),
    ] = "vae",
    encoder: Annotated[
        str | None,
        typer.Option("--encoder", help="Train nothing: use this embedding (shipped, or a file)."),
    ] = None,
    latents: Annotated[
        Path | None, typer.Option("--latents", help="npz file: latents per atom and per crystal.")
    ] = None,
    map_: Annotated[
        Path | None, typer.Option("--map", help="HTML file: a map of the latent space.")
    ] = None,
    epochs: Annotated[int | None, typer.Option("--epochs", min=1, help="Of the training.")] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", help="Take so many crystals, at random [all].")
    ] = None,
    max_atoms: Annotated[
        int, typer.Option("--max-atoms", min=1, help="Leave out larger cells.")
    ] = 12,
    leave_out: Annotated[
        str | None,
        typer.Option("--leave-out", help="A data set whose valid and test formulas to leave out."),
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Of everything random.")] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="A setting: --set latent_dim=16 (repeatable)."),
    ] = None,
    quiet: QuietOption = False,
) -> None:
    """Learn vectors of the elements from crystals, for atom_features of a run file.

    A training that was stopped or killed continues when the same command is given again.

    \b
    Example: vanhove embed structures.npz --kind vae -o mine.safetensors --map mine.html
    Example: vanhove embed cifs/ --encoder vae --latents latents.npz
    """
    from vanhove.embeddings.embed import embed as run_embedding
    from vanhove.runs.config import parse_overrides

    settings = parse_overrides(set_ or [])
    settings |= {k: v for k, v in (("epochs", epochs), ("seed", seed)) if v is not None}
    try:
        result = run_embedding(
            source,
            out,
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
    except KeyboardInterrupt:
        typer.echo("stopped; the same command continues where it was", err=True)
        raise typer.Exit(130) from None
    info = result.info
    n_elements = len(info["elements"].split(", "))
    typer.echo(f"{info['n_crystals']} crystals, {n_elements} elements x {info['dimension']}")
    for name, value in info.get("held_out", {}).items():
        typer.echo(f"{name:28s} {value:.4f}")
    for path in (out, latents, map_):
        if path is not None:
            typer.echo(path)


@app.command()
def finetune(
    checkpoint: Annotated[
        str, typer.Argument(help="Shipped weights, a checkpoint or a run folder to start from.")
    ],
    data: Annotated[
        str | None, typer.Option("--data", help="Data set to tune on (name or folder).")
    ] = None,
    fraction: Annotated[
        float | None,
        typer.Option(
            "--fraction", help="Tune on this part (at most 0.2) of the test part, test on the rest."
        ),
    ] = None,
    mode: Annotated[
        Literal["auto", "all", "prompts", "last_layers", "adapters"] | None,
        typer.Option("--mode", help="What to train; auto: as cross-validation chooses [all]."),
    ] = None,
    only_prompt: Annotated[
        bool, typer.Option("--only-prompt", help="The same as --mode prompts.")
    ] = False,
    folds: Annotated[
        int | None,
        typer.Option("--folds", help="Of cross-validation; 0: none [for few materials]."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Run folder [runs/NAME-tuned-seedSEED].")
    ] = None,
    resume: ResumeOption = False,
    seed: Annotated[int | None, typer.Option("--seed", help="Replaces the seed.")] = None,
    set_: SetOption = None,
    quiet: QuietOption = False,
) -> None:
    """Train a trained model further, on other data or on a part of what it was tested on.

    Up to 500 materials without a validation part are cross-validated: the folds say when to stop
    and what was gained over the original, with error bars.

    \b
    Example: vanhove finetune vanhove-phonon --data my-spectra/ -o runs/mine
    Example: vanhove finetune runs/ood --fraction 0.1 --mode prompts
    """
    from vanhove.runs.config import parse_overrides
    from vanhove.training.finetuning import finetune as run_finetuning
    from vanhove.training.finetuning_report import report_table

    overrides = parse_overrides(set_ or [])
    if seed is not None:
        overrides["seed"] = seed
    if only_prompt and mode not in (None, "prompts"):
        raise ConfigError(f"--only-prompt and --mode {mode}: give one of them")
    try:
        result = run_finetuning(
            checkpoint,
            data=data,
            fraction=fraction,
            mode="prompts" if only_prompt else mode or "all",
            folds=folds,
            output=output,
            resume=resume,
            overrides=overrides,
            quiet=quiet,
        )
    except KeyboardInterrupt:
        typer.echo("continue with the same command and --resume", err=True)
        raise typer.Exit(130) from None
    if isinstance(result, dict):
        typer.echo(report_table(result))
    else:
        _report(result)


@app.command()
def tune(
    space: Annotated[
        str | None, typer.Argument(help="YAML search space, or the name of a shipped one.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder of the search [searches/NAME].")
    ] = None,
    trials: Annotated[
        int, typer.Option("--trials", min=1, help="Of the whole search, earlier ones included.")
    ] = 40,
    jobs: Annotated[
        int, typer.Option("--jobs", "-j", min=1, help="Processes on this machine.")
    ] = 1,
    storage: Annotated[
        str | None,
        typer.Option(
            "--storage", help="sqlite:///FILE, postgresql://..., journal:FILE [in the folder]."
        ),
    ] = None,
    timeout: Annotated[
        float | None, typer.Option("--timeout", help="Seconds after which no trial begins.")
    ] = None,
    show: Annotated[
        Path | None, typer.Option("--show", help="Show the search in this folder; run nothing.")
    ] = None,
    test_best: Annotated[
        Path | None,
        typer.Option("--test-best", help="Train the best of this folder again and test it, once."),
    ] = None,
    seeds: Annotated[str, typer.Option("--seeds", help="Of --test-best.")] = "0,1,2",
    wandb_sweep: Annotated[
        Path | None,
        typer.Option("--wandb-sweep", help="Write the space as a Weights & Biases sweep."),
    ] = None,
    wandb_trial: Annotated[
        bool, typer.Option("--wandb-trial", help="Run one trial of a sweep: for wandb agent.")
    ] = False,
    quiet: QuietOption = False,
) -> None:
    """Search the settings of a model by the validation part; write the best as a run file.

    Without a space: list the shipped ones. A search that was stopped or killed continues when the
    same command is given again; other processes join with the same --output or --storage. Needs
    pip install 'vanhove[tune]'.

    \b
    Example: vanhove tune dostransformer-short --trials 40 -o searches/first
    Example: vanhove tune my-space.yaml --jobs 2
    Example: vanhove tune --show searches/first
    Example: vanhove tune --test-best searches/first --seeds 0,1,2
    """
    from vanhove.tuning.command import run_command

    try:
        typer.echo(
            run_command(
                space,
                output=output,
                trials=trials,
                jobs=jobs,
                storage=storage,
                timeout=timeout,
                show_folder=show,
                test_folder=test_best,
                seeds=seeds,
                wandb_sweep=wandb_sweep,
                wandb_trial=wandb_trial,
                quiet=quiet,
            )
        )
    except KeyboardInterrupt:
        typer.echo("stopped; the same command continues where it was", err=True)
        raise typer.Exit(130) from None


def _report(result: TrainingResult) -> None:
    """What a training ended with; exit status 130 when a signal stopped it."""
    if result.interrupted:
        typer.echo("continue with the same command and --resume", err=True)
        raise typer.Exit(130)
    numbers = "  ".join(f"{key} {value:.4f}" for key, value in result.validation.items())
    typer.echo(f"{result.best}  (validation: {numbers})")


@app.command()
def ensemble(
    runs: Annotated[
        list[str], typer.Argument(help="Run folders or checkpoints that differ in their seed.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="File to write, NAME.safetensors.")],
    name: Annotated[str | None, typer.Option("--name", help="What results call it.")] = None,
    quiet: QuietOption = False,
) -> None:
    """Join runs into one model that predicts their mean, with error bars.

    The error bars are calibrated on the validation part; a single run is enough for error bars
    that do not know where members disagree.

    \b
    Example: vanhove ensemble runs/model-seed0 runs/model-seed1 -o my-ensemble.safetensors
    """
    from vanhove.training.ensemble import make_ensemble

    validation = make_ensemble(runs, out, name=name, quiet=quiet)
    numbers = "  ".join(f"{key} {value:.4f}" for key, value in validation.items())
    typer.echo(f"{out}  {out.stat().st_size / 1e6:.1f} MB  (validation: {numbers})")


@app.command()
def export(
    checkpoint: Annotated[str, typer.Argument(help="A checkpoint or a run folder.")],
    path: Annotated[Path, typer.Argument(help="The file to write, NAME.safetensors.")],
) -> None:
    """Write the weights of a run as one half-precision file, as the shipped ones are.

    Example: vanhove export runs/dostransformer-phonon-seed0 my-model.safetensors
    """
    from vanhove import commands

    commands.export(checkpoint, path)
    typer.echo(f"{path}  {path.stat().st_size / 1e6:.1f} MB")


@app.command()
def models(
    name: Annotated[
        str | None, typer.Argument(help="A model of the catalog: print its settings as YAML.")
    ] = None,
    size: SizeOption = None,
) -> None:
    """List the models that can be trained by name, and the weights that ship, with test numbers.

    \b
    Example: vanhove models
    Example: vanhove models dostransformer --size published
    """
    from vanhove.experiments.tables import catalog_table, weights_table
    from vanhove.runs.catalog import run_config

    if name is not None:
        typer.echo(run_config(name, checked_size(size) or "compact").to_yaml(), nl=False)
        return
    typer.echo(f"{catalog_table()}\n\n{weights_table()}")
