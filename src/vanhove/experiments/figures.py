"""Figures of experiments: ours beside published, quintiles of spectra, relative errors."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vanhove.atomic import write_bytes
from vanhove.evaluation.measurement import Measurement
from vanhove.experiments.results import NOTHING_PRINTED, TableResult
from vanhove.spectra.plotting import ACCENT_COLOUR, COLOUR, REFERENCE_COLOUR, TEXT_COLOUR, png

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Runs = Mapping[str, Sequence[Measurement]]

QUINTILES = ("best fifth", "second", "middle", "fourth", "worst fifth")


def dots(result: TableResult, runs: Runs) -> Figure | None:
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


def beta(result: TableResult, runs: Runs) -> Figure | None:
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


def fractions(result: TableResult, runs: Runs) -> Figure | None:
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


def sizes(result: TableResult, runs: Runs) -> Figure | None:
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


def quintiles(result: TableResult, runs: Runs) -> Figure | None:
    """Mat2Spec's figure: test crystals in fifths by error, the typical one of each, true and ours.

    For Mat2Spec with SumNorm-KL and for DOSTransformer, or, without both, the first measured row.
    None when nothing was measured.
    """
    wanted = [name for name in ("mat2spec-sum-kl", "dostransformer") if runs.get(name)]
    wanted = wanted or [name for name in runs if runs[name]][:1]
    if not wanted:
        return None
    drawing = _figure(10.5, 1.9 * len(wanted) + 0.5, result, "grey: true, blue: predicted")
    panels = drawing.subplots(len(wanted), 5, sharex=True, sharey=True, squeeze=False)
    for line, name in zip(panels, wanted, strict=True):
        run = runs[name][0]
        errors = run.per_material()["mae"]
        for axes, title, group in zip(
            line, QUINTILES, np.array_split(np.argsort(errors), 5), strict=True
        ):
            typical = group[len(group) // 2]
            axes.fill_between(run.grid, run.target[typical], color=REFERENCE_COLOUR, alpha=0.4)
            axes.plot(run.grid, run.prediction[typical], color=COLOUR, linewidth=1.4)
            axis = "frequency (cm⁻¹)" if run.unit == "cm-1" else "energy (eV)"
            _style(axes, axis if name == wanted[-1] else "")
            axes.set_title(
                f"{title}: {run.ids[typical]}, MAE {errors[typical]:.3f}",
                fontsize=7,
                color=TEXT_COLOUR,
                loc="left",
            )
        line[0].set_ylabel(name, fontsize=8, color=TEXT_COLOUR)
    return drawing


def relative_errors(result: TableResult, runs: Runs) -> Figure | None:
    """Mat2Spec's box plot: relative errors of C_V(300 K) and of the mean frequency, row by row.

    Boxes hold the middle half of the test crystals, whiskers 5 to 95 %. None when nothing was
    measured.
    """
    measured = [row for row in result.rows if runs.get(row.run)]
    if not measured:
        return None
    drawing = _figure(8.5, 1.2 + 0.34 * len(measured), result)
    panels = drawing.subplots(1, 2, sharey=True)
    for axes, title, kind in zip(
        panels,
        ("relative error of C_V(300 K) (%)", "relative error of the mean frequency (%)"),
        (Measurement.capacities, Measurement.frequencies),
        strict=True,
    ):
        errors = []
        for row in measured:
            pairs = [kind(run) for run in runs[row.run]]
            errors.append(np.concatenate([100 * (ours - true) / true for true, ours in pairs]))
        axes.boxplot(
            errors[::-1],
            orientation="horizontal",
            whis=(5, 95),
            showfliers=False,
            medianprops={"color": COLOUR},
        )
        axes.axvline(0, color=REFERENCE_COLOUR, linewidth=0.8)
        _style(axes, title)
    panels[0].set_yticks(
        range(1, len(measured) + 1), [row.label for row in measured][::-1], fontsize=8
    )
    return drawing


FIGURES: dict[str, Callable[[TableResult, Runs], Figure | None]] = {
    "dots": dots,
    "beta": beta,
    "fractions": fractions,
    "sizes": sizes,
    "quintiles": quintiles,
    "relative_errors": relative_errors,
}
OF_PREDICTIONS = ("quintiles", "relative_errors")
"""Figures that need the predictions of the runs, not only their numbers."""


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
