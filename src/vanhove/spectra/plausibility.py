"""Is a phonon spectrum possible? Finds frequencies of another unit and densities of other cells."""

from __future__ import annotations

import numpy as np

from vanhove.crystal.crystal import Crystal
from vanhove.crystal.elements import MASSES
from vanhove.errors import DataError

HIGHEST_FREQUENCY = 5000.0
"""1/cm. The stiffest bond there is, H2, has 4400."""
LOWEST_TOP = 15.0
"""1/cm. A crystal whose highest frequency is lower has it in another unit."""
_LIGHT, _MULTIPLE = (1, 5, 6, 7, 8, 9), (6, 7)
_STIFFEST = {"multiple": 25.0, "light": 16.0, "others": 8.0}
"""mdyn/angstrom. Above the N2 bond, 23, where C or N may have multiple bonds; elsewhere twice the
largest among the 1,521 crystals of Petretto et al. (8.0 with and 4.2 without H, B, O or F), of two
of the lightest atoms."""
_WAVENUMBER = 1302.79
"""1/cm: of a bond of 1 mdyn/angstrom and a reduced mass of 1 u."""
_INTEGRAL_TOLERANCE = 0.1


def highest_possible(crystal: Crystal | None) -> float:
    """1/cm: of two of the lightest atoms, bound by the stiffest bond that there may be."""
    if crystal is None:
        return HIGHEST_FREQUENCY
    numbers = set(crystal.atomic_numbers.tolist())
    kind = "light" if numbers & set(_LIGHT) else "others"
    stiffest = _STIFFEST["multiple" if numbers & set(_MULTIPLE) else kind]
    reduced = MASSES[crystal.atomic_numbers].min() / 2
    return float(min(HIGHEST_FREQUENCY, _WAVENUMBER * np.sqrt(stiffest / reduced)))


def check_frequencies(
    frequencies: np.ndarray, crystal: Crystal | None, name: str, unit: str = "THz"
) -> None:
    """Refuse frequencies (1/cm) that no crystal has, or not this one.

    Raises:
        DataError: the highest is too high or too low, with the unit that the file perhaps has.
    """
    frequencies = np.asarray(frequencies, dtype=np.float64)
    if not np.isfinite(frequencies).all() or frequencies.size == 0:
        raise DataError(f"{name}: frequencies that are no numbers, or none; calculate them again")
    top, bottom = float(frequencies.max()), float(frequencies.min())
    most = highest_possible(crystal)
    of = "no crystal" if crystal is None else f"no crystal of {crystal.formula}"
    if top > most or bottom < -most:
        worst = top if top > most else bottom
        raise DataError(
            f"{name}: a frequency of {worst:.0f} 1/cm, read as {unit}; {of} has more than "
            f"{most:.0f}; is the file in 1/cm or meV? Write it in {unit}"
        )
    if top < LOWEST_TOP and bottom > -LOWEST_TOP:
        raise DataError(
            f"{name}: the highest frequency is {top:.3g} 1/cm, read as {unit}; {of} is so soft; "
            f"is the file in eV or atomic units? Write it in {unit}"
        )


def check_modes(grid: np.ndarray, values: np.ndarray, n_atoms: int, name: str) -> None:
    """The density (modes per unit of the grid and cell) must hold 3 N modes.

    Raises:
        DataError: another number, with both.
    """
    modes = float(np.trapezoid(values, grid))
    if abs(modes / (3 * n_atoms) - 1) > _INTEGRAL_TOLERANCE:
        raise DataError(
            f"{name}: the density holds {modes:.4g} modes, but {n_atoms} atoms have "
            f"{3 * n_atoms}; give the structure of the same cell, or state how it is normalised"
        )
