"""`Calculator`: the properties of structures, by the names and units that all commands have."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from os import PathLike
from typing import overload

from vanhove.models.inference import Precision
from vanhove.prediction.loading import load_for
from vanhove.prediction.properties import Properties
from vanhove.prediction.property import Outcome, Value
from vanhove.prediction.structures import StructureLike, Structures, listed
from vanhove.results import Result


@dataclass(frozen=True)
class PropertyValue(Result):
    """One property of one structure.

    Attributes:
        value: None where the structure has none.
        unit: or ``""``.
        half_width_90: half the width of the 90 % interval, where it is known.
    """

    value: Value
    unit: str
    half_width_90: float | None = None


@dataclass(frozen=True)
class Calculation(Result):
    """The properties of one structure; ``calculation["mean_frequency"].value`` is one of them.

    Attributes:
        name: of the structure, or its formula.
        formula: reduced.
        model: name of the model.
        properties: by name.
        warnings: reasons not to trust the prediction, in words.
    """

    name: str
    formula: str
    model: str
    properties: dict[str, PropertyValue]
    warnings: list[str]

    def __getitem__(self, name: str) -> PropertyValue:
        return self.properties[name]

    @property
    def values(self) -> dict[str, Value]:
        """The values alone, by name."""
        return {name: item.value for name, item in self.properties.items()}


class Calculator:
    """Structures in, properties out, with a model that is loaded once.

    Args:
        property: what they follow from, as of `vanhove.predict`: ``"phonon-dos"``,
            ``"electron-dos"`` or ``"bands"``.
        properties: their names, ``implemented_properties`` or, of phonons, thermal ones at any
            temperature, ``"heat_capacity_500K"``; by default those that ``vanhove predict`` shows.
        model: as `vanhove.load`; the shipped weights for ``property`` by default.
        precision: as `vanhove.load`.

    Raises:
        ConfigError: an unknown name, or one that this model does not give.
        CheckpointError: no such weights.
    """

    def __init__(
        self,
        property: str = "phonon-dos",
        properties: Iterable[str] | None = None,
        model: str | PathLike[str] | None = None,
        precision: Precision = "auto",
    ):
        self.predictor = load_for(property, model, precision=precision)
        self._known = Properties(self.predictor.info)
        self.implemented_properties = self._known.names
        wanted = self._known.derived() if properties is None else properties
        self._items = [self._known[name] for name in dict.fromkeys(wanted)]

    def __repr__(self) -> str:
        names = ", ".join(item.name for item in self._items)
        return f"Calculator({self.predictor.name!r}: {names})"

    @overload
    def calculate(self, structures: StructureLike) -> Calculation: ...  # type: ignore[overload-overlap]
    @overload
    def calculate(self, structures: Iterable[StructureLike]) -> list[Calculation]: ...
    def calculate(self, structures: Structures) -> Calculation | list[Calculation]:
        """The properties of one structure, or of several, which are predicted together.

        Args:
            structures: as of `Predictor.predict`.

        Raises:
            StructureError: the first structure that cannot be used.
        """
        items, is_many = listed(structures)
        found = [self._of(outcome) for outcome in self.predictor.predict(list(items))]
        return found if is_many else found[0]

    def get_property(self, name: str, atoms: StructureLike) -> Value:
        """One property of one structure, under the name of ASE's method; without half widths.

        Args:
            name: any that the model gives, whatever ``properties`` are.
            atoms: ASE ``Atoms`` or any other structure.

        Raises:
            ConfigError: no such property of this model.
            StructureError: a structure that cannot be used.
        """
        item = self._known[name]
        return item.of(self.predictor.predict([atoms])[0])

    def _of(self, outcome: Outcome) -> Calculation:
        properties = {}
        for item in self._items:
            value, half = item.with_half_width(outcome, self.predictor.calibration)
            properties[item.name] = PropertyValue(value, item.unit, half)
        return Calculation(
            name=outcome.name,
            formula=outcome.metadata["formula"],
            model=self.predictor.name,
            properties=properties,
            warnings=list(outcome.warnings),
        )
