"""What a prediction shows: densities and bands on one axis, their parts, numbers, curves."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
from ase.data import covalent_radii
from ase.data.colors import jmol_colors

from vanhove.crystal.crystal import Crystal
from vanhove.crystal.elements import SYMBOLS
from vanhove.crystal.kpath import gamma_directions
from vanhove.errors import DataError, StructureError
from vanhove.models.band_calibration import BandCalibration
from vanhove.models.calibration import Calibration
from vanhove.models.phonons import has_phonons
from vanhove.prediction.bands import band_details
from vanhove.prediction.definitions import (
    CRYSTAL_PROPERTIES,
    ROOM,
    THERMAL,
    idle_properties,
    thermal_property,
)
from vanhove.prediction.electron_predictor import ElectronPredictor
from vanhove.prediction.electrons import Electrons
from vanhove.prediction.properties import Properties
from vanhove.prediction.property import PROPERTIES, Property
from vanhove.server import answers
from vanhove.server.polyhedra import polyhedra
from vanhove.spectra.bands import BandStructure
from vanhove.spectra.phonons import Phonons
from vanhove.spectra.quantities import ELECTRON_BANDS
from vanhove.spectra.spectrum import Spectrum
from vanhove.spectra.stability import UNSTABLE_BELOW
from vanhove.spectra.thermal_table import thermal_properties

TEMPERATURES = np.arange(0.0, 1001.0, 20.0)
STEP, BROADENING = 2.0, 6.0
"""1/cm, of the densities of phonons beside bands."""
TOTAL, CALIBRATED = "total", "calibrated"
OF_ALL_MODES = (
    "mean_frequency",
    "peak_frequency",
    "zero_point_energy",
    *(f"{name}_{ROOM:g}K" for name in THERMAL),
)
"""Properties that vibrations beyond the grid of the calibrated density change."""
FIRST = ("is_metal", "band_gap", "is_direct", "direct_gap", "hole_masses", "electron_masses")
"""Properties of electrons that are shown before the others."""
PHONON_FILES = (
    "density.csv",
    "bands.csv",
    "pymatgen.json",
    "phonopy.yaml",
    "band.yaml",
    "phononwebsite.json",
)
ALONG_PATHS = ("bands.csv", "band.yaml", "phononwebsite.json")
ELECTRON_FILES = ("density.csv", "bands.csv", "pymatgen.json", "wannier90_hr.dat")


class View:
    """One model's prediction of one crystal, and what else its physics gives.

    Args:
        predictor: of the server.
        crystal: as given.
        outcome: what the predictor says of it.
    """

    def __init__(self, predictor: Any, crystal: Crystal, outcome: Spectrum | BandStructure):
        self.predictor, self.crystal, self.outcome = predictor, crystal, outcome

    @cached_property
    def phonons(self) -> Phonons | None:
        """In the primitive cell; None: no model of force constants."""
        if isinstance(self.predictor, ElectronPredictor) or not has_phonons(self.predictor.model):
            return None
        return self.predictor.phonons(self.crystal, primitive=True)

    @cached_property
    def electrons(self) -> Electrons | None:
        """In the cell that was predicted; None: no Hamiltonian."""
        if not isinstance(self.predictor, ElectronPredictor):
            return None
        assert self.outcome.crystal is not None
        return self.predictor.electrons(self.outcome.crystal)

    @cached_property
    def bands(self) -> BandStructure | None:
        """Along the path of high symmetry; electrons count from the top of the valence bands."""
        if isinstance(self.outcome, BandStructure):
            return _from_valence_band(self.outcome)
        source = self.phonons or self.electrons
        try:
            return None if source is None else source.bands()
        except StructureError:  # no path for this cell
            return None

    @cached_property
    def densities(self) -> dict[str, Spectrum]:
        """By name, counted in states per cell; empty where the model knows no scale."""
        outcome = self.outcome
        if isinstance(outcome, BandStructure):
            return {}
        if self.electrons is not None:
            return {TOTAL: outcome, **self.electrons.projected_dos(outcome.grid)}
        if not outcome.kind.thermal:
            return {TOTAL: outcome} if outcome.normalisation == outcome.kind.counted else {}
        assert outcome.crystal is not None
        try:
            counted = outcome.normalise("3N")
        except DataError:  # no weight at all
            return {}
        name = TOTAL if counted.std is None else CALIBRATED
        if self.phonons is None:
            return {name: counted}
        grid = self.phonons.grid(STEP)
        total = self.phonons.dos(grid, BROADENING)
        parts = self.phonons.projected_dos(grid=grid, broadening=BROADENING)
        # Modes beyond the grid of the calibrated density are not in it.
        n_modes = 3 * outcome.crystal.n_atoms
        inside = total.grid <= outcome.grid[-1]
        share = float(np.trapezoid(total.values[inside], total.grid[inside])) / n_modes
        std = None if counted.std is None else counted.std * share
        counted = replace(counted, values=counted.values * share, std=std, samples=None)
        return {name: counted, TOTAL: total, **parts}

    @cached_property
    def beyond(self) -> bool:
        """Whether there are vibrations past the grid of the calibrated density."""
        if self.phonons is None or not isinstance(self.outcome, Spectrum):
            return False
        return bool(self.phonons.grid(STEP)[-1] > self.outcome.grid[-1] + 2 * STEP)

    def answer(self) -> answers.PredictionAnswer:
        """As JSON."""
        outcome, kind = self.outcome, self.outcome.kind
        spectrum = outcome if isinstance(outcome, Spectrum) else None
        files: tuple[str, ...] = ("bands.csv",) if spectrum is None else ("density.csv",)
        if self.phonons is not None:
            files = PHONON_FILES
        elif self.electrons is not None:
            files = ELECTRON_FILES
        return answers.PredictionAnswer(
            model=self.predictor.name,
            quantity=outcome.quantity,
            title=kind.heading,
            axis=f"{kind.axis}, {kind.axis_unit.text}",
            unit=outcome.unit,
            normalisation="" if spectrum is None else spectrum.normalisation,
            scale="" if spectrum is None else kind.normalisations[spectrum.normalisation].label,
            familiarity=outcome.metadata.get("familiarity"),
            warnings=[*outcome.warnings, *self._more_warnings()],
            spectrum=None if spectrum is None else spectrum_answer(spectrum),
            bands=None if self.bands is None else bands_answer(self.bands),
            densities=[
                answers.DensityAnswer(name=name, **dict(spectrum_answer(spectrum)))
                for name, spectrum in self.densities.items()
            ],
            properties=[*crystal_properties(outcome), *self.properties()],
            thermal=self._thermal() if kind.thermal else None,
            downloads=[name for name in files if name not in ALONG_PATHS or self.bands is not None],
            csv=outcome.to_csv(),
        )

    def properties(self) -> list[answers.PropertyAnswer]:
        """Numbers that follow from the prediction and from its physics."""
        found = [*self.outcome_properties(), *self._of_phonons(), *self._of_electrons()]
        left_out = idle_properties(self.outcome)
        if self.beyond:  # as the curves of thermodynamics
            known, whole = Properties(self.predictor.info), self.densities[TOTAL]
            again = {name: known[name] for name in OF_ALL_MODES}
            found = [
                _property(again[item.name], again[item.name].of(whole))
                if item.name in again
                else item
                for item in found
            ]
        place = {name: n for n, name in enumerate(FIRST)}
        kept = [item for item in found if item.name not in left_out]
        return sorted(kept, key=lambda item: place.get(item.name, len(FIRST)))

    def outcome_properties(self) -> list[answers.PropertyAnswer]:
        """Those that follow from the spectrum or bands alone: cheap."""
        outcome, calibration = self.outcome, self.predictor.calibration
        known = Properties(self.predictor.info)
        names = [name for name in known.own if name != "familiarity"]  # which has its own field
        if outcome.kind.thermal:
            names += [f"{name}_{ROOM:g}K" for name in THERMAL]
        found = [
            _property(item, *item.with_half_width(outcome, calibration))
            for item in map(known.__getitem__, names)
        ]
        return [answer for answer in found if answer.value is not None]

    def _of_phonons(self) -> list[answers.PropertyAnswer]:
        if self.phonons is None:
            return []
        low, high = self.phonons.grid(STEP)[[0, -1]] + (STEP, -2 * STEP)
        found = [_number("highest_frequency", f"on a mesh, to {STEP:g} 1/cm", float(high))]
        if low < UNSTABLE_BELOW:
            what = f"imaginary frequencies are negative; on a mesh, to {STEP:g} 1/cm"
            found.append(_number("lowest_frequency", what, float(low)))
        return found

    def _of_electrons(self) -> list[answers.PropertyAnswer]:
        if self.electrons is None or self.bands is None:
            return []
        items = [PROPERTIES[name] for name in ELECTRON_BANDS.properties if name != "band_gap"]
        values = [(item, item.of(self.bands)) for item in items]
        found = [_property(item, value) for item, value in values if value is not None]
        masses = band_details(self.bands)
        for name in ("hole_masses", "electron_masses"):
            of = getattr(masses, name)
            if of:
                text = ", ".join(f"{way} {abs(mass):.2f}" for way, mass in of.items())
                found.append(
                    answers.PropertyAnswer(
                        name=name,
                        label=name.replace("_", " "),
                        description="effective masses at the band edge, along the path",
                        value=text,
                        unit="electron masses",
                    )
                )
        return found

    def _more_warnings(self) -> list[str]:
        # Looking for the softest mode of every member takes long: only where there is one.
        if self.phonons is None or self.phonons.grid(STEP)[0] + STEP >= UNSTABLE_BELOW:
            return []
        stability = self.phonons.stability
        if stability.is_stable:
            return []
        at = ", ".join(f"{x:.2f}".rstrip("0").rstrip(".") for x in stability.qpoint)
        return [
            f"imaginary frequencies, to {-stability.frequency:.0f}i 1/cm at q = ({at}): the "
            "crystal is unstable in this cell, or the model is wrong; whether soft modes are "
            "real is what it predicts worst"
        ]

    def _thermal(self) -> answers.ThermalCurves | None:
        """None for a density of states without any weight."""
        outcome = self.outcome
        assert isinstance(outcome, Spectrum)
        source = self.densities.get(TOTAL, outcome) if self.beyond else outcome
        try:
            curves = thermal_properties(source, TEMPERATURES)
        except DataError:
            return None
        calibration = None if self.beyond else self.predictor.calibration
        return answers.ThermalCurves(
            temperature_K=TEMPERATURES.tolist(),
            heat_capacity=curves.heat_capacity.tolist(),
            entropy=curves.entropy.tolist(),
            free_energy=curves.free_energy.tolist(),
            internal_energy=curves.internal_energy.tolist(),
            of_all_modes=self.beyond,
            heat_capacity_half_width_90=_widths("heat_capacity", outcome, calibration),
            entropy_half_width_90=_widths("entropy", outcome, calibration),
        )

    def mode(self, point: int, band: int) -> answers.ModeAnswer:
        """How the atoms move in a mode of the path.

        Raises:
            DataError: no phonons, or no such mode.
        """
        if self.phonons is None or self.bands is None:
            raise DataError(f"{self.predictor.name} knows no vibrations of single atoms")
        path = self.bands.kpoints
        if not (0 <= point < len(path) and 0 <= band < self.bands.n_bands):
            raise DataError(
                f"point {point}, band {band}; allowed: 0 to {len(path) - 1}, 0 to "
                f"{self.bands.n_bands - 1}"
            )
        qpoint = path.fractional[[point]]
        towards = gamma_directions(path)[[point]]
        vectors = self.phonons.eigenvectors(qpoint, towards)[0, band].reshape(-1, 3)
        crystal = self.phonons.crystal
        moved = vectors / np.sqrt(self.phonons.harmonic.masses.numpy())[:, None]
        moved = moved * np.exp(2j * np.pi * crystal.fractional_coordinates @ qpoint[0])[:, None]
        moved = moved / np.linalg.norm(moved, axis=1).max()
        return answers.ModeAnswer(
            frequency=float(self.bands.energies[point, band]),
            qpoint=qpoint[0].tolist(),
            label=self.bands.where(point),
            lattice=crystal.lattice.tolist(),
            fractional_coordinates=crystal.fractional_coordinates.tolist(),
            symbols=[SYMBOLS[z] for z in crystal.atomic_numbers],
            real=moved.real.tolist(),
            imaginary=moved.imag.tolist(),
        )


def _from_valence_band(bands: BandStructure) -> BandStructure:
    """Energies of an insulator from its VBM, as densities have them; others as they are."""
    if not bands.kind.fermi_level:
        return bands
    try:
        gap = bands.gap
    except DataError:
        gap = None
    if gap is None:
        return bands.aligned() if bands.fermi_level else bands
    level = (bands.fermi_level or 0.0) - gap.vbm
    return replace(bands, energies=bands.energies - gap.vbm, fermi_level=level)


def drawn(crystal: Crystal, outcome: Spectrum | BandStructure) -> answers.DrawnStructure:
    """The structure as it was given, and its symmetry."""
    meta = outcome.metadata
    assert outcome.crystal is not None
    elements = np.unique(crystal.atomic_numbers)
    return answers.DrawnStructure(
        name=outcome.name,
        formula=meta["formula"],
        crystal_system=meta["crystal_system"],
        space_group_symbol=meta["space_group_symbol"],
        space_group_number=meta["space_group_number"],
        n_atoms_primitive=outcome.crystal.n_atoms,
        lattice=crystal.lattice.tolist(),
        fractional_coordinates=crystal.fractional_coordinates.tolist(),
        symbols=[SYMBOLS[z] for z in crystal.atomic_numbers],
        colours={SYMBOLS[z]: _hex(jmol_colors[z]) for z in elements},
        radii={SYMBOLS[z]: float(covalent_radii[z]) for z in elements},
        polyhedra=polyhedra(crystal),
        cif=cif_of(crystal),
        cif_primitive=cif_of(outcome.crystal),
    )


def cif_of(crystal: Crystal) -> str:
    """The crystal as CIF text."""
    return crystal.to_structure().to(fmt="cif")


def _hex(colour: np.ndarray) -> str:
    return "#" + "".join(f"{round(255 * float(part)):02x}" for part in colour)


def spectrum_answer(spectrum: Spectrum) -> answers.SpectrumAnswer:
    """A density as JSON, with the 90 % interval where the error bars are calibrated."""
    with_bars = spectrum.std is not None and "interval_factors" in spectrum.metadata
    lower, upper = spectrum.interval(0.9) if with_bars else (None, None)
    return answers.SpectrumAnswer(
        grid=spectrum.grid.tolist(),
        values=spectrum.values.tolist(),
        lower_90=None if lower is None else lower.tolist(),
        upper_90=None if upper is None else upper.tolist(),
    )


def bands_answer(bands: BandStructure) -> answers.BandsAnswer:
    """Bands as JSON."""
    with_bars = bands.std is not None and "interval_factors" in bands.metadata
    lower, upper = bands.interval(0.9) if with_bars else (None, None)
    zero = bands.kind.zero
    if bands.kind.fermi_level and bands.fermi_level:
        zero = "valence band maximum"
    return answers.BandsAnswer(
        distances=bands.kpoints.distances.tolist(),
        labels=list(bands.kpoints.labels),
        kpoints=bands.kpoints.fractional.tolist(),
        energies=bands.energies.tolist(),
        zero=zero,
        lower_90=None if lower is None else lower.tolist(),
        upper_90=None if upper is None else upper.tolist(),
    )


def _widths(
    name: str, spectrum: Spectrum, calibration: Calibration | BandCalibration | None
) -> list[float] | None:
    found = [
        thermal_property(name, kelvin).half_width(spectrum, calibration)
        for kelvin in TEMPERATURES.tolist()
    ]
    return [half for half in found if half is not None] or None


def crystal_properties(outcome: Spectrum | BandStructure) -> list[answers.PropertyAnswer]:
    """What follows from the structure alone; `Property.of` asks for nothing that bands lack."""
    return [_property(item, item.of(outcome)) for item in CRYSTAL_PROPERTIES]


def _property(
    item: Property, value: Any, half_width: float | None = None
) -> answers.PropertyAnswer:
    return answers.PropertyAnswer(
        name=item.name,
        label=item.label,
        description=item.description,
        value=value,
        unit=item.unit,
        half_width_90=half_width,
    )


def _number(name: str, description: str, value: float) -> answers.PropertyAnswer:
    label = name.replace("_", " ")
    return answers.PropertyAnswer(
        name=name, label=label, description=description, value=value, unit="1/cm"
    )
