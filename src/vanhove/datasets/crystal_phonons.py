"""`CrystalPhonons`: the record of computed phonons of a crystal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class CrystalPhonons:
    """What DFPT says of one crystal, in the cell of the data set.

    Attributes:
        kpoints: along the path, Cartesian, 1/angstrom, ``[n_k, 3]``; moved by reciprocal lattice
            vectors to where they are near 0.
        directions: towards which Gamma is left or from which it is reached, Cartesian, 0 elsewhere,
            ``[n_k, 3]``.
        frequencies: 1/cm, increasing, imaginary ones negative, ``[n_k, 3 n_atoms]``.
        dos_frequency, dos: 1/cm in steps of 1, and states/(1/cm) per cell (integral 3 n_atoms).
        charges: Born effective charges, ``[n_atoms, 3, 3]``, symmetrised in their two axes; NaN
            where they are not to be trusted.
        dielectric: electronic dielectric tensor, ``[3, 3]``; NaN as the charges.
        temperatures: K, ``[n_temperatures]``.
        heat_capacity, entropy: J/(K mol of atoms), ``[n_temperatures]``; NaN where unstable.
        free_energy: Helmholtz, with the zero-point energy, kJ/mol of atoms; as these.
        is_polar: an insulator, whose atoms carry charges.
        is_unstable: it has imaginary modes (flag of the data set).
    """

    kpoints: np.ndarray
    directions: np.ndarray
    frequencies: np.ndarray
    dos_frequency: np.ndarray
    dos: np.ndarray
    charges: np.ndarray
    dielectric: np.ndarray
    temperatures: np.ndarray
    heat_capacity: np.ndarray
    entropy: np.ndarray
    free_energy: np.ndarray
    is_polar: bool
    is_unstable: bool

    def quantiles(self, levels: np.ndarray) -> np.ndarray:
        """Frequencies, 1/cm, below which these shares of all modes lie, ``[n_levels]``."""
        total = np.concatenate([[0.0], np.cumsum((self.dos[1:] + self.dos[:-1]) / 2)])
        rising = np.concatenate([[True], np.diff(total) > 0])
        return np.interp(levels, total[rising] / total[-1], self.dos_frequency[rising])
