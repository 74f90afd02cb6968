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
        is_stable: whether the probability is above the threshold of the model, which was chosen for
            the mean of sensitivity and specificity; without one, whether ``frequency`` lies above
            `UNSTABLE_BELOW`.
        probability: that DFPT finds no imaginary modes; None of models that do not know it.
    """

    frequency: float
    qpoint: tuple[float, float, float]
    is_stable: bool
    probability: float | None
