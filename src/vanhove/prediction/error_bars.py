"""Error bars of predicted spectra and bands, and of what is derived from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from vanhove.models.band_calibration import BandCalibration
from vanhove.models.calibration import Calibration
from vanhove.models.ensemble import EnsemblePrediction
from vanhove.spectra.bands import BandStructure
from vanhove.spectra.spectrum import Spectrum

Outcome = TypeVar("Outcome", Spectrum, BandStructure)
LARGE_FILE = 5.0
"""MB: of what is larger, the size is told."""


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
    return rows + trust_rows(outcome.metadata)


def trust_rows(metadata: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Familiarity and warnings."""
    rows = []
    if "familiarity" in metadata:
        score = metadata["familiarity"]
        rows.append(("familiarity", f"{score:.2f} (1 familiar, 0 like nothing seen)"))
    return rows + [("warning", text) for text in metadata.get("warnings", ())]


def written_rows(written: Sequence[Path]) -> list[tuple[str, str]]:
    """What the table of a single structure says of its files; of large ones the size."""
    sizes = [path.stat().st_size / 1e6 for path in written]
    return [
        ("written", f"{path}  ({size:.0f} MB)" if size > LARGE_FILE else str(path))
        for path, size in zip(written, sizes, strict=True)
    ]


def symmetry_rows(name: str, metadata: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Structure, symmetry and model, the first lines of a table."""
    symmetry = f"{metadata['crystal_system']}, {metadata['space_group_symbol']}"
    return [
        ("structure", f"{name}  ({metadata['formula']})"),
        ("symmetry", f"{symmetry} (No. {metadata['space_group_number']})"),
        ("model", metadata["model"]),
    ]


def gap_text(values: Mapping[str, Any]) -> str:
    """The gap of an insulator in words, with its error bar where it is known."""
    half = values.get("band_gap_half_width_90")
    bar = "" if half is None else f" ± {half:.2f}"
    return f"gap {values['band_gap']:.2f}{bar} eV"
