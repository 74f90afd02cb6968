"""pandas and xarray, in the units of the spectrum."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from vanhove.errors import DataError, MissingExtraError
from vanhove.spectra.density import AnyDensity, Density
from vanhove.spectra.quantities import AXIS_UNITS, density_in

if TYPE_CHECKING:
    from pandas import DataFrame
    from xarray import Dataset

    from vanhove.spectra.dispersion import AnyDispersion, Dispersion
    from vanhove.spectra.thermal_table import ThermalProperties


def spectrum_to_pandas(spectrum: Density) -> DataFrame:
    """See `Spectrum.to_pandas`."""
    import pandas as pd

    columns = {"values": spectrum.values}
    if spectrum.std is not None:
        columns["std"] = spectrum.std
    frame = pd.DataFrame(
        columns, index=pd.Index(spectrum.grid, name=spectrum.kind.axis_unit.column)
    )
    content = spectrum.to_dict()
    kept = ("quantity", "name", "unit", "normalisation", "crystal", "metadata")
    frame.attrs = {key: content[key] for key in kept}
    return frame


def spectrum_from_pandas(
    make: type[AnyDensity], frame: DataFrame, changes: Mapping[str, object]
) -> AnyDensity:
    """See `Spectrum.from_pandas`."""
    columns = {axis.column: unit for unit, axis in AXIS_UNITS.items()}
    unit = columns.get(str(frame.index.name))
    if unit is None or "values" not in frame:
        raise DataError(
            f"the index must be {' or '.join(columns)} and one column values; got index "
            f"{frame.index.name} and columns {', '.join(map(str, frame.columns))}"
        )
    content = {
        "quantity": density_in(unit).name,
        **frame.attrs,
        "unit": unit,
        **changes,
    }
    if content.get("normalisation") is None:
        raise DataError("the table does not state its normalisation: pass normalisation=")
    arrays = {key: frame[key].to_numpy() for key in ("values", "std") if key in frame}
    return make.from_dict(content | arrays | {"grid": frame.index.to_numpy()})


def spectrum_to_xarray(spectrum: Density) -> Dataset:
    """See `Spectrum.to_xarray`."""
    dim = spectrum.kind.axis_unit.dimension
    units = {"units": spectrum.kind.normalisations[spectrum.normalisation].unit}
    variables: dict[str, Any] = {"values": (dim, spectrum.values, units)}
    if spectrum.std is not None:
        variables["std"] = (dim, spectrum.std, units)
    if spectrum.samples is not None:
        variables["samples"] = (("member", dim), spectrum.samples, units)
    content = spectrum.to_dict()
    return _xarray().Dataset(
        variables,
        coords={dim: (dim, spectrum.grid, {"units": spectrum.unit})},
        attrs={key: content[key] for key in ("quantity", "name", "normalisation")}
        | {key: json.dumps(content[key]) for key in ("crystal", "metadata")},
    )


def spectra_to_xarray(spectra: Sequence[Density]) -> Dataset:
    """Several spectra as one ``Dataset``, ``values`` and ``std`` of shape [material, grid].

    Coordinates: ``material`` (the names), ``formula`` where crystals are known, and the grid.
    ``Spectrum.from_xarray`` reads one of them back, ``dataset.isel(material=0)``.

    Raises:
        DataError: none, or spectra that differ in grid, unit, normalisation or quantity.
        MissingExtraError: xarray is not installed.
    """
    if not spectra:
        raise DataError("a table of no spectra: give one or more")
    first = spectra[0]
    for other in spectra:
        same = np.array_equal(other.grid, first.grid) and all(
            getattr(other, key) == getattr(first, key)
            for key in ("unit", "normalisation", "quantity")
        )
        if not same:
            raise DataError(
                f"spectra of one table share grid, unit, normalisation and quantity; {other!r} "
                f"differs from {first!r}: use interpolate and normalise"
            )
    dim = first.kind.axis_unit.dimension
    units = {"units": first.kind.normalisations[first.normalisation].unit}
    shape = ("material", dim)
    variables: dict[str, Any] = {"values": (shape, np.stack([s.values for s in spectra]), units)}
    deviations = [s.std for s in spectra if s.std is not None]
    if len(deviations) == len(spectra):
        variables["std"] = (shape, np.stack(deviations), units)
    coordinates: dict[str, Any] = {
        dim: (dim, first.grid, {"units": first.unit}),
        "material": [s.name for s in spectra],
    }
    if all(s.crystal is not None for s in spectra):
        coordinates["formula"] = ("material", [s.crystal.formula for s in spectra if s.crystal])
    return _xarray().Dataset(
        variables,
        coords=coordinates,
        attrs={"quantity": first.quantity, "normalisation": first.normalisation},
    )


def spectrum_from_xarray(make: type[AnyDensity], dataset: Dataset) -> AnyDensity:
    """See `Spectrum.from_xarray`."""
    known = [(unit, axis.dimension) for unit, axis in AXIS_UNITS.items()]
    dims = [(unit, dim) for unit, dim in known if dim in dataset.coords]
    if len(dims) != 1 or "values" not in dataset or "normalisation" not in dataset.attrs:
        raise DataError(
            "a Dataset of a spectrum has the coordinate frequency or energy, the variable values "
            f"and the attribute normalisation; got {', '.join(map(str, dataset.variables))}"
        )
    unit, dim = dims[0]
    attrs = dataset.attrs
    content: dict[str, Any] = {
        "grid": dataset[dim].to_numpy(),
        "unit": unit,
        "normalisation": attrs["normalisation"],
        "quantity": attrs.get("quantity", density_in(unit).name),
        "crystal": json.loads(attrs.get("crystal", "null")),
        "metadata": json.loads(attrs.get("metadata", "{}")),
    }
    if "name" in attrs:
        content["name"] = attrs["name"]
    elif "material" in dataset.coords:
        content["name"] = str(dataset["material"].to_numpy())
    for key in ("values", "std", "samples"):
        if key in dataset:
            content[key] = dataset[key].to_numpy()
    return make.from_dict(content)


def bands_to_pandas(bands: Dispersion) -> DataFrame:
    """See `BandStructure.to_pandas`."""
    import pandas as pd

    points = bands.kpoints
    columns: dict[str, Any] = {
        "distance_per_angstrom": points.distances,
        "label": list(points.labels),
        **{f"k{axis + 1}": points.fractional[:, axis] for axis in range(3)},
        **bands.band_columns,
    }
    frame = pd.DataFrame(columns)
    frame.attrs = {key: getattr(bands, key) for key in ("quantity", "name", "unit", "fermi_level")}
    return frame


def bands_to_xarray(bands: Dispersion) -> Dataset:
    """See `BandStructure.to_xarray`."""
    content = bands.to_dict()
    attrs = {key: content[key] for key in ("quantity", "name")}
    if bands.fermi_level is not None:
        attrs["fermi_level"] = bands.fermi_level
    plain = ("lattice", "metadata", "crystal")
    units = {"units": bands.unit}
    variables: dict[str, Any] = {"energies": (("kpoint", "band"), bands.energies, units)}
    if bands.std is not None:
        variables["std"] = (("kpoint", "band"), bands.std, units)
    return _xarray().Dataset(
        variables,
        coords={
            "distance": ("kpoint", bands.kpoints.distances, {"units": "angstrom-1"}),
            "label": ("kpoint", list(bands.kpoints.labels)),
            "fractional": (("kpoint", "axis"), bands.kpoints.fractional),
        },
        attrs=attrs | {key: json.dumps(content.get(key)) for key in plain},
    )


def bands_from_xarray(make: type[AnyDispersion], dataset: Dataset) -> AnyDispersion:
    """See `BandStructure.from_xarray`."""

    attrs = dataset.attrs
    try:
        content = {
            "quantity": attrs["quantity"],
            "name": attrs["name"],
            "fermi_level": attrs.get("fermi_level"),
            "kpoints": dataset["fractional"].to_numpy(),
            "distances": dataset["distance"].to_numpy(),
            "labels": dataset["label"].to_numpy().tolist(),
            "energies": dataset["energies"].to_numpy(),
            "std": dataset["std"].to_numpy() if "std" in dataset else None,
        } | {key: json.loads(attrs[key]) for key in ("lattice", "metadata", "crystal")}
    except (KeyError, ValueError) as error:
        raise DataError(f"no Dataset of a BandStructure ({error}): make it with to_xarray") from (
            error
        )
    return make.from_dict(content)


THERMAL_UNITS = {
    "heat_capacity": "J/(K mol of atoms)",
    "entropy": "J/(K mol of atoms)",
    "internal_energy": "kJ/(mol of atoms)",
    "free_energy": "kJ/(mol of atoms)",
}
"""Of `ThermalProperties`."""


def whole_to_xarray(
    bands: Dataset, dos: Density, parts: Mapping[str, Density], thermal: ThermalProperties | None
) -> Dataset:
    """See `vanhove.spectra.whole.WholeTables.to_xarray`.

    Args:
        bands: of `bands_to_xarray`.
        dos: the density of states.
        parts: its shares by element, on the same grid.
        thermal: of phonons.
    """
    dim = dos.kind.axis_unit.dimension
    units = {"units": dos.kind.normalisations[dos.normalisation].unit}
    shares = np.stack([part.values for part in parts.values()])
    found: dict[str, Any] = {
        "dos": (dim, dos.values, units),
        "projected_dos": (("element", dim), shares, units),
    }
    coordinates: dict[str, Any] = {
        dim: (dim, dos.grid, {"units": dos.unit}),
        "element": list(parts),
    }
    if thermal is not None:
        coordinates["temperature"] = ("temperature", thermal.temperatures, {"units": "K"})
        for name, unit in THERMAL_UNITS.items():
            found[name] = ("temperature", getattr(thermal, name), {"units": unit})
        for name, half in thermal.half_widths.items():
            own = {"units": THERMAL_UNITS[name]}
            found[f"{name}_half_width_90"] = ("temperature", half, own)
    return bands.assign_coords(coordinates).assign(found)


def _xarray() -> Any:
    try:
        import xarray
    except ImportError as error:
        raise MissingExtraError("xarray", "xarray", "a Dataset") from error
    return xarray
