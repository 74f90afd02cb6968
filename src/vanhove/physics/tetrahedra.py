"""The linear tetrahedron method: the number of states below an energy, from a k-mesh.

Bloechl, Jepsen and Andersen, Phys. Rev. B 49, 16223 (1994), appendix A, without their correction of
the weights. Each cell of the mesh is cut into six tetrahedra along its shortest diagonal; inside
one, a band is linear. Compared with a Gaussian, band edges and gaps stay sharp.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations
from typing import TYPE_CHECKING, Any

import numpy as np

from vanhove.errors import DataError

if TYPE_CHECKING:
    from vanhove.crystal.crystal import Crystal

_MOST_DIVISIONS = 200
_ON_MESH = 1e-3
_APART = np.array([3e-9, 2e-9, 1e-9, 0.0])
"""eV."""


@dataclass(frozen=True, eq=False)
class Tetrahedra:
    """Tetrahedra of a k-mesh that differ by symmetry.

    Attributes:
        corners: numbers of the irreducible k-points at the corners, ``[n_tetrahedra, 4]``.
        weights: share of the Brillouin zone, ``[n_tetrahedra]``, sum 1.
    """

    corners: np.ndarray
    weights: np.ndarray


def tetrahedra_of(
    crystal: Crystal, kpoints: np.ndarray, n_full: int, weights: np.ndarray | None = None
) -> Tetrahedra:
    """The tetrahedra of a Gamma-centred mesh of which the irreducible points are known.

    Args:
        crystal: in the cell of the calculation, for its symmetry.
        kpoints: irreducible points, fractional, ``[n_kpoints, 3]``.
        n_full: points of the full mesh; its three divisions follow from ``kpoints``.
        weights: of the points, ``[n_kpoints]``; checked against the unfolded mesh where given.

    Raises:
        DataError: the points are not those of a Gamma-centred mesh of ``n_full`` points, do not
            fill it under the crystal's symmetry, or have other weights.
    """
    kpoints = np.asarray(kpoints, dtype=np.float64).reshape(-1, 3)
    shape = mesh_divisions(kpoints)
    if shape is None or shape.prod() != n_full:
        found = "no mesh" if shape is None else "x".join(map(str, shape))
        raise DataError(
            f"{len(kpoints)} k-points fit {found}, not a Gamma-centred mesh of {n_full} points: "
            "use a Gaussian width instead of tetrahedra"
        )
    full = _unfold(crystal, kpoints, shape)
    if (full < 0).any():
        raise DataError(
            f"{int((full < 0).sum())} of {n_full} points of the k-mesh have no equivalent among "
            "the irreducible ones: the structure is not the one they were computed for"
        )
    if weights is not None:
        # A code that found less symmetry lists points that are equal here: they count together.
        at = np.rint(kpoints * shape).astype(int) % shape
        same = full[np.ravel_multi_index(tuple(at.T), tuple(shape))]
        shares = np.bincount(full, minlength=len(kpoints)) / n_full
        off = np.abs(shares - np.bincount(same, weights, minlength=len(kpoints))).max()
        if off > 1e-6:
            raise DataError(
                "the weights of the k-points are not those of the unfolded mesh (they differ by "
                f"up to {off:.2g})"
            )
    return mesh_tetrahedra(shape, crystal.lattice, full)


def mesh_tetrahedra(shape: np.ndarray, lattice: np.ndarray, whole: np.ndarray) -> Tetrahedra:
    """The tetrahedra of a mesh around Gamma.

    Args:
        shape: points along each reciprocal axis, ``[3]``.
        lattice: of the crystal, row vectors, ``[3, 3]``.
        whole: for each point of the mesh, in the order of `numpy.indices`, the number of the
            irreducible point it is equal to, ``[n_full]``.
    """
    corners = np.sort(whole[_cells(np.asarray(shape), lattice)], axis=1)
    # One number for each set of corners: much faster than unique rows.
    base = (int(whole.max()) + 1,) * 4
    keys, counts = np.unique(np.ravel_multi_index(tuple(corners.T), base), return_counts=True)
    return Tetrahedra(np.stack(np.unravel_index(keys, base), axis=1), counts / counts.sum())


def states_below(corner_energies: np.ndarray, weights: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Bands filled up to each energy, one state for a band: the sum over tetrahedra and bands.

    Args:
        corner_energies: eV, ``[n, 4]``, each row increasing; one row for each tetrahedron and band.
        weights: of the rows, ``[n]``.
        at: eV, increasing, ``[n_energies]``.

    Returns:
        ``[n_energies]``.
    """
    first = np.searchsorted(at, corner_energies[:, 0], side="right")
    last = np.searchsorted(at, corner_energies[:, 3], side="left")
    full = np.bincount(last, weights, minlength=len(at) + 1)[: len(at)].cumsum()

    # One row for each pair of a tetrahedron and an energy inside it.
    n_inside = np.maximum(last - first, 0)
    row = np.repeat(np.arange(len(weights)), n_inside)
    energy = first[row] + np.arange(len(row)) - np.repeat(np.cumsum(n_inside) - n_inside, n_inside)
    partial = weights[row] * _filled(corner_energies[row], at[energy])
    return full + np.bincount(energy, partial, minlength=len(at))


def _filled(corners: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Filled share of tetrahedra with corner energies ``[n, 4]`` at an energy inside each."""
    # Equal corners moved apart, so that nothing is divided by 0.
    e1, e2, e3, e4 = (corners - _APART).T
    # Products, not powers: numpy's are ten times slower.
    x, a, low, high = at - e2, e2 - e1, at - e1, e4 - at
    below = low * low * low / (a * (e3 - e1) * (e4 - e1))
    above = 1 - high * high * high / ((e4 - e1) * (e4 - e2) * (e4 - e3))
    cubic = ((e3 - e1) + (e4 - e2)) / ((e3 - e2) * (e4 - e2))
    between = (a * a + 3 * a * x + x * x * (3 - cubic * x)) / ((e3 - e1) * (e4 - e1))
    return np.where(at < e2, below, np.where(at < e3, between, above))


def mesh_divisions(kpoints: np.ndarray) -> np.ndarray | None:
    """The least divisions of a Gamma-centred mesh that holds all points, ``[3]``."""
    n = np.arange(1, _MOST_DIVISIONS + 1)
    scaled = kpoints[:, :, None] * n
    fits = np.all(np.abs(scaled - np.rint(scaled)) < _ON_MESH, axis=0)
    return np.argmax(fits, axis=1) + 1 if np.any(fits, axis=1).all() else None


def _unfold(crystal: Crystal, kpoints: np.ndarray, shape: np.ndarray) -> np.ndarray:
    """The irreducible point of each point of the full mesh, ``[n_full]``; -1 where there is none.

    Rotations without a fractional translation and time reversal, which is what plane-wave codes
    use by default. A rotation may take a point off the mesh; then it relates nothing.
    """
    from spglib import get_symmetry

    from vanhove.crystal.symmetry import SYMMETRY_TOLERANCE

    cell: Any = (crystal.lattice, crystal.fractional_coordinates, crystal.atomic_numbers)
    symmetry = get_symmetry(cell, symprec=SYMMETRY_TOLERANCE)
    if symmetry is None:
        raise DataError(f"spglib finds no symmetry in {crystal.name or crystal.formula}")
    shifts = symmetry["translations"]
    rotations = symmetry["rotations"][(np.abs(shifts - np.rint(shifts)) < 1e-4).all(axis=1)]
    both = np.unique(np.concatenate([rotations, -rotations]), axis=0)
    scaled = kpoints @ both * shape  # [n_rotations, n_kpoints, 3]
    index = np.rint(scaled).astype(int)
    on_mesh = (np.abs(scaled - index) < _ON_MESH).all(axis=2)
    images = np.ravel_multi_index(tuple((index % shape)[on_mesh].T), shape)
    none = len(kpoints)
    full = np.full(shape.prod(), none)
    # Of points that are equal, the first.
    np.minimum.at(full, images, np.nonzero(on_mesh)[1])
    return np.where(full == none, -1, full)


def _cells(shape: np.ndarray, lattice: np.ndarray) -> np.ndarray:
    """Mesh points at the corners of all tetrahedra, ``[6 n_full, 4]``."""
    steps = np.linalg.inv(lattice).T / shape[:, None]
    # Diagonals from (0, 0, 0), or after reversing the second or third axis, or both.
    signs = np.array([[1, 1, 1], [1, 1, -1], [1, -1, 1], [1, -1, -1]])
    # Rounded: equal diagonals must not be told apart by the last bits.
    sign = signs[np.argmin(np.round(np.linalg.norm(signs @ steps, axis=1), 8))]
    points = np.indices(tuple(shape)).reshape(3, -1).T
    corners = []
    for order in permutations(range(3)):
        walk = np.zeros((4, 3), dtype=int)
        for step, axis in enumerate(order):
            walk[step + 1] = walk[step]
            walk[step + 1, axis] = sign[axis]
        corners.append((points[:, None] + walk) % shape)
    return np.ravel_multi_index(tuple(np.concatenate(corners).transpose(2, 0, 1)), shape)
