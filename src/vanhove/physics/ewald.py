"""Coulomb sums of point charges on a lattice, in a neutralising background (Ewald).

Ewald, Ann. Phys. 369, 253 (1921); de Leeuw, Perram and Smith, Proc. R. Soc. A 373, 27 (1980).
"""

from __future__ import annotations

import numpy as np

COULOMB = 14.399645478
"""eV angstrom, of two elementary charges: e^2 / (4 pi epsilon_0)."""
_ACCURACY = 6.5
"""Sums end where ``exp(-x^2)`` or ``erfc(x)`` is that of this x: below 1e-18."""


def lattice_points(lattice: np.ndarray, radius: float, about: float = 0.0) -> np.ndarray:
    """All lattice vectors no longer than ``radius + about``, ``[n, 3]`` Cartesian, zero included.

    Args:
        lattice: row vectors, ``[3, 3]``; real or reciprocal.
        radius: in the unit of ``lattice``.
        about: added to the radius, for sums around points that lie away from the origin.
    """
    reach = radius + about
    heights = 1 / np.linalg.norm(np.linalg.inv(lattice), axis=0)
    n = np.ceil(reach / heights).astype(int)
    counts = np.indices(2 * n + 1).reshape(3, -1).T - n
    vectors = counts @ lattice
    return vectors[np.linalg.norm(vectors, axis=1) <= reach + 1e-9]


def charge_matrix(lattice: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Potentials of unit charges on sublattices: ``V_i = sum_j A_ij q_j``, ``E = q A q / 2``.

    Each charge comes with a uniform background that makes it neutral; of charges whose sum is 0
    the backgrounds cancel. A charge does not feel itself, but its images.

    Args:
        lattice: row vectors, angstrom, ``[3, 3]``.
        positions: Cartesian, angstrom, ``[n_atoms, 3]``.

    Returns:
        eV per squared elementary charge, ``[n_atoms, n_atoms]``, symmetric.
    """
    from scipy.special import erfc

    n, volume = len(positions), abs(np.linalg.det(lattice))
    alpha = np.sqrt(np.pi) / volume ** (1 / 3)  # both sums are as long
    difference = positions[:, None] - positions[None]
    # Into the cell around the origin, so that the sum in real space is short.
    fractional = difference @ np.linalg.inv(lattice)
    difference = (fractional - np.rint(fractional)) @ lattice
    about = float(np.linalg.norm(difference, axis=-1).max(initial=0.0))
    translations = lattice_points(lattice, _ACCURACY / alpha, about)
    reciprocal = lattice_points(2 * np.pi * np.linalg.inv(lattice).T, 2 * alpha * _ACCURACY)
    squared = (reciprocal**2).sum(axis=1)
    reciprocal, squared = reciprocal[squared > 1e-12], squared[squared > 1e-12]
    phase = positions @ reciprocal.T
    wave = np.concatenate([np.cos(phase), np.sin(phase)], axis=1)
    weight = 4 * np.pi / volume * np.exp(-squared / (4 * alpha**2)) / squared
    matrix = (wave * np.tile(weight, 2)) @ wave.T
    for row in range(n):
        distance = np.linalg.norm(difference[row][:, None] + translations, axis=-1)
        home = distance < 1e-9
        near = np.where(home, 0.0, erfc(alpha * distance) / np.where(home, 1.0, distance))
        matrix[row] += near.sum(axis=1)
    matrix -= np.pi / (volume * alpha**2)
    matrix[np.diag_indices(n)] -= 2 * alpha / np.sqrt(np.pi)
    return COULOMB * (matrix + matrix.T) / 2
