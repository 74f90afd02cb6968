"""pymatgen: ``PhononDos``, ``Dos``, ``BandStructureSymmLine``, ``PhononBandStructureSymmLine``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from vanhove.crystal.crystal import Crystal
from vanhove.crystal.kpath import path_through, plain_label
from vanhove.errors import ConfigError, DataError
from vanhove.spectra.conversions.modes import as_modes
from vanhove.spectra.density import THZ_PER_CM1, AnyDensity, Density
from vanhove.spectra.dispersion import AnyDispersion, Dispersion
from vanhove.spectra.quantities import ELECTRON_BANDS, ELECTRON_DOS, PHONON_BANDS

if TYPE_CHECKING:
    from pymatgen.electronic_structure.bandstructure import BandStructureSymmLine
    from pymatgen.electronic_structure.dos import Dos
    from pymatgen.phonon.bandstructure import PhononBandStructureSymmLine
    from pymatgen.phonon.dos import PhononDos


def spectrum_to_pymatgen(spectrum: Density, n_atoms: int | None = None) -> PhononDos | Dos:
    """See `Spectrum.to_pymatgen`."""
    if spectrum.kind.fermi_level:
        return _electrons(spectrum)
    modes = as_modes(spectrum, n_atoms)
    from pymatgen.phonon.dos import PhononDos

    return PhononDos(modes.grid * THZ_PER_CM1, modes.values / THZ_PER_CM1)


def _electrons(spectrum: Density) -> Dos:
    from pymatgen.electronic_structure.core import Spin
    from pymatgen.electronic_structure.dos import Dos

    grid = spectrum.grid
    above = np.append(grid[grid > 0], 0.0)[0]
    fermi_level = above / 2 if (grid == 0).any() else 0.0
    return Dos(fermi_level, grid.copy(), {Spin.up: spectrum.values.copy()})


def spectrum_from_pymatgen(
    make: type[AnyDensity],
    dos: PhononDos | Dos,
    crystal: Crystal | None,
    normalisation: str | None,
    name: str,
) -> AnyDensity:
    """See `Spectrum.from_pymatgen`."""
    found: Any = dos
    if hasattr(found, "frequencies"):
        return make(
            grid=np.asarray(found.frequencies) / THZ_PER_CM1,
            values=np.asarray(found.densities) * THZ_PER_CM1,
            unit="cm-1",
            normalisation=normalisation or "3N",
            crystal=crystal,
            name=name,
        )
    if hasattr(found, "energies"):
        return make(
            grid=np.asarray(found.energies),
            values=np.sum([np.asarray(density) for density in found.densities.values()], axis=0),
            unit="eV",
            normalisation=normalisation or "states/eV/cell",
            quantity=ELECTRON_DOS.name,
            crystal=crystal,
            name=name,
            metadata={"fermi_level": float(found.efermi)},
        )
    raise ConfigError(f"a PhononDos or a Dos of pymatgen is needed, got {type(dos).__name__}")


def bands_to_pymatgen(
    bands: Dispersion,
) -> BandStructureSymmLine | PhononBandStructureSymmLine:
    """See `BandStructure.to_pymatgen`."""
    from pymatgen.core import Lattice

    # pymatgen wants both ends of each stretch, so that inner labelled points come twice.
    order = np.concatenate([np.arange(a, b + 1) for a, b in bands.kpoints.segments])
    points = bands.kpoints.fractional
    energies = bands.energies[order].T
    common: dict[str, Any] = {
        "lattice": Lattice(bands.kpoints.lattice).reciprocal_lattice,
        "labels_dict": {label: points[i] for i, label in enumerate(bands.kpoints.labels) if label},
        "structure": None if bands.crystal is None else bands.crystal.to_structure(),
    }
    if not bands.kind.fermi_level:
        from pymatgen.phonon.bandstructure import PhononBandStructureSymmLine

        return PhononBandStructureSymmLine(points[order], energies * THZ_PER_CM1, **common)
    from pymatgen.electronic_structure.bandstructure import BandStructureSymmLine
    from pymatgen.electronic_structure.core import Spin

    return BandStructureSymmLine(
        points[order], {Spin.up: energies}, efermi=bands.fermi_level or 0.0, **common
    )


def bands_from_pymatgen(
    make: type[AnyDispersion],
    bands: BandStructureSymmLine | PhononBandStructureSymmLine,
    crystal: Crystal,
    name: str = "",
) -> AnyDispersion:
    """Bands of electrons or phonons; pymatgen's repeated inner points come once.

    Args:
        bands: along a path.
        crystal: in the cell to which the fractional k-points refer.
        name: of the result, and in errors.

    Raises:
        DataError: spin-polarised.
    """
    found: Any = bands
    is_phonon = hasattr(found, "qpoints")
    if not is_phonon and len(found.bands) > 1:
        raise DataError(
            f"{name}: spin-polarised bands; give those of a calculation without spin: the model "
            "and its data know none"
        )
    points = found.qpoints if is_phonon else found.kpoints
    path, kept = path_through(
        np.array([point.frac_coords for point in points], dtype=np.float64),
        [plain_label(point.label) for point in points],
        crystal.lattice,
    )
    (energies,) = [found.bands] if is_phonon else found.bands.values()
    return make(
        kpoints=path,
        energies=np.asarray(energies).T[kept] / (THZ_PER_CM1 if is_phonon else 1.0),
        fermi_level=None if is_phonon else float(found.efermi),
        quantity=(PHONON_BANDS if is_phonon else ELECTRON_BANDS).name,
        crystal=crystal,
        name=name,
    )
