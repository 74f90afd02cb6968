"""Tables of everything at once: what `Phonons` and `Electrons` give to pandas and xarray."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vanhove.spectra.conversions.tables import bands_to_xarray, whole_to_xarray

if TYPE_CHECKING:
    from pandas import DataFrame
    from xarray import Dataset

    from vanhove.spectra.thermal_table import ThermalProperties


class WholeTables:
    """Of one crystal: bands, density of states, its shares by element, thermodynamics.

    All numbers are those of ``bands()``, ``dos()``, ``projected_dos()`` and
    ``thermal_properties()`` with their defaults.
    """

    def _thermal(self) -> ThermalProperties | None:
        known = getattr(self, "thermal_properties", None)
        return None if known is None else known()

    def to_pandas(self) -> dict[str, DataFrame]:
        """``bands``, ``dos``, ``projected_dos`` (a column an element) and, of phonons,
        ``thermal_properties``, each a ``DataFrame`` with units in the names of its columns.

        Raises:
            StructureError: no path found.
        """
        import pandas as pd

        own: Any = self
        dos = own.dos()
        parts = own.projected_dos(grid=dos.grid)
        frames = {
            "bands": own.bands().to_pandas(),
            "dos": dos.to_pandas(),
            "projected_dos": pd.DataFrame(
                {name: part.to_pandas()["values"] for name, part in parts.items()}
            ),
        }
        thermal = self._thermal()
        return frames if thermal is None else frames | {"thermal_properties": thermal.to_pandas()}

    def to_xarray(self) -> Dataset:
        """One ``Dataset``: ``energies`` ``[kpoint, band]``, ``dos`` ``[grid]``, ``projected_dos``
        ``[element, grid]`` and, of phonons, thermodynamics ``[temperature]``, with units.

        Raises:
            StructureError: no path found.
            MissingExtraError: xarray is not installed.
        """
        own: Any = self
        bands = bands_to_xarray(own.bands())
        dos = own.dos()
        parts = own.projected_dos(grid=dos.grid)
        return whole_to_xarray(bands, dos, parts, self._thermal())
