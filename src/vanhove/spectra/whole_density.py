"""The density of states of the whole spectrum: of the modes, refined where a network knows more.

A network that was trained on the papers' 51 points ends at 1000 1/cm; modes do not. Between its
points the difference of the two is interpolated, so that at its points the network's values stand
as they are; beyond them the modes alone count. The modes are broadened by `BROADENING`, about what
the labels of the papers are smoothed by and how far predicted frequencies are off.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from vanhove.spectra.density import Density
from vanhove.spectra.spectrum import Spectrum

if TYPE_CHECKING:
    from vanhove.spectra.phonons import Phonons

STEP, BROADENING = 2.0, 12.0
"""1/cm: of the grid; standard deviation of Gaussians, chosen on validation."""
_FINE = 1.0  # 1/cm, of the density of the modes
_FADING = 40.0  # 1/cm beyond the window, where the difference goes to 0
_WEIGHT = 0.02
"""Of the maximum: with so much at a point of the window, the spectrum reaches as far."""
_NEARBY = 50.0  # 1/cm


def whole_density(window: Spectrum, phonons: Phonons) -> Spectrum:
    """The density of states of the whole spectrum, in steps of `STEP`, from 0 on.

    Args:
        window: of the network, in the scale of which the result is; with error bars if it has them.
        phonons: of the same crystal, in the same cell.

    Returns:
        A spectrum with `Density.modes`; with error bars where ``phonons`` are calibrated for it.
    """
    modes = phonons.real_modes()
    grid, plain = _broadened(modes, _reach(window))
    at = np.interp(window.grid, grid, plain)
    scale = float(window.values @ at) / max(float(at @ at), 1e-12)
    plain = scale * plain if scale > 0 else plain
    apart = window.values - np.interp(window.grid, grid, plain)
    places = np.append(window.grid, window.grid[-1] + _FADING)
    values = np.maximum(plain + np.interp(grid, places, np.append(apart, 0.0), right=0.0), 0)
    found = replace(window, grid=grid, values=values, std=None, samples=None, modes=modes)
    calibration = phonons.calibration
    if calibration is None or calibration.density is None:
        return found
    features = phonons.features
    return replace(
        found,
        std=calibration.density.std(density_terms(found, window, features.spread)),
        metadata=found.metadata
        | {
            "interval_factors": dict(calibration.density.levels(features.kind)),
            "half_widths_90": {
                name: half.tolist() for name, half in calibration.half_widths(features).items()
            },
        },
    )


def density_terms(found: Density, window: Density, spread: float) -> np.ndarray:
    """Terms of the scale of the error of each point of a whole density, ``[n_points, 6]``.

    The maximum, the spread of the members in the window, the value, its slope, the slope times the
    spread of frequencies, and the highest value nearby; all turn with the scale of the density.

    Args:
        found: from `whole_density`.
        window: with its members as samples, if it has several.
        spread: of the members' frequencies, 1/cm.
    """
    values, grid = found.values, found.grid
    members = np.zeros(len(window.grid)) if window.samples is None else window.samples.std(axis=0)
    slope = np.abs(np.gradient(values, grid))
    side = int(_NEARBY / STEP)
    padded = np.pad(values, side, mode="edge")
    nearby = np.lib.stride_tricks.sliding_window_view(padded, 2 * side + 1).max(axis=-1)
    return np.stack(
        [
            np.full_like(values, values.max()),
            np.interp(grid, window.grid, members, right=0.0),
            values,
            BROADENING * slope,
            spread * slope,
            nearby,
        ],
        axis=-1,
    )


def broadened_on(grid: np.ndarray, frequency: np.ndarray, values: np.ndarray) -> np.ndarray:
    """A calculated density, as `whole_density` broadens those of modes, at points of a grid.

    Args:
        grid: 1/cm, ``[n_points]``.
        frequency: in steps of 1 1/cm, ``[n]``; the density is 0 outside.
        values: ``[n]``.
    """
    fine = np.arange(0.0, grid[-1] + _FINE, _FINE)
    return np.interp(grid, fine, _convolved(np.interp(fine, frequency, values, left=0, right=0)))


def _reach(window: Density) -> float:
    """As far as the network says that there is weight, 1/cm."""
    there = np.flatnonzero(window.values > _WEIGHT * window.values.max())
    return float(window.grid[there[-1]]) if len(there) else 0.0


def _broadened(modes: Density, reach: float) -> tuple[np.ndarray, np.ndarray]:
    """Grid and values, broadened, from 0 to where nothing is left."""
    top = max(float(modes.grid[-1]), reach) + 3 * BROADENING
    grid = STEP * np.arange(int(np.ceil(top / STEP)) + 1)
    return grid, broadened_on(grid, modes.grid, modes.values)


def _convolved(values: np.ndarray) -> np.ndarray:
    """With a Gaussian, on a grid in steps of `_FINE` from 0; what would leave it there is folded
    back, so that no mode is lost."""
    side = int(4 * BROADENING / _FINE)
    kernel = np.exp(-0.5 * (np.arange(-side, side + 1) * _FINE / BROADENING) ** 2)
    padded = np.pad(values, (side, side), mode="constant")
    padded[:side] = values[1 : side + 1][::-1] if len(values) > side else 0
    return np.convolve(padded, kernel / kernel.sum(), mode="valid")
