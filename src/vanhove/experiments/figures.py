"""Figures of experiments: ours beside published, quintiles of spectra, relative errors."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vanhove.atomic import write_bytes
from vanhove.experiments.examples import RELATIVE_ERRORS
from vanhove.experiments.results import NOTHING_PRINTED, TableResult
from vanhove.spectra.plotting import ACCENT_COLOUR, COLOUR, REFERENCE_COLOUR, TEXT_COLOUR, png

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

QUINTILES = ("best fifth", "second", "middle", "fourth", "worst fifth")


def dots(result: TableResult) -> Figure | None:
    """Each column as a panel, each row as a line: ours with its spread, and the published number.

    None when nothing was measured.
    """
    if not any(row.mean for row in result.rows):
        return None
    columns = [column for column in result.columns if column.published][:4]
    drawing = _figure(
        2.2 + 2.0 * len(columns),
        1.2 + 0.28 * len(result.rows),
        result,
        "dots: ours, rings: paper" if any(row.published for row in result.rows) else "",
    )
    panels = drawing.subplots(1, len(columns), sharey=True, squeeze=False)[0]
    places = np.arange(len(result.rows))[::-1]
    for axes, column in zip(panels, columns, strict=True):
        key = column.key
        for place, row in zip(places, result.rows, strict=True):
            published = row.published or NOTHING_PRINTED
            if key in published.values:
                axes.errorbar(
                    published.values[key],
                    place,
                    xerr=published.spread.get(key),
                    fmt="o",
                    markerfacecolor="none",
                    color=REFERENCE_COLOUR,
                )
            if key in row.means:
                spread = row.spreads.get(key)
                axes.errorbar(row.means[key], place, xerr=spread, fmt="o", color=COLOUR)
        _style(axes, column.title)
        axes.grid(axis="y", linewidth=0.4)
    panels[0].set_yticks(places, [row.label for row in result.rows])
    return drawing


def beta(result: TableResult) -> Figure | None:
    """Each column over the weight of the system loss; None when nothing was measured."""
    rows = [row for row in result.rows if row.mean]
    if not rows:
        return None
    columns = result.columns
    drawing = _figure(2.6 * len(columns), 2.9, result)
    weights = [row.config["training"]["beta"] for row in rows]
    for axes, column in zip(drawing.subplots(1, len(columns)), columns, strict=True):
        key = column.key
        spread = [row.spreads.get(key, 0.0) for row in rows]
        values = [row.means[key] for row in rows]
        axes.errorbar(weights, values, yerr=spread, fmt="o-", color=COLOUR, markersize=4)
        axes.set_xscale("log", base=2)
        axes.set_xticks(weights, [f"{weight:g}" for weight in weights])
        axes.set_ylabel(column.title, color=TEXT_COLOUR)
        _style(axes, "beta")
    return drawing


def fractions(result: TableResult) -> Figure | None:
    """DOSTransformer's figure 6: each column over the part of the held-out crystals tuned on.

    Grey: without fine-tuning. None when nothing was measured.
    """
    rows = [row for row in result.rows if row.mean]
    if not rows:
        return None
    columns = result.columns
    drawing = _figure(2.6 * len(columns), 2.9, result)
    kinds = {"all": ("o-", COLOUR, "all"), "prompts": ("s--", ACCENT_COLOUR, "only prompt")}
    for axes, column in zip(drawing.subplots(1, len(columns)), columns, strict=True):
        key = column.key
        for kind, (style, colour, label) in kinds.items():
            points = [
                (
                    100 * row.config["data"]["tuning_fraction"],
                    row.means[key],
                    row.spreads.get(key, 0.0),
                )
                for row in rows
                if row.config["start"]["checkpoint"] and row.config["start"]["trainable"] == kind
            ]
            if points:
                x, y, spread = zip(*points, strict=True)
                axes.errorbar(x, y, yerr=spread, fmt=style, color=colour, markersize=4, label=label)
        for row in rows:
            if not row.config["start"]["checkpoint"]:
                axes.axhline(row.means[key], color=REFERENCE_COLOUR, label="not tuned")
        axes.set_ylabel(column.title, color=TEXT_COLOUR)
        _style(axes, "held-out crystals tuned on (%)")
    drawing.axes[0].legend(fontsize=7, frameon=False)
    return drawing


def sizes(result: TableResult) -> Figure | None:
    """Each column over the part of the training set; None when nothing was measured."""
    rows = [row for row in result.rows if row.mean]
    if not rows:
        return None
    columns = result.columns
    drawing = _figure(2.4 * len(columns), 2.9, result)
    x = [row.config["data"]["train_fraction"] or 1.0 for row in rows]
    for axes, column in zip(drawing.subplots(1, len(columns)), columns, strict=True):
        key = column.key
        spread = [row.spreads.get(key, 0.0) for row in rows]
        values = [row.means[key] for row in rows]
        axes.errorbar(x, values, yerr=spread, fmt="o-", color=COLOUR, markersize=4)
        axes.set_xscale("log", base=2)
        axes.set_xticks(x, [row.label for row in rows])
        axes.set_ylabel(column.title, color=TEXT_COLOUR)
        _style(axes, "part of the training set")
    return drawing


def quintiles(result: TableResult) -> Figure | None:
    """Mat2Spec's figure: test crystals in fifths by error, the typical one of each, true and ours.

    A line of panels for each row whose examples the result holds. None where it holds none.
    """
    rows = [row for row in result.rows if row.key in (result.examples or {})]
    if not rows or result.examples is None:
        return None
    drawing = _figure(10.5, 1.9 * len(rows) + 0.5, result, "grey: true, blue: predicted")
    panels = drawing.subplots(len(rows), 5, sharex=True, sharey=True, squeeze=False)
    grid = np.array(result.examples[rows[0].key][0].grid)
    axis = "frequency (cm⁻¹)" if grid.max() > 50 else "energy (eV)"
    for line, row in zip(panels, rows, strict=True):
        for axes, title, example in zip(line, QUINTILES, result.examples[row.key], strict=True):
            axes.fill_between(grid, example.target, color=REFERENCE_COLOUR, alpha=0.4)
            axes.plot(grid, example.prediction, color=COLOUR, linewidth=1.4)
            _style(axes, axis if row is rows[-1] else "")
            axes.set_title(
                f"{title}: {example.id}, MAE {example.mae:.3f}",
                fontsize=7,
                color=TEXT_COLOUR,
                loc="left",
            )
        line[0].set_ylabel(row.label, fontsize=7, color=TEXT_COLOUR)
    return drawing


def relative_errors(result: TableResult) -> Figure | None:
    """Mat2Spec's box plot: relative errors of C_V(300 K) and of the mean frequency, row by row.

    Boxes hold the middle half of the test crystals, whiskers 5 to 95 %. None where the result
    holds no such errors.
    """
    known = result.relative_errors or {}
    rows = [row for row in result.rows if row.key in known]
    if not rows:
        return None
    drawing = _figure(8.5, 1.2 + 0.34 * len(rows), result)
    panels = drawing.subplots(1, 2, sharey=True)
    for axes, (key, title) in zip(panels, RELATIVE_ERRORS.items(), strict=True):
        names = ("whislo", "q1", "med", "q3", "whishi")
        boxes = [dict(zip(names, known[row.key][key], strict=True)) for row in rows[::-1]]
        axes.bxp(boxes, orientation="horizontal", showfliers=False, medianprops={"color": COLOUR})
        axes.axvline(0, color=REFERENCE_COLOUR, linewidth=0.8)
        _style(axes, f"relative error of {title} (%)")
    panels[0].set_yticks(range(1, len(rows) + 1), [row.label for row in rows][::-1], fontsize=8)
    return drawing


def groups(result: TableResult) -> Figure | None:
    """DOSTransformer's figure 5: errors of crystals with and without transition metals.

    Lines are 95 % intervals over the crystals. None when nothing was measured.
    """
    rows = [row for row in result.rows if row.mean]
    if not rows:
        return None
    drawing = _figure(7.0, 1.2 + 0.4 * len(rows), result)
    axes = drawing.subplots()
    places = np.arange(len(rows))[::-1]
    for column, colour, shift in zip(
        result.columns, (COLOUR, ACCENT_COLOUR), (0.12, -0.12), strict=True
    ):
        values = np.array([row.means[column.key] for row in rows])
        ends = np.array([(row.intervals or {})[column.key] for row in rows])
        spread = np.abs(ends.T - values)
        axes.errorbar(
            values, places + shift, xerr=spread, fmt="o", color=colour, label=column.title
        )
    axes.set_yticks(places, [row.label for row in rows], fontsize=8)
    axes.legend(fontsize=7, frameon=False)
    _style(axes, "mean over crystals")
    return drawing


def discoveries(result: TableResult) -> Figure | None:
    """Densities of the candidates that most models name, by the model and by the checker."""
    listed = (result.discovery or {}).get("candidates", ())
    shown = [entry for entry in listed if len(entry.get("densities", {})) > 1]
    if not shown:
        return None
    from vanhove.spectra.grids import MAT2SPEC_ELECTRON_GRID

    drawing = _figure(10.5, 1.9 * -(-len(shown) // 3) + 0.5, result, "grey: checker, blue: model")
    panels = drawing.subplots(-(-len(shown) // 3), 3, sharex=True, squeeze=False).ravel()
    for axes, entry in zip(panels, shown, strict=False):
        checker, model = list(entry["densities"].values())[:2]
        axes.fill_between(MAT2SPEC_ELECTRON_GRID, checker, color=REFERENCE_COLOUR, alpha=0.4)
        axes.plot(MAT2SPEC_ELECTRON_GRID, model, color=COLOUR, linewidth=1.4)
        _style(axes, "energy (eV), gap left out")
        verdict = "confirmed" if entry["confirmed"] else "not confirmed"
        axes.set_title(
            f"{entry['formula']}, {entry['id']}: {verdict}", fontsize=7, color=TEXT_COLOUR
        )
    for axes in panels[len(shown) :]:
        axes.set_visible(False)
    return drawing


FIGURES: dict[str, Callable[[TableResult], Figure | None]] = {
    "dots": dots,
    "beta": beta,
    "fractions": fractions,
    "sizes": sizes,
    "quintiles": quintiles,
    "relative_errors": relative_errors,
    "groups": groups,
    "discoveries": discoveries,
}
OF_PREDICTIONS = ("quintiles", "relative_errors")
"""Figures of what a result keeps of predictions; files of earlier versions hold none of it."""


def write_figure(drawing: Figure, path: Path) -> None:
    """As PNG of 32 colours, a quarter of the size; the folder is made if missing."""
    from PIL import Image

    few = Image.open(io.BytesIO(png(drawing))).convert("RGB").quantize(32, dither=Image.Dither.NONE)
    path.parent.mkdir(parents=True, exist_ok=True)
    content = io.BytesIO()
    few.save(content, "PNG", optimize=True)
    write_bytes(path, content.getvalue())


def _figure(width: float, height: float, result: TableResult, legend: str = "") -> Figure:
    from matplotlib.figure import Figure

    drawing = Figure(figsize=(width, height), layout="constrained")
    title = "  ".join(
        filter(None, (result.title, legend and f"({legend})", "QUICK RUN" if result.quick else ""))
    )
    drawing.suptitle(title, fontsize=9, color=TEXT_COLOUR, x=0.01, ha="left")
    return drawing


def _style(axes: Axes, x_label: str) -> None:
    axes.set_xlabel(x_label, color=TEXT_COLOUR, fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(TEXT_COLOUR)
    axes.tick_params(colors=TEXT_COLOUR, labelsize=8)
