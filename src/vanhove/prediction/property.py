"""`Property`: a named number, text or flag that follows from a prediction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from vanhove.errors import ConfigError, DataError
from vanhove.models.band_calibration import BandCalibration
from vanhove.models.calibration import Calibration
from vanhove.spectra.bands import BandStructure
from vanhove.spectra.spectrum import Spectrum

Outcome: TypeAlias = Spectrum | BandStructure
Errors: TypeAlias = Calibration | BandCalibration | None
Value: TypeAlias = float | int | bool | str | list[str] | None
ValueKind: TypeAlias = Literal["number", "text", "set", "flag"]


@dataclass(frozen=True)
class Property:
    """A named property of a crystal, of its spectrum or of its bands.

    Attributes:
        name: in tables, expressions, JSON and on the command line.
        kind: of its values.
        unit: of its values, or ``""``.
        description: one line.
        compute: from the prediction; None or `DataError`: this crystal has none.
        choices: the only values of a text.
        integer: a number that is always whole.
        of_quantities: that have it, by name; all by default.
        title: in the table of a single structure; the name in words by default.
        digits: after the decimal point in that table.
        half: half the width of the 90 % interval, from the prediction and the model's
            calibration; None where it is not known.
    """

    name: str
    kind: ValueKind
    unit: str
    description: str
    compute: Callable[[Any], Any]
    choices: tuple[str, ...] | None = None
    integer: bool = False
    of_quantities: tuple[str, ...] = ()
    title: str = ""
    digits: int = 2
    half: Callable[[Any, Errors], float | None] | None = None

    @property
    def label(self) -> str:
        """What tables call it, in words."""
        return self.title or self.name.replace("_", " ")

    def of(self, outcome: Outcome) -> Value:
        """Its value, a plain Python one; None where the prediction has none."""
        try:
            value = self.compute(outcome)
        except DataError:
            return None
        if self.kind != "number" or value is None:
            return value
        return int(value) if self.integer else float(value)

    def half_width(self, outcome: Outcome, calibration: Errors) -> float | None:
        """Half of its 90 % interval; None without error bars, or where there is no value.

        A prediction that brings it in its metadata (``NAME_half_width_90``) needs no calibration.
        """
        return self.with_half_width(outcome, calibration)[1]

    def with_half_width(self, outcome: Outcome, calibration: Errors) -> tuple[Value, float | None]:
        """`of` and `half_width`, computed once."""
        value = self.of(outcome)
        own = outcome.metadata.get(f"{self.name}_half_width_90")
        if own is not None:
            return value, float(own)
        if self.half is None or calibration is None or value is None:
            return value, None
        return value, self.half(outcome, calibration)

    def shown(self, outcome: Outcome, calibration: Errors = None) -> str:
        """Value, half width and unit in words: ``7.25 ± 0.11 J/(K mol of atoms)``."""
        value, half = self.with_half_width(outcome, calibration)
        if isinstance(value, bool):
            return "yes" if value else "no"
        if value is None or isinstance(value, str | list):
            return "none" if value is None else str(value)
        bar = "" if half is None else f" ± {half:.{self.digits}f}"
        return f"{value:.{self.digits}f}{bar} {self.unit}".rstrip()


PROPERTIES: dict[str, Property] = {}
"""All that are known, by name; thermal ones without their temperature are in `THERMAL`."""


def register_property(item: Property) -> Property:
    """Make a property known to prediction, screening, server and page.

    Raises:
        ConfigError: another one has that name.
    """
    if PROPERTIES.setdefault(item.name, item) is not item:
        raise ConfigError(f"another property is called {item.name!r}: choose another name")
    return item
