"""A step of a jobflow or atomate2 workflow (extra ``jobflow``)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vanhove.errors import MissingExtraError
from vanhove.prediction.calculator import Calculator
from vanhove.results import Json

if TYPE_CHECKING:
    from jobflow import Job

    Maker: Any
else:
    try:
        from jobflow import Maker
    except ImportError:
        Maker = object


@dataclass
class PropertiesMaker(Maker):  # type: ignore[misc]
    """Makes jobs that predict properties of structures; a jobflow ``Maker``.

    Attributes:
        name: of the jobs.
        property: as of `vanhove.Calculator`, and so are the others.
        properties: names.
        model: a name or path.
    """

    name: str = "vanhove properties"
    property: str = "phonon-dos"
    properties: list[str] | None = None
    model: str | None = None

    def make(self, structure: Any) -> Job:
        """A job whose output is that of `calculate`.

        Args:
            structure: pymatgen ``Structure``, a path, a list of these, or the output of another job
                that is one.

        Raises:
            MissingExtraError: jobflow is not installed.
        """
        try:
            from jobflow import Job
        except ImportError as error:
            raise MissingExtraError("jobflow", "jobflow", "PropertiesMaker") from error
        settings = {
            "property": self.property,
            "properties": self.properties,
            "model": self.model,
        }
        return Job(calculate, (structure,), settings, name=self.name)


def calculate(
    structure: Any,
    property: str = "phonon-dos",
    properties: list[str] | None = None,
    model: str | None = None,
) -> Json | list[Json]:
    """What a job runs: the JSON of a `Calculation`, or a list of them.

    Args:
        structure: one, or a list.
        property, properties, model: as of `vanhove.Calculator`.
    """
    found = Calculator(property, properties, model).calculate(structure)
    return [one.to_json() for one in found] if isinstance(found, list) else found.to_json()
