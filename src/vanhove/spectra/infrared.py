"""What light sees of phonons: modes at Gamma that move charge, and the static dielectric tensor."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from vanhove.crystal.crystal import Crystal
from vanhove.physics.ewald import COULOMB
from vanhove.physics.harmonic import FREQUENCY_UNIT

_ACOUSTIC = 3


@dataclass(frozen=True, eq=False)
class Infrared:
    """Transverse modes at Gamma and light.

    Gonze and Lee, Phys. Rev. B 55, 10355 (1997), equations 53 to 58.

    Attributes:
        frequencies: 1/cm, of the optical modes, increasing, ``[n_modes]``.
        charges: of the modes: Born charges times displacements over roots of the masses, e/sqrt(u),
            ``[n_modes, 3]``.
        activity: squared length of ``charges``, e^2/u, ``[n_modes]``; 0 where light does nothing.
        static_dielectric_tensor: electronic and ionic, ``[3, 3]``; NaN where an active mode is not
            stable.
    """

    frequencies: np.ndarray
    charges: np.ndarray
    activity: np.ndarray
    static_dielectric_tensor: np.ndarray


def infrared(
    frequencies: np.ndarray,
    eigenvectors: np.ndarray,
    born_charges: np.ndarray,
    dielectric_tensor: np.ndarray,
    masses: np.ndarray,
    crystal: Crystal,
) -> Infrared:
    """Infrared activity from modes at Gamma without a direction.

    Args:
        frequencies: 1/cm, all modes, ``[3 n_atoms]``.
        eigenvectors: ``[3 n_atoms, 3 n_atoms]``, one row for each mode.
        born_charges: ``[n_atoms, 3, 3]``.
        dielectric_tensor: electronic, ``[3, 3]``.
        masses: u, ``[n_atoms]``.
        crystal: for its volume.
    """
    optical = np.sort(np.argsort(np.abs(frequencies))[_ACOUSTIC:])
    vectors = eigenvectors[optical].reshape(len(optical), len(masses), 3).real
    charges = np.einsum("iab,mib->ma", born_charges, vectors / np.sqrt(masses)[:, None])
    squared = frequencies[optical] * np.abs(frequencies[optical]) / FREQUENCY_UNIT**2
    activity = (charges**2).sum(axis=1)
    active = activity > 1e-8
    ionic = np.full((3, 3), np.nan)
    if (squared[active] > 0).all():
        parts = charges[active, :, None] * charges[active, None]
        scale = COULOMB * 4 * math.pi / crystal.volume
        ionic = scale * (parts / squared[active, None, None]).sum(axis=0)
    return Infrared(frequencies[optical], charges, activity, dielectric_tensor + ionic)
