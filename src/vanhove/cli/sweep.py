"""``vanhove sweep``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vanhove.cli.options import QuietOption, SetOption, SizeOption, parse_seeds
from vanhove.cli.root import app


@app.command()
def sweep(
    settings: Annotated[
        list[str],
        typer.Argument(
            help="KEY=VALUE,VALUE,...: a setting and its values; of several settings, all "
            "combinations are run."
        ),
    ],
    config: Annotated[
        str,
        typer.Option(
            "--config",
            "-c",
            help="The run whose settings are varied: a YAML run file, a named model, or shipped "
            "weights.",
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for the runs, tables and the figure.")
    ] = Path("sweep"),
    seeds: Annotated[
        str,
        typer.Option("--seeds", help="How many seeds for each value (3), or which (0,1,2)."),
    ] = "1",
    metric: Annotated[
        str | None,
        typer.Option("--metric", help="Metric of the figure [default: what selects the epoch]."),
    ] = None,
    test: Annotated[
        bool,
        typer.Option(
            "--test", help="Measure on the test split too, at the end; never choose by it."
        ),
    ] = False,
    set_: SetOption = None,
    size: SizeOption = None,
    quiet: QuietOption = False,
) -> None:
    """Train a model with each value of some settings, with several seeds; a table and a figure.

    Metrics are those of the validation split. A sweep that was stopped or killed continues when the
    same command is given again, also with more values or seeds.

    \b
    Example: vanhove sweep graph.cutoff=2,4,6 --config graph-network-energy --seeds 3
    Example: vanhove sweep model.decoder.energies=learned,gaussian training.beta=0,1 -c run.yaml
    """
    from vanhove.experiments.sweep import parse_values
    from vanhove.experiments.sweep import sweep as run
    from vanhove.experiments.sweep_output import sweep_table
    from vanhove.runs.catalog import find_config
    from vanhove.runs.config import parse_overrides

    result = run(
        find_config(config, size, parse_overrides(set_ or [])),
        parse_values(settings),
        seeds=parse_seeds(seeds),
        output=output,
        metric=metric,
        test=test,
        quiet=quiet,
    )
    typer.echo(sweep_table(result))
    typer.echo(f"\n{output / 'sweep.json'}")
