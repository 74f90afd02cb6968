"""Error bars of bands: how wrong an energy is likely to be, learned on validation data.

As `vanhove.models.calibration`, with two differences. The energies of a material lie close to each
other and are wrong together, so materials are what is drawn at random: each counts once, however
many bands it has, and the quantile leaves room for one more material (hierarchical conformal
prediction: Lee, Barber & Willett, arXiv 2306.06342). And the terms are those of energies.
"""

from __future__ import annotations

import numpy as np
from pydantic import BaseModel, ConfigDict

from vanhove.models.calibration import (
    LEVELS,
    SMALLEST,
    conformal_quantile,
    factor_at,
    fit_weights,
)
from vanhove.spectra import quantities
from vanhove.spectra.band_metrics import fermi_gaps

FEWEST_GAPS = 10
"""Crystals without which no error bar of the gap is given."""


class BandCalibration(BaseModel):
    """How to turn the bands of the members into error bars.

    Attributes:
        weights: of the terms of `band_error_terms`; their sum is the standard deviation of an
            energy.
        factors: level, such as ``"0.9"``, to half the width of its interval in standard deviations.
        gap_half_widths: level to half the width of the interval of a predicted gap, eV; None for
            phonons, and with fewer than `FEWEST_GAPS` gaps to learn from.
        n_gaps: materials that were predicted to have a gap.
        n_materials: that it was fitted on.
    """

    model_config = ConfigDict(extra="forbid")

    weights: list[float]
    factors: dict[str, float]
    gap_half_widths: dict[str, float] | None = None
    n_gaps: int
    n_materials: int

    def std(self, members: np.ndarray) -> np.ndarray:
        """Error bars, one standard deviation, ``[..., n_kpoints, n_bands]``.

        Args:
            members: energies from the Fermi level, ``[n_members, ..., n_kpoints, n_bands]``.
        """
        return np.maximum(band_error_terms(members) @ np.asarray(self.weights), SMALLEST)

    def interval(
        self, mean: np.ndarray, std: np.ndarray, level: float = 0.9
    ) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper ends.

        Raises:
            ConfigError: a level that was not calibrated.
        """
        half = factor_at(self.factors, level) * std
        return mean - half, mean + half


def band_error_terms(members: np.ndarray) -> np.ndarray:
    """What tells how wrong an energy may be, ``[..., n_kpoints, n_bands, 3]``, none negative.

    A constant, the spread of the members and the distance of the band's centre from the Fermi
    level (phonons: from 0). Neither the width of the band nor its place in the order, the spread of
    all bands or the familiarity added anything in a cross-validation within the validation split.

    Args:
        members: as for `BandCalibration.std`; one member has no spread.
    """
    mean = members.mean(axis=0)
    centres = np.abs(mean.mean(axis=-2, keepdims=True))
    return np.stack(
        [np.ones_like(mean), members.std(axis=0), np.broadcast_to(centres, mean.shape)], axis=-1
    )


def fit_band_calibration(members: np.ndarray, target: np.ndarray, quantity: str) -> BandCalibration:
    """Fit on validation data, which none of the members was trained on.

    Args:
        members: energies ``[n_members, n_materials, n_kpoints, n_bands]``.
        target: ``[n_materials, n_kpoints, n_bands]``; bands that are NaN do not count.
        quantity: its name; a gap is calibrated where there is a Fermi level.
    """
    members = np.asarray(members, dtype=np.float64)
    mean = members.mean(axis=0)
    there = np.isfinite(target)
    shares = material_shares(there)[there]
    error = np.abs(mean - target)[there]
    terms = band_error_terms(members)[there]
    weights = fit_weights(terms, error, shares)
    scores = error / np.maximum(terms @ weights, SMALLEST)
    gap_errors = np.zeros(0)
    if quantities.quantity(quantity).fermi_level:
        gap_errors = gap_error(mean, target)
    return BandCalibration(
        weights=weights.tolist(),
        factors={
            f"{level:g}": material_quantile(scores, shares, len(target), level) for level in LEVELS
        },
        gap_half_widths=_gap_half_widths(gap_errors),
        n_gaps=len(gap_errors),
        n_materials=len(target),
    )


def _gap_half_widths(errors: np.ndarray) -> dict[str, float] | None:
    """By level; without the levels for which there are too few errors."""
    if len(errors) < FEWEST_GAPS:
        return None
    known = [level for level in LEVELS if (len(errors) + 1) * level <= len(errors)]
    return {f"{level:g}": conformal_quantile(errors, level) for level in known}


def material_shares(there: np.ndarray) -> np.ndarray:
    """How much each energy counts if each material does once, ``[n_materials, ...]``.

    The points of a path are evenly spaced, so those of a material count alike.

    Args:
        there: whether the energy is known, of the same shape.
    """
    n_known = there.sum(axis=tuple(range(1, there.ndim)), keepdims=True)
    return there / np.maximum(n_known, 1)


def material_quantile(
    scores: np.ndarray, shares: np.ndarray, n_materials: int, level: float
) -> float:
    """The score below which ``level`` of one more material's energies lie, on average.

    Args:
        scores, shares: ``[n]``, those of each material sum to 1.
        n_materials: in the scores.
        level: of the interval; the largest score where there are too few materials for it.
    """
    order = np.argsort(scores)
    reached = np.cumsum(shares[order])
    place = np.searchsorted(reached, level * (n_materials + 1) - 1e-9)
    return float(scores[order[min(int(place), len(order) - 1)]])


def gap_error(prediction: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Errors of the gaps of materials predicted to have one, eV, ``[n_gaps]``.

    Of all that were predicted to have a gap, as only that is known of a new material: a true metal
    among them has a gap of 0.

    Args:
        prediction, target: ``[n_materials, n_kpoints, n_bands]``.
    """
    own, true = fermi_gaps(prediction), fermi_gaps(target)
    compared = (own > 0) & np.isfinite(true)
    return np.abs(own - true)[compared]
