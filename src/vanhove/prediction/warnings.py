"""What a prediction must say, in words, of when not to trust it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from vanhove.crystal.crystal import Crystal
from vanhove.crystal.domain import Domain
from vanhove.crystal.symmetry import StandardizedCrystal
from vanhove.spectra.spectrum import Spectrum

UNFAMILIAR = 0.05
"""Familiarity below which the error bars, too, are not to be trusted."""
OF_THE_GRID = "density at the last point of the grid"
"""Begins a warning that whole phonons do not need."""
_AT_THE_END = 0.02
"""Of the maximum: a density as high as this at the last point goes on beyond the grid."""


def structure_warnings(
    crystal: Crystal,
    standard: StandardizedCrystal,
    tolerance: float,
    domain: Domain | None,
) -> list[str]:
    """Of how a structure was read, and of what in it is unlike the training data.

    Args:
        crystal: as given.
        standard: with the symmetry that was found.
        tolerance: angstrom, of the model.
        domain: what the model was trained on, if that is known.
    """
    found = list(crystal.notes)
    if standard.tolerance > tolerance:
        found.append(
            f"symmetry {standard.space_group_symbol} within {standard.tolerance:g} angstrom only "
            f"(not {tolerance:g}): taken for noise on the positions"
        )
    return found if domain is None else found + domain.outside(standard.primitive)


def with_warnings(outcome: Any) -> Any:
    """The spectrum or bands, with what the prediction itself gives reason to say."""
    found = list(outcome.warnings)
    familiarity = outcome.metadata.get("familiarity")
    if familiarity is not None and familiarity < UNFAMILIAR:
        found.append(f"familiarity {familiarity:.2f}: like nothing the model was trained on")
    if isinstance(outcome, Spectrum) and not outcome.kind.fermi_level:
        top = outcome.values.max()
        if top > 0 and outcome.values[-1] > _AT_THE_END * top:
            found.append(
                f"{OF_THE_GRID}, {outcome.grid[-1]:g} "
                f"{outcome.kind.axis_unit.text}: what lies beyond is not known"
            )
    if found == list(outcome.warnings):
        return outcome
    return replace(outcome, metadata=outcome.metadata | {"warnings": found})
