"""Error bars of predicted spectra and of what is derived from them."""

from __future__ import annotations

from dataclasses import replace

from vanhove.models.calibration import PHONON_PROPERTIES, Calibration
from vanhove.models.ensemble import EnsemblePrediction
from vanhove.spectra.spectrum import Spectrum


def with_error_bars(
    spectrum: Spectrum, calibration: Calibration, prediction: EnsemblePrediction, row: int
) -> Spectrum:
    """The spectrum with the error bars, members and familiarity of crystal ``row``."""
    return replace(
        spectrum,
        std=prediction.std[row],
        samples=prediction.members[:, row],
        metadata={
            **spectrum.metadata,
            "familiarity": round(float(prediction.familiarity[row]), 3),
            "interval_factors": dict(calibration.factors),
        },
    )


def phonon_properties(
    spectrum: Spectrum, temperature: float, calibration: Calibration | None
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
    spectrum: Spectrum, calibration: Calibration | None, name: str, temperature: float
) -> float | None:
    """Half of the 90 % interval of a key of `PHONON_PROPERTIES`; None without error bars."""
    if calibration is None or spectrum.samples is None or name not in calibration.properties:
        return None
    usable = spectrum.samples[spectrum.samples.max(axis=-1) > 0]
    values = PHONON_PROPERTIES[name](spectrum.grid, usable, temperature)
    return float(calibration.property_std(name, values, temperature)[1])
