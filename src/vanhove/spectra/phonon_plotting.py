"""Pictures of `Phonons`: bands beside the density of states."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vanhove.spectra.band_plotting import figure as band_figure
from vanhove.spectra.plotting import COLOUR, REFERENCE_COLOUR, TEXT_COLOUR

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from vanhove.spectra.dispersion import Dispersion
    from vanhove.spectra.spectrum import Spectrum


def figure(
    bands: Dispersion,
    dos: Spectrum,
    title: str | None = None,
    reference: Dispersion | None = None,
    reference_dos: Spectrum | None = None,
) -> Figure:
    """Bands on the left, the density of states on the right, over one axis of frequencies.

    Args:
        bands: along a path, 1/cm.
        dos: of the same crystal, in states.
        title: the crystal's formula by default.
        reference: bands along the same path, such as those of DFPT, in grey below.
        reference_dos: density to go with them.
    """
    drawing = band_figure(bands, title, reference, size=(7.6, 4.2))
    left = drawing.axes[0]
    grid = drawing.add_gridspec(1, 2, width_ratios=(3.2, 1))
    left.set_subplotspec(grid[0])
    right = drawing.add_subplot(grid[1], sharey=left)
    for other, colour in ((reference_dos, REFERENCE_COLOUR), (dos, COLOUR)):
        if other is not None:
            right.plot(other.values, other.grid, color=colour, linewidth=1.2)
    right.set_xlim(left=0)
    right.set_xlabel("states per 1/cm", color=TEXT_COLOUR, fontsize=9)
    right.tick_params(colors=TEXT_COLOUR, labelsize=9, labelleft=False)
    right.spines[["top", "right"]].set_visible(False)
    right.spines[["left", "bottom"]].set_color(TEXT_COLOUR)
    return drawing
