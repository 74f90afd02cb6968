"""What an electron density of states tells, predicted or calculated: gaps, electronic heat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from vanhove.errors import ConfigError, DataError
from vanhove.spectra.grids import check_on_grid
from vanhove.spectra.thermodynamics import AVOGADRO, BOLTZMANN

if TYPE_CHECKING:
    from vanhove.spectra.spectrum import Spectrum

ELECTRON_VOLT = 1.602176634e-19
"""J, exact."""
SOMMERFELD = 1000 * np.pi**2 / 3 * BOLTZMANN**2 * AVOGADRO / ELECTRON_VOLT
"""mJ/(mol K^2) for one state/eV: 2.357."""


@dataclass(frozen=True)
class GapReading:
    """A gap read off a density of states. Energies in eV on its axis.

    Attributes:
        gap: upper - lower; 0 where there is none.
        lower: the last point with states below the gap (the VBM), or the end of the grid.
        upper: the first point with states above it (the CBM), or the end of the grid.
        is_lower_bound: the gap reaches an end of the grid, so it is at least this large.
    """

    gap: float
    lower: float
    upper: float
    is_lower_bound: bool


def read_gap(
    spectrum: Spectrum, threshold: float = 1e-6, zero: float = 0.0, reach: float | None = None
) -> GapReading:
    """The gap at the Fermi level or above the VBM, directly from the values.

    The gap is the first run of points below the threshold at or above ``zero``, from the last
    point with states to the next one. Of averages over cells (`Eigenvalues.dos`) it is right to one
    grid step. Broadening narrows it. A grid that leaves out the gap has none to read.

    Args:
        spectrum: in eV.
        threshold: values below count as no states; in the unit of the values. States at a band
            edge are few: at 1e-3 states/eV/cell the gap of MgO is read 0.1 eV too large. A
            predicted density needs a threshold above its error.
        zero: the VBM or the Fermi level on the grid, eV.
        reach: how far above ``zero`` (eV) the gap may begin; by default 1.5 grid steps.

    Raises:
        ConfigError: the spectrum is not in eV, or a threshold that is not positive.
        DataError: ``zero`` is outside the grid.
    """
    _check_ev(spectrum)
    if not threshold > 0:
        raise ConfigError(f"threshold must be positive, got {threshold}")
    grid = spectrum.grid
    if not grid[0] <= zero <= grid[-1]:
        raise DataError(f"zero at {zero:g} eV is outside the grid, {grid[0]:g} to {grid[-1]:g} eV")
    nearest = min(max(int(np.searchsorted(grid, zero)), 1), len(grid) - 1)
    step = grid[nearest] - grid[nearest - 1]
    starts, ends = _runs(spectrum.values < threshold)
    if len(starts):
        distance = np.maximum(0, np.maximum(grid[starts] - zero, zero - grid[ends - 1]))
        # Below a narrow valence band there is a gap as near to the VBM as the one above.
        distance[grid[ends - 1] < zero] = np.inf
        run = int(np.argmin(distance))
        if distance[run] <= (1.5 * step if reach is None else reach):
            first, last = int(starts[run]) - 1, int(ends[run])
            lower, upper = float(grid[max(first, 0)]), float(grid[min(last, len(grid) - 1)])
            return GapReading(upper - lower, lower, upper, first < 0 or last == len(grid))
    return GapReading(0.0, zero, zero, False)


def has_gap_near_edge(
    grid: np.ndarray,
    values: np.ndarray,
    band: Literal["valence", "conduction"] = "valence",
    threshold: float = 1.0,
    min_width: float = 1.0,
    distance: tuple[float, float] = (0.25, 1.0),
) -> np.ndarray:
    """Mat2Spec's criterion for a gap inside the valence (or conduction) bands, ``[n_materials]``.

    Kong et al., Nat. Commun. 13, 949 (2022): the density is below 1 state/eV over at least 1 eV,
    and the upper edge of that gap is between -1 and -0.25 eV from the VBM. For the conduction bands
    the mirror image: the lower edge is 0.25 to 1 eV above the CBM. A gap that reaches the end of
    the grid counts with the width it has there.

    Args:
        grid: bin centres, eV, the band edge at 0, ``[n_points]``.
        values: states/eV/cell, ``[n_materials, n_points]``.
        band: which side of 0.
        threshold: states/eV/cell.
        min_width: eV.
        distance: of the gap from the band edge, least and largest, eV.

    Raises:
        DataError: shapes that do not fit, or values not finite.
        ConfigError: an unknown band, or a range that is none.
    """
    grid, values = check_on_grid(grid, values)
    if values.ndim != 2:
        raise DataError(f"values have shape [n_materials, n_points], got {values.shape}")
    if band not in ("valence", "conduction"):
        raise ConfigError(f"band must be valence or conduction, got {band!r}")
    least, most = distance
    if not 0 <= least <= most:
        raise ConfigError(f"distance must be (least, largest) with 0 <= least, got {distance}")
    if band == "conduction":
        grid, values = -grid[::-1], values[:, ::-1]
    middle = (grid[1:] + grid[:-1]) / 2
    edges = np.concatenate([[2 * grid[0] - middle[0]], middle, [2 * grid[-1] - middle[-1]]])
    rounding = 1e-9
    found = np.zeros(len(values), dtype=bool)
    for row, empty in enumerate(values < threshold):
        starts, ends = _runs(empty)
        lower, upper = edges[starts], edges[ends]
        near = (-upper >= least - rounding) & (-upper <= most + rounding)
        found[row] = (near & (upper - lower >= min_width - rounding)).any()
    return found


def detection_scores(target: np.ndarray, prediction: np.ndarray) -> dict[str, float]:
    """How well a yes-or-no property is found: ``precision``, ``recall``, ``f1`` and the counts.

    Args:
        target: of the true densities, bool, ``[n_materials]``.
        prediction: of the predicted ones, bool, ``[n_materials]``.

    Returns:
        ``precision`` (NaN when nothing was predicted), ``recall`` (NaN when nothing is there),
        ``f1`` (NaN when both), ``n_true``, ``n_predicted``, ``n_found`` (both), ``n_materials``.

    Raises:
        DataError: arrays that are not both ``[n_materials]`` of bool.
    """
    target, prediction = np.asarray(target), np.asarray(prediction)
    if target.ndim != 1 or target.shape != prediction.shape or target.size == 0:
        raise DataError(
            "target and prediction must both have the shape [n_materials], not empty; got "
            f"{target.shape} and {prediction.shape}"
        )
    if target.dtype != bool or prediction.dtype != bool:
        raise DataError(f"yes or no is needed, got {target.dtype} and {prediction.dtype}")
    n_true, n_predicted = int(target.sum()), int(prediction.sum())
    n_found = int((target & prediction).sum())
    return {
        "precision": n_found / n_predicted if n_predicted else float("nan"),
        "recall": n_found / n_true if n_true else float("nan"),
        "f1": 2 * n_found / (n_true + n_predicted) if n_true + n_predicted else float("nan"),
        "n_true": n_true,
        "n_predicted": n_predicted,
        "n_found": n_found,
        "n_materials": len(target),
    }


def fermi_level_density(spectrum: Spectrum, fermi_level: float = 0.0, window: float = 0.0) -> float:
    """States at the Fermi level, states/eV/cell.

    Args:
        spectrum: in eV and states/eV/cell.
        fermi_level: on its grid, eV.
        window: the mean over this many eV to each side instead, which evens out the noise of a
            coarse k-mesh; 0 interpolates between the two neighbours.

    Raises:
        ConfigError: another unit or normalisation, or a negative window.
        DataError: the Fermi level or its window leaves the grid.
    """
    _check_ev(spectrum)
    if spectrum.normalisation != "states/eV/cell":
        raise ConfigError(
            'the density at the Fermi level needs states/eV/cell, got normalisation "'
            f'{spectrum.normalisation}", which has lost the scale'
        )
    if not window >= 0:
        raise ConfigError(f"window must be 0 or positive, got {window}")
    grid, values = spectrum.grid, spectrum.values
    low, high = fermi_level - window, fermi_level + window
    if low < grid[0] or high > grid[-1]:
        raise DataError(
            f"{low:g} to {high:g} eV around the Fermi level is not on the grid, {grid[0]:g} to "
            f"{grid[-1]:g} eV"
        )
    if window == 0:
        return float(np.interp(fermi_level, grid, values))
    points = np.union1d(grid[(grid > low) & (grid < high)], [low, high])
    return float(np.trapezoid(np.interp(points, grid, values), points) / (high - low))


def sommerfeld_coefficient(
    spectrum: Spectrum,
    fermi_level: float = 0.0,
    window: float = 0.0,
    per: Literal["cell", "atom"] = "cell",
) -> float:
    """Electronic heat capacity coefficient gamma, mJ/(mol K^2): pi^2/3 k_B^2 g(E_F).

    Of band electrons alone; the measured gamma is larger by 1 + lambda (electrons and phonons).

    Args:
        spectrum: in eV and states/eV/cell; other arguments as `fermi_level_density`.
        fermi_level: on its grid, eV.
        window: see there.
        per: mole of cells, or of atoms (the spectrum's crystal counts them).

    Raises:
        ConfigError: ``per="atom"`` without a crystal, or as `fermi_level_density`.
        DataError: as there.
    """
    if per not in ("cell", "atom"):
        raise ConfigError(f"per must be cell or atom, got {per!r}")
    if per == "atom" and spectrum.crystal is None:
        raise ConfigError('per="atom" needs the atoms in the cell: set the crystal')
    density = fermi_level_density(spectrum, fermi_level, window)
    n_atoms = spectrum.crystal.n_atoms if per == "atom" and spectrum.crystal is not None else 1
    return SOMMERFELD * density / n_atoms


def electronic_heat_capacity(
    spectrum: Spectrum,
    temperature: float | np.ndarray,
    fermi_level: float = 0.0,
    window: float = 0.0,
    per: Literal["cell", "atom"] = "cell",
) -> np.ndarray:
    """C_el = gamma T, mJ/(mol K): for temperatures over which the density hardly changes.

    Args:
        spectrum: in eV and states/eV/cell; other arguments as `sommerfeld_coefficient`.
        temperature: K, a number or an array ``[n_temperatures]``.
        fermi_level: on its grid, eV.
        window: see there.
        per: mole of cells, or of atoms.

    Returns:
        ``[n_temperatures]``, or a number.

    Raises:
        ConfigError: a temperature below 0 K or not finite, or as `sommerfeld_coefficient`.
        DataError: as there.
    """
    kelvin = np.asarray(temperature, dtype=np.float64)
    if not (np.isfinite(kelvin) & (kelvin >= 0)).all():
        raise ConfigError(f"temperature must be finite and at least 0 K, got {temperature}")
    return (sommerfeld_coefficient(spectrum, fermi_level, window, per) * kelvin)[()]


def _check_ev(spectrum: Spectrum) -> None:
    if spectrum.unit != "eV":
        raise ConfigError(f"an electron density of states in eV is needed, got {spectrum.unit}")


def _runs(flags: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First points of the runs of True, and the points after their last."""
    steps = np.diff(np.concatenate([[0], flags.astype(int), [0]]))
    return np.flatnonzero(steps == 1), np.flatnonzero(steps == -1)
