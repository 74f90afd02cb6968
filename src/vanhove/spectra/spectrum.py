"""`Spectrum`: a density of states with its grid, unit, normalisation and error bar."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vanhove.errors import ConfigError, DataError
from vanhove.spectra.grids import check_on_grid
from vanhove.spectra.quantities import SCALES, Quantity, density_in, quantity
from vanhove.spectra.thermodynamics import LIGHT_CM

if TYPE_CHECKING:
    from ase import Atoms
    from ase.spectrum.dosdata import GridDOSData
    from matplotlib.figure import Figure
    from pandas import DataFrame
    from pymatgen.electronic_structure.dos import Dos
    from pymatgen.phonon.dos import PhononDos
    from xarray import Dataset

    from vanhove.crystal.crystal import Crystal
    from vanhove.crystal.reading import Source
    from vanhove.spectra.thermal_table import ThermalProperties

THZ_PER_CM1 = LIGHT_CM * 1e-12


@dataclass(frozen=True, eq=False, repr=False)
class Spectrum:
    """A density of states on a grid.

    Attributes:
        grid: frequency (``"cm-1"``) or energy (``"eV"``), increasing, ``[n_points]``.
        values: the density, ``[n_points]``.
        unit: unit of the grid, ``"cm-1"`` or ``"eV"``.
        normalisation: ``"max"`` (the largest value is 1), ``"sum"`` (the values add up to 1),
            ``"3N"`` (a density per grid unit whose trapezoid integral is 3 x the number of atoms in
            the cell), ``"states/eV/cell"`` or ``"min-max"`` (shifted and scaled to a smallest value
            of 0 and a largest of 1). It names the convention the values are in; predicted values
            need not fulfil it exactly until ``normalise`` is called.
        quantity: the kind of spectrum, a name known to `vanhove.spectra.quantities`:
            ``"phonon_dos"`` or, for electrons, ``"electron_dos"``; the unit decides by default.
        std: error bar, one standard deviation in the unit of ``values``, ``[n_points]``.
        crystal: the crystal it belongs to.
        name: a label, such as a file name or an id.
        metadata: whatever JSON holds: the model's name, the crystal system, ...
        samples: spectra of equal standing, ``[n_samples, n_points]``, such as the members of an
            ensemble: the spread of anything derived from them is its error bar. Files leave them
            out.

    Raises:
        DataError: shapes that do not fit, a grid that does not increase, values that are not
            finite, a negative error bar.
        ConfigError: an unknown quantity, or a unit or normalisation that it does not have.
    """

    grid: np.ndarray
    values: np.ndarray
    unit: str
    normalisation: str
    quantity: str = ""
    std: np.ndarray | None = None
    crystal: Crystal | None = None
    name: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)
    samples: np.ndarray | None = None

    def __post_init__(self) -> None:
        if not self.quantity:
            object.__setattr__(self, "quantity", density_in(self.unit).name)
        self.kind.check(self.unit, self.normalisation)
        grid, values = check_on_grid(self.grid, self.values)
        arrays = {"grid": grid, "values": values}
        if self.std is not None:
            arrays["std"] = check_on_grid(grid, self.std)[1]
            if (arrays["std"] < 0).any():
                raise DataError(f"std is a standard deviation, got {arrays['std'].min():g} < 0")
        for name, array in arrays.items():
            if array.ndim != 1:
                raise DataError(
                    f"a Spectrum holds one spectrum, {name} of shape [n_points]; got {array.shape}"
                )
            array = array.copy()
            array.flags.writeable = False
            object.__setattr__(self, name, array)
        if self.samples is not None:
            object.__setattr__(self, "samples", check_on_grid(grid, self.samples)[1])

    @property
    def kind(self) -> Quantity:
        """What is known of this kind of spectrum."""
        return quantity(self.quantity, "density")

    def interval(self, level: float = 0.9) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper ends ``[n_points]`` within which the truth lies with this probability.

        Neither leaves what the normalisation allows: 0 and above, of "min-max" up to 1.

        On average over materials like those of the validation data, and over points; see
        `vanhove.models.calibration`. ``metadata["interval_factors"]`` holds the half widths in
        units of ``std``.

        Raises:
            ConfigError: no calibrated error bars, or not at this level.
        """
        half = interval_half_width(self.std, self.metadata, level, "spectrum")
        highest = max(1.0, self.values.max()) if self.normalisation == "min-max" else np.inf
        return np.maximum(self.values - half, 0), np.minimum(self.values + half, highest)

    def __repr__(self) -> str:
        of = [text for text in (self.crystal.formula if self.crystal else "", self.name) if text]
        return (
            f"Spectrum({self.quantity}{' of ' if of else ''}{', '.join(of)}: {len(self.grid)} "
            f"points, {self.grid[0]:g} to {self.grid[-1]:g} {self.unit}, "
            f'normalisation "{self.normalisation}"{", with std" if self.std is not None else ""})'
        )

    def normalise(self, normalisation: str, n_atoms: int | None = None) -> Spectrum:
        """The spectrum scaled to another normalisation, its error bar alike.

        Args:
            normalisation: ``"max"``, ``"sum"``, ``"min-max"`` (which also takes the smallest value
                away) or, for phonons, ``"3N"``.
            n_atoms: atoms in the cell, for ``"3N"``; the crystal's by default.

        Raises:
            DataError: the spectrum has no positive weight (all zero, say).
            ConfigError: another normalisation, or ``"3N"`` without a number of atoms.
        """
        shapes = [name for name in self.kind.normalisations if name in (*SCALES, "3N")]
        if normalisation not in shapes:
            raise ConfigError(
                f"normalisation must be one of {', '.join(shapes)}; got {normalisation!r}"
            )
        shift = self.values.min() if normalisation == "min-max" else 0.0
        if normalisation in ("max", "min-max"):
            scale = self.values.max() - shift
        elif normalisation == "sum":
            scale = self.values.sum()
        else:
            scale = np.trapezoid(self.values, self.grid) / (3 * self._n_atoms_for_3n(n_atoms))
        if not scale > 0:
            raise DataError(
                f'a spectrum without positive weight cannot be normalised to "{normalisation}" '
                f"(largest value {self.values.max():g}, sum {self.values.sum():g}): leave it out"
            )
        return replace(
            self,
            values=(self.values - shift) / scale,
            std=None if self.std is None else self.std / scale,
            samples=None if self.samples is None else (self.samples - shift) / scale,
            normalisation=normalisation,
        )

    def interpolate(self, grid: np.ndarray) -> Spectrum:
        """The spectrum and its error bar, linearly interpolated; 0 outside its own grid.

        Values keep their scale, except that ``"sum"`` keeps its sum. A coarser grid can miss a
        peak: ``resample`` keeps the area instead.

        Args:
            grid: in the same unit, ``[n_new_points]``.

        Raises:
            DataError: a grid that does not increase, or (``"sum"``) has no weight on it.
        """

        def on_grid(values: np.ndarray) -> np.ndarray:
            return np.interp(grid, self.grid, values, left=0.0, right=0.0)

        new = replace(
            self,
            grid=grid,
            values=on_grid(self.values),
            std=None if self.std is None else on_grid(self.std),
            samples=None if self.samples is None else np.stack([*map(on_grid, self.samples)]),
        )
        if self.normalisation != "sum":
            return new
        new, total = new.normalise("sum"), self.values.sum()
        return replace(
            new,
            values=new.values * total,
            std=None if new.std is None else new.std * total,
            samples=None if new.samples is None else new.samples * total,
        )

    # Files and other libraries

    def to_dict(self) -> dict[str, Any]:
        """Plain Python numbers, lists and strings; ``from_dict`` gives the same numbers back."""
        return {
            "quantity": self.quantity,
            "name": self.name,
            "unit": self.unit,
            "normalisation": self.normalisation,
            "grid": self.grid.tolist(),
            "values": self.values.tolist(),
            "std": None if self.std is None else self.std.tolist(),
            "crystal": None if self.crystal is None else self.crystal.to_dict(),
            "metadata": self.metadata,
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Spectrum:
        """Undo ``to_dict``; ``quantity``, ``name``, ``std``, ``crystal``, ``metadata`` may miss.

        Raises:
            DataError: a key is missing or unknown, or as the constructor.
        """
        data = dict(data)
        crystal = data.get("crystal")
        try:
            if crystal is not None:
                from vanhove.crystal.crystal import Crystal

                data["crystal"] = Crystal(**crystal)
            return cls(**data)
        except (TypeError, ValueError) as error:
            raise DataError(f"this is not the dictionary of a Spectrum: {error}") from error

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

        return spectrum_from_csv(source, normalisation)

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
        return spectrum_from_pymatgen(dos, _read_crystal(structure), normalisation, name)

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

        return read_total_dos(path, _read_crystal(structure), name)

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

        return from_dos_data(data, quantity, _read_crystal(structure), normalisation)

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

        return from_atoms(atoms, quantity)

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

        return spectrum_from_pandas(frame, changes)

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

        return spectrum_from_xarray(dataset)

    def thermal_properties(
        self, temperatures: Sequence[float] | np.ndarray | None = None
    ) -> ThermalProperties:
        """Heat capacity, entropy and energies; 0 to 1000 K in steps of 10 by default.

        See `vanhove.spectra.thermal_properties`.
        """
        from vanhove.spectra.thermal_table import TEMPERATURES, thermal_properties

        return thermal_properties(self, TEMPERATURES if temperatures is None else temperatures)

    # Pictures

    def plot(
        self,
        path: str | Path | None = None,
        reference: Spectrum | None = None,
        title: str | None = None,
    ) -> Figure:
        """Plot with its 1-sigma band, over an optional reference spectrum.

        Args:
            path: where to save, ``.png``, ``.svg`` or ``.pdf``; nowhere by default.
            reference: a spectrum in the same unit, for example the calculated one; brought to this
                one's normalisation.
            title: the formula, or the name, by default.

        Raises:
            ConfigError: another file type, or a reference in another unit.
        """
        from vanhove.spectra import plotting

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
        from vanhove.spectra import plotting
        from vanhove.spectra.conversions.files import write_text

        write_text(plotting.html(self, reference, title), path)

    def _repr_png_(self) -> bytes:
        from vanhove.spectra import plotting

        return plotting.png(plotting.figure(self, size=(5.0, 2.8)))

    def _repr_html_(self) -> str:
        from vanhove.spectra.display import spectrum_html

        return spectrum_html(self)

    def _n_atoms_for_3n(self, n_atoms: int | None) -> int:
        if n_atoms is None and self.crystal is not None:
            n_atoms = self.crystal.n_atoms
        if n_atoms is None:
            raise ConfigError('"3N" needs the atoms in the cell: pass n_atoms=, or set crystal')
        if n_atoms < 1:
            raise ConfigError(f"n_atoms must be at least 1, got {n_atoms}")
        return n_atoms


def interval_half_width(
    std: np.ndarray | None, metadata: dict[str, Any], level: float, what: str
) -> np.ndarray:
    """Half the width of a calibrated interval, in the shape and unit of ``std``.

    Args:
        std: error bars, if there are any.
        metadata: whose ``interval_factors`` says how many of them the levels are.
        level: a probability.
        what: has them, for the error.

    Raises:
        ConfigError: no calibrated error bars, or not at this level.
    """
    factors = metadata.get("interval_factors", {})
    if std is None or f"{level:g}" not in factors:
        raise ConfigError(
            f"no interval at level {level:g}; this {what} has "
            f"{', '.join(factors) or 'no calibrated error bars'}"
        )
    return factors[f"{level:g}"] * std


def _read_crystal(structure: Source | None) -> Crystal | None:
    if structure is None:
        return None
    from vanhove.crystal.reading import read_crystal

    return read_crystal(structure)
