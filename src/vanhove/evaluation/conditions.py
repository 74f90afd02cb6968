"""Under which conditions a trained run is measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from vanhove.crystal.crystal import Crystal
from vanhove.crystal.perturbation import perturbed, rearranged, stretched

WrongStructure = Literal["rearranged", "stretched"]
STRETCH = 1.1


@dataclass(frozen=True)
class Conditions:
    """What differs from the test split as it is; by default nothing.

    Attributes:
        displacement: angstrom, structures moved at random this far (`perturbed`).
        structures: ``"rearranged"``: each crystal's atoms on the sites of another crystal of the
            data, at their own volume (`rearranged`); ``"stretched"``: all lengths times `STRETCH`.
        grid_points: the spectra interpolated to so many points, and the model asked for those.
    """

    displacement: float | None = None
    structures: WrongStructure | None = None
    grid_points: int | None = None

    def __str__(self) -> str:
        parts = (
            self.displacement is not None and f"moved by {self.displacement:g}",
            self.structures,
            self.grid_points and f"on {self.grid_points} points",
        )
        return ", ".join(str(part) for part in parts if part)

    @property
    def changes_structures(self) -> bool:
        return self.displacement is not None or self.structures is not None

    def applied(self, crystal: Crystal, others: Sequence[Crystal]) -> Crystal:
        """The structure that the model is given; ``others`` are all of the data set."""
        if self.structures == "rearranged":
            crystal = rearranged(crystal, others)
        elif self.structures == "stretched":
            crystal = stretched(crystal, STRETCH)
        return crystal if self.displacement is None else perturbed(crystal, self.displacement)


AS_THEY_ARE = Conditions()
