"""ASE: densities of states as ``GridDOSData`` (in eV), and spectra in ``Atoms.info``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from vanhove.crystal.crystal import Crystal
from vanhove.crystal.reading import read_crystal
from vanhove.errors import ConfigError, DataError
from vanhove.spectra import quantities
from vanhove.spectra.conversions.modes import as_modes
from vanhove.spectra.density import AnyDensity, Density
from vanhove.spectra.quantities import ELECTRON_DOS, QUANTITIES
from vanhove.spectra.thermodynamics import LIGHT_CM, PLANCK

if TYPE_CHECKING:
    from ase import Atoms
    from ase.spectrum.dosdata import GridDOSData

ELEMENTARY_CHARGE = 1.602176634e-19
EV_PER_CM1 = PLANCK * LIGHT_CM / ELEMENTARY_CHARGE


def to_dos_data(spectrum: Density, n_atoms: int | None = None) -> GridDOSData:
    """See `Spectrum.to_ase`."""
    from ase.spectrum.dosdata import GridDOSData

    if spectrum.kind.thermal:
        spectrum = as_modes(spectrum, n_atoms)
        energies, weights = spectrum.grid * EV_PER_CM1, spectrum.values / EV_PER_CM1
    else:
        energies, weights = spectrum.grid.copy(), spectrum.values.copy()
    steps = np.diff(energies)
    if not np.allclose(steps, steps[0], rtol=1e-3, atol=0):
        raise ConfigError(
            "ASE's GridDOSData needs a grid of equal steps, got steps of "
            f"{np.diff(spectrum.grid).min():g} to {np.diff(spectrum.grid).max():g} "
            f"{spectrum.unit}: interpolate(...) first"
        )
    info = {
        "quantity": spectrum.quantity,
        "normalisation": spectrum.normalisation,
        "label": spectrum.name,
    }
    return GridDOSData(energies, weights, info=info)


def from_dos_data(
    make: type[AnyDensity],
    data: GridDOSData,
    quantity: str | None,
    crystal: Crystal | None,
    normalisation: str | None,
) -> AnyDensity:
    """See `Spectrum.from_ase`."""
    name = quantity or data.info.get("quantity", ELECTRON_DOS.name)
    kind = quantities.quantity(name, "density")
    scale = EV_PER_CM1 if kind.unit == "cm-1" else 1.0
    known = data.info.get("normalisation", kind.counted or next(iter(kind.normalisations)))
    return make(
        grid=np.asarray(data.get_energies()) / scale,
        values=np.asarray(data.get_weights()) * scale,
        unit=kind.unit,
        normalisation=normalisation or known,
        quantity=kind.name,
        crystal=crystal,
        name=data.info.get("label", ""),
    )


def to_atoms(spectrum: Density) -> Atoms:
    """See `Spectrum.to_atoms`."""
    if spectrum.crystal is None:
        raise ConfigError("to_atoms needs the crystal of the spectrum, which it does not have")
    atoms = spectrum.crystal.to_atoms()
    content = spectrum.to_dict()
    del content["crystal"]
    atoms.info[spectrum.quantity] = content
    return atoms


def from_atoms(make: type[AnyDensity], atoms: Atoms, quantity: str | None = None) -> AnyDensity:
    """See `Spectrum.from_atoms`."""
    found = [key for key, kind in QUANTITIES.items() if not kind.is_bands and key in atoms.info]
    if quantity is None and len(found) == 1:
        (quantity,) = found
    if quantity not in found:
        raise DataError(
            f"Atoms.info holds {', '.join(found) or 'no spectrum'}; asked for {quantity or 'one'}: "
            "name it in quantity="
        )
    content: Any = atoms.info[quantity]
    if not isinstance(content, dict):
        raise DataError(f'Atoms.info["{quantity}"] is no dictionary of a Spectrum')
    # extxyz gives lists back as arrays.
    plain = {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in content.items()}
    crystal = read_crystal(atoms).to_dict() | {"name": plain.get("name", "")}
    return make.from_dict(plain | {"crystal": crystal})
