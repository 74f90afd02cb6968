"""What a notebook shows of a `Spectrum` or a `BandStructure`: a small table and a plot.

Plain HTML with an SVG in it, no script. Text, axes and lines of the table take the colour of the
text around them, so that light and dark pages both do.
"""

from __future__ import annotations

import html
import io
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from vanhove.errors import DataError
from vanhove.spectra.plotting import COLOUR, TEXT_COLOUR
from vanhove.spectra.quantities import quantity

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

    from vanhove.spectra.density import Density
    from vanhove.spectra.dispersion import Dispersion
    from vanhove.spectra.phonon_modes import PhononModes
    from vanhove.spectra.stability import Stability

SIZE = (5.0, 2.8)
"""Inches."""
LINE_COLOUR = "#3880c4"
"""In place of the darker blue of files: at least 4 to 1 on white and on black."""


def spectrum_html(spectrum: Density) -> str:
    """Formula, model, mean frequency and heat capacity (phonons) or peak, and the plot."""
    from vanhove.spectra.plotting import figure
    from vanhove.spectra.thermodynamics import heat_capacity, mean_frequency

    grid, values, meta = spectrum.grid, spectrum.values, spectrum.metadata
    unit = spectrum.kind.axis_unit.label
    rows = _first_rows(spectrum.name, spectrum, meta)
    rows += [
        ("grid", f"{len(grid)} points, {grid[0]:g} to {grid[-1]:g} {unit}"),
        ("normalisation", spectrum.normalisation),
        ("highest peak", f"{grid[values.argmax()]:g} {unit}"),
    ]
    if spectrum.kind.thermal:
        try:
            capacity = f"{heat_capacity(grid, values, 300.0):.2f} J/(K mol of atoms)"
            rows.append(("mean frequency", f"{mean_frequency(grid, values):.1f} {unit}"))
            rows.append(("C_V(300 K)", capacity))
        except DataError:  # no weight: nothing to tell
            pass
    if "familiarity" in meta:
        rows.append(("familiarity", f"{meta['familiarity']:.2f}"))
    rows += [("warning", text) for text in spectrum.warnings]
    return _card(spectrum.kind.title, rows, figure(spectrum, size=SIZE))


def bands_html(bands: Dispersion) -> str:
    """Formula, model, path and gap (electrons), and the plot."""
    from vanhove.spectra.band_plotting import figure

    labels = [label for label in bands.kpoints.labels if label]
    rows = _first_rows(bands.name, bands, bands.metadata)
    rows += [
        ("path", f"{'-'.join(labels)}, {len(bands.kpoints)} points"),
        ("bands", f"{bands.n_bands}, in {bands.kind.axis_unit.label}"),
    ]
    if bands.kind.fermi_level:
        rows.append(("gap", _gap(bands)))
    if "familiarity" in bands.metadata:
        rows.append(("familiarity", f"{bands.metadata['familiarity']:.2f}"))
    rows += [("warning", text) for text in bands.warnings]
    return _card(bands.kind.title, rows, figure(bands, size=(SIZE[0], 3.4)))


def phonons_html(
    phonons: PhononModes, stability: Stability, highest: float, capacity: float, drawing: Figure
) -> str:
    """Modes, stability and heat capacity, and bands beside the density of states.

    Args:
        phonons: of the crystal.
        stability: of it.
        highest: where its spectrum ends, 1/cm.
        capacity: C_V(300 K), J/(K mol of atoms).
        drawing: of bands and density.
    """
    meta = phonons.metadata
    rows = _first_rows(phonons.name, phonons, meta)
    at = ", ".join(f"{x:g}" for x in np.round(stability.qpoint, 3))
    rows += [
        ("modes", f"{phonons.n_modes}, up to {highest:.0f} cm⁻¹"),
        ("softest", f"{stability.frequency:.1f} cm⁻¹ at q = ({at}); imaginary is negative"),
        ("C_V(300 K)", f"{capacity:.2f} J/(K mol of atoms)"),
    ]
    rows += [("warning", text) for text in meta.get("warnings", ())]
    return _card("phonons", rows, drawing)


def thermal_html(table: DataFrame) -> str:
    """The table of temperatures; of many, every few."""
    step = max(1, len(table) // 20)
    return str(table.iloc[::step].to_html(float_format=lambda value: f"{value:.3f}"))


def predictor_html(name: str, info: Any) -> str:
    """What is known of a model, from its ``info``."""
    kind, grid, data = quantity(info.quantity), info.grid, info.trained.dataset
    unit = kind.axis_unit.label
    return _table(
        name,
        [
            ("predicts", kind.title),
            ("grid", f"{len(grid)} points, {grid[0]:g} to {grid[-1]:g} {unit}"),
            ("trained on", f"{data.n_train} crystals of {data.name}"),
            ("elements", str(len(info.elements))),
        ],
    )


def _gap(bands: Dispersion) -> str:
    try:
        gap = bands.gap
    except DataError:
        return "not known: all bands lie on one side of the Fermi level"
    if gap is None:
        return "none: a metal"
    return f"{gap.energy:.2f} eV, {'direct' if gap.is_direct else 'indirect'}"


def _first_rows(
    name: str, of: Density | Dispersion | PhononModes, metadata: dict[str, object]
) -> list[tuple[str, str]]:
    rows = [("name", name)] if name else []
    if of.crystal is not None:
        n_atoms = of.crystal.n_atoms
        cell = f"{n_atoms} atom{'s' if n_atoms > 1 else ''} in the cell"
        rows.append(("crystal", f"{of.crystal.formula}, {cell}"))
    known = ("model", "crystal_system", "space_group_symbol")
    return rows + [(key.replace("_", " "), str(metadata[key])) for key in known if key in metadata]


def _card(title: str, rows: list[tuple[str, str]], drawing: Figure) -> str:
    return (
        '<div style="display: flex; flex-wrap: wrap; align-items: center; gap: 16px">'
        f"{_table(title, rows)}{_svg(drawing, title)}</div>"
    )


def _table(title: str, rows: list[tuple[str, str]]) -> str:
    cell = 'style="text-align: left; padding: 1px 12px 1px 0"'
    body = "".join(
        f"<tr><th {cell}>{html.escape(key)}</th><td {cell}>{html.escape(value)}</td></tr>"
        for key, value in rows
    )
    head = f"<caption {cell}><b>{html.escape(title)}</b></caption>"
    return f'<table style="color: inherit">{head}{body}</table>'


def _svg(drawing: Figure, title: str) -> str:
    import matplotlib

    stream = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "font.family": "sans-serif"}):
        drawing.savefig(stream, format="svg", transparent=True, metadata={"Date": None})
    text = stream.getvalue()
    text = text[text.index("<svg") :]
    # Its style sheet and descriptions would reach the whole page.
    text = re.sub(r"<metadata>.*?</metadata>|<style[^>]*>.*?</style>", "", text, flags=re.S)
    text = re.sub(r' id="(figure|axes|patch|line2d|text|xtick|ytick|matplotlib)[^"]*"', "", text)
    text = text.replace(TEXT_COLOUR, "currentColor").replace("#000000", "currentColor")
    text = re.sub(r"\n\s*", "\n", text.replace(COLOUR, LINE_COLOUR))
    return text.replace("<svg ", f'<svg role="img" aria-label="{html.escape(title)}" ', 1)
