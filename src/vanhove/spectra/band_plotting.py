"""Pictures of a `BandStructure`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from vanhove.spectra.plotting import (
    COLOUR,
    REFERENCE_COLOUR,
    SHADED,
    TEXT_COLOUR,
    shade_label,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from vanhove.spectra.dispersion import Dispersion

GAP_COLOUR = "#c0392b"
_BESIDE = 0.15
"""Share of the path: a gap so near its end has its words beside it."""


def figure(
    bands: Dispersion,
    title: str | None = None,
    reference: Dispersion | None = None,
    size: tuple[float, float] = (6.4, 4.2),
) -> Figure:
    """Bands as lines over the path; the Fermi level dashed; VBM, CBM and the gap marked.

    The 90 % interval is shaded, the darker the more bands may be there; one standard deviation
    where the error bars are not calibrated.

    Args:
        bands: what to plot. Electrons are plotted from their Fermi level.
        title: the crystal's formula, or the name, by default.
        reference: along the same path, in grey below.
        size: width and height in inches.

    Returns:
        A matplotlib ``Figure`` of its own, outside pyplot's list of open figures.
    """
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    drawing = Figure(figsize=size, layout="constrained")
    axes = drawing.add_subplot()
    x, jumps = bands.kpoints.distances, bands.kpoints.jumps
    for other, colour, width in ((reference, REFERENCE_COLOUR, 1.2), (bands, COLOUR, 1.6)):
        if other is None:
            continue
        energies = other.energies - (other.fermi_level or 0.0)
        for start, end in zip([0, *(jumps + 1)], [*(jumps + 1), len(x)], strict=True):
            axes.plot(x[start:end], energies[start:end], color=colour, linewidth=width)
            if other.std is None:
                continue
            half = _half_width(other)[start:end]
            for band, own in zip(energies[start:end].T, half.T, strict=True):
                axes.fill_between(x[start:end], band - own, band + own, **_shade(colour))
    if bands.std is not None:
        handle = Patch(label=shade_label(bands.metadata), **_shade(COLOUR))
        axes.legend(
            handles=[handle],
            loc="lower right",
            bbox_to_anchor=(1, 1),
            borderaxespad=0.2,
            frameon=False,
            fontsize=9,
            labelcolor=TEXT_COLOUR,
        )
    axes.set_xlim(x[0], x[-1])
    _mark_labels(axes, bands)
    if bands.fermi_level is not None:
        axes.axhline(0, color=REFERENCE_COLOUR, linewidth=0.8, linestyle="--")
        _mark_gap(axes, bands)
    axes.set_ylabel(
        bands.kind.axis_label,
        color=TEXT_COLOUR,
    )
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(TEXT_COLOUR)
    axes.tick_params(colors=TEXT_COLOUR, labelsize=9)
    if title is None:
        formula = bands.crystal.formula if bands.crystal is not None else None
        title = bands.name if formula is None else re.sub(r"(\d+)", r"$_{\1}$", formula)
    if title:
        axes.set_title(title, loc="left", color=TEXT_COLOUR)
    return drawing


def _half_width(bands: Dispersion) -> np.ndarray:
    assert bands.std is not None
    if shade_label(bands.metadata) == "± 1σ":
        return bands.std
    return bands.interval(float(SHADED))[1] - bands.energies


def _shade(colour: str) -> dict[str, Any]:
    return {"color": colour, "alpha": 0.13, "linewidth": 0}


def _mark_labels(axes: Axes, bands: Dispersion) -> None:
    """A line at each labelled point; the two labels at a jump share one tick."""
    ticks: dict[float, str] = {}
    for place, label in zip(bands.kpoints.distances.tolist(), bands.kpoints.labels, strict=True):
        if label:
            place = round(place, 9)
            known = ticks.get(place)
            ticks[place] = label if known in (None, label) else f"{known}|{label}"
    for place in ticks:
        axes.axvline(place, color=REFERENCE_COLOUR, linewidth=0.5)
    axes.set_xticks(list(ticks), [_subscript(label) for label in ticks.values()])


def _subscript(label: str) -> str:
    return re.sub(r"([^\W\d])(\d+)", r"\1$_{\2}$", label)


def _mark_gap(axes: Axes, bands: Dispersion) -> None:
    n_below = int((bands.centres <= (bands.fermi_level or 0.0)).sum())
    gap = bands.gap if 0 < n_below < bands.n_bands else None
    if gap is None:
        return
    x, level = bands.kpoints.distances, bands.fermi_level or 0.0
    ends = (x[gap.vbm_at], gap.vbm - level), (x[gap.cbm_at], gap.cbm - level)
    axes.plot(*zip(*ends, strict=True), color=GAP_COLOUR, linewidth=1, linestyle=":", marker="o")
    kind = "direct" if gap.is_direct else "indirect"
    across = (ends[0][0] + ends[1][0]) / 2
    # Of a gap at the left or right end of the path, the words would lie over the axis.
    place = (across - x[0]) / (x[-1] - x[0])
    side = "left" if place < _BESIDE else "right" if place > 1 - _BESIDE else "center"
    axes.annotate(
        f"{gap.energy:.2f} eV, {kind}",
        (across, (ends[0][1] + ends[1][1]) / 2),
        xytext={"left": (6, 3), "center": (0, 3), "right": (-6, 3)}[side],
        textcoords="offset points",
        color=GAP_COLOUR,
        fontsize=9,
        ha=side,
    )
