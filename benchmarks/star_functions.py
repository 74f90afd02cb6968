"""Bands at any k-point from those on a mesh: smooth Fourier interpolation with star functions.

Shankland (1971); Koelling and Wood, J. Comput. Phys. 67, 253 (1986); roughness as in Pickett,
Krakauer and Allen, Phys. Rev. B 38, 2721 (1988). It is the method of BoltzTraP, which has no
wheels to install. Energies at the mesh points are met exactly; at crossings, where sorted bands
have kinks, it is off.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from vanhove.crystal.crystal import Crystal
from vanhove.crystal.symmetry import SYMMETRY_TOLERANCE
from vanhove.errors import DataError

_ROUGHNESS = 0.75
"""Both constants of Pickett et al."""
_TINY = 1e-9


def interpolate_bands(
    crystal: Crystal,
    kpoints: np.ndarray,
    energies: np.ndarray,
    at: np.ndarray,
    stars_per_point: int = 5,
) -> np.ndarray:
    """Energies at other k-points.

    Args:
        crystal: in the cell of the calculation, for its symmetry.
        kpoints: where bands are known, irreducible, fractional, ``[n_kpoints, 3]``.
        energies: ``[n_kpoints, n_bands]``.
        at: where they are wanted, fractional, ``[n_at, 3]``.
        stars_per_point: functions for each known point; more are smoother and slower.

    Returns:
        ``[n_at, n_bands]``, sorted.

    Raises:
        DataError: shapes that do not fit.
    """
    kpoints = np.asarray(kpoints, dtype=np.float64)
    energies = np.asarray(energies, dtype=np.float64)
    if energies.ndim != 2 or kpoints.shape != (len(energies), 3) or len(kpoints) < 2:
        raise DataError(
            f"{kpoints.shape} k-points and {energies.shape} energies; [n_kpoints, 3] and "
            "[n_kpoints, n_bands] are needed, of two points or more"
        )
    rotations = _rotations(crystal)
    translations = _stars(crystal, rotations, stars_per_point * len(kpoints))
    lengths = np.linalg.norm(translations @ crystal.lattice, axis=1)
    ratio = (lengths[1:] / lengths[1]) ** 2
    roughness = (1 - _ROUGHNESS * ratio) ** 2 + _ROUGHNESS * ratio**3

    known = _star_functions(kpoints, translations, rotations)  # [n_kpoints, n_stars]
    # The constant term is free; the last point is met by it, the others by the smoothest rest.
    change = known[:-1, 1:] - known[-1, 1:]
    # Least squares: a mesh reduced by part of the symmetry holds points that are the same.
    multipliers = np.linalg.lstsq(
        (change / roughness) @ change.T, energies[:-1] - energies[-1], rcond=_TINY
    )[0]
    coefficients = (change / roughness).T @ multipliers
    constant = energies[-1] - known[-1, 1:] @ coefficients
    wanted = _star_functions(np.asarray(at, dtype=np.float64), translations, rotations)
    return np.sort(constant + wanted[:, 1:] @ coefficients, axis=1)


def _rotations(crystal: Crystal) -> np.ndarray:
    """Of the point group with time reversal, on integer lattice vectors, ``[n, 3, 3]``."""
    from spglib import get_symmetry

    cell: Any = (crystal.lattice, crystal.fractional_coordinates, crystal.atomic_numbers)
    symmetry = get_symmetry(cell, symprec=SYMMETRY_TOLERANCE)
    if symmetry is None:
        raise DataError(f"spglib finds no symmetry in {crystal.name or crystal.formula}")
    rotations = symmetry["rotations"]
    return np.unique(np.concatenate([rotations, -rotations]), axis=0)


def _stars(crystal: Crystal, rotations: np.ndarray, n_stars: int) -> np.ndarray:
    """One lattice vector of each of the shortest stars, integer, zero first, ``[n, 3]``."""
    radius = (3 * n_stars * len(rotations) * crystal.volume / (4 * np.pi)) ** (1 / 3)
    # How many cells each direction needs to reach the radius.
    reach = np.ceil(radius * np.linalg.norm(np.linalg.inv(crystal.lattice), axis=0)).astype(int)
    axes = [np.arange(-n, n + 1) for n in reach]
    vectors = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    lengths = np.linalg.norm(vectors @ crystal.lattice, axis=1)
    inside = lengths <= radius
    vectors, lengths = vectors[inside], lengths[inside]
    images = np.einsum("rij,vj->rvi", rotations, vectors)
    # One number for each vector; a star is known by the largest of its vectors.
    size = 2 * int(np.abs(images).max()) + 1
    code = ((images + size // 2) @ np.array([size * size, size, 1])).max(axis=0)
    _, first = np.unique(code, return_index=True)
    first = first[np.argsort(lengths[first], kind="stable")]
    return vectors[first[: n_stars + 1]]


def _star_functions(
    kpoints: np.ndarray, translations: np.ndarray, rotations: np.ndarray
) -> np.ndarray:
    """Mean of ``cos(k R)`` over the images of each lattice vector, ``[n_kpoints, n_stars]``."""
    total = np.zeros((len(kpoints), len(translations)))
    for rotation in rotations:
        total += np.cos(2 * np.pi * kpoints @ (translations @ rotation.T).T)
    return total / len(rotations)
