"""What is derived from a spectrum or bands: the definitions of all properties."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from vanhove.crystal.elements import MASSES, SYMBOLS
from vanhove.crystal.symmetry import CRYSTAL_SYSTEMS
from vanhove.errors import DataError
from vanhove.models.band_calibration import BandCalibration
from vanhove.models.calibration import CALIBRATED, Calibration
from vanhove.prediction.property import Errors, Outcome, Property, register_property
from vanhove.spectra.bands import BandGap, BandStructure
from vanhove.spectra.electrons import (
    fermi_level_density,
    has_gap_near_edge,
    read_gap,
    sommerfeld_coefficient,
)
from vanhove.spectra.phonon_errors import TEMPERATURES
from vanhove.spectra.quantities import ELECTRON_BANDS, ELECTRON_DOS, PHONON_DOS
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
ROOM = 300.0
"""K, of thermal properties where no temperature is asked for."""


def _elements(spectrum: Outcome) -> list[str]:
    assert spectrum.crystal is not None
    return sorted({SYMBOLS[z] for z in spectrum.crystal.atomic_numbers})


def _density(spectrum: Outcome) -> float:
    assert spectrum.crystal is not None
    grams = MASSES[spectrum.crystal.atomic_numbers].sum() / AVOGADRO
    return float(grams / (spectrum.crystal.volume * 1e-24))


def _of_crystal(compute: Callable[[Any], Any]) -> Callable[[Spectrum], Any]:
    return lambda spectrum: compute(spectrum.crystal)


def _of_metadata(key: str) -> Callable[[Spectrum], Any]:
    return lambda spectrum: spectrum.metadata[key]


def _of_dos(function: Callable[..., Any], *arguments: float) -> Callable[[Spectrum], Any]:
    """Of the modes where the spectrum has them."""

    def of(spectrum: Spectrum) -> Any:
        source = spectrum.modes or spectrum
        return function(source.grid, source.values, *arguments)

    return of


def _peak(spectrum: Spectrum) -> float | None:
    return spectrum.grid[spectrum.values.argmax()] if spectrum.values.any() else None


def _zero_over_peak(spectrum: Spectrum) -> float | None:
    peak = spectrum.values.max()
    return np.interp(0, spectrum.grid, spectrum.values) / peak if peak > 0 else None


def _gap_near_edge(band: str) -> Callable[[Spectrum], Any]:
    return lambda spectrum: bool(
        has_gap_near_edge(spectrum.grid, spectrum.values[None], band)[0]  # type: ignore[arg-type]
    )


def _thermal_half(name: str, kelvin: float) -> Callable[[Any, Errors], float | None]:
    """Of whole phonons known beforehand; else from the members' spread, as
    `Calibration.property_std` calibrates it."""

    def half(spectrum: Spectrum, calibration: Errors) -> float | None:
        if spectrum.modes is not None:
            known = spectrum.metadata.get("half_widths_90", {}).get(name)
            if known is None or len(known) == 1:
                return None if known is None else float(known[0])
            return float(np.interp(kelvin, TEMPERATURES, known))
        if not isinstance(calibration, Calibration) or spectrum.samples is None:
            return None
        if name not in calibration.properties:
            return None
        if kelvin == 0 and name in ("heat_capacity", "entropy"):
            return 0.0  # whatever the frequencies are
        usable = spectrum.samples[spectrum.samples.max(axis=-1) > 0]
        values = CALIBRATED[name](spectrum.grid, usable, kelvin)
        return float(calibration.property_std(name, values, kelvin)[1])

    return half


def _gap(bands: BandStructure) -> BandGap | None:
    """None of a metal.

    Raises:
        DataError: all predicted bands lie on one side of the Fermi level.
    """
    return bands.gap


def _is_metal(bands: BandStructure) -> bool:
    try:
        return _gap(bands) is None
    except DataError:
        return True


def _of_gap(read: Callable[[BandGap], Any]) -> Callable[[BandStructure], Any]:
    def of(bands: BandStructure) -> Any:
        gap = _gap(bands)
        return None if gap is None else read(gap)

    return of


def _band_gap(outcome: Outcome) -> float | None:
    """Of bands 0 for a metal; of a density the width without states."""
    if isinstance(outcome, BandStructure):
        return 0.0 if _is_metal(outcome) else outcome.gap.energy  # type: ignore[union-attr]
    # A Hamiltonian knows its gap: a density shows it to a step of the grid, on a mesh.
    known = outcome.metadata.get("band_gap")
    return read_gap(outcome, GAP_THRESHOLD).gap if known is None else known


def _band_gap_half(outcome: Outcome, calibration: Errors) -> float | None:
    if not isinstance(outcome, BandStructure) or not isinstance(calibration, BandCalibration):
        return None
    if calibration.gap_half_widths is None or _is_metal(outcome):
        return None
    return calibration.gap_half_widths["0.9"]


_PHONONS, _ELECTRONS = (PHONON_DOS.name,), (ELECTRON_DOS.name,)
_BANDS = (ELECTRON_BANDS.name,)
_J, _KJ = "J/(K mol of atoms)", "kJ/(mol of atoms)"

CRYSTAL_PROPERTIES = tuple(
    register_property(item)
    for item in (
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
)
"""Of the structure alone."""

for item in (
    Property(
        "mean_frequency",
        "number",
        "1/cm",
        "first moment of the density of states",
        _of_dos(mean_frequency),
        of_quantities=_PHONONS,
        digits=1,
        half=_thermal_half("mean_frequency", ROOM),
    ),
    Property(
        "peak_frequency",
        "number",
        "1/cm",
        "where the density of states is largest",
        _peak,
        title="highest peak",
        of_quantities=_PHONONS,
        digits=1,
    ),
    Property(
        "zero_point_energy",
        "number",
        _KJ,
        "harmonic energy at 0 K",
        _of_dos(zero_point_energy),
        title="zero-point energy",
        of_quantities=_PHONONS,
    ),
    Property(
        "dos_at_zero_over_peak",
        "number",
        "",
        "density of states at the zero of the grid over its largest value",
        _zero_over_peak,
        of_quantities=_ELECTRONS,
        title="DOS at energy 0 over its peak",
    ),
    Property(
        "is_metal",
        "flag",
        "",
        "whether a band crosses the Fermi level along the path",
        _is_metal,
        of_quantities=_BANDS,
        title="metal?",
    ),
    Property(
        "band_gap",
        "number",
        "eV",
        "smallest gap along the path, 0 of a metal; of a density of states the width without "
        f"states (below {GAP_THRESHOLD:g}) at or above the zero of the grid",
        _band_gap,
        of_quantities=_BANDS + _ELECTRONS,
        half=_band_gap_half,
    ),
    Property(
        "band_gap_is_lower_bound",
        "flag",
        "",
        "the gap reaches the end of the grid",
        lambda spectrum: read_gap(spectrum, GAP_THRESHOLD).is_lower_bound,
        title="gap reaches the end of the grid?",
        of_quantities=_ELECTRONS,
    ),
    Property(
        "direct_gap",
        "number",
        "eV",
        "smallest gap at one k-point",
        _of_gap(lambda gap: gap.direct),
        title="smallest direct gap",
        of_quantities=_BANDS,
    ),
    Property(
        "is_direct",
        "flag",
        "",
        "whether the gap is direct",
        _of_gap(lambda gap: gap.is_direct),
        of_quantities=_BANDS,
        title="gap is direct?",
    ),
    Property(
        "valence_band_gap",
        "flag",
        "",
        "a gap inside the valence bands (Mat2Spec's criterion)",
        _gap_near_edge("valence"),
        of_quantities=_ELECTRONS,
        title="gap inside the valence bands?",
    ),
    Property(
        "conduction_band_gap",
        "flag",
        "",
        "a gap inside the conduction bands (Mat2Spec's criterion)",
        _gap_near_edge("conduction"),
        of_quantities=_ELECTRONS,
        title="gap inside the conduction bands?",
    ),
    Property(
        "fermi_density",
        "number",
        "states/(eV cell)",
        "density of states at the zero of the grid",
        fermi_level_density,
        of_quantities=_ELECTRONS,
        title="DOS at energy 0",
    ),
    Property(
        "sommerfeld",
        "number",
        "mJ/(K^2 mol of atoms)",
        "electronic heat capacity coefficient",
        lambda spectrum: sommerfeld_coefficient(spectrum, per="atom"),
        title="Sommerfeld coefficient, electrons alone",
        of_quantities=_ELECTRONS,
    ),
):
    register_property(item)

OF_METALS = ("dos_at_zero_over_peak", "fermi_density", "sommerfeld")
"""What tables of a single insulator leave out."""
OF_INSULATORS = (
    "band_gap",
    "band_gap_is_lower_bound",
    "direct_gap",
    "is_direct",
    "valence_band_gap",
    "conduction_band_gap",
)
"""What tables of a single metal leave out."""


def idle_properties(outcome: Outcome) -> tuple[str, ...]:
    """Properties that say nothing of this crystal: the gap of a metal, states in that gap."""
    is_metal = outcome.metadata.get("is_metal")
    if is_metal is None:
        return ()
    return OF_INSULATORS if is_metal else OF_METALS


THERMAL: dict[str, tuple[Callable[..., Any], str, str, str]] = {
    "heat_capacity": (heat_capacity, _J, "C_V, harmonic", "C_V"),
    "entropy": (entropy, _J, "vibrational entropy, harmonic", "S"),
    "free_energy": (free_energy, _KJ, "Helmholtz free energy with zero point", "F"),
    "internal_energy": (internal_energy, _KJ, "energy with zero point", "U"),
}
"""Properties of vibrations with a temperature in their name: ``heat_capacity_300K``."""
ENSEMBLE_PROPERTIES = tuple(
    register_property(item)
    for item in (
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
            "error bar of the spectrum, mean over its points",
            lambda outcome: None if outcome.std is None else outcome.std.mean(),
            title="error bar of the density, mean",
        ),
    )
)
"""Of models with error bars."""
WARNINGS = register_property(
    Property(
        "warnings",
        "text",
        "",
        "reasons not to trust the prediction, in words; none where there are none",
        lambda outcome: "; ".join(outcome.warnings) or None,
    )
)
HALF_WIDTH = "_half_width_90"
"""Behind the name of a property: half the width of its 90 % interval."""


def half_width_property(item: Property, calibration: Errors) -> Property:
    """Half of the 90 % interval of a property, of a model with error bars."""
    return Property(
        f"{item.name}{HALF_WIDTH}",
        "number",
        item.unit,
        f"half of the 90 % interval of {item.name}",
        lambda outcome: item.half_width(outcome, calibration),
        of_quantities=item.of_quantities,
        title=f"{item.label}, half of the 90 % interval",
        digits=item.digits,
    )


def thermal_property(name: str, kelvin: float) -> Property:
    """One of `THERMAL` at a temperature."""
    function, unit, description, title = THERMAL[name]
    at = f"{kelvin:g} K"
    return Property(
        f"{name}_{kelvin:g}K",
        "number",
        unit,
        f"{description}, at {at}",
        _of_dos(function, kelvin),
        of_quantities=_PHONONS,
        title=f"{title}({at})",
        half=_thermal_half(name, kelvin),
    )
