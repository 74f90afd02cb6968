"""Properties by name: what a screening computes of each crystal, filters and sorts by."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from vanhove.crystal.elements import MASSES, SYMBOLS
from vanhove.crystal.symmetry import CRYSTAL_SYSTEMS
from vanhove.errors import ConfigError, DataError
from vanhove.runs.checkpoint import ModelInfo
from vanhove.screening.expression import Kind, Variable
from vanhove.spectra.electrons import (
    fermi_level_density,
    has_gap_near_edge,
    read_gap,
    sommerfeld_coefficient,
)
from vanhove.spectra.grids import MAT2SPEC_ELECTRON_GRID
from vanhove.spectra.quantities import quantity
from vanhove.spectra.spectrum import Spectrum
from vanhove.spectra.thermodynamics import (
    AVOGADRO,
    entropy,
    free_energy,
    heat_capacity,
    internal_energy,
    mean_frequency,
    zero_point_energy,
)

GAP_THRESHOLD = 0.05
"""States per eV and cell, or part of the maximum, below which a predicted density counts as none.

A predicted density is never exactly 0; the least error of a prediction decides how small a density
means anything. A choice, not a fit.
"""


@dataclass(frozen=True)
class Property:
    """A named property of a crystal or of its spectrum.

    Attributes:
        name: in tables, expressions and on the command line.
        kind: of its values.
        unit: of its values, or ``""``.
        description: one line.
        compute: from the prediction; None or `DataError`: this crystal has none.
        choices: the only values of a text.
        integer: a number that is always whole.
    """

    name: str
    kind: Kind
    unit: str
    description: str
    compute: Callable[[Spectrum], Any]
    choices: tuple[str, ...] | None = None
    integer: bool = False

    def of(self, spectrum: Spectrum) -> Any:
        """Its value, a plain Python one; None where the spectrum has none."""
        try:
            value = self.compute(spectrum)
        except DataError:
            return None
        if self.kind != "number" or value is None:
            return value
        return int(value) if self.integer else float(value)

    @property
    def variable(self) -> Variable:
        return Variable(self.kind, self.choices)


def _elements(spectrum: Spectrum) -> list[str]:
    assert spectrum.crystal is not None
    return sorted({SYMBOLS[z] for z in spectrum.crystal.atomic_numbers})


def _density(spectrum: Spectrum) -> float:
    assert spectrum.crystal is not None
    grams = MASSES[spectrum.crystal.atomic_numbers].sum() / AVOGADRO
    return grams / (spectrum.crystal.volume * 1e-24)


def _of_crystal(compute: Callable[[Any], Any]) -> Callable[[Spectrum], Any]:
    return lambda spectrum: compute(spectrum.crystal)


def _of_metadata(key: str) -> Callable[[Spectrum], Any]:
    return lambda spectrum: spectrum.metadata[key]


def _of_dos(function: Callable[..., Any], *arguments: float) -> Callable[[Spectrum], Any]:
    return lambda spectrum: function(spectrum.grid, spectrum.values, *arguments)


def _peak(spectrum: Spectrum) -> float | None:
    return spectrum.grid[spectrum.values.argmax()] if spectrum.values.any() else None


def _zero_over_peak(spectrum: Spectrum) -> float | None:
    peak = spectrum.values.max()
    return np.interp(0, spectrum.grid, spectrum.values) / peak if peak > 0 else None


def _gap_near_edge(band: str) -> Callable[[Spectrum], Any]:
    return lambda spectrum: bool(
        has_gap_near_edge(spectrum.grid, spectrum.values[None], band)[0]  # type: ignore[arg-type]
    )


CRYSTAL_PROPERTIES = (
    Property("formula", "text", "", "reduced formula", _of_metadata("formula")),
    Property(
        "n_atoms",
        "number",
        "",
        "atoms in the cell that was predicted (the primitive one)",
        _of_crystal(lambda crystal: crystal.n_atoms),
        integer=True,
    ),
    Property("elements", "set", "", "symbols of the elements", _elements),
    Property(
        "n_elements",
        "number",
        "",
        "different elements",
        lambda spectrum: len(_elements(spectrum)),
        integer=True,
    ),
    Property(
        "crystal_system",
        "text",
        "",
        "one of " + ", ".join(CRYSTAL_SYSTEMS),
        _of_metadata("crystal_system"),
        CRYSTAL_SYSTEMS,
    ),
    Property(
        "space_group_number",
        "number",
        "",
        "1 to 230",
        _of_metadata("space_group_number"),
        integer=True,
    ),
    Property(
        "space_group_symbol",
        "text",
        "",
        "short Hermann-Mauguin symbol",
        _of_metadata("space_group_symbol"),
    ),
    Property(
        "volume_per_atom",
        "number",
        "angstrom^3",
        "volume of the cell per atom",
        _of_crystal(lambda crystal: crystal.volume / crystal.n_atoms),
    ),
    Property("density", "number", "g/cm^3", "mass per volume", _density),
)
PHONON_PROPERTIES = (
    Property(
        "mean_frequency",
        "number",
        "1/cm",
        "first moment of the density of states",
        _of_dos(mean_frequency),
    ),
    Property("peak_frequency", "number", "1/cm", "where the density of states is largest", _peak),
    Property(
        "zero_point_energy",
        "number",
        "kJ/(mol of atoms)",
        "harmonic energy at 0 K",
        _of_dos(zero_point_energy),
    ),
)
THERMAL_PROPERTIES: dict[str, tuple[Callable[..., Any], str, str]] = {
    "heat_capacity": (heat_capacity, "J/(K mol of atoms)", "C_V, harmonic"),
    "entropy": (entropy, "J/(K mol of atoms)", "vibrational entropy, harmonic"),
    "free_energy": (free_energy, "kJ/(mol of atoms)", "Helmholtz free energy with zero point"),
    "internal_energy": (internal_energy, "kJ/(mol of atoms)", "energy with zero point"),
}
"""Phonon properties with a temperature in their name: ``heat_capacity_300K``."""
ELECTRON_PROPERTIES = (
    Property(
        "dos_at_zero_over_peak",
        "number",
        "",
        "density of states at the zero of the grid over its largest value",
        _zero_over_peak,
    ),
    Property(
        "gap",
        "number",
        "eV",
        f"width without states (below {GAP_THRESHOLD:g}) at or above the zero of the grid",
        lambda spectrum: read_gap(spectrum, GAP_THRESHOLD).gap,
    ),
    Property(
        "gap_is_lower_bound",
        "flag",
        "",
        "the gap reaches the end of the grid",
        lambda spectrum: read_gap(spectrum, GAP_THRESHOLD).is_lower_bound,
    ),
    Property(
        "valence_band_gap",
        "flag",
        "",
        "a gap inside the valence bands (Mat2Spec's criterion)",
        _gap_near_edge("valence"),
    ),
    Property(
        "conduction_band_gap",
        "flag",
        "",
        "a gap inside the conduction bands (Mat2Spec's criterion)",
        _gap_near_edge("conduction"),
    ),
    Property(
        "fermi_density",
        "number",
        "states/(eV cell)",
        "density of states at the zero of the grid",
        fermi_level_density,
    ),
    Property(
        "sommerfeld",
        "number",
        "mJ/(mol of atoms K^2)",
        "electronic heat capacity coefficient",
        lambda spectrum: sommerfeld_coefficient(spectrum, per="atom"),
    ),
)
ENSEMBLE_PROPERTIES = (
    Property(
        "familiarity",
        "number",
        "",
        "0 (like nothing the model was trained on) to 1",
        _of_metadata("familiarity"),
    ),
    Property(
        "mean_std",
        "number",
        "",
        "error bar of the density of states, mean over the grid",
        lambda spectrum: None if spectrum.std is None else spectrum.std.mean(),
    ),
)
"""Of models with error bars."""
_NEEDS_THE_GAP_ON_THE_GRID = (
    "dos_at_zero_over_peak",
    "gap",
    "gap_is_lower_bound",
    "fermi_density",
    "sommerfeld",
)
_NEEDS_THE_ZERO = ("gap", "gap_is_lower_bound")
_NEEDS_THE_SCALE = ("valence_band_gap", "conduction_band_gap", "fermi_density", "sommerfeld")


class Properties:
    """The properties that can be computed with a model.

    Args:
        info: of the model.
    """

    def __init__(self, info: ModelInfo):
        self.kind = quantity(info.quantity)
        grid = np.asarray(info.grid)
        known = list(CRYSTAL_PROPERTIES)
        if self.kind.thermal:
            known += PHONON_PROPERTIES
        elif self.kind.fermi_level:
            without_gap = grid.shape == MAT2SPEC_ELECTRON_GRID.shape and np.allclose(
                grid, MAT2SPEC_ELECTRON_GRID
            )
            lost: tuple[str, ...] = _NEEDS_THE_GAP_ON_THE_GRID if without_gap else ()
            lost += _NEEDS_THE_SCALE if info.normalisation != "states/eV/cell" else ()
            # Shifted to a smallest value of 0, a metal too has energies without states.
            lost += _NEEDS_THE_ZERO if info.normalisation == "min-max" else ()
            known += [item for item in ELECTRON_PROPERTIES if item.name not in lost]
        if info.ensemble is not None:
            known += ENSEMBLE_PROPERTIES
        self._known = {item.name: item for item in known}

    def __getitem__(self, name: str) -> Property:
        """The property of that name.

        Raises:
            ConfigError: no such property for this model.
        """
        if name in self._known:
            return self._known[name]
        thermal = re.fullmatch(r"(\w+)_(\d{1,5})K", name)
        if self.kind.thermal and thermal and thermal[1] in THERMAL_PROPERTIES:
            function, unit, description = THERMAL_PROPERTIES[thermal[1]]
            kelvin = int(thermal[2])
            return Property(
                name, "number", unit, f"{description}, at {kelvin} K", _of_dos(function, kelvin)
            )
        raise ConfigError(f"no property {name!r} with this model; allowed: {self.listed}")

    @property
    def own(self) -> tuple[str, ...]:
        """Those that follow from the spectrum, without a temperature in their name."""
        of_crystal = {item.name for item in CRYSTAL_PROPERTIES}
        return tuple(name for name in self._known if name not in of_crystal)

    @property
    def listed(self) -> str:
        """All names, for messages."""
        names = list(self._known)
        if self.kind.thermal:
            names += [f"{name}_300K (any temperature)" for name in THERMAL_PROPERTIES]
        return ", ".join(names)

    @property
    def defaults(self) -> tuple[str, ...]:
        """What is computed when nothing is asked for."""
        wanted = (*self.kind.properties, "familiarity")
        return (
            "n_atoms",
            "crystal_system",
            *(n for n in wanted if n in self._known or n.endswith("K")),
        )

    def choose(self, names: Iterable[str]) -> tuple[Property, ...]:
        """The formula and the properties of these names, each once.

        Raises:
            ConfigError: an unknown name.
        """
        return tuple(self[name] for name in dict.fromkeys(("formula", *names)))
