"""`ThermalProperties`: the thermodynamics of a phonon density of states at many temperatures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vanhove.errors import ConfigError
from vanhove.spectra.density import Density
from vanhove.spectra.phonon_errors import TEMPERATURES as CALIBRATED
from vanhove.spectra.phonon_errors import THERMAL
from vanhove.spectra.quantities import PHONON_DOS
from vanhove.spectra.thermodynamics import (
    entropy,
    free_energy,
    heat_capacity,
    internal_energy,
    zero_point_energy,
)

if TYPE_CHECKING:
    from pandas import DataFrame

TEMPERATURES = tuple(range(0, 1001, 10))
"""K: the temperatures that phonopy takes by default."""
_MOST = 100_000


@dataclass(frozen=True, eq=False)
class ThermalProperties:
    """Harmonic, at constant volume, per mole of atoms.

    Attributes:
        temperatures: K, ``[n_temperatures]``.
        heat_capacity: J/(K mol of atoms), ``[n_temperatures]``.
        entropy: J/(K mol of atoms), ``[n_temperatures]``.
        internal_energy: with the zero-point energy, kJ/mol of atoms, ``[n_temperatures]``.
        free_energy: Helmholtz, with the zero-point energy, kJ/mol of atoms, ``[n_temperatures]``.
        zero_point_energy: kJ/mol of atoms.
        n_atoms: in the cell, where known: what turns moles of atoms into moles of cells.
        half_widths: of the 90 % intervals, by name of ``heat_capacity``, ``entropy`` and
            ``free_energy``, ``[n_temperatures]``; empty where they are not known.
    """

    temperatures: np.ndarray
    heat_capacity: np.ndarray
    entropy: np.ndarray
    internal_energy: np.ndarray
    free_energy: np.ndarray
    zero_point_energy: float
    n_atoms: int | None = None
    half_widths: dict[str, np.ndarray] = field(default_factory=dict)

    def to_phonopy(self, path: str | Path, n_atoms: int | None = None) -> None:
        """Write phonopy's ``thermal_properties.yaml``, per mole of cells, as phonopy-qha reads it.

        Args:
            path: where to.
            n_atoms: atoms in the cell; those of the crystal by default.

        Raises:
            ConfigError: the number of atoms is not known.
        """
        from vanhove.spectra.conversions.phonopy import write_thermal_properties

        columns = {
            "free_energy": self.free_energy,
            "entropy": self.entropy,
            "heat_capacity": self.heat_capacity,
            "energy": self.internal_energy,
        }
        atoms = self.n_atoms if n_atoms is None else n_atoms
        write_thermal_properties(self.temperatures, columns, self.zero_point_energy, atoms, path)

    @staticmethod
    def from_phonopy(path: str | Path) -> ThermalProperties:
        """Read phonopy's ``thermal_properties.yaml``.

        Raises:
            DataError: the file cannot be read or is another one.
        """
        from vanhove.spectra.conversions.phonopy import read_thermal_properties

        return read_thermal_properties(ThermalProperties, path)

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        from vanhove.spectra.display import thermal_html

        return thermal_html(self.to_pandas())

    def to_pandas(self) -> DataFrame:
        """One row for each temperature; the columns name their units."""
        import pandas as pd

        table = pd.DataFrame(
            {
                "heat_capacity_J_per_K_mol_atoms": self.heat_capacity,
                "entropy_J_per_K_mol_atoms": self.entropy,
                "internal_energy_kJ_per_mol_atoms": self.internal_energy,
                "free_energy_kJ_per_mol_atoms": self.free_energy,
            },
            index=pd.Index(self.temperatures, name="temperature_K"),
        )
        for name, half in self.half_widths.items():
            table[f"{name}_half_width_90"] = half
        return table


def temperature_range(text: str) -> np.ndarray:
    """Temperatures from ``START:STOP:STEP``, K; the last is STOP where the steps reach it.

    Raises:
        ConfigError: another form, a step that is not positive, or more than 100,000.
    """
    try:
        start, stop, step = (float(part) for part in text.split(":"))
    except ValueError:
        raise ConfigError(
            f"temperatures {text!r}; give START:STOP:STEP in K, 100:1000:50"
        ) from None
    if not (0 <= start <= stop < np.inf and step > 0):
        raise ConfigError(f"temperatures {text!r}; allowed: 0 <= START <= STOP and a positive STEP")
    if (stop - start) / step > _MOST:
        raise ConfigError(f"temperatures {text!r}; allowed: up to {_MOST:,} steps")
    return start + step * np.arange(int((stop - start) / step + 1e-9) + 1)


def thermal_properties(
    spectrum: Density, temperatures: Sequence[float] | np.ndarray = TEMPERATURES
) -> ThermalProperties:
    """Everything of `vanhove.spectra.thermodynamics` at once.

    Args:
        spectrum: of phonons, in 1/cm, any normalisation; its modes count where it has them.
        temperatures: K, ``[n_temperatures]``.

    Raises:
        ConfigError: electrons, another unit, or temperatures that are no list or below 0 K.
        DataError: no positive weight.
    """
    if not spectrum.kind.thermal:
        raise ConfigError(
            f"thermal properties need a {PHONON_DOS.name} in {PHONON_DOS.unit}, got "
            f"{spectrum.quantity} in {spectrum.unit}"
        )
    kelvin = np.asarray(temperatures, dtype=np.float64)
    if kelvin.ndim != 1:
        raise ConfigError(f"temperatures must be a list, got shape {kelvin.shape}")
    source = spectrum.modes or spectrum
    grid, values = source.grid, source.values
    found = ThermalProperties(
        temperatures=kelvin,
        heat_capacity=heat_capacity(grid, values, kelvin),
        entropy=entropy(grid, values, kelvin),
        internal_energy=internal_energy(grid, values, kelvin),
        free_energy=free_energy(grid, values, kelvin),
        zero_point_energy=float(zero_point_energy(grid, values)),
        n_atoms=None if spectrum.crystal is None else spectrum.crystal.n_atoms,
    )
    return with_half_widths(found, spectrum.metadata.get("half_widths_90", {}))


def with_half_widths(
    found: ThermalProperties, known: Mapping[str, Sequence[float] | np.ndarray]
) -> ThermalProperties:
    """With half widths of 90 % intervals.

    Args:
        found: the properties.
        known: half widths by name, at the temperatures of `vanhove.spectra.phonon_errors`.
    """
    halves = {
        name: np.interp(found.temperatures, CALIBRATED, known[name])
        # C_V and S are 0 at 0 K, whatever the frequencies are.
        * (1.0 if name == "free_energy" else found.temperatures > 0)
        for name in THERMAL
        if name in known
    }
    return replace(found, half_widths=halves)
