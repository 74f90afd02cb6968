"""The figure of fine-tuning curves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from vanhove.experiments.results import FinetuningResult
from vanhove.spectra.plotting import ACCENT_COLOUR, COLOUR, REFERENCE_COLOUR, TEXT_COLOUR

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STYLES = {
    "all": ("o-", COLOUR),
    "prompts": ("v:", ACCENT_COLOUR),
    "last_layers": ("s--", ACCENT_COLOUR),
    "adapters": ("D--", COLOUR),
    "scratch": ("x-", REFERENCE_COLOUR),
}
"""Marker, line and colour of each mode."""


def curves(result: FinetuningResult, models: Mapping[str, str], modes: Mapping[str, str]) -> Figure:
    """MAE over the number of materials tuned on, a panel for each model, a line for each mode.

    Args:
        result: of `vanhove.experiments.finetuning`.
        models, modes: titles.
    """
    from matplotlib.figure import Figure

    shown = [model for model in models if any(row.model == model for row in result.rows)]
    drawing = Figure(figsize=(4.2 * len(shown), 3.4), layout="constrained")
    title = result.title + (" (QUICK RUN)" if result.quick else "")
    drawing.suptitle(title, fontsize=9, color=TEXT_COLOUR, x=0.01, ha="left")
    panels = drawing.subplots(1, len(shown), sharey=True, squeeze=False)[0]
    for axes, model in zip(panels, shown, strict=True):
        rows = [row for row in result.rows if row.model == model]
        for mode, (style, colour) in STYLES.items():
            own = [row for row in rows if row.mode == mode]
            axes.errorbar(
                [row.size for row in own],
                [row.mean["mae"] for row in own],
                yerr=[row.std["mae"] if row.std else 0.0 for row in own],
                fmt=style,
                color=colour,
                markersize=4,
                linewidth=1.2,
                label=modes[mode],
            )
        for row in rows:
            if row.mode == "none":
                axes.axhline(row.mean["mae"], color=TEXT_COLOUR, lw=0.8, label=modes["none"])
        axes.set_xscale("log")
        sizes = sorted({row.size for row in rows if row.size})
        axes.set_xticks(sizes, [str(size) for size in sizes])
        axes.minorticks_off()
        axes.set_title(models[model], fontsize=9, color=TEXT_COLOUR, loc="left")
        axes.set_xlabel("materials tuned on", fontsize=9, color=TEXT_COLOUR)
        axes.spines[["top", "right"]].set_visible(False)
        axes.spines[["left", "bottom"]].set_color(TEXT_COLOUR)
        axes.tick_params(colors=TEXT_COLOUR, labelsize=8)
    panels[0].set_ylabel("MAE", fontsize=9, color=TEXT_COLOUR)
    panels[-1].legend(fontsize=7, frameon=False)
    return drawing
