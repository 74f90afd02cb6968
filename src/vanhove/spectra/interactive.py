"""Interactive pictures: plotly figures that a notebook shows and a page holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from vanhove.errors import MissingExtraError
from vanhove.spectra.plotting import (
    COLOUR,
    REFERENCE_COLOUR,
    band_of,
    comparable,
    heading,
    labels_of,
    shade_label,
    y_label,
)

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from vanhove.spectra.density import Density
    from vanhove.spectra.dispersion import Dispersion

PARTS = ("#c2410c", "#15803d", "#9333ea", "#a16207", "#0e7490", "#be185d")
"""Colours of the shares of elements, as on the page of `vanhove serve`."""
_SHADE = "rgba(31, 95, 168, 0.22)"


def _plotly() -> Any:
    try:
        import plotly.graph_objects as go
    except ImportError as error:
        raise MissingExtraError("plotly", "html", "an interactive plot") from error
    return go


def html(spectrum: Density, reference: Density | None = None, title: str | None = None) -> str:
    """An interactive page that holds all it needs (about 5 MB of it is plotly's script).

    Arguments and errors as `vanhove.spectra.plotting.figure`.

    Raises:
        MissingExtraError: plotly is not installed.
    """
    figure: Any = density_figure(spectrum, reference, title)
    return str(figure.to_html(include_plotlyjs=True, full_html=True))


def density_figure(
    spectrum: Density, reference: Density | None = None, title: str | None = None
) -> Figure:
    """The spectrum with its 90 % interval, over the reference; arguments as `plotting.figure`.

    Raises:
        MissingExtraError: plotly is not installed.
        ConfigError: a reference in another unit.
    """
    chart = _plotly().Figure()
    label, reference_label = labels_of(spectrum, reference)
    if reference is not None:
        reference = comparable(reference, spectrum)
        chart.add_scatter(
            x=reference.grid.tolist(),
            y=reference.values.tolist(),
            name=reference_label,
            line={"color": REFERENCE_COLOUR, "width": 1.5},
            fill="tozeroy",
            fillcolor="rgba(138, 138, 138, 0.25)",
        )
    if spectrum.std is not None:
        low, high = band_of(spectrum)
        chart.add_scatter(
            x=np.concatenate([spectrum.grid, spectrum.grid[::-1]]).tolist(),
            y=np.concatenate([high, low[::-1]]).tolist(),
            name=shade_label(spectrum.metadata),
            line={"width": 0},
            fill="toself",
            fillcolor=_SHADE,
            hoverinfo="skip",
        )
    chart.add_scatter(
        x=spectrum.grid.tolist(),
        y=spectrum.values.tolist(),
        name=label,
        line={"color": COLOUR, "width": 2.5},
    )
    chart.update_layout(
        template="simple_white",
        title=heading(spectrum, r"<sub>\1</sub>") if title is None else title,
        xaxis_title=spectrum.kind.axis_label,
        yaxis_title=y_label(spectrum),
        xaxis_range=[float(spectrum.grid[0]), float(spectrum.grid[-1])],
        hovermode="x unified",
        showlegend=len(chart.data) > 1,
    )
    return chart


def bands_figure(
    bands: Dispersion,
    densities: Mapping[str, Density] | None = None,
    title: str | None = None,
) -> Figure:
    """Bands, and densities beside them on the same axis; a click in the legend hides a part.

    Args:
        bands: along a path, as they count (electrons: from the VBM or Fermi level).
        densities: by name, drawn in this order: the total and its shares.
        title: the formula, or the name, by default.

    Raises:
        MissingExtraError: plotly is not installed.
    """
    chart = _plotly().Figure()
    x, jumps = bands.kpoints.distances, bands.kpoints.jumps
    ends = list(zip([0, *(jumps + 1)], [*(jumps + 1), len(x)], strict=True))
    along: list[float | None] = []
    energies: list[float | None] = []
    for band in bands.energies.T:
        for start, end in ends:
            along += [*x[start:end].tolist(), None]
            energies += [*band[start:end].tolist(), None]
    unit = bands.kind.axis_unit.text
    chart.add_scatter(
        x=along,
        y=energies,
        name="bands",
        mode="lines",
        line={"color": COLOUR, "width": 1.6},
        hovertemplate=f"%{{y:.4~g}} {unit}<extra></extra>",
    )
    shown = dict(densities or {})
    for n, (name, density) in enumerate(shown.items()):
        chart.add_scatter(
            x=density.values.tolist(),
            y=density.grid.tolist(),
            name=name,
            mode="lines",
            xaxis="x2",
            line={"color": "#333333" if n == 0 else PARTS[(n - 1) % len(PARTS)], "width": 1.4},
        )
    ticks: dict[float, str] = {}
    for place, label in zip(x.tolist(), bands.kpoints.labels, strict=True):
        if label:
            known = ticks.get(place)
            ticks[place] = label if known in (None, label) else f"{known}|{label}"
    chart.update_layout(
        template="simple_white",
        title=heading(bands, r"<sub>\1</sub>") if title is None else title,
        yaxis_title=bands.kind.axis_label,
        xaxis={
            "domain": [0, 0.68 if shown else 1],
            "range": [0, float(x[-1])],
            "tickvals": list(ticks),
            "ticktext": list(ticks.values()),
            "showgrid": True,
        },
        xaxis2={"domain": [0.72, 1], "rangemode": "tozero", "title": f"states per {unit}"},
        hovermode="closest",
    )
    return chart
