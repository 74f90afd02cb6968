"""Other ways to write down one crystal."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from vanhove.crystal.crystal import Crystal


def transformed(crystal: Crystal, seed: int) -> Crystal:
    """The same crystal: rotated, shifted, permuted, in a larger skewed cell."""
    rng = np.random.default_rng(seed)
    rotation = Rotation.random(random_state=seed).as_matrix()
    structure = crystal.to_structure()
    supercell = np.eye(3, dtype=int) + np.triu(rng.integers(-1, 2, (3, 3)), 1)
    supercell[0] *= rng.integers(1, 3)
    structure = structure * supercell
    order = rng.permutation(len(structure))
    return Crystal(
        structure.lattice.matrix @ rotation.T,
        (structure.frac_coords + rng.random(3))[order],
        np.array([site.specie.Z for site in structure])[order],
    )
