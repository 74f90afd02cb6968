"""Whether a crystal is dynamically stable."""

from __future__ import annotations

from dataclasses import dataclass

UNSTABLE_BELOW = -5.0
"""1/cm: a lower frequency makes a crystal unstable; DFPT is not more exact."""


@dataclass(frozen=True)
class Stability:
    """The softest mode found on a mesh and at the special points.

    Attributes:
        frequency: 1/cm, negative where imaginary; of modes other than the three acoustic ones at
            Gamma.
        qpoint: where, fractional, ``[3]``.
        is_stable: whether ``frequency`` lies above `UNSTABLE_BELOW`.
        share_of_members: of the members of an ensemble, those that find the crystal unstable.
    """

    frequency: float
    qpoint: tuple[float, float, float]
    is_stable: bool
    share_of_members: float
