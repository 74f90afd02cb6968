"""Error bars of energies, densities and gaps: how much networks differ, scaled on validation data.

    half width = factor * (spread + floor)

The spread is the standard deviation over the networks of the model; factor and floor are those with
which the interval of a level holds that share of the validation errors (split conformal prediction:
Lei et al., J. Am. Stat. Assoc. 113, 1094 (2018), with normalised residuals).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vanhove.errors import ConfigError


@dataclass(frozen=True)
class HalfWidths:
    """Of one kind of number, eV.

    Attributes:
        floor: added to the spread.
        factors: by level, as text (``"0.9"``).
        n: materials of the validation data.
    """

    floor: float
    factors: dict[str, float]
    n: int

    def of(self, spread: np.ndarray | float, level: float = 0.9) -> np.ndarray:
        """Half widths for spreads, eV.

        Raises:
            ConfigError: a level that was not calibrated.
        """
        key = f"{level:g}"
        if key not in self.factors:
            raise ConfigError(f"level {level:g}; calibrated: {', '.join(self.factors)}")
        return self.factors[key] * (np.asarray(spread) + self.floor)


def calibrate(
    errors: list[np.ndarray], spreads: list[np.ndarray], levels: tuple[float, ...] = (0.5, 0.9)
) -> HalfWidths:
    """From the errors of validation materials; each counts the same, however many numbers it has.

    Args:
        errors, spreads: of each material, eV, arrays of one shape.
        levels: of the intervals.
    """
    floor = float(np.median(np.concatenate([np.ravel(s) for s in spreads])))
    ratios = [
        np.abs(np.ravel(e)) / (np.ravel(s) + floor) for e, s in zip(errors, spreads, strict=True)
    ]
    values = np.concatenate(ratios)
    weights = np.concatenate([np.full(len(r), 1 / len(r)) for r in ratios])
    order = values.argsort()
    # The share of all materials but one more, so that a new one is as likely to be inside.
    running = weights[order].cumsum() / (len(ratios) + 1)
    factors = {}
    for level in levels:
        at = min(int(np.searchsorted(running, level)), len(values) - 1)
        factors[f"{level:g}"] = float(values[order][at])
    return HalfWidths(floor, factors, len(ratios))
