"""``vanhove predict``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from vanhove.cli.options import GivenCellOption, ModelOption, PrecisionOption, QuietOption
from vanhove.cli.root import app


@app.command()
def predict(
    structures: Annotated[
        list[Path],
        typer.Argument(help="Structure files (CIF, POSCAR, extxyz, JSON), or folders of them."),
    ],
    property_name: Annotated[
        Literal[
            "phonon-dos",
            "phonon-bands",
            "thermodynamics",
            "phonons",
            "electron-dos",
            "bands",
            "transport",
        ]
        | None,
        typer.Option(
            "--property",
            "-p",
            help="What to predict, with the weights shipped for it [phonon-dos, or what --model "
            "predicts].",
        ),
    ] = None,
    model: ModelOption = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for plots and spectra.")
    ] = Path(),
    json_path: Annotated[
        str | None, typer.Option("--json", help="Write all results to this JSON file; - is stdout.")
    ] = None,
    csv: Annotated[
        bool,
        typer.Option(
            "--csv", help="Write NAME-PROPERTY.csv for each structure, and summary.csv of several."
        ),
    ] = False,
    formats: Annotated[
        list[str] | None,
        typer.Option(
            "--format",
            help="Write each result as csv, json, parquet, pymatgen (its JSON), phonopy (its "
            "files) or, of electrons, wannier90 or bxsf (a metal's Fermi surface); several with "
            "commas between them, or repeated.",
        ),
    ] = None,
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
    given_cell: GivenCellOption = False,
    temperature: Annotated[
        float,
        typer.Option(
            "--temperature", min=0.0, max=99999.0, help="Temperature of C_V, entropy, transport: K."
        ),
    ] = 300.0,
    concentration: Annotated[
        float,
        typer.Option(
            "--concentration", min=1.0, help="Carriers in a cm^3, of --property transport."
        ),
    ] = 1e18,
    temperatures: Annotated[
        str | None,
        typer.Option(
            "--temperatures",
            help="START:STOP:STEP in K: write C_V, S, F and U at these, NAME-thermodynamics.csv.",
        ),
    ] = None,
    path: Annotated[
        Literal["setyawan_curtarolo", "latimer_munro", "hinuma"],
        typer.Option("--path", help="Convention of the path along which bands are predicted."),
    ] = "setyawan_curtarolo",
    every: Annotated[
        bool, typer.Option("--all", help="Use every structure of a file that holds several.")
    ] = False,
    grid: Annotated[
        tuple[float, float, float] | None,
        typer.Option(
            "--grid", help="START STOP STEP: predict at other frequencies (1/cm) or energies (eV)."
        ),
    ] = None,
    precision: PrecisionOption = "auto",
    quiet: QuietOption = False,
) -> None:
    """Predict densities of states or bands of crystals, of phonons or electrons.

    thermodynamics: heat capacity, entropy and energies at many temperatures. phonons: these, the
    softest mode, stability, Born charges, infrared modes, and bands beside the density of states.
    transport: masses and Seebeck coefficients of electrons and holes of an insulator.

    One structure: a table and a plot. Several, or a folder: a table with one line each. A
    structure that cannot be used costs one line on stderr; the others are predicted, and the exit
    status is 1.

    \b
    Example: vanhove predict crystal.cif
    Example: vanhove predict crystal.cif --property electron-dos
    Example: vanhove predict crystal.cif --property phonon-bands
    Example: vanhove predict crystal.cif --property thermodynamics --csv
    Example: vanhove predict crystal.cif --property phonons
    Example: vanhove predict crystal.cif --property bands --json bands.json
    Example: vanhove predict crystal.cif --property transport --temperature 600
    Example: vanhove predict structures/ --csv --temperatures 100:1000:50
    Example: vanhove predict crystal.cif --property phonons --format pymatgen,phonopy
    Example: vanhove predict crystal.cif --property bands --format wannier90
    Example: vanhove predict crystal.cif --grid 0 1000 10
    Example: vanhove predict structures/ --json - | jq '.results[].name'
    """
    from vanhove.prediction.phonon_report import WHOLE, PhononsCommand
    from vanhove.prediction.report import PredictCommand
    from vanhove.prediction.transport_report import TRANSPORT, TransportCommand
    from vanhove.spectra.grids import even_grid
    from vanhove.spectra.thermal_table import temperature_range

    options: dict[str, Any] = {}
    command: type[PredictCommand] = PhononsCommand if property_name in WHOLE else PredictCommand
    if property_name == TRANSPORT:
        command, options = TransportCommand, {"concentration": concentration}
    failed = command(
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
        temperatures=None if temperatures is None else temperature_range(temperatures),
        formats=tuple(formats or ()),
        **options,
    ).run()
    raise typer.Exit(1 if failed else 0)
