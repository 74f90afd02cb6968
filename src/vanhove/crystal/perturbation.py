"""Structures that are not quite relaxed: small random strains and displacements."""

from __future__ import annotations

import hashlib

import numpy as np

from vanhove.crystal.crystal import Crystal
from vanhove.errors import ConfigError

STRAIN_PER_ANGSTROM = 0.2
"""Strain that goes with a displacement: 0.05 angstrom with 1 %."""


def perturbed(crystal: Crystal, displacement: float, seed: int = 0) -> Crystal:
    """The crystal with its atoms moved and its cell strained at random.

    Each Cartesian coordinate moves by a normal number of standard deviation ``displacement``, each
    component of a symmetric strain has the standard deviation ``displacement *
    STRAIN_PER_ANGSTROM``. The same crystal (its name) and seed always move alike, in proportion to
    ``displacement``. The symmetry is lost, as in a structure before its relaxation.

    Args:
        crystal: in any cell; moving a primitive cell moves all copies alike.
        displacement: angstrom, at least 0.
        seed: another one moves differently.

    Raises:
        ConfigError: a negative displacement, or one that is not finite.
    """
    if not 0 <= displacement < np.inf:
        raise ConfigError(f"displacement must be 0 or positive, got {displacement}")
    digest = hashlib.sha256(f"vanhove perturbation {seed} {crystal.name}".encode()).digest()
    generator = np.random.default_rng(list(digest[:8]))
    strain = generator.normal(size=(3, 3))
    strain = displacement * STRAIN_PER_ANGSTROM * (strain + strain.T) / 2
    moves = displacement * generator.normal(size=(crystal.n_atoms, 3))
    lattice = crystal.lattice @ (np.eye(3) + strain)
    return Crystal(
        lattice,
        crystal.fractional_coordinates + moves @ np.linalg.inv(crystal.lattice),
        crystal.atomic_numbers,
        crystal.name,
    )
