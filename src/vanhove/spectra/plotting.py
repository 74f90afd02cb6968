"""Pictures of a `Spectrum`: matplotlib figures, interactive HTML, and text for a terminal."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vanhove.errors import ConfigError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from vanhove.spectra.density import Density
    from vanhove.spectra.dispersion import Dispersion

FORMATS = (".png", ".svg", ".pdf")
COLOUR = "#1f5fa8"
ACCENT_COLOUR = "#c2571a"
REFERENCE_COLOUR = "#8a8a8a"
TEXT_COLOUR = "#333333"
SHADED = "0.9"
"""Level of the interval around lines."""
BLOCKS = " ▁▂▃▄▅▆▇█"


def figure(
    spectrum: Density,
    reference: Density | None = None,
    title: str | None = None,
    size: tuple[float, float] = (6.4, 3.6),
) -> Figure:
    """The spectrum as a line with its 90 % interval, over the reference as a grey area.

    Where the error bars are not calibrated, one standard deviation is shaded instead.

    Args:
        spectrum: what to plot.
        reference: in the same unit; brought to the spectrum's normalisation.
        title: the crystal's formula, or the spectrum's name, by default.
        size: width and height in inches.

    Returns:
        A matplotlib ``Figure`` of its own, outside pyplot's list of open figures.

    Raises:
        ConfigError: the reference is in another unit or cannot be brought to the normalisation.
        DataError: the reference has no weight to normalise.
    """
    from matplotlib.figure import Figure

    drawing = Figure(figsize=size, layout="constrained")
    axes = drawing.add_subplot()
    label, reference_label = labels_of(spectrum, reference)
    lowest = min(0.0, float(spectrum.values.min()))
    if reference is not None:
        reference = comparable(reference, spectrum)
        lowest = min(lowest, float(reference.values.min()))
        x, y = reference.grid, reference.values
        axes.fill_between(x, y, color=REFERENCE_COLOUR, alpha=0.25, linewidth=0)
        axes.plot(x, y, color=REFERENCE_COLOUR, linewidth=1.2, label=reference_label)
    if spectrum.std is not None:
        low, high = band_of(spectrum)
        axes.fill_between(
            spectrum.grid,
            low,
            high,
            color=COLOUR,
            alpha=0.22,
            linewidth=0,
            label=shade_label(spectrum.metadata),
        )
    axes.plot(spectrum.grid, spectrum.values, color=COLOUR, linewidth=1.8, label=label)

    axes.set_xlim(spectrum.grid[0], spectrum.grid[-1])
    top = axes.get_ylim()[1]
    axes.set_ylim(lowest, top if top > lowest else lowest + 1)
    axes.set_xlabel(x_label(spectrum), color=TEXT_COLOUR)
    axes.set_ylabel(y_label(spectrum), color=TEXT_COLOUR)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(TEXT_COLOUR)
    axes.tick_params(colors=TEXT_COLOUR, labelsize=9)
    above = heading(spectrum, r"$_{\1}$") if title is None else title
    if above:
        # A dollar sign in a name is no mathematics.
        is_name = title is None and spectrum.crystal is None
        axes.set_title(above, loc="left", color=TEXT_COLOUR, parse_math=not is_name)
    if len(axes.get_legend_handles_labels()[0]) > 1:
        axes.legend(frameon=False, fontsize=9, labelcolor=TEXT_COLOUR)
    return drawing


def save(drawing: Figure, path: str | Path) -> None:
    """Save as PNG, SVG or PDF, by the ending of ``path``.

    Raises:
        ConfigError: another ending.
    """
    if Path(path).suffix.lower() not in FORMATS:
        raise ConfigError(f"cannot save a plot as {path}: the name must end in .png, .svg or .pdf")
    drawing.savefig(path, dpi=200)


def png(drawing: Figure) -> bytes:
    """The PNG of a figure, small enough for a notebook."""
    buffer = io.BytesIO()
    drawing.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()


def terminal_plot(spectrum: Density, width: int = 72, height: int = 10) -> str:
    """The spectrum drawn with block characters, for a terminal.

    Each column shows the largest value in its part of the axis, so no peak is lost; negative values
    and the error bar are not shown.

    Args:
        spectrum: what to draw.
        width: characters per line, axis labels included, at least 30.
        height: lines of the plot area, at least 2.

    Returns:
        ``height + 3`` lines (one more with a title), without a trailing line break.

    Raises:
        ConfigError: a width or a height that is too small.
    """
    if width < 30 or height < 2:
        raise ConfigError(f"a plot of {width} x {height} is too small: at least 30 x 2 is needed")
    grid, values = spectrum.grid, spectrum.values.clip(min=0)
    top = values.max()
    margin = max(len(f"{top:.3g}"), 1) + 1
    n_columns = width - margin - 1

    # Interpolated samples fill columns without a grid point; the points themselves keep peaks.
    x = np.union1d(grid, np.linspace(grid[0], grid[-1], 4 * n_columns))
    column = ((x - grid[0]) / (grid[-1] - grid[0]) * n_columns).astype(int).clip(max=n_columns - 1)
    largest = np.zeros(n_columns)
    np.maximum.at(largest, column, np.interp(x, grid, values))

    eighths = np.rint(largest / (top or 1.0) * height * 8).astype(int)
    lines = []
    for row in reversed(range(height)):
        label = f"{top:.3g}" if row == height - 1 else "0" if row == 0 else ""
        blocks = "".join(BLOCKS[n] for n in (eighths - 8 * row).clip(0, 8))
        lines.append(f"{label:>{margin - 1}} │{blocks}".rstrip())
    lines.append(" " * margin + "└" + "─" * n_columns)

    left, middle, right = (f"{tick:g}" for tick in (grid[0], (grid[0] + grid[-1]) / 2, grid[-1]))
    ticks = f"{left}{middle:^{n_columns - 2 * max(len(left), len(right))}}"
    ticks = f"{ticks:<{n_columns - len(right)}}{right}"
    lines.append(" " * (margin + 1) + ticks)
    caption = f"{x_label(spectrum)}; {y_label(spectrum)}"
    lines.append(" " * (margin + 1) + caption.center(n_columns).rstrip())
    title = heading(spectrum, None)
    return "\n".join([" " * (margin + 1) + title, *lines] if title else lines)


def labels_of(spectrum: Density, reference: Density | None) -> tuple[str, str]:
    """What a legend calls the spectrum and its reference."""
    label = spectrum.metadata.get("model") or ("prediction" if reference is not None else "DOS")
    other = reference.metadata.get("model") if reference is not None else None
    return str(label), str(other or "reference")


def comparable(reference: Density, spectrum: Density) -> Density:
    """The reference on the vertical scale of the spectrum."""
    if reference.unit != spectrum.unit:
        raise ConfigError(
            f"a reference in {reference.unit} cannot lie over a spectrum in {spectrum.unit}"
        )
    if spectrum.normalisation == "sum" and not np.array_equal(reference.grid, spectrum.grid):
        # Values that add up to 1 depend on the number of points.
        reference = reference.interpolate(spectrum.grid)
    if reference.normalisation != spectrum.normalisation:
        atoms = reference.crystal or spectrum.crystal
        n_atoms = atoms.n_atoms if atoms is not None else None
        reference = reference.normalise(spectrum.normalisation, n_atoms)
    return reference


def shade_label(metadata: Mapping[str, Any]) -> str:
    """What is shaded around a line: the stated interval, or what is known of the error."""
    return "90 % interval" if SHADED in metadata.get("interval_factors", {}) else "± 1σ"


def band_of(spectrum: Density) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper end of what is shaded, ``[n_points]`` each."""
    assert spectrum.std is not None
    if shade_label(spectrum.metadata) != "± 1σ":
        low, high = spectrum.interval(float(SHADED))
    else:
        low, high = spectrum.values - spectrum.std, spectrum.values + spectrum.std
    # A density of states is not negative: the band stops at 0, unless the line itself is below.
    return np.maximum(low, np.minimum(spectrum.values, 0.0)), high


def heading(spectrum: Density | Dispersion, subscript: str | None) -> str:
    """The formula with its numbers as subscripts (unicode ones when ``subscript`` is None)."""
    if spectrum.crystal is None:
        return spectrum.name
    formula = spectrum.crystal.formula
    if subscript is None:
        return formula.translate(str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉"))
    return re.sub(r"(\d+)", subscript, formula)


def zero_of(spectrum: Density) -> str:
    """Where the axis of electrons has its zero; both places where it is not known which."""
    is_metal = spectrum.metadata.get("is_metal")
    if is_metal is None:
        return spectrum.kind.zero
    return "Fermi level" if is_metal else "valence band maximum"


def x_label(spectrum: Density) -> str:
    """The horizontal axis in words, with its unit and, of a known crystal's electrons, its zero."""
    if not spectrum.kind.fermi_level or "is_metal" not in spectrum.metadata:
        return spectrum.kind.axis_label
    return spectrum.kind.axis_label.replace(" (", f" from the {zero_of(spectrum)} (", 1)


def y_label(spectrum: Density) -> str:
    """The vertical axis in words."""
    return f"{spectrum.kind.title} ({spectrum.kind.normalisations[spectrum.normalisation].label})"
