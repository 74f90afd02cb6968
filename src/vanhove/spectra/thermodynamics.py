"""Harmonic thermodynamics from a phonon density of states, vectorised over materials.

The density of states is first normalised to 3 modes per atom with the trapezoid rule over the whole
grid, so its scale does not matter, and every result is per mole of atoms. Each mode is a quantum
harmonic oscillator (Maradudin et al., Theory of Lattice Dynamics in the Harmonic Approximation,
1971; the equations of Togo & Tanaka, Scr. Mater. 108, 1 (2015)). Conventions:

* Imaginary modes (negative frequencies) count in the normalisation and contribute nothing, as in
  phonopy and pymatgen.
* The point at frequency 0, where entropy and free energy diverge, stands for its cell [0, h/2] and
  is evaluated at h / 2e, the geometric mean of the frequencies there. That gives the integral of
  the divergent logarithm over the cell exactly, keeps F = U - TS and C = T dS/dT for every density,
  and is the usual limit (k_B per mode) for the heat capacity once k_B T >> hc h. pymatgen drops
  this point from S and F; the two agree where the density at 0 is 0, as it is for a crystal.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from vanhove.errors import ConfigError, DataError
from vanhove.spectra.grids import check_on_grid, trapezoid_weights

# Exact in the SI since 2019.
PLANCK = 6.62607015e-34  # J s
BOLTZMANN = 1.380649e-23  # J/K
AVOGADRO = 6.02214076e23  # 1/mol
LIGHT_CM = 2.99792458e10  # cm/s
ATOMIC_MASS = 1.66053906660e-27  # kg, of 1 u (CODATA 2018)

GAS_CONSTANT = BOLTZMANN * AVOGADRO
"""J/(K mol)."""
KELVIN_PER_CM1 = PLANCK * LIGHT_CM / BOLTZMANN
"""hc/k_B: the temperature of one 1/cm."""
KJ_PER_MOL_PER_CM1 = PLANCK * LIGHT_CM * AVOGADRO / 1000
"""N_A hc: the energy of one 1/cm."""
_MOST_KEPT = 5_000
"""Numbers of weights that are kept for the next spectrum on the same grid."""


def mean_frequency(grid_cm1: np.ndarray, values: np.ndarray) -> np.ndarray:
    """First moment of the density of states over the real modes, 1/cm.

    Args:
        grid_cm1: ``[n_points]``.
        values: ``[..., n_points]``, any normalisation.

    Returns:
        ``[...]``.

    Raises:
        DataError: shapes that do not fit, values not finite, or a density without any weight.
    """
    omega, modes = _real_modes(grid_cm1, values)
    weight = modes.sum(axis=-1)
    if not (weight > 0).all():
        raise DataError("a density of states has no weight at real (positive) frequencies")
    return (modes @ omega / weight)[()]


def heat_capacity(
    grid_cm1: np.ndarray, values: np.ndarray, temperature: float | np.ndarray
) -> np.ndarray:
    """Heat capacity at constant volume, J/(K mol of atoms); 3R = 24.94 when all modes are excited.

    Args:
        grid_cm1: ``[n_points]``.
        values: ``[..., n_points]``, any normalisation.
        temperature: K, a number or an array ``[n_temperatures]``.

    Returns:
        ``[...]`` for one temperature, ``[..., n_temperatures]`` for several.

    Raises:
        DataError: shapes that do not fit, values not finite, or a density without any weight.
        ConfigError: a temperature below 0 K or not finite.
    """
    return _thermal_sum(grid_cm1, values, temperature, _capacity)


def entropy(
    grid_cm1: np.ndarray, values: np.ndarray, temperature: float | np.ndarray
) -> np.ndarray:
    """Vibrational entropy, J/(K mol of atoms). Arguments and errors as ``heat_capacity``."""
    return _thermal_sum(grid_cm1, values, temperature, _entropy)


def internal_energy(
    grid_cm1: np.ndarray, values: np.ndarray, temperature: float | np.ndarray
) -> np.ndarray:
    """Vibrational energy with the zero-point energy, kJ/mol of atoms.

    Arguments and errors as ``heat_capacity``.
    """
    return _thermal_sum(grid_cm1, values, temperature, _energy)


def free_energy(
    grid_cm1: np.ndarray, values: np.ndarray, temperature: float | np.ndarray
) -> np.ndarray:
    """Helmholtz vibrational free energy with the zero-point energy, kJ/mol of atoms.

    Arguments and errors as ``heat_capacity``.
    """
    return _thermal_sum(grid_cm1, values, temperature, _free_energy)


def zero_point_energy(grid_cm1: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The internal energy at 0 K, kJ/mol of atoms, ``[...]``. Errors as ``mean_frequency``."""
    return internal_energy(grid_cm1, values, 0.0)


_PerMode = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""Of x = hc omega / kT, omega and kT in kJ/mol."""


def _capacity(x: np.ndarray, omega: np.ndarray, kt: np.ndarray) -> np.ndarray:
    return GAS_CONSTANT * (x / 2 / np.sinh(x / 2)) ** 2


def _entropy(x: np.ndarray, omega: np.ndarray, kt: np.ndarray) -> np.ndarray:
    return GAS_CONSTANT * (x / np.expm1(x) - np.log(-np.expm1(-x)))


def _energy(x: np.ndarray, omega: np.ndarray, kt: np.ndarray) -> np.ndarray:
    return KJ_PER_MOL_PER_CM1 * omega * (0.5 + 1 / np.expm1(x))


def _free_energy(x: np.ndarray, omega: np.ndarray, kt: np.ndarray) -> np.ndarray:
    return KJ_PER_MOL_PER_CM1 * omega / 2 + kt * np.log(-np.expm1(-x))


def _real_modes(grid_cm1: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Real frequencies ``[n_real]``, and the modes per atom at each of them ``[..., n_real]``."""
    grid, values = check_on_grid(grid_cm1, values)
    real = grid >= 0
    if real.sum() < 2:
        raise DataError("the grid needs at least 2 points at frequencies >= 0")
    area = values @ trapezoid_weights(grid)
    if not (area > 0).all():
        raise DataError(
            f"{int(np.sum(~(area > 0)))} of {area.size} densities of states integrate to 0 or less "
            "and cannot be normalised: leave them out"
        )
    omega = grid[real]
    return omega, 3 * values[..., real] * trapezoid_weights(omega) / area[..., None]


def _thermal_sum(
    grid_cm1: np.ndarray, values: np.ndarray, temperature: float | np.ndarray, per_mode: _PerMode
) -> np.ndarray:
    omega, modes = _real_modes(grid_cm1, values)
    kelvin = np.asarray(temperature, dtype=np.float64)
    if not (np.isfinite(kelvin) & (kelvin >= 0)).all():
        raise ConfigError(f"temperature must be finite and at least 0 K, got {temperature}")
    if omega[0] == 0:
        omega = np.concatenate([[omega[1] / (2 * np.e)], omega[1:]])
    if omega.size * kelvin.size > _MOST_KEPT:
        weights = _weights(per_mode, omega, kelvin)
    else:
        weights = _kept_weights(per_mode, omega.tobytes(), kelvin.tobytes(), kelvin.shape)
    return np.tensordot(modes, weights, axes=(-1, -1))[()]


@lru_cache(maxsize=64)
def _kept_weights(
    per_mode: _PerMode, omega: bytes, kelvin: bytes, shape: tuple[int, ...]
) -> np.ndarray:
    return _weights(per_mode, np.frombuffer(omega), np.frombuffer(kelvin).reshape(shape))


def _weights(per_mode: _PerMode, omega: np.ndarray, kelvin: np.ndarray) -> np.ndarray:
    """``per_mode`` at temperatures and frequencies, ``[..., n_real]``."""
    kelvin = kelvin[..., None]
    # exp(-700) is 0 for every purpose, and the bound keeps 0 K and sinh free of infinities.
    x = np.minimum(KELVIN_PER_CM1 * omega / np.maximum(kelvin, 1e-300), 700.0)
    return per_mode(x, omega, kelvin * GAS_CONSTANT / 1000)
