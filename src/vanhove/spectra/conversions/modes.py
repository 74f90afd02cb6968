"""What every conversion of phonons begins and ends with."""

from __future__ import annotations

from vanhove.spectra.density import Density


def as_modes(spectrum: Density, n_atoms: int | None) -> Density:
    """The spectrum in "3N"; one that already is, and of no known cell, stays as it is.

    Raises:
        ConfigError: phonons not in 1/cm, or no number of atoms.
        DataError: no positive weight.
    """
    if spectrum.normalisation == "3N" and n_atoms is None and spectrum.crystal is None:
        return spectrum
    return spectrum.normalise("3N", n_atoms)
