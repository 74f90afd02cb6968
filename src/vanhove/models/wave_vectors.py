"""The meshes of wave vectors on which models of lattice dynamics see their modes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from torch import Tensor
from torch.linalg import inv

from vanhove.physics.meshes import reduced_mesh, time_reversed_mesh


def mesh_size(n_atoms: int) -> int:
    """Wave vectors along each axis: fewer modes in a cell ask for more wave vectors.

    As many along each axis, so that the mesh is the same for all primitive cells of a lattice.
    """
    for largest, size in ((1, 6), (2, 5), (4, 4), (10, 3), (40, 2)):
        if n_atoms <= largest:
            return size
    return 1


def meshes_of(
    lattice: Tensor, n_atoms: int, rotations: Sequence[np.ndarray | None]
) -> tuple[Tensor, Tensor]:
    """The meshes of several crystals, with fewer wave vectors where rotations make some equal.

    Atoms that rotations make equal have equal states, so that a mode's sums over atoms are the same
    at all wave vectors that one stands for.

    Args:
        lattice: ``[n_crystals, 3, 3]``.
        n_atoms: of each.
        rotations: of each, see `CrystalGraph`.

    Returns:
        Cartesian ``[n_crystals, n_k, 3]``, 1/angstrom, and weights ``[n_crystals, n_k]``; 0 where a
        crystal has fewer wave vectors than another one.
    """
    found = [wave_vectors(n_atoms, own) for own in rotations]
    most = max(len(weight) for _, weight in found)
    points, weights = np.zeros((len(found), most, 3)), np.zeros((len(found), most))
    for row, (own, weight) in enumerate(found):
        points[row, : len(weight)], weights[row, : len(weight)] = own, weight
    reciprocal = 2 * math.pi * inv(lattice).mT
    return lattice.new_tensor(points) @ reciprocal, lattice.new_tensor(weights)


def wave_vectors(n_atoms: int, rotations: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Fractional points ``[n_k, 3]`` and weights ``[n_k]`` of one crystal's mesh."""
    size = mesh_size(n_atoms)
    if rotations is None:
        return time_reversed_mesh((size,) * 3)
    return reduced_mesh(size, rotations.tobytes())
