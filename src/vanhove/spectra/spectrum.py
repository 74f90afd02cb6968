"""`Spectrum`: a density of states with its grid, unit, normalisation and error bar."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vanhove.spectra.density import Density

if TYPE_CHECKING:
    from ase import Atoms
    from ase.spectrum.dosdata import GridDOSData
    from pandas import DataFrame
    from pymatgen.electronic_structure.dos import Dos
    from pymatgen.phonon.dos import PhononDos
    from xarray import Dataset

    from vanhove.crystal.crystal import Crystal
    from vanhove.crystal.reading import Source
    from vanhove.spectra.thermal_table import ThermalProperties


class Spectrum(Density):
    """A density of states on a grid, with files, other libraries and pictures.

    Its attributes, errors and arithmetic are those of `Density`.
    """

    # Files and other libraries

    def to_json(self, path: str | Path | None = None) -> str:
        """Strict JSON (no NaN), also written to ``path`` when given; numbers round trip exactly.

        Raises:
            DataError: metadata that JSON cannot hold.
        """
        from vanhove.spectra.conversions.files import write_json

        return write_json(self.to_dict(), path)

    @classmethod
    def from_json(cls, source: str | Path) -> Spectrum:
        """Read JSON text (it starts with a brace) or a file.

        Raises:
            DataError: a file that cannot be read, or not the JSON of a Spectrum.
        """
        from vanhove.spectra.conversions.files import read_json

        return cls.from_dict(read_json(source))

    def to_csv(self, path: str | Path | None = None) -> str:
        """CSV, also written to ``path`` when given.

        Lines that start with ``#`` state quantity, unit, normalisation and name; the columns are
        ``frequency_cm1`` or ``energy_eV``, ``values`` and, when there, ``std``. Numbers round trip
        exactly; crystal and metadata are left out (``to_json`` keeps them).
        """
        from vanhove.spectra.conversions.files import spectrum_to_csv

        return spectrum_to_csv(self, path)

    @staticmethod
    def from_csv(source: str | Path, normalisation: str | None = None) -> Spectrum:
        """Read what ``to_csv`` writes: text of several lines, or a file.

        Args:
            source: the text or the file's path.
            normalisation: for a file that does not state its own.

        Raises:
            DataError: a file that cannot be read, a missing column or normalisation, a cell that is
                not a number, or as the constructor.
        """
        from vanhove.spectra.conversions.files import spectrum_from_csv

        return spectrum_from_csv(Spectrum, source, normalisation)

    def to_pymatgen(self, n_atoms: int | None = None) -> PhononDos | Dos:
        """As a pymatgen ``PhononDos`` (phonons) or ``Dos`` (electrons).

        Phonons: THz, density per THz with a trapezoid integral of 3N; pymatgen's ``cv``,
        ``entropy`` and so on then are per mole of cells. Electrons: grid and values as they are,
        both spins together under ``Spin.up``. The Fermi level is the grid's 0; where a point lies
        there, half a step above it, so that pymatgen counts the VBM as filled and finds the gap.
        pymatgen takes values for states/eV, which they are in that normalisation alone; on a grid
        that leaves out the gap, energies above 0 count from the CBM.

        Args:
            n_atoms: atoms in the cell, for phonons; the crystal's by default.

        Raises:
            ConfigError: phonons not in 1/cm or electrons not in eV, or no number of atoms.
            DataError: no positive weight.
        """
        from vanhove.spectra.conversions.pymatgen import spectrum_to_pymatgen

        return spectrum_to_pymatgen(self, n_atoms)

    @staticmethod
    def from_pymatgen(
        dos: PhononDos | Dos,
        structure: Source | None = None,
        *,
        normalisation: str | None = None,
        name: str = "",
    ) -> Spectrum:
        """Undo ``to_pymatgen``; of a ``CompletePhononDos`` or ``CompleteDos`` the total.

        Args:
            dos: in THz (phonons) or eV (electrons: energies stay as they are, spins are added, and
                the Fermi level goes into ``metadata["fermi_level"]``).
            structure: of the crystal; that of a complete one by default.
            normalisation: of its densities: modes per THz and cell ("3N"), or states/eV/cell.
            name: a label.

        Raises:
            ConfigError: another object, or an unknown normalisation.
            DataError: as the constructor.
            StructureError: a structure that cannot be used.
        """
        from vanhove.spectra.conversions.pymatgen import spectrum_from_pymatgen

        structure = structure if structure is not None else getattr(dos, "structure", None)
        return spectrum_from_pymatgen(Spectrum, dos, _crystal(structure), normalisation, name)

    def to_phonopy(self, path: str | Path, n_atoms: int | None = None) -> None:
        """Write phonopy's ``total_dos.dat``: THz, modes per THz and cell (integral 3N).

        Args:
            path: where to.
            n_atoms: atoms in the cell; the crystal's by default.

        Raises:
            ConfigError: electrons, another unit than 1/cm, or no number of atoms.
            DataError: no positive weight.
        """
        from vanhove.spectra.conversions.phonopy import write_total_dos

        write_total_dos(self, path, n_atoms)

    @staticmethod
    def from_phonopy(path: str | Path, structure: Source | None = None, name: str = "") -> Spectrum:
        """Read phonopy's ``total_dos.dat``, as "3N"; ``structure`` is the primitive cell.

        Raises:
            DataError: the file cannot be read or is another one.
            StructureError: a structure that cannot be used.
        """
        from vanhove.spectra.conversions.phonopy import read_total_dos

        return read_total_dos(Spectrum, path, _crystal(structure), name)

    def to_ase(self, n_atoms: int | None = None) -> GridDOSData:
        """As ASE's ``GridDOSData``, energies in eV: phonons as modes per eV and cell.

        ``info`` states quantity, normalisation and label.

        Args:
            n_atoms: atoms in the cell, for phonons; the crystal's by default.

        Raises:
            ConfigError: a grid of unequal steps, phonons not in 1/cm, or no number of atoms.
            DataError: no positive weight.
        """
        from vanhove.spectra.conversions.ase import to_dos_data

        return to_dos_data(self, n_atoms)

    @staticmethod
    def from_ase(
        data: GridDOSData,
        structure: Source | None = None,
        *,
        quantity: str | None = None,
        normalisation: str | None = None,
    ) -> Spectrum:
        """Undo ``to_ase``. Where ``info`` does not say it: electrons, in states/eV/cell.

        Raises:
            ConfigError: an unknown quantity or normalisation.
            StructureError: a structure that cannot be used.
        """
        from vanhove.spectra.conversions.ase import from_dos_data

        return from_dos_data(Spectrum, data, quantity, _crystal(structure), normalisation)

    def to_atoms(self) -> Atoms:
        """The crystal as ASE ``Atoms`` with ``to_dict`` in ``info``, under the quantity's name.

        It survives ASE's extxyz and JSON files and its databases.

        Raises:
            ConfigError: no crystal.
        """
        from vanhove.spectra.conversions.ase import to_atoms

        return to_atoms(self)

    @staticmethod
    def from_atoms(atoms: Atoms, quantity: str | None = None) -> Spectrum:
        """Undo ``to_atoms``; ``quantity`` is needed where ``info`` holds several spectra.

        Raises:
            DataError: no such spectrum in ``info``.
        """
        from vanhove.spectra.conversions.ase import from_atoms

        return from_atoms(Spectrum, atoms, quantity)

    def to_pandas(self) -> DataFrame:
        """A table: index ``frequency_cm1`` or ``energy_eV``, columns ``values`` and ``std``.

        ``attrs`` holds the rest; many operations of pandas lose it.
        """
        from vanhove.spectra.conversions.tables import spectrum_to_pandas

        return spectrum_to_pandas(self)

    @staticmethod
    def from_pandas(frame: DataFrame, **changes: Any) -> Spectrum:
        """Undo ``to_pandas``; attributes given by name replace those in ``attrs``.

        Raises:
            DataError: another index or no ``values``, no normalisation, or as the constructor.
        """
        from vanhove.spectra.conversions.tables import spectrum_from_pandas

        return spectrum_from_pandas(Spectrum, frame, changes)

    def to_xarray(self) -> Dataset:
        """``values``, ``std`` and ``samples`` over ``frequency`` or ``energy``, with units.

        `vanhove.spectra.spectra_to_xarray` puts several into one.

        Raises:
            MissingExtraError: xarray is not installed.
        """
        from vanhove.spectra.conversions.tables import spectrum_to_xarray

        return spectrum_to_xarray(self)

    @staticmethod
    def from_xarray(dataset: Dataset) -> Spectrum:
        """Undo ``to_xarray``.

        Raises:
            DataError: another kind of ``Dataset``.
        """
        from vanhove.spectra.conversions.tables import spectrum_from_xarray

        return spectrum_from_xarray(Spectrum, dataset)

    def thermal_properties(
        self, temperatures: Sequence[float] | np.ndarray | None = None
    ) -> ThermalProperties:
        """Heat capacity, entropy and energies; 0 to 1000 K in steps of 10 by default.

        Of the modes, with 90 % intervals, where they are known; see
        `vanhove.spectra.thermal_properties`.
        """
        from vanhove.spectra.thermal_table import TEMPERATURES, thermal_properties

        return thermal_properties(self, TEMPERATURES if temperatures is None else temperatures)

    # Pictures

    def plot(
        self,
        path: str | Path | None = None,
        reference: Spectrum | None = None,
        title: str | None = None,
        interactive: bool = False,
    ) -> Any:
        """Plot with its 90 % interval, over an optional reference spectrum.

        Args:
            path: where to save, ``.png``, ``.svg`` or ``.pdf``; nowhere by default.
            reference: a spectrum in the same unit, for example the calculated one; brought to this
                one's normalisation.
            title: the formula, or the name, by default.
            interactive: a plotly ``Figure``, in place of matplotlib's; not for ``path``, see
                `plot_html`.

        Raises:
            ConfigError: another file type, or a reference in another unit.
            MissingExtraError: ``interactive``, and plotly is not installed.
        """
        from vanhove.spectra import plotting

        if interactive:
            from vanhove.spectra.interactive import density_figure

            return density_figure(self, reference, title)

        figure = plotting.figure(self, reference, title)
        if path is not None:
            plotting.save(figure, path)
        return figure

    def plot_html(
        self,
        path: str | Path,
        reference: Spectrum | None = None,
        title: str | None = None,
    ) -> None:
        """Write an interactive plot to one self-contained HTML file. Arguments as ``plot``.

        Raises:
            MissingExtraError: plotly is not installed.
            ConfigError: a reference in another unit.
        """
        from vanhove.spectra import interactive
        from vanhove.spectra.conversions.files import write_text

        write_text(interactive.html(self, reference, title), path)

    def _repr_png_(self) -> bytes:
        from vanhove.spectra import plotting

        return plotting.png(plotting.figure(self, size=(5.0, 2.8)))

    def _repr_html_(self) -> str:
        from vanhove.spectra.display import spectrum_html

        return spectrum_html(self)


def _crystal(structure: Source | None) -> Crystal | None:
    if structure is None:
        return None
    from vanhove.crystal.reading import read_crystal  # imports pymatgen

    return read_crystal(structure)
