"""Structures that are not what they should be: not quite relaxed, stretched, or another's."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from vanhove.crystal.checks import check_crystal
from vanhove.crystal.crystal import Crystal
from vanhove.errors import ConfigError, StructureError

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
    generator = _generator(crystal, seed)
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


def stretched(crystal: Crystal, factor: float) -> Crystal:
    """The crystal with all lengths times ``factor``; its symmetry stays.

    Raises:
        ConfigError: a factor that is not positive and finite.
    """
    if not 0 < factor < np.inf:
        raise ConfigError(f"a crystal is stretched by a positive factor, got {factor}")
    return Crystal(
        crystal.lattice * factor,
        crystal.fractional_coordinates,
        crystal.atomic_numbers,
        crystal.name,
    )


def rearranged(crystal: Crystal, others: Sequence[Crystal], seed: int = 0) -> Crystal:
    """The atoms of the crystal on the sites of another one, at the volume that it had.

    The other is drawn from ``others`` with as many atoms; atoms go to sites in the order of both
    lists. The same crystal (its name) and seed draw alike. One that no other fits is returned as
    it is.

    Args:
        crystal: with its atoms.
        others: with the sites; one of the crystal's own name is passed over, and so is one that
            would bring two atoms impossibly close.
    """
    fitting = [
        other for other in others if other.n_atoms == crystal.n_atoms and other.name != crystal.name
    ]
    for place in _generator(crystal, seed).permutation(len(fitting)):
        other = fitting[place]
        moved = Crystal(
            other.lattice * (crystal.volume / other.volume) ** (1 / 3),
            other.fractional_coordinates,
            crystal.atomic_numbers,
            crystal.name,
        )
        try:
            check_crystal(moved)
        except StructureError:
            continue
        return moved
    return crystal


def _generator(crystal: Crystal, seed: int) -> np.random.Generator:
    digest = hashlib.sha256(f"vanhove perturbation {seed} {crystal.name}".encode()).digest()
    return np.random.default_rng(list(digest[:8]))
