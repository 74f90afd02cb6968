"""What ``vanhove predict --property bands`` prints of a band structure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from vanhove.errors import DataError
from vanhove.prediction.error_bars import error_bar_rows, gap_text, symmetry_rows, written_rows
from vanhove.prediction.property import Value
from vanhove.results import Json, Result
from vanhove.spectra.bands import BandGap, BandStructure

Values: TypeAlias = Mapping[str, Value]
"""Of properties and their half widths, by name."""


@dataclass(frozen=True)
class BandEdge(Result):
    """A band edge: its energy, and in words where on the path it lies."""

    energy_eV: float
    at: str


@dataclass(frozen=True)
class BandDetails(Result):
    """What is told of bands beside their properties; energies in ``unit``, as the bands.

    In JSON the names of centres, widths and half widths end with the unit (``band_widths_eV``).

    Attributes:
        unit: suffix of names, ``"eV"`` or ``"cm1"``.
        band_centres, band_widths: of each band, ``[n_bands]``.
        band_half_widths_90: half the width of the 90 % interval, mean over the path, ``[n_bands]``.
        vbm, cbm: band edges, where there is a gap.
        hole_masses, electron_masses: there, in electron masses, by direction.
    """

    unit: str
    band_centres: list[float]
    band_widths: list[float]
    band_half_widths_90: list[float] | None = None
    vbm: BandEdge | None = None
    cbm: BandEdge | None = None
    hole_masses: dict[str, float] | None = None
    electron_masses: dict[str, float] | None = None

    def to_json(self) -> Json:
        content = super().to_json()
        unit = content.pop("unit")
        return {
            f"{key}_{unit}" if key.startswith("band_") else key: value
            for key, value in content.items()
        }


def band_details(bands: BandStructure) -> BandDetails:
    """Band edges and masses of electrons, centres and widths of all bands."""
    found = BandDetails(
        unit=bands.kind.axis_unit.suffix,
        band_centres=bands.centres.tolist(),
        band_widths=bands.widths.tolist(),
    )
    if bands.std is not None and "0.9" in bands.metadata.get("interval_factors", {}):
        half = (bands.interval(0.9)[1] - bands.energies).mean(axis=0)
        found = replace(found, band_half_widths_90=half.tolist())
    gap = _gap(bands) if bands.kind.fermi_level else None
    if gap is None:
        return found
    masses = bands.edge_masses()
    return replace(
        found,
        vbm=BandEdge(gap.vbm, bands.where(gap.vbm_at)),
        cbm=BandEdge(gap.cbm, bands.where(gap.cbm_at)),
        hole_masses=masses["holes"],
        electron_masses=masses["electrons"],
    )


def _gap(bands: BandStructure) -> BandGap | None:
    try:
        return bands.gap
    except DataError:  # all predicted bands on one side of the Fermi level
        return None


def _kind(properties: Values) -> str:
    if "is_metal" not in properties:
        return ""
    if properties["is_metal"]:
        return "metal"
    kind = "direct" if properties["is_direct"] else "indirect"
    return f"{gap_text(properties)}, {kind}"


def _near(bands: BandStructure, most: int = 10) -> range:
    """The numbers of the bands that a table shows: of many electron bands, those at the gap."""
    if bands.n_bands <= most or bands.fermi_level is None:
        return range(bands.n_bands)
    first = min(max(bands.n_filled - most // 2, 0), bands.n_bands - most)
    return range(first, first + most)


def band_table(bands: BandStructure, properties: Values, written: list[Path]) -> str:
    """A single structure: symmetry, gap, masses, and energies at the labelled points."""
    meta, details = bands.metadata, band_details(bands)
    rows = symmetry_rows(bands.name, meta)
    rows.append(("path", f"{bands.kpoints.route} ({meta['path']})"))
    if "is_metal" in properties:
        rows.append(("kind", _kind(properties)))
    for name, edge in (("VBM", details.vbm), ("CBM", details.cbm)):
        if edge is not None:
            rows.append((name, f"{edge.energy_eV:.2f} eV at {edge.at}"))
    for carriers, masses in (("hole", details.hole_masses), ("electron", details.electron_masses)):
        if masses is not None:
            shown = ", ".join(f"{way} {abs(mass):.2f}" for way, mass in masses.items())
            rows.append((f"{carriers} masses", f"{shown} (electron masses)"))
    halves = details.band_half_widths_90
    if halves is not None:
        shown = ", ".join(f"{half:.2f}" for half in halves)
        what = f"{bands.kind.axis_unit.text} (bands 1 to {bands.n_bands}, mean over the path)"
        rows.append(("± of bands", f"{shown} {what}"))
        if not properties.get("is_metal", True) and "band_gap_half_width_90" not in properties:
            rows.append(("± of the gap", "not known: too few gaps in the validation data"))
    rows += error_bar_rows(bands)
    rows += written_rows(written)
    table = "\n".join(f"{name:16s} {value}" for name, value in rows)
    zero = f"{bands.kind.axis}, {bands.kind.axis_unit.text}"
    shown_bands = _near(bands)
    header = "".join(f"{f'band {n + 1}':>10s}" for n in shown_bands)
    lines, seen = [], set()
    for label, energies in zip(bands.kpoints.labels, bands.energies, strict=True):
        if label and label not in seen:
            seen.add(label)
            lines.append(f"{label:8s}" + "".join(f"{energies[n]:10.2f}" for n in shown_bands))
    return f"{table}\n\n{zero}\n{'':8s}{header}\n" + "\n".join(lines)
