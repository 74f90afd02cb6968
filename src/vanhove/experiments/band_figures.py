"""The figures of Bandformer: bands at the quintiles of the error, and true against predicted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import numpy as np

from vanhove.spectra.band_metrics import band_gaps, crosses_fermi, energy_mae
from vanhove.spectra.plotting import COLOUR, REFERENCE_COLOUR, TEXT_COLOUR

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import PolyCollection
    from matplotlib.figure import Figure

WINDOW = 8.0
"""eV around the Fermi level that is shown."""


def quintiles(
    target: np.ndarray, prediction: np.ndarray, ids: Sequence[str], formulas: Sequence[str]
) -> Figure:
    """Test crystals in fifths by error, the typical one of each: true in grey, predicted in blue.

    Args:
        target, prediction: eV, ``[n_materials, n_points, n_bands]``.
        ids, formulas: of the materials.
    """
    from matplotlib.figure import Figure

    drawing = Figure(figsize=(11, 3), layout="constrained")
    drawing.suptitle(
        "Bands at the quintiles of the error (grey: PBE, blue: predicted)",
        fontsize=9,
        color=TEXT_COLOUR,
        x=0.01,
        ha="left",
    )
    errors = energy_mae(target, prediction)
    groups = np.array_split(np.argsort(errors), min(5, len(errors)))
    panels = drawing.subplots(1, len(groups), sharey=True, squeeze=False)[0]
    for axes, group in zip(panels, groups, strict=True):
        typical = group[len(group) // 2]
        axes.plot(target[typical], color=REFERENCE_COLOUR, linewidth=1.2)
        axes.plot(
            np.where(np.isnan(target[typical]), np.nan, prediction[typical]),
            color=COLOUR,
            linewidth=1.2,
        )
        axes.axhline(0, color=REFERENCE_COLOUR, linewidth=0.6, linestyle="--")
        axes.set_ylim(-WINDOW, WINDOW)
        axes.set_xticks([])
        _style(axes, "along the path")
        axes.set_title(
            f"{formulas[typical]} ({ids[typical]}), MAE {errors[typical]:.2f}",
            fontsize=7,
            color=TEXT_COLOUR,
            loc="left",
        )
    panels[0].set_ylabel("energy from the Fermi level (eV)", fontsize=8, color=TEXT_COLOUR)
    return drawing


def scatter(target: np.ndarray, prediction: np.ndarray) -> Figure:
    """Predicted against true: band centres, widths of bands, and gaps of non-metals."""
    from matplotlib.figure import Figure

    drawing = Figure(figsize=(9, 3.2), layout="constrained")
    insulating = ~crosses_fermi(target)
    pairs = {
        "band centre (eV)": (target.mean(axis=1).ravel(), prediction.mean(axis=1).ravel()),
        "band width (eV)": (np.ptp(target, axis=1).ravel(), np.ptp(prediction, axis=1).ravel()),
        "gap of non-metals (eV)": (
            band_gaps(target)[insulating],
            band_gaps(prediction)[insulating],
        ),
    }
    panels = drawing.subplots(1, 3)
    for axes, (title, (true, ours)) in zip(panels, pairs.items(), strict=True):
        there = np.isfinite(true)
        true, ours = true[there], ours[there]
        axes.plot(true, ours, ".", color=COLOUR, alpha=0.6, markersize=4)
        if len(true):
            ends = [min(true.min(), ours.min()), max(true.max(), ours.max())]
            axes.plot(ends, ends, color=REFERENCE_COLOUR, linewidth=0.8)
        _style(axes, f"PBE: {title}")
    panels[0].set_ylabel("predicted", fontsize=8, color=TEXT_COLOUR)
    return drawing


def violin(errors: np.ndarray, is_insulator: np.ndarray) -> Figure:
    """Figure 3 of the paper: how errors of band energies spread over the test crystals.

    Args:
        errors: MAE of each crystal, eV, mean over seeds, ``[n_materials]``.
        is_insulator: whose true bands cross no Fermi level, ``[n_materials]`` bool.
    """
    from matplotlib.figure import Figure

    drawing = Figure(figsize=(5, 3.2), layout="constrained")
    axes = drawing.subplots()
    groups = {"all": errors, "non-metals": errors[is_insulator], "metals": errors[~is_insulator]}
    groups = {name: values for name, values in groups.items() if len(values) > 1}
    parts = axes.violinplot(list(groups.values()), showmedians=True, showextrema=True)
    for body in cast("list[PolyCollection]", parts["bodies"]):
        body.set_facecolor(COLOUR)
    for name in ("cmedians", "cbars", "cmins", "cmaxes"):
        parts[name].set_color(TEXT_COLOUR)
        parts[name].set_linewidth(0.8)
    titles = [f"{name} ({len(values)})" for name, values in groups.items()]
    axes.set_xticks(range(1, len(groups) + 1), titles)
    axes.set_ylim(0)
    axes.set_ylabel("MAE of band energies (eV)", fontsize=8, color=TEXT_COLOUR)
    _style(axes, "test crystals")
    return drawing


def _style(axes: Axes, x_label: str) -> None:
    axes.set_xlabel(x_label, fontsize=8, color=TEXT_COLOUR)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(TEXT_COLOUR)
    axes.tick_params(colors=TEXT_COLOUR, labelsize=8)
