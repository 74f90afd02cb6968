"""Kinds of spectrum: the only place that knows what each of them is.

    quantity("phonon_dos").unit  # "cm-1"

A further kind is registered by whoever brings it, before data or models of it are read:

    register_quantity(
        Quantity(
            name="optical_absorption",
            title="optical absorption",
            unit="eV",
            axis="photon energy",
            normalisations={"max": SCALES["max"]},
        )
    )
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from vanhove.errors import ConfigError
from vanhove.registry import load_extensions


class Scale(NamedTuple):
    """A normalisation: what the axis of a plot says, and the unit of the values."""

    label: str
    unit: str


class AxisUnit(NamedTuple):
    """A unit of an axis: in text, on a plot, in names of metrics, columns and dimensions."""

    text: str
    label: str
    suffix: str
    column: str
    dimension: str


SCALES = {
    "max": Scale("maximum = 1", "1"),
    "sum": Scale("sum = 1", "1"),
    "min-max": Scale("minimum = 0, maximum = 1", "1"),
}
"""Normalisations that make sense for any density."""
AXIS_UNITS = {
    "cm-1": AxisUnit("1/cm", "cm⁻¹", "cm1", "frequency_cm1", "frequency"),
    "eV": AxisUnit("eV", "eV", "eV", "energy_eV", "energy"),
}
SPECTRUM_METRICS = ("rmse", "mse_x10", "mae", "r2")
BAND_METRICS = ("energy_mae", "centre_mae", "dispersion_mae")


@dataclass(frozen=True)
class Quantity:
    """A kind of spectrum.

    Attributes:
        name: in data files, JSON and Python.
        title: in headings.
        unit: of the axis; of bands, of their energies: ``"cm-1"`` or ``"eV"``.
        axis: what the axis is, on a plot.
        form: values on a grid (``"density"``), or energies along a path (``"bands"``).
        normalisations: each that makes sense.
        zero: where the axis has its zero.
        asked_as: what ``vanhove predict --property`` calls it; ``name`` with hyphens by default.
        weights: the shipped model that predicts it, if there is one.
        metrics: what a training run logs after each epoch; the first selects.
        properties: what is derived by default, see `vanhove.prediction.properties`.
        counted: the normalisation in which states are counted, none lost.
        thermal: whether heat capacity and the like follow (harmonic vibrations).
        fermi_level: whether there is one; then bands have gaps, edges and masses.
        states: that fill a band at one wave vector: 2 electrons, 1 vibration.
        density: of bands, the quantity of their density.

    Raises:
        ConfigError: an unknown unit, or a density without a normalisation.
    """

    name: str
    title: str
    unit: str
    axis: str
    form: Literal["density", "bands"] = "density"
    normalisations: Mapping[str, Scale] = field(default_factory=lambda: dict(SCALES))
    zero: str = ""
    asked_as: str = ""
    weights: str | None = None
    metrics: tuple[str, ...] = SPECTRUM_METRICS
    properties: tuple[str, ...] = ()
    counted: str | None = None
    thermal: bool = False
    fermi_level: bool = False
    states: int = 1
    density: str | None = None

    def __post_init__(self) -> None:
        if self.unit not in AXIS_UNITS:
            raise ConfigError(f"unit {self.unit!r}; allowed: {', '.join(AXIS_UNITS)}")
        if self.form == "density" and not self.normalisations:
            raise ConfigError(f"{self.name}: a density needs at least one normalisation")
        if not self.asked_as:
            object.__setattr__(self, "asked_as", self.name.replace("_", "-"))

    @property
    def is_bands(self) -> bool:
        return self.form == "bands"

    @property
    def heading(self) -> str:
        """The title in full words: ``Phonon density of states``."""
        words = self.title.replace("DOS", "density of states")
        return words[:1].upper() + words[1:]

    @property
    def axis_unit(self) -> AxisUnit:
        """The unit as texts, tables and plots write it."""
        return AXIS_UNITS[self.unit]

    @property
    def axis_label(self) -> str:
        """Of a plot: ``frequency (cm⁻¹)``."""
        return f"{self.axis} ({self.axis_unit.label})"

    def check(self, unit: str, normalisation: str) -> None:
        """Refuse what this kind of spectrum does not have.

        Raises:
            ConfigError: another unit, or a normalisation that makes no sense for it.
        """
        if unit != self.unit:
            raise ConfigError(f"unit {unit!r} of {self.name}; allowed: {self.unit}")
        if not self.is_bands and normalisation not in self.normalisations:
            raise ConfigError(
                f"normalisation {normalisation!r} of {self.name}; allowed: "
                f"{', '.join(self.normalisations)}"
            )


QUANTITIES: dict[str, Quantity] = {}
"""All known ones, by name."""


def register_quantity(record: Quantity) -> Quantity:
    """Make a kind of spectrum known to data sets, models, commands and the page.

    Registering the same record again changes nothing.

    Raises:
        ConfigError: another one has that name.
    """
    if QUANTITIES.setdefault(record.name, record) != record:
        raise ConfigError(f"another quantity is called {record.name!r}: choose another name")
    return record


def quantity(name: str, form: Literal["density", "bands"] | None = None) -> Quantity:
    """The record of that name.

    Args:
        name: of a known quantity.
        form: that it must have; any by default.

    Raises:
        ConfigError: an unknown name, or a quantity of the other form.
    """
    if name not in QUANTITIES:
        load_extensions()
    known = [key for key, record in QUANTITIES.items() if form in (None, record.form)]
    if name not in known:
        raise ConfigError(f"quantity {name!r}; allowed: {', '.join(known)}")
    return QUANTITIES[name]


def density_in(unit: str) -> Quantity:
    """The density that a table in this unit holds when it does not say: the first registered.

    Raises:
        ConfigError: none is in that unit.
    """
    for record in QUANTITIES.values():
        if record.unit == unit and not record.is_bands:
            return record
    raise ConfigError(f"unit {unit!r}; allowed: {', '.join(AXIS_UNITS)}")


PHONON_DOS = register_quantity(
    Quantity(
        name="phonon_dos",
        title="phonon DOS",
        unit="cm-1",
        axis="frequency",
        normalisations=SCALES | {"3N": Scale("states per cm⁻¹", "cm")},
        zero="no vibration; below it, unstable modes",
        weights="vanhove-phonon",
        counted="3N",
        properties=("mean_frequency", "heat_capacity_300K", "entropy_300K"),
        thermal=True,
    )
)
ELECTRON_DOS = register_quantity(
    Quantity(
        name="electron_dos",
        title="electron DOS",
        unit="eV",
        axis="energy",
        normalisations=SCALES | {"states/eV/cell": Scale("states/eV/cell", "eV-1")},
        zero="valence band maximum; Fermi level of a metal",
        weights="vanhove-electron",
        counted="states/eV/cell",
        properties=("dos_at_zero_over_peak", "valence_band_gap", "fermi_density"),
        fermi_level=True,
        states=2,
    )
)
PHONON_BANDS = register_quantity(
    Quantity(
        name="phonon_bands",
        title="phonon bands",
        unit="cm-1",
        axis="frequency",
        form="bands",
        normalisations={},
        zero=PHONON_DOS.zero,
        weights="vanhove-phonon",
        metrics=BAND_METRICS,
        density="phonon_dos",
    )
)
ELECTRON_BANDS = register_quantity(
    Quantity(
        name="electron_bands",
        title="electron bands",
        unit="eV",
        axis="energy from the Fermi level",
        form="bands",
        normalisations={},
        zero="Fermi level",
        asked_as="bands",
        weights="vanhove-electron",
        metrics=(*BAND_METRICS, "gap_mae", "metal_accuracy"),
        properties=("is_metal", "band_gap", "direct_gap", "is_direct"),
        fermi_level=True,
        states=2,
        density="electron_dos",
    )
)
