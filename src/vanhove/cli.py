"""The ``vanhove`` command: a thin shell over the functions of the package.

Only typer is imported up front, so that ``vanhove --help`` answers at once.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from vanhove.errors import ConfigError, VanhoveError

if TYPE_CHECKING:
    from vanhove.training.loop import TrainingResult

app = typer.Typer(
    name="vanhove",
    help="Predict the spectra of crystals from the structure alone.\n\n"
    "Example: vanhove predict crystal.cif",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
data_app = typer.Typer(
    help="Data sets: list, fetch, describe.", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(data_app, name="data")

ModelOption = Annotated[
    str | None,
    typer.Option(
        "--model", "-m", help="Other weights: shipped, a checkpoint file or a run folder."
    ),
]
SizeOption = Annotated[
    str | None,
    typer.Option("--size", help="Of a catalogued model: compact (default) or published."),
]
PrecisionOption = Annotated[
    Literal["float32", "bfloat16", "int8"],
    typer.Option("--precision", help="Lower: faster where the processor has it, less exact."),
]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="No progress on stderr.")]


def _version(wanted: bool) -> None:
    if wanted:
        from vanhove import __version__

        typer.echo(f"vanhove {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@app.command()
def predict(
    structures: Annotated[
        list[Path], typer.Argument(help="Structure files (CIF, POSCAR, extxyz, JSON) or folders.")
    ],
    property_name: Annotated[
        Literal["phonon-dos", "electron-dos", "bands"],
        typer.Option("--property", "-p", help="What to predict, with the weights shipped for it."),
    ] = "phonon-dos",
    model: ModelOption = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for plots and spectra.")
    ] = Path(),
    json_path: Annotated[
        str | None, typer.Option("--json", help="Write all results to this JSON file; - is stdout.")
    ] = None,
    csv: Annotated[
        bool, typer.Option("--csv", help="Write NAME-PROPERTY.csv for each structure.")
    ] = False,
    html: Annotated[
        bool, typer.Option("--html", help="Write NAME-PROPERTY.html, an interactive plot.")
    ] = False,
    plot: Annotated[
        bool | None,
        typer.Option(
            "--plot/--no-plot",
            help="Write NAME-PROPERTY.png; by default for a single structure without --json -.",
        ),
    ] = None,
    given_cell: Annotated[
        bool, typer.Option("--given-cell", help="Do not reduce to the primitive cell.")
    ] = False,
    temperature: Annotated[
        float, typer.Option("--temperature", min=0.0, help="For C_V and entropy, in K.")
    ] = 300.0,
    path: Annotated[
        Literal["setyawan_curtarolo", "latimer_munro", "hinuma"],
        typer.Option("--path", help="Of bands: the convention of the path."),
    ] = "setyawan_curtarolo",
    every: Annotated[
        bool, typer.Option("--all", help="Use every structure of a file that holds several.")
    ] = False,
    grid: Annotated[
        tuple[float, float, float] | None,
        typer.Option("--grid", help="START STOP STEP: other frequencies (1/cm) or energies (eV)."),
    ] = None,
    precision: PrecisionOption = "float32",
    quiet: QuietOption = False,
) -> None:
    """Predict the density of states of phonons (or electrons) of crystals, or electron bands.

    One structure: a table and a plot. Several, or a folder: one line each. A structure that cannot
    be used costs one line on stderr; the others are predicted, and the exit status is 1.

    \b
    Example: vanhove predict crystal.cif
    Example: vanhove predict crystal.cif --property electron-dos
    Example: vanhove predict crystal.cif --property bands --json bands.json
    Example: vanhove predict crystal.cif --grid 0 1000 10
    Example: vanhove predict structures/ --json - | jq '.results[].name'
    """
    from vanhove.prediction.command import PredictCommand
    from vanhove.spectra.grids import even_grid

    failed = PredictCommand(
        structures=structures,
        property_name=property_name,
        model=model,
        output=output,
        json_path=json_path,
        csv=csv,
        html=html,
        plot=plot,
        primitive=not given_cell,
        temperature=temperature,
        path=path,
        every=every,
        quiet=quiet,
        grid=None if grid is None else even_grid(*grid),
        precision=precision,
    ).run()
    raise typer.Exit(1 if failed else 0)


@app.command()
def screen(
    source: Annotated[
        Path,
        typer.Argument(help="Folder of structures, npz, JSON(L), extxyz, Parquet, ASE database."),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the tables and the report.")],
    properties: Annotated[
        list[str] | None,
        typer.Option(
            "--property",
            "-p",
            help="phonon-dos (default) or electron-dos, and columns to compute (repeatable).",
        ),
    ] = None,
    model: ModelOption = None,
    where: Annotated[
        str | None, typer.Option("--where", help="Select by an expression over properties.")
    ] = None,
    sort: Annotated[
        str | None, typer.Option("--sort", help="Expression, ascending; -NAME: largest first.")
    ] = None,
    top: Annotated[int, typer.Option("--top", help="Candidates in top.csv and the report.")] = 100,
    engine: Annotated[
        str, typer.Option("--engine", help="local (processes), or ray (a cluster).")
    ] = "local",
    workers: Annotated[
        int | None, typer.Option("--workers", "-j", help="Processes [one per processor].")
    ] = None,
    given_cell: Annotated[
        bool, typer.Option("--given-cell", help="Do not reduce to the primitive cell.")
    ] = False,
    partition_size: Annotated[
        int, typer.Option("--partition-size", help="Records in a file of the tables.")
    ] = 512,
    limit: Annotated[
        int | None, typer.Option("--limit", help="Take only the first records of the source.")
    ] = None,
    precision: PrecisionOption = "float32",
    quiet: QuietOption = False,
) -> None:
    """Predict many structures, select and sort them; tables in Parquet and a report in HTML.

    A screening that was stopped or killed continues when the same command is given again. Needs
    pip install 'vanhove[screen]'.

    \b
    Example: vanhove screen structures.npz --where "mean_frequency > 400" --out found
    Example: vanhove screen cifs/ --sort "-heat_capacity_300K" --out found --engine ray
    """
    from vanhove.screening.command import screen as run_screening

    try:
        result = run_screening(
            source,
            out,
            model=model,
            properties=properties or (),
            where=where,
            sort=sort,
            top=top,
            engine=engine,  # type: ignore[arg-type]
            workers=workers,
            primitive=not given_cell,
            partition_size=partition_size,
            limit=limit,
            precision=precision,
            quiet=quiet,
        )
    except KeyboardInterrupt:
        typer.echo("stopped; the same command continues where it was", err=True)
        raise typer.Exit(130) from None
    typer.echo(
        f"{result.n_predicted} predicted, {result.n_selected} selected, {result.n_failed} failed\n"
        f"{result.best}\n{result.report}"
    )


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
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue the run in that folder.")
    ] = False,
    seed: Annotated[
        int | None, typer.Option("--seed", help="Replaces the run file's seed.")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="Replace a setting: --set training.epochs=5 (repeatable)."),
    ] = None,
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
    from vanhove.training.config import parse_overrides

    settings = parse_overrides(set_ or [])
    if log:
        settings["training.loggers"] = log
    result = commands.train(
        config,
        output,
        resume=resume,
        seed=seed,
        settings=settings,
        size=_size(size),
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
    from vanhove.embeddings.command import embed as run_embedding
    from vanhove.training.config import parse_overrides

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
        typer.Option(
            "--mode", help="What to train; auto: as cross-validation chooses [by the data]."
        ),
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
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue the run in that folder.")
    ] = False,
    seed: Annotated[int | None, typer.Option("--seed", help="Replaces the seed.")] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="Replace a setting: --set training.epochs=5 (repeatable)."),
    ] = None,
    quiet: QuietOption = False,
) -> None:
    """Train a trained model further, on other data or on a part of what it was tested on.

    Up to 500 materials without a validation part are cross-validated: the folds say when to stop
    and what was gained over the original, with error bars.

    \b
    Example: vanhove finetune vanhove-phonon --data my-spectra/ -o runs/mine
    Example: vanhove finetune runs/ood --fraction 0.1 --mode prompts
    """
    from vanhove.training.config import parse_overrides
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
            mode="prompts" if only_prompt else mode,
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
    from vanhove.experiments.tables import evaluation_table, groups_table
    from vanhove.training.evaluation import evaluate as measure

    if leaderboard is not None:
        from vanhove.experiments.leaderboard import write_submission

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
    from vanhove.experiments.definitions import EXPERIMENTS
    from vanhove.experiments.reproduce import parse_rows, parse_seeds
    from vanhove.experiments.tables import experiment_table

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
            size=_size(size),
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
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="Replace a setting in all runs (repeatable)."),
    ] = None,
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
    from vanhove.experiments.catalog import find_config
    from vanhove.experiments.reproduce import parse_seeds
    from vanhove.experiments.sweep import parse_values
    from vanhove.experiments.sweep import sweep as run_sweep
    from vanhove.experiments.sweep_output import sweep_table
    from vanhove.training.config import parse_overrides

    base = find_config(model, None if size is None else _size(size), parse_overrides(set_ or []))
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


@app.command()
def serve(
    models: Annotated[
        list[str] | None,
        typer.Option(
            "--model", "-m", help="Also offer this checkpoint or run folder (repeatable)."
        ),
    ] = None,
    host: Annotated[
        str, typer.Option("--host", help="Address to listen at; 0.0.0.0: for everyone.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Port to listen at.")
    ] = 8000,
    workers: Annotated[
        int, typer.Option("--workers", "-j", min=1, help="Processes that predict.")
    ] = 1,
    queue: Annotated[
        int, typer.Option("--queue", min=0, help="Requests that may wait before 429.")
    ] = 64,
    max_atoms: Annotated[
        int, typer.Option("--max-atoms", min=1, help="In the cell of a structure.")
    ] = 500,
    seconds: Annotated[
        float, typer.Option("--seconds", min=0.1, help="For one prediction.")
    ] = 30.0,
) -> None:
    """Serve a web page and an API for predictions, without any other site.

    Needs pip install 'vanhove[serve]'. There is no login: think before you leave 127.0.0.1.

    \b
    Example: vanhove serve
    Example: vanhove serve --port 8080 --model runs/mine --workers 2
    """
    from vanhove import commands

    commands.serve(
        models or (),
        host=host,
        port=port,
        workers=workers,
        queue=queue,
        max_atoms=max_atoms,
        seconds=seconds,
    )


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
    from vanhove.experiments.catalog import run_config
    from vanhove.experiments.tables import catalog_table, weights_table

    if name is not None:
        typer.echo(run_config(name, _size(size) or "compact").to_yaml(), nl=False)
        return
    typer.echo(f"{catalog_table()}\n\n{weights_table()}")


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


@data_app.command("list")
def data_list() -> None:
    """List the named data sets.

    Example: vanhove data list
    """
    from vanhove import commands

    for name, about in commands.data_list().items():
        typer.echo(f"{name:20s} {about}")


@data_app.command("info")
def data_info(
    name: Annotated[str, typer.Argument(help="A named data set or a folder of your own.")],
) -> None:
    """Load a data set (fetching it first if need be), check it and describe it.

    Example: vanhove data info phonon_petretto
    """
    from vanhove import commands

    for key, value in commands.data_info(name).items():
        if isinstance(value, dict):
            value = ", ".join(f"{k} {_plain(v)}" for k, v in value.items())
        for item in value if key == "notes" else [_plain(value)]:
            typer.echo(f"{key:16s} {item}")


@data_app.command("label")
def data_label(
    source: Annotated[Path, typer.Argument(help="Structures, as vanhove screen takes them.")],
    folder: Annotated[Path, typer.Argument(help="The data set to write, a new folder.")],
    model: ModelOption = None,
    together_with: Annotated[
        str | None,
        typer.Option(
            "--with", help="A data set with computed spectra, whose parts the new one has."
        ),
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="Draw so many structures [all].")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of the draw.")] = 0,
    quiet: QuietOption = False,
) -> None:
    """Let a model say the spectra of many structures: a data set to train a faster model on.

    With a data set of computed spectra, formulas of its validation and test parts are left out.

    \b
    Example: vanhove data label structures/ labelled --with phonon_petretto
    """
    from vanhove.screening.labelling import label

    result = label(
        source,
        folder,
        model=model,
        together_with=together_with,
        limit=limit,
        seed=seed,
        quiet=quiet,
    )
    typer.echo(
        f"{folder}: {result.n_labelled} structures labelled, {result.n_computed} with computed "
        f"spectra, {result.n_left_out} left out (formulas that validate or test), "
        f"{result.n_failed} failed"
    )


@data_app.command("fetch-mp")
def data_fetch_mp(
    folder: Annotated[Path, typer.Argument(help="Where to; the same folder continues.")],
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="How many materials [all].")
    ] = None,
    requests_per_second: Annotated[
        float, typer.Option("--requests-per-second", min=0.01, help="At most.")
    ] = 5.0,
    projections: Annotated[
        bool,
        typer.Option("--projections", help="Large: to get the structure of each DOS calculation."),
    ] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Ask again for those without a DOS.")
    ] = False,
    bands: Annotated[
        bool, typer.Option("--bands", help="Band structures along lines instead of DOS.")
    ] = False,
    quiet: QuietOption = False,
) -> None:
    """Download electron DOS of the Materials Project (non-magnetic, not deprecated).

    Needs your key in MP_API_KEY and pip install 'vanhove[mp]'. A download that was stopped
    continues when the same command is given again.

    \b
    Example: vanhove data fetch-mp mp-dos --limit 100
    """
    from vanhove.datasets.materials_project import fetch_materials_project

    try:
        result = fetch_materials_project(
            folder,
            limit=limit,
            requests_per_second=requests_per_second,
            projections=projections,
            retry_failed=retry_failed,
            what="bands" if bands else "dos",
            quiet=quiet,
        )
    except KeyboardInterrupt:
        typer.echo("stopped; the same command continues where it was", err=True)
        raise typer.Exit(130) from None
    typer.echo(
        f"{folder}: {result.present} of {result.wanted} materials, {result.fetched} of them new; "
        f"{len(result.failed)} failed (reasons in manifest.json)"
    )


def _size(size: str | None) -> Literal["compact", "published"] | None:
    if size not in (None, "compact", "published"):
        raise ConfigError(f"size {size!r}; allowed: compact, published")
    return size  # type: ignore[return-value]


def _plain(value: object) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, dict):
        return "(" + ", ".join(f"{k} {v}" for k, v in value.items()) + ")"
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def main() -> None:
    """Run the command; an expected error is one line on stderr and exit status 2."""
    try:
        app()
    except VanhoveError as error:
        print(f"vanhove: {error}", file=sys.stderr)
        sys.exit(2)
