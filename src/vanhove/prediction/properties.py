"""The properties of a model's predictions, by name: the same in every command and answer.

Records are in `vanhove.prediction.property`, where a further one is registered, definitions in
`vanhove.prediction.definitions`.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable

import numpy as np

from vanhove.errors import ConfigError
from vanhove.prediction.definitions import (
    CRYSTAL_PROPERTIES,
    ENSEMBLE_PROPERTIES,
    HALF_WIDTH,
    ROOM,
    THERMAL,
    WARNINGS,
    half_width_property,
    thermal_property,
)
from vanhove.prediction.electron_predictor import AnyInfo
from vanhove.prediction.property import PROPERTIES, Errors, Outcome, Property, Value
from vanhove.spectra.grids import MAT2SPEC_ELECTRON_GRID
from vanhove.spectra.quantities import ELECTRON_DOS, quantity

OLD_NAMES = {
    "mean_frequency_cm1": "mean_frequency",
    "heat_capacity_J_per_K_mol_atoms": "heat_capacity_300K",
    "entropy_J_per_K_mol_atoms": "entropy_300K",
    "band_gap_eV": "band_gap",
    "direct_gap_eV": "direct_gap",
    "gap": "band_gap",
    "gap_is_lower_bound": "band_gap_is_lower_bound",
}
"""Names of version 0.1, understood with a warning until 0.3."""
_NEEDS_THE_GAP_ON_THE_GRID = (
    "dos_at_zero_over_peak",
    "band_gap",
    "band_gap_is_lower_bound",
    "fermi_density",
    "sommerfeld",
)
_NEEDS_THE_ZERO = ("band_gap", "band_gap_is_lower_bound")
_NEEDS_THE_SCALE = ("valence_band_gap", "conduction_band_gap", "fermi_density", "sommerfeld")


def current_names(expression: str) -> str:
    """An expression, or one name, with names of version 0.1 replaced; each with a warning."""

    def replaced(found: re.Match[str]) -> str:
        old = found[0]
        warnings.warn(
            f"property {old!r} is now called {OLD_NAMES[old]!r}; the old name goes with version "
            "0.3",
            FutureWarning,
            stacklevel=4,
        )
        return OLD_NAMES[old]

    return re.sub(rf"\b({'|'.join(OLD_NAMES)})\b", replaced, expression)


class Properties:
    """The properties that can be computed with a model.

    Args:
        info: of the model.
    """

    def __init__(self, info: AnyInfo):
        self.kind = quantity(info.quantity)
        lost = _lost(info) if info.quantity == ELECTRON_DOS.name else ()
        own = [
            item
            for item in PROPERTIES.values()
            if info.quantity in item.of_quantities and item.name not in lost
        ]
        known = [*CRYSTAL_PROPERTIES, WARNINGS, *own]
        self._calibration = None if info.ensemble is None else info.ensemble.calibration
        if info.ensemble is not None:
            known += ENSEMBLE_PROPERTIES
        elif getattr(info, "has_familiarity", False):
            known.append(PROPERTIES["familiarity"])
        self._known = {item.name: item for item in known}

    def __getitem__(self, name: str) -> Property:
        """The property of that name; an old name is understood, with a warning.

        Raises:
            ConfigError: no such property for this model.
        """
        name = current_names(name)
        if name in self._known:
            return self._known[name]
        of = name.removesuffix(HALF_WIDTH)
        if of != name and (half := self._half_width(of)) is not None:
            return half
        thermal = re.fullmatch(r"(\w+?)_(\d{1,5}(?:\.\d+)?(?:e-\d+)?)K", name)
        if self.kind.thermal and thermal and thermal[1] in THERMAL:
            return thermal_property(thermal[1], float(thermal[2]))
        raise ConfigError(f"no property {name!r} with this model; allowed: {self.listed}")

    @property
    def own(self) -> tuple[str, ...]:
        """Those that follow from the spectrum, without a temperature in their name."""
        of_crystal = {item.name for item in (*CRYSTAL_PROPERTIES, WARNINGS)}
        return tuple(name for name in self._known if name not in of_crystal)

    @property
    def names(self) -> tuple[str, ...]:
        """All, thermal ones at the temperature that is meant where none is asked for."""
        thermal = [f"{name}_{ROOM:g}K" for name in THERMAL] if self.kind.thermal else []
        return (*self._known, *thermal)

    @property
    def listed(self) -> str:
        """All names, for messages."""
        names = list(self._known)
        if self.kind.thermal:
            names += [f"{name}_300K (any temperature)" for name in THERMAL]
        return ", ".join(names)

    @property
    def defaults(self) -> tuple[str, ...]:
        """What a table of many crystals has when nothing is asked for."""
        names = ["n_atoms", "crystal_system"]
        for name in self.derived():
            half = self._half_width(name)
            names += [name] if half is None else [name, half.name]
        names += ["familiarity"] if "familiarity" in self._known else []
        return (*names, WARNINGS.name)

    def _half_width(self, name: str) -> Property | None:
        """Half of the 90 % interval of a property, if this model knows it."""
        item = self[name]
        if item.half is None or self._calibration is None:
            return None
        return half_width_property(item, self._calibration)

    def derived(self, kelvin: float = ROOM) -> tuple[str, ...]:
        """What is derived from the spectrum when nothing is asked for.

        Args:
            kelvin: of thermal properties.
        """
        wanted = [name.replace("_300K", f"_{kelvin:g}K") for name in self.kind.properties]
        return tuple(name for name in wanted if name in self._known or name.endswith("K"))

    def choose(self, names: Iterable[str]) -> tuple[Property, ...]:
        """The formula and the properties of these names, each once.

        Raises:
            ConfigError: an unknown name.
        """
        found = [self[name] for name in dict.fromkeys(("formula", *names))]
        return tuple({item.name: item for item in found}.values())

    def values(
        self, outcome: Outcome, calibration: Errors = None, kelvin: float = ROOM
    ) -> dict[str, Value]:
        """What is derived by default, by name, with ``NAME_half_width_90`` where it is known.

        Args:
            outcome: of the model.
            calibration: of the model.
            kelvin: of thermal properties.
        """
        found: dict[str, Value] = {}
        for item in map(self.__getitem__, self.derived(kelvin)):
            value, half = item.with_half_width(outcome, calibration)
            if value is not None:
                found[item.name] = value
            if half is not None:
                found[f"{item.name}{HALF_WIDTH}"] = half
        return found


def _lost(info: AnyInfo) -> tuple[str, ...]:
    """Properties of an electron density that this grid or normalisation does not hold."""
    grid = np.asarray(info.grid)
    same = grid.shape == MAT2SPEC_ELECTRON_GRID.shape
    without_gap = same and np.allclose(grid, MAT2SPEC_ELECTRON_GRID)
    lost: tuple[str, ...] = _NEEDS_THE_GAP_ON_THE_GRID if without_gap else ()
    lost += _NEEDS_THE_SCALE if info.normalisation != ELECTRON_DOS.counted else ()
    # Shifted to a smallest value of 0, a metal too has energies without states.
    return lost + (_NEEDS_THE_ZERO if info.normalisation == "min-max" else ())
