"""The electron densities of states that the papers train on, from eigenvalues or a sampled DOS."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from vanhove.errors import DataError
from vanhove.spectra.eigenvalues import BandEdges, StateCount, mean_density
from vanhove.spectra.grids import (
    DOSTRANSFORMER_ELECTRON_GRID,
    MAT2SPEC_BIN_WIDTH,
    MAT2SPEC_ELECTRON_GRID,
    cell_edges,
)

SAVGOL_WINDOW, SAVGOL_ORDER = 17, 1
"""Of DOSTransformer: points of the filter (0.85 eV on its grid) and order of the polynomial."""


def dostransformer_electron_dos(
    states: StateCount, edges: BandEdges, *, smooth: bool = True, scale: bool = True
) -> np.ndarray:
    """DOSTransformer's target: 201 points, -5 to 5 eV every 50 meV, scaled to minimum 0, maximum 1.

    Energies count from the VBM, for metals from the Fermi level. Order: mean over each cell of the
    grid, Savitzky-Golay filter (scipy's defaults: a line through the last 17 points at each end),
    negative values that this extrapolation gives to 0, scaling.

    ==========  ============================  =====================  ===============
    ..          paper                         released code          here
    ==========  ============================  =====================  ===============
    energy 0    "band edges"                  not in it              VBM; metals E_F
    smoothing   window 17, order 1            not in it              as the paper
    scaling     to minimum 0 and maximum 1    divided by maximum     as the paper
    ==========  ============================  =====================  ===============

    Args:
        states: eigenvalues or a sampled density.
        edges: its band edges.
        smooth: False leaves the filter out. It is 0.85 eV wide and blurs band edges.
        scale: False leaves the scaling out and gives states/eV/cell.

    Returns:
        ``[201]`` on `DOSTRANSFORMER_ELECTRON_GRID`.

    Raises:
        DataError: the window is not covered, or holds no states to scale.
    """
    values = mean_density(states, edges.vbm + cell_edges(DOSTRANSFORMER_ELECTRON_GRID))
    if smooth:
        from scipy.signal import savgol_filter

        values = savgol_filter(values, SAVGOL_WINDOW, SAVGOL_ORDER).clip(min=0)
    return min_max(values) if scale else values


def mat2spec_electron_dos(states: StateCount, edges: BandEdges) -> np.ndarray:
    """Mat2Spec's target: 128 bins, 4 eV below the VBM and 4 eV above the CBM, states/eV/cell.

    The gap is cut out: the first 64 bins end at the VBM, the others start at the CBM. Both are the
    Fermi level of a metal. Each value is the mean over its bin of 62.5 meV. States that smearing
    puts into the gap of a sampled density are lost.

    Returns:
        ``[128]`` on `MAT2SPEC_ELECTRON_GRID`.

    Raises:
        DataError: the window is not covered.
    """
    steps = MAT2SPEC_BIN_WIDTH * np.arange(65)
    below = mean_density(states, edges.vbm - steps[::-1])
    above = mean_density(states, edges.cbm + steps)
    assert len(below) + len(above) == len(MAT2SPEC_ELECTRON_GRID)
    return np.concatenate([below, above])


@dataclass(frozen=True)
class ElectronTarget:
    """How a paper turns a calculation into a spectrum to train on.

    Attributes:
        grid: energies, eV.
        normalisation: of the values, see `vanhove.spectra.Spectrum`.
        density: the function that makes them.
        note: what a reader must know.
    """

    grid: np.ndarray
    normalisation: str
    density: Callable[[StateCount, BandEdges], np.ndarray]
    note: str


ELECTRON_TARGETS: dict[str, ElectronTarget] = {
    "dostransformer": ElectronTarget(
        DOSTRANSFORMER_ELECTRON_GRID,
        "min-max",
        dostransformer_electron_dos,
        "Energies count from the VBM, for metals from the Fermi level. Smoothed as in "
        "DOSTransformer (Savitzky-Golay, 17 points, order 1: 0.85 eV wide), so band edges are "
        "blurred and a gap read off the DOS is too small.",
    ),
    "mat2spec": ElectronTarget(
        MAT2SPEC_ELECTRON_GRID,
        "states/eV/cell",
        mat2spec_electron_dos,
        "The gap is left out: negative energies count from the VBM, positive ones from the CBM, "
        "both from the Fermi level for metals.",
    ),
}
"""By the paper."""


def min_max(values: np.ndarray) -> np.ndarray:
    """Values shifted and scaled to minimum 0 and maximum 1.

    Raises:
        DataError: all values are the same.
    """
    low, high = values.min(), values.max()
    if not high > low:
        raise DataError(f"values that are all {low:g} cannot be scaled to minimum 0 and maximum 1")
    return (values - low) / (high - low)
