"""`BandStructure`: bands along a path, with files, other libraries and pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vanhove.errors import DataError
from vanhove.spectra.dispersion import BandGap, Dispersion
from vanhove.spectra.eigenvalues import SPIN_DEGENERACY, Eigenvalues
from vanhove.spectra.grids import cell_edges, check_grid
from vanhove.spectra.quantities import quantity
from vanhove.spectra.spectrum import Spectrum

__all__ = ["BandGap", "BandStructure"]

if TYPE_CHECKING:
    from pandas import DataFrame
    from pymatgen.electronic_structure.bandstructure import BandStructureSymmLine
    from pymatgen.phonon.bandstructure import PhononBandStructureSymmLine
    from xarray import Dataset

    from vanhove.crystal.reading import Source


class BandStructure(Dispersion):
    """Energies of bands along a path, with files, other libraries and pictures.

    Its attributes, errors and arithmetic are those of `Dispersion`.
    """

    def edge_masses(self) -> dict[str, dict[str, float]]:
        """`effective_mass` of ``holes`` and ``electrons`` at the band edges; empty for a metal."""
        gap = self.gap
        if gap is None:
            return {}
        return {
            "holes": self.effective_mass(self.n_filled - 1, gap.vbm_at),
            "electrons": self.effective_mass(self.n_filled, gap.cbm_at),
        }

    def dos(self, grid: np.ndarray, width: float = 0.1) -> Spectrum:
        """The density of states of these bands along this path; not that of the crystal.

        A path holds lines of high symmetry alone, and a selection of bands ends somewhere, so this
        is consistent with the bands and no more. Each band holds one state per cell (electrons:
        two), spread over the path by length.

        Args:
            grid: on the axis of the energies, in their unit.
            width: standard deviation of the Gaussians, in that unit.

        Returns:
            electrons: states/eV/cell; phonons: states per 1/cm ("3N").

        Raises:
            DataError: a bad grid.
            ConfigError: a width that is not positive.
        """
        edges = cell_edges(check_grid(grid))
        # A point at a jump may stand for nothing.
        kept = self.weights > 0
        states = Eigenvalues(self.energies[kept], self.weights[kept], 1, width)
        counted = np.diff(states.number_of_states(edges)) * self.kind.states / SPIN_DEGENERACY
        density = quantity(self.kind.density or "")
        return Spectrum(
            grid=grid,
            values=counted / np.diff(edges),
            unit=self.unit,
            normalisation=density.counted or "",
            quantity=density.name,
            crystal=self.crystal,
            name=self.name,
            metadata={**self.metadata, "from": "bands along a path"},
        )

    # Files and other libraries

    def plot(
        self,
        path: str | Path | None = None,
        title: str | None = None,
        interactive: bool = False,
    ) -> Any:
        """The bands as lines, with labels, the Fermi level and the gap; see `band_plotting`.

        Args:
            path: also save there, as ``.png``, ``.svg`` or ``.pdf``.
            title: instead of the formula or the name.
            interactive: a plotly ``Figure``, in place of matplotlib's.

        Raises:
            ConfigError: another ending of ``path``.
            MissingExtraError: ``interactive``, and plotly is not installed.
        """
        if interactive:
            from vanhove.spectra.interactive import bands_figure

            return bands_figure(self, title=title)
        from vanhove.spectra.band_plotting import figure
        from vanhove.spectra.plotting import save

        drawing = figure(self, title)
        if path is not None:
            save(drawing, path)
        return drawing

    def _repr_html_(self) -> str:
        from vanhove.spectra.display import bands_html

        return bands_html(self)

    def to_pymatgen(self) -> BandStructureSymmLine | PhononBandStructureSymmLine:
        """As a pymatgen ``BandStructureSymmLine`` (eV), of phonons a
        ``PhononBandStructureSymmLine`` (THz, without eigenvectors)."""
        from vanhove.spectra.conversions.pymatgen import bands_to_pymatgen

        return bands_to_pymatgen(self)

    @staticmethod
    def from_pymatgen(
        bands: BandStructureSymmLine | PhononBandStructureSymmLine,
        structure: Source | None = None,
        name: str = "",
    ) -> BandStructure:
        """Undo ``to_pymatgen``; `vanhove.datasets.read_bands` reads files of many kinds.

        Args:
            bands: along a path.
            structure: in the cell to which the k-points refer; that of ``bands`` by default.
            name: a label.

        Raises:
            DataError: no structure, or spin-polarised bands.
            StructureError: a structure that cannot be used.
        """
        from vanhove.crystal.reading import read_crystal
        from vanhove.spectra.conversions.pymatgen import bands_from_pymatgen

        structure = structure if structure is not None else bands.structure
        if structure is None:
            raise DataError("these bands hold no structure: pass it as structure=")
        return bands_from_pymatgen(BandStructure, bands, read_crystal(structure), name)

    def to_pandas(self) -> DataFrame:
        """The table of ``to_csv``: one row for each k-point."""
        from vanhove.spectra.conversions.tables import bands_to_pandas

        return bands_to_pandas(self)

    def to_xarray(self) -> Dataset:
        """``energies`` over ``kpoint`` and ``band``, with distances, labels and units.

        Raises:
            MissingExtraError: xarray is not installed.
        """
        from vanhove.spectra.conversions.tables import bands_to_xarray

        return bands_to_xarray(self)

    @staticmethod
    def from_xarray(dataset: Dataset) -> BandStructure:
        """Undo ``to_xarray``.

        Raises:
            DataError: another kind of ``Dataset``.
        """
        from vanhove.spectra.conversions.tables import bands_from_xarray

        return bands_from_xarray(BandStructure, dataset)

    def to_csv(self, path: str | Path | None = None) -> str:
        """One line for each k-point: distance, label, fractional coordinates, energies, error bars.

        Also written to ``path`` when given.
        """
        from vanhove.spectra.conversions.files import bands_to_csv

        return bands_to_csv(self, path)

    def to_json(self, path: str | Path | None = None) -> str:
        """Strict JSON (no NaN), also written to ``path`` when given; numbers round trip exactly.

        Raises:
            DataError: metadata that JSON cannot hold.
        """
        from vanhove.spectra.conversions.files import write_json

        return write_json(self.to_dict(), path)

    @classmethod
    def from_json(cls, source: str | Path) -> BandStructure:
        """Read JSON text (it starts with a brace) or a file.

        Raises:
            DataError: a file that cannot be read, or not the JSON of a band structure.
        """
        from vanhove.spectra.conversions.files import read_json

        return cls.from_dict(read_json(source))
