"""How wrong predicted phonons are likely to be, and how likely a crystal is unstable.

Scales of the error and their quantiles are learned on validation data (split conformal prediction,
see `vanhove.models.calibration`), the odds of an instability by logistic regression.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict

from vanhove.errors import ConfigError
from vanhove.spectra.thermodynamics import GAS_CONSTANT, KELVIN_PER_CM1

TEMPERATURES = (50.0, 100.0, 200.0, 300.0, 500.0, 1000.0)
"""K: where errors of thermal properties are calibrated; interpolated between."""
COARSE = (2, 2, 2)
"""The mesh on which members are compared: Gamma and the seven corners and sides of its cell."""
HIGH = 1000.0
_SOFT, _SOFTEST = 30.0, 15.0  # 1/cm
THERMAL = ("heat_capacity", "entropy", "free_energy")


class ErrorScale(BaseModel):
    """``std = terms . weights``, and half widths of intervals in units of it.

    Attributes:
        weights: of the terms, ``[n_terms]``.
        factors: by kind of crystal (see `kind_of`; ``"all"`` for those not told apart), level such
            as ``"0.9"`` to half the width.
    """

    model_config = ConfigDict(extra="forbid")

    weights: list[float]
    factors: dict[str, dict[str, float]]

    def std(self, terms: np.ndarray) -> np.ndarray:
        """``[...]`` of terms ``[..., n_terms]``."""
        return np.maximum(terms @ np.asarray(self.weights), 1e-6)

    def levels(self, kind: str) -> dict[str, float]:
        """Level to half width, of crystals of a kind."""
        return self.factors.get(kind, self.factors["all"])

    def half_width(self, terms: np.ndarray, kind: str, level: float = 0.9) -> np.ndarray:
        """Raises `ConfigError` for a level that was not calibrated."""
        found = self.levels(kind)
        if f"{level:g}" not in found:
            raise ConfigError(f"level {level:g}; calibrated: {', '.join(found)}")
        return found[f"{level:g}"] * self.std(terms)


class StabilityOdds(BaseModel):
    """Logistic regression of instability on `PhononFeatures.odds`.

    Attributes:
        mean, scale: of the features, ``[n]``.
        weights: of these, ``[n]``.
        bias: of the sum.
        threshold: the probability from which a crystal is called unstable: chosen for the mean of
            sensitivity and specificity.
    """

    model_config = ConfigDict(extra="forbid")

    mean: list[float]
    scale: list[float]
    weights: list[float]
    bias: float
    threshold: float

    def probability(self, features: PhononFeatures, softest: float) -> float:
        """That DFPT finds imaginary modes."""
        scaled = (features.odds(softest) - np.array(self.mean)) / np.array(self.scale)
        return float(1 / (1 + np.exp(-(scaled @ np.array(self.weights) + self.bias))))


class PhononCalibration(BaseModel):
    """Error bars of frequencies, highest frequency and thermal properties, and of stability.

    Attributes:
        frequency: 1/cm, of `frequency_terms`.
        highest: 1/cm, of the highest frequency.
        thermal: by name of `THERMAL`, one scale for each of `TEMPERATURES`.
        stability: odds of an instability.
        n_materials: that it was fitted on.
        mean_frequency: 1/cm, of the mean frequency.
        density: of `vanhove.spectra.whole_density.density_terms`.
    """

    model_config = ConfigDict(extra="forbid")

    frequency: ErrorScale
    highest: ErrorScale
    thermal: dict[str, list[ErrorScale]]
    stability: StabilityOdds
    n_materials: int
    mean_frequency: ErrorScale | None = None
    density: ErrorScale | None = None

    def half_widths(self, features: PhononFeatures) -> dict[str, np.ndarray]:
        """Of the 90 % intervals of `THERMAL` at `TEMPERATURES`, and ``mean_frequency``, ``[1]``."""
        kind = features.kind
        found = {}
        for name, scales in self.thermal.items():
            each = zip(scales, features.thermal_terms(name, np.array(TEMPERATURES)), strict=True)
            found[name] = np.array([scale.half_width(terms, kind) for scale, terms in each])
        if self.mean_frequency is not None:
            half = self.mean_frequency.half_width(features.mean_terms, kind)
            found["mean_frequency"] = np.array([half])
        return found


@dataclass(frozen=True)
class PhononFeatures:
    """What a model's phonons say of their own errors.

    Attributes:
        atomic_numbers: ``[n_atoms]``.
        members: frequencies of each member on the mesh `COARSE`, ``[n_members, n_q, 3 n_atoms]``.
        weight: of its points, ``[n_q]``.
    """

    atomic_numbers: np.ndarray
    members: np.ndarray
    weight: np.ndarray

    @property
    def spread(self) -> float:
        """Of the members' frequencies: mean of their standard deviations, 1/cm."""
        return float(self.weight @ self.members.std(axis=0).mean(axis=1))

    @property
    def highest(self) -> np.ndarray:
        """1/cm, of each member."""
        return self.members.max(axis=(1, 2))

    @property
    def kind(self) -> str:
        """``"hydrogen"``, ``"high"`` (above 1000 1/cm) or ``"other"``."""
        if 1 in self.atomic_numbers:
            return "hydrogen"
        return "high" if self.highest.mean() > HIGH else "other"

    def odds(self, softest: float) -> np.ndarray:
        """What `StabilityOdds` looks at, ``[8]``.

        Args:
            softest: frequency on the default mesh, 1/cm.
        """
        lowest = np.sort(self.members, axis=2)[:, 1:].min(axis=(1, 2))
        at_gamma = np.sort(np.abs(self.members[:, 0]), axis=1)
        optical = at_gamma[:, 3] if at_gamma.shape[1] > 3 else at_gamma[:, -1]
        mean = np.maximum(self.members, 0).mean()
        soft = np.arcsinh(lowest / _SOFT)
        return np.array(
            [
                np.arcsinh(softest / _SOFT),
                min(softest, 0.0) / _SOFT,
                soft.mean(),
                soft.min(),
                soft.std(),
                np.arcsinh(optical.mean() / _SOFT),
                np.log(mean),
                np.log(self.spread / mean + 1e-3),
            ]
        )

    def frequency_terms(self, frequencies: np.ndarray) -> np.ndarray:
        """Terms of the scale of the error of frequencies ``[...]``: ``[..., 4]``."""
        one = np.ones_like(frequencies)
        soft = 1 / (1 + (frequencies / 60.0) ** 2)
        height = np.maximum(frequencies, 0) / 100
        return np.stack([one, self.spread * one, height, soft], axis=-1)

    @property
    def highest_terms(self) -> np.ndarray:
        """``[3]``."""
        return np.array([1.0, self.highest.std(), self.highest.mean() / 100])

    @property
    def mean_terms(self) -> np.ndarray:
        """Terms of the scale of the error of the mean frequency, ``[3]``."""
        means = np.maximum(self.members, 0).mean(axis=2) @ self.weight
        return np.array([1.0, means.std(), means.mean() / 100])

    def thermal_terms(self, name: str, temperature: float | np.ndarray) -> np.ndarray:
        """Terms of the scale of the error of a thermal property: 1, spread of members.

        Args:
            name: of `THERMAL`.
            temperature: K, ``[...]``.

        Returns:
            ``[..., 2]``.
        """
        kelvin = np.asarray(temperature, dtype=np.float64)[..., None, None, None]
        x = np.maximum(self.members, _SOFTEST) * KELVIN_PER_CM1 / kelvin
        x = np.minimum(x, 300.0)
        if name == "heat_capacity":
            own = 3 * GAS_CONSTANT * (x / 2 / np.sinh(x / 2)) ** 2
        elif name == "entropy":
            own = 3 * GAS_CONSTANT * (x / np.expm1(x) - np.log(-np.expm1(-x)))
        else:
            own = 3 * GAS_CONSTANT * kelvin / 1000 * (x / 2 + np.log(-np.expm1(-x)))
        spread = np.std(own.mean(axis=-1) @ self.weight, axis=-1)
        return np.stack([np.ones_like(spread), spread], axis=-1)
