"""Error bars of predicted spectra and bands, and of what is derived from them."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from vanhove.models.band_calibration import BandCalibration
from vanhove.models.calibration import PHONON_PROPERTIES, Calibration
from vanhove.models.ensemble import EnsemblePrediction
from vanhove.spectra.bands import BandStructure
from vanhove.spectra.spectrum import Spectrum

Outcome = TypeVar("Outcome", Spectrum, BandStructure)


def with_error_bars(
    outcome: Outcome,
    calibration: Calibration | BandCalibration,
    prediction: EnsemblePrediction,
    row: int,
) -> Outcome:
    """The spectrum or bands with the error bars and the familiarity of crystal ``row``.

    A spectrum also has the members.
    """
    metadata = {
        **outcome.metadata,
        "familiarity": round(float(prediction.familiarity[row]), 3),
        "interval_factors": dict(calibration.factors),
    }
    if isinstance(outcome, BandStructure):
        return replace(outcome, std=prediction.std[row], metadata=metadata)
    samples = prediction.members[:, row]
    return replace(outcome, std=prediction.std[row], samples=samples, metadata=metadata)


def error_bar_rows(outcome: Spectrum | BandStructure) -> list[tuple[str, str]]:
    """What the table of a single structure says of its error bars; nothing without."""
    rows = []
    if outcome.std is not None:
        rows.append(("±", "90 % of materials like the validation data are within"))
    if "familiarity" in outcome.metadata:
        score = outcome.metadata["familiarity"]
        rows.append(("familiarity", f"{score:.2f} (1 familiar, 0 like nothing seen)"))
    return rows


def phonon_properties(
    spectrum: Spectrum, temperature: float, calibration: Calibration | BandCalibration | None
) -> dict[str, float]:
    """Mean frequency and thermal properties of a phonon density of states, with half widths.

    Args:
        spectrum: predicted.
        temperature: K.
        calibration: of the model's error bars, if it has any: then each ``NAME`` has a
            ``NAME_half_width_90``, half of its 90 % interval.

    Raises:
        DataError: a density of states without any weight.
    """
    grid = spectrum.grid
    found = {"temperature_K": temperature}
    for name, of in PHONON_PROPERTIES.items():
        found[name] = float(of(grid, spectrum.values, temperature))
        half = half_width(spectrum, calibration, name, temperature)
        if half is not None:
            found[f"{name}_half_width_90"] = half
    return found


def half_width(
    spectrum: Spectrum,
    calibration: Calibration | BandCalibration | None,
    name: str,
    temperature: float,
) -> float | None:
    """Half of the 90 % interval of a key of `PHONON_PROPERTIES`; None without error bars."""
    if not isinstance(calibration, Calibration) or spectrum.samples is None:
        return None
    if name not in calibration.properties:
        return None
    usable = spectrum.samples[spectrum.samples.max(axis=-1) > 0]
    values = PHONON_PROPERTIES[name](spectrum.grid, usable, temperature)
    return float(calibration.property_std(name, values, temperature)[1])
