"""The potential of point charges in a crystal, by Ewald's sum."""

from __future__ import annotations

import itertools

import numpy as np

from vanhove.crystal.crystal import Crystal

COULOMB = 14.399645
"""e^2 / (4 pi epsilon_0), eV angstrom."""
_ACCURACY = 4.2
"""Both sums end where exp(-x^2) has x above it (2e-8)."""


def _points(rows: np.ndarray, reach: float) -> np.ndarray:
    """All lattice points that may lie within ``reach`` of the cell around 0, ``[n, 3]``."""
    heights = 1 / np.linalg.norm(np.linalg.inv(rows), axis=0)
    ends = np.ceil(reach / heights).astype(int)
    grid = itertools.product(*(range(-n, n + 1) for n in ends))
    return np.array(list(grid)) @ rows


def madelung_matrix(crystal: Crystal) -> np.ndarray:
    """``M_ij``, eV per elementary charge squared: the potential at atom i of charges at atoms j.

    For charges that add up to 0 in the cell (a uniform background makes it finite otherwise); an
    atom's own charge acts through its images. Symmetric, ``[n_atoms, n_atoms]``.
    """
    from scipy.special import erfc

    lattice, n = crystal.lattice, crystal.n_atoms
    volume = crystal.volume
    width = np.sqrt(np.pi) / volume ** (1 / 3)
    reciprocal = 2 * np.pi * np.linalg.inv(lattice).T
    # Wrapped into the cell, so that few images are near.
    positions = (crystal.fractional_coordinates % 1) @ lattice
    shift = positions[None, :] - positions[:, None]
    longest = np.linalg.norm(lattice, axis=1).sum()
    images = _points(lattice, _ACCURACY / width + longest)
    waves = _points(reciprocal, 2 * width * _ACCURACY)
    squared = (waves**2).sum(axis=1)
    waves, squared = waves[squared > 1e-9], squared[squared > 1e-9]
    kept = squared < (2 * width * _ACCURACY) ** 2
    waves, squared = waves[kept], squared[kept]
    damping = 4 * np.pi / volume * np.exp(-squared / (4 * width**2)) / squared
    result = np.cos(shift.reshape(-1, 3) @ waves.T) @ damping
    for k, vector in enumerate(shift.reshape(-1, 3)):
        distance = np.linalg.norm(images + vector, axis=1)
        distance = distance[(distance > 1e-6) & (distance < _ACCURACY / width)]
        result[k] += (erfc(width * distance) / distance).sum()
    matrix = result.reshape(n, n) - np.pi / (volume * width**2)
    return COULOMB * (matrix - np.eye(n) * 2 * width / np.sqrt(np.pi))
