"""What long waves and all modes together say: speed of sound, Debye temperature, how far atoms
move."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from vanhove.crystal.kpath import reciprocal_lattice
from vanhove.errors import ConfigError
from vanhove.spectra.phonon_modes import PhononModes
from vanhove.spectra.thermodynamics import (
    ATOMIC_MASS,
    BOLTZMANN,
    KELVIN_PER_CM1,
    LIGHT_CM,
    PLANCK,
)

_LONG = 0.004
"""1/angstrom: a wave this long (1,600 angstrom) is sound."""
_N_DIRECTIONS = 150
_HBAR = PLANCK / (2 * math.pi)
_SOFTEST = 1.0
"""1/cm: softer modes are left out of the mean-square displacements."""


def sound_velocities(phonons: PhononModes, directions: np.ndarray) -> np.ndarray:
    """See `Phonons.sound_velocities`."""
    unit = np.asarray(directions, dtype=np.float64)
    if unit.ndim != 2 or unit.shape[1] != 3 or not np.linalg.norm(unit, axis=1).all():
        raise ConfigError("directions must be vectors of three numbers, none of them 0")
    unit = unit / np.linalg.norm(unit, axis=1, keepdims=True)
    to_fractional = np.linalg.inv(reciprocal_lattice(phonons.crystal.lattice))
    frequencies = phonons.frequencies(_LONG * unit @ to_fractional)
    # The three that go to zero, also beside soft optical modes.
    acoustic = np.sort(np.argsort(np.abs(frequencies), axis=1)[:, :3], axis=1)
    frequencies = np.take_along_axis(frequencies, acoustic, axis=1)
    return frequencies * 2 * math.pi * LIGHT_CM / (_LONG * 1e10)


def sphere(n: int) -> np.ndarray:
    """Directions that cover a sphere evenly (a Fibonacci spiral), ``[n, 3]``."""
    height = 1 - (2 * np.arange(n) + 1) / n
    turn = np.pi * (3 - math.sqrt(5)) * np.arange(n)
    radius = np.sqrt(1 - height**2)
    return np.stack([radius * np.cos(turn), radius * np.sin(turn), height], axis=1)


def debye_temperature(phonons: PhononModes) -> float:
    """See `Phonons.debye_temperature`."""
    speeds = sound_velocities(phonons, sphere(_N_DIRECTIONS))
    if speeds.min() <= 0:
        return float("nan")
    mean = np.mean(1 / speeds**3) ** (-1 / 3)
    density = phonons.crystal.n_atoms / (phonons.crystal.volume * 1e-30)
    return float(_HBAR / BOLTZMANN * (6 * math.pi**2 * density) ** (1 / 3) * mean)


def mean_square_displacements(
    phonons: PhononModes, temperatures: Sequence[float] | np.ndarray, mesh: Sequence[int]
) -> np.ndarray:
    """See `Phonons.mean_square_displacements`."""
    kelvin = np.asarray(temperatures, dtype=np.float64)
    if kelvin.ndim != 1 or not (np.isfinite(kelvin) & (kelvin >= 0)).all():
        raise ConfigError(f"temperatures must be a list of numbers from 0 K on, got {temperatures}")
    sides = np.array(mesh)
    # Between the points of a mesh around Gamma, whose own acoustic modes would be infinite; of
    # opposite points one.
    points = (np.indices(tuple(sides)).reshape(3, -1).T + 0.5) / sides
    points = points[: len(points) // 2] if len(points) % 2 == 0 else points
    frequencies, vectors = phonons.modes(points)
    kept = frequencies > _SOFTEST
    omega = np.where(kept, frequencies, 1.0)
    x = KELVIN_PER_CM1 * omega / np.maximum(kelvin, 1e-9)[:, None, None]
    coth = 1 / np.tanh(np.minimum(x / 2, 300.0))
    weight = np.where(kept, coth / omega, 0.0) / len(points)
    vectors = vectors.reshape(*frequencies.shape, -1, 3)
    # hbar / (2 m omega), angstrom^2, of 1 u and 1 1/cm.
    scale = _HBAR / (4 * math.pi * LIGHT_CM * ATOMIC_MASS) * 1e20
    masses = phonons.harmonic.masses.numpy()
    pairs = np.einsum("qmix,qmiy->qmixy", vectors, vectors.conj()).real
    return scale * np.einsum("tqm,qmixy->tixy", weight, pairs) / masses[:, None, None]
