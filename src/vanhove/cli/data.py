"""``vanhove data ...``: what models learn from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from vanhove.cli.options import JsonOption, ModelOption, QuietOption
from vanhove.cli.root import data_app


@data_app.command("list")
def data_list(json_output: JsonOption = False) -> None:
    """List the named data sets.

    Example: vanhove data list
    """
    from vanhove.datasets.catalog import data_list as known

    if json_output:
        typer.echo(json.dumps(known(), indent=1))
        return
    for name, about in known().items():
        typer.echo(f"{name:20s} {about}")


@data_app.command("info")
def data_info(
    name: Annotated[str, typer.Argument(help="A named data set, or a folder of your own.")],
    json_output: JsonOption = False,
) -> None:
    """Load a data set (fetching it first if need be), check it and describe it.

    Example: vanhove data info phonon_petretto
    """
    from vanhove.datasets.catalog import data_info as described

    found = described(name).to_json()
    if json_output:
        typer.echo(json.dumps(found, indent=1))
        return
    for key, value in found.items():
        if isinstance(value, dict):
            value = ", ".join(f"{k} {_plain(v)}" for k, v in value.items())
        for item in value if key == "notes" else [_plain(value)]:
            typer.echo(f"{key:16s} {item}")


@data_app.command("fetch")
def data_fetch(
    name: Annotated[str, typer.Argument(help="A named data set.")],
) -> None:
    """Fetch the files of a named data set from their public source into the cache, and check them.

    What is there already is not fetched again; a download that was stopped goes on.

    Example: vanhove data fetch phonon_petretto_full
    """
    from vanhove.datasets.catalog import data_fetch as fetched

    result = fetched(name)
    typer.echo(f"{name}: {result.materials} materials, SHA-256 {result.data_hash}")


@data_app.command("label")
def data_label(
    source: Annotated[Path, typer.Argument(help="Structures, as for vanhove screen.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The data set to write, a new folder.")
    ],
    model: ModelOption = None,
    together_with: Annotated[
        str | None,
        typer.Option(
            "--with", help="A data set of computed spectra, whose splits the new one takes over."
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option("--limit", min=1, help="Label this many structures, drawn at random [all]."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Seed of that draw.")] = 0,
    quiet: QuietOption = False,
) -> None:
    """Label structures with the spectra that a model predicts: data to train a faster model on.

    With a data set of computed spectra, formulas of its validation and test splits are left out.

    \b
    Example: vanhove data label structures/ -o labelled --with phonon_petretto
    """
    from vanhove.screening.labelling import label

    result = label(
        source,
        output,
        model=model,
        together_with=together_with,
        limit=limit,
        seed=seed,
        quiet=quiet,
    )
    typer.echo(
        f"{output}: {result.n_labelled} structures labelled, {result.n_computed} with computed "
        f"spectra, {result.n_left_out} left out (formulas that validate or test), "
        f"{result.n_failed} failed"
    )


@data_app.command("import")
def data_import(
    folder: Annotated[Path, typer.Argument(help="Calculations, a folder for each material.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The data set to write, a new folder.")
    ],
    quantity: Annotated[
        str | None,
        typer.Option(
            "--quantity", help="phonon_dos or electron_dos: which to take where both are found."
        ),
    ] = None,
    grid: Annotated[
        tuple[float, float, float] | None,
        typer.Option("--grid", help="START STOP STEP of phonons, 1/cm [0 1000 20]."),
    ] = None,
    quiet: QuietOption = False,
) -> None:
    """Make a data set of what VASP, phonopy, Quantum ESPRESSO or pymatgen left in a folder.

    Says what was taken from where; the exit status is 1 where a file was skipped.

    \b
    Example: vanhove data import calculations/ -o my-data
    """
    from vanhove.datasets.importing import import_calculations
    from vanhove.spectra.grids import even_grid

    result = import_calculations(
        folder,
        output,
        quantity=quantity,
        grid=None if grid is None else even_grid(*grid),
        quiet=quiet,
    )
    typer.echo(str(result))
    if result.skipped:
        raise typer.Exit(1)


@data_app.command("fetch-mp")
def data_fetch_mp(
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", help="Folder to download to; the same folder continues a download."
        ),
    ],
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="Download this many materials [all].")
    ] = None,
    requests_per_second: Annotated[
        float, typer.Option("--requests-per-second", min=0.01, help="Most requests in a second.")
    ] = 5.0,
    projections: Annotated[
        bool,
        typer.Option(
            "--projections",
            help="Download the projected DOS as well (large): it holds the structure of each "
            "calculation.",
        ),
    ] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Ask again for the materials that failed.")
    ] = False,
    bands: Annotated[
        bool, typer.Option("--bands", help="Download band structures along lines instead of DOS.")
    ] = False,
    quiet: QuietOption = False,
) -> None:
    """Download electron DOS of the Materials Project (non-magnetic, not deprecated).

    Needs your key in MP_API_KEY and pip install 'vanhove[mp]'. A download that was stopped
    continues when the same command is given again.

    \b
    Example: vanhove data fetch-mp -o mp-dos --limit 100
    """
    from vanhove.datasets.materials_project import fetch_materials_project

    result = fetch_materials_project(
        output,
        limit=limit,
        requests_per_second=requests_per_second,
        projections=projections,
        retry_failed=retry_failed,
        what="bands" if bands else "dos",
        quiet=quiet,
    )
    typer.echo(
        f"{output}: {result.present} of {result.wanted} materials, {result.fetched} of them new; "
        f"{len(result.failed)} failed (reasons in manifest.json)"
    )


def _plain(value: object) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, dict):
        return "(" + ", ".join(f"{k} {v}" for k, v in value.items()) + ")"
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
