"""Error bars: how wrong a prediction is likely to be, learned on validation data.

Split conformal prediction with a normalised score (Lei et al., J. Am. Stat. Assoc. 113, 1094
(2018); Angelopoulos & Bates, arXiv 2107.07511): a scale of the error is fitted first, then the
quantiles of ``|error| / scale`` on the validation data give the intervals. For a material like the
validation ones, a point lies in its interval with the stated probability, on average over points
and materials; not for each material by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, field_validator

from vanhove.errors import ConfigError
from vanhove.spectra import quantities
from vanhove.spectra.phonon_errors import TEMPERATURES
from vanhove.spectra.thermodynamics import entropy, heat_capacity, mean_frequency

LEVELS = (0.5, 0.68, 0.8, 0.9, 0.95)
_NEARBY = 5  # points
SMALLEST = 1e-6

CALIBRATED: dict[str, Callable[[np.ndarray, np.ndarray, float], np.ndarray]] = {
    "mean_frequency": lambda grid, values, temperature: mean_frequency(grid, values),
    "heat_capacity": heat_capacity,
    "entropy": entropy,
}
"""Properties with error bars, of a grid, spectra ``[..., n_points]`` and a temperature (K):
``[...]``."""


class PropertyCalibration(BaseModel):
    """Of one derived property: ``std = floor + slope * (standard deviation over the members)``.

    Each list has one value per temperature of `TEMPERATURES`.
    """

    model_config = ConfigDict(extra="forbid")

    floor: list[float]
    slope: list[float]
    factors: dict[str, list[float]]


class Calibration(BaseModel):
    """How to turn the predictions of the members into error bars.

    Attributes:
        weights: of the terms of `error_terms`, their sum is the standard deviation of a point.
        factors: level, such as ``"0.9"``, to half the width of its interval in standard deviations.
        properties: by name, of derived properties.
        n_materials: that it was fitted on.
    """

    model_config = ConfigDict(extra="forbid")

    weights: list[float]
    factors: dict[str, float]
    properties: dict[str, PropertyCalibration] = {}
    n_materials: int

    @field_validator("properties", mode="before")
    @classmethod
    def _current_names(cls, value: Any) -> Any:
        """Version 0.1 had units in the names."""
        if not isinstance(value, dict):
            return value
        return {name.split("_cm1")[0].split("_J_per")[0]: of for name, of in value.items()}

    def std(self, members: np.ndarray) -> np.ndarray:
        """Error bars, one standard deviation, ``[..., n_points]``, of ``[n, ..., n_points]``."""
        return np.maximum(error_terms(members) @ np.asarray(self.weights), SMALLEST)

    def interval(
        self, mean: np.ndarray, std: np.ndarray, level: float = 0.9
    ) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper ends; a density of states is not negative.

        Raises:
            ConfigError: a level that was not calibrated.
        """
        half = factor_at(self.factors, level) * std
        return np.maximum(mean - half, 0), mean + half

    def property_std(
        self, name: str, members: np.ndarray, temperature: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Standard deviation and half of the 90 % interval of a property.

        Args:
            name: a key of `properties`.
            members: the property from each member's spectrum, ``[n_members, ...]``.
            temperature: K; outside `TEMPERATURES` the nearest counts.
        """
        calibration = self.properties[name]

        def at(values: list[float]) -> float:
            return float(np.interp(temperature, TEMPERATURES, values))

        std = at(calibration.floor) + at(calibration.slope) * np.std(members, axis=0)
        return std, at(calibration.factors["0.9"]) * std


def error_terms(members: np.ndarray) -> np.ndarray:
    """What tells how wrong a point may be, ``[..., n_points, 5]``, none negative.

    A constant, the spread of the members, the height of the prediction, its slope (a peak that is
    out of place is wrong on its flanks) and the highest value nearby.

    Args:
        members: predictions ``[n_members, ..., n_points]``; one member has no spread.
    """
    mean = members.mean(axis=0)
    return np.stack(
        [
            np.ones_like(mean),
            members.std(axis=0),
            mean,
            np.abs(np.gradient(mean, axis=-1)),
            _highest_nearby(mean),
        ],
        axis=-1,
    )


def fit_calibration(
    members: np.ndarray, target: np.ndarray, grid: np.ndarray, quantity: str
) -> Calibration:
    """Fit on validation data, which none of the members was trained on.

    Args:
        members: predictions ``[n_members, n_materials, n_points]``.
        target: ``[n_materials, n_points]``.
        grid: ``[n_points]``.
        quantity: its name; thermal properties are calibrated where they follow from it.
    """
    members = np.asarray(members, dtype=np.float64)
    error = np.abs(members.mean(axis=0) - target)
    terms = error_terms(members)
    weights = fit_weights(terms.reshape(-1, terms.shape[-1]), error.ravel())
    std = np.maximum(terms @ weights, SMALLEST)
    properties = (
        _fit_properties(members, target, grid) if quantities.quantity(quantity).thermal else {}
    )
    return Calibration(
        weights=weights.tolist(),
        factors={f"{level:g}": conformal_quantile(error / std, level) for level in LEVELS},
        properties=properties,
        n_materials=len(target),
    )


def _highest_nearby(values: np.ndarray) -> np.ndarray:
    """The largest of `_NEARBY` points around each, ``[..., n_points]``."""
    side = _NEARBY // 2
    padded = np.pad(values, [(0, 0)] * (values.ndim - 1) + [(side, side)], mode="edge")
    return np.lib.stride_tricks.sliding_window_view(padded, _NEARBY, axis=-1).max(axis=-1)


def fit_weights(
    terms: np.ndarray, error: np.ndarray, shares: np.ndarray | None = None
) -> np.ndarray:
    """Weights ``[n_terms]`` of a scale of the error, none negative.

    Its shape is the best fit to the absolute errors, its size makes it a standard deviation.

    Args:
        terms: ``[n, n_terms]``.
        error: absolute, ``[n]``.
        shares: how much each point counts, ``[n]``; all alike by default.
    """
    shares = np.ones(len(error)) if shares is None else shares
    root = np.sqrt(shares)
    from scipy.optimize import nnls

    weights, _ = nnls(terms * root[:, None], error * root)
    scale = np.maximum(terms @ weights, SMALLEST)
    return weights * np.sqrt((shares @ error**2) / (shares @ scale**2))


def factor_at(factors: dict[str, float], level: float) -> float:
    """Half the width of an interval, in standard deviations.

    Raises:
        ConfigError: a level that was not calibrated.
    """
    if f"{level:g}" not in factors:
        raise ConfigError(f"level {level:g}; calibrated: {', '.join(factors)}")
    return factors[f"{level:g}"]


def conformal_quantile(scores: np.ndarray, level: float) -> float:
    """The ``ceil((n + 1) level)``-th smallest of ``n`` scores (Lei et al., eq. 2)."""
    ordered = np.sort(scores, axis=None)
    place = min(int(np.ceil((len(ordered) + 1) * level)), len(ordered)) - 1
    return float(ordered[place])


def _fit_properties(
    members: np.ndarray, target: np.ndarray, grid: np.ndarray
) -> dict[str, PropertyCalibration]:
    kept = (members.max(axis=-1) > 0).all(axis=0) & (target.max(axis=-1) > 0)
    members, target = members[:, kept], target[kept]
    mean = members.mean(axis=0)

    from scipy.optimize import nnls

    def fit(name: str) -> PropertyCalibration:
        of, floors, slopes = CALIBRATED[name], [], []
        factors: dict[str, list[float]] = {f"{level:g}": [] for level in LEVELS}
        for kelvin in TEMPERATURES:
            own = np.abs(of(grid, mean, kelvin) - of(grid, target, kelvin))
            by = of(grid, members, kelvin).std(axis=0)
            (floor, slope), _ = nnls(np.stack([np.ones_like(by), by], axis=-1), own)
            std = np.maximum(floor + slope * by, SMALLEST)
            scale = np.sqrt((own**2).mean() / (std**2).mean())
            floors.append(float(floor * scale))
            slopes.append(float(slope * scale))
            for level in LEVELS:
                factors[f"{level:g}"].append(conformal_quantile(own / (scale * std), level))
        return PropertyCalibration(floor=floors, slope=slopes, factors=factors)

    return {name: fit(name) for name in CALIBRATED}
