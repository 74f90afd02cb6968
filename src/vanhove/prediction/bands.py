"""What ``vanhove predict --property bands`` prints of a band structure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vanhove.errors import DataError
from vanhove.prediction.error_bars import error_bar_rows
from vanhove.spectra.bands import BandGap, BandStructure


def band_details(bands: BandStructure) -> dict[str, Any]:
    """Band edges and masses of electrons, centres and widths of all bands; plain JSON types."""
    unit = bands.kind.axis_unit.suffix
    found: dict[str, Any] = {
        f"band_centres_{unit}": bands.centres.tolist(),
        f"band_widths_{unit}": bands.widths.tolist(),
    }
    if bands.std is not None and "0.9" in bands.metadata.get("interval_factors", {}):
        half = (bands.interval(0.9)[1] - bands.energies).mean(axis=0)
        found[f"band_half_widths_90_{unit}"] = half.tolist()
    if not bands.kind.fermi_level:
        return found
    gap = _gap(bands)
    if gap is None:
        return found
    n_filled = bands.n_filled
    return found | {
        "vbm": {"energy_eV": gap.vbm, "at": bands.where(gap.vbm_at)},
        "cbm": {"energy_eV": gap.cbm, "at": bands.where(gap.cbm_at)},
        "hole_masses": bands.effective_mass(n_filled - 1, gap.vbm_at),
        "electron_masses": bands.effective_mass(n_filled, gap.cbm_at),
    }


def _gap(bands: BandStructure) -> BandGap | None:
    try:
        return bands.gap
    except DataError:  # all predicted bands on one side of the Fermi level
        return None


def band_line(bands: BandStructure, properties: dict[str, Any]) -> str:
    """One of several structures."""
    meta = bands.metadata
    return (
        f"{bands.name:32s} {meta['formula']:16s} {meta['crystal_system']:12s} {_kind(properties)}"
    ).rstrip()


def _kind(properties: dict[str, Any]) -> str:
    if "is_metal" not in properties:
        return ""
    if properties["is_metal"]:
        return "metal"
    kind = "direct" if properties["is_direct"] else "indirect"
    half = properties.get("band_gap_half_width_90")
    bar = "" if half is None else f" ± {half:.2f}"
    return f"gap {properties['band_gap']:.2f}{bar} eV, {kind}"


def _near(bands: BandStructure, most: int = 10) -> range:
    """The numbers of the bands that a table shows: of many electron bands, those at the gap."""
    if bands.n_bands <= most or bands.fermi_level is None:
        return range(bands.n_bands)
    first = min(max(bands.n_filled - most // 2, 0), bands.n_bands - most)
    return range(first, first + most)


def band_table(bands: BandStructure, properties: dict[str, Any], written: list[Path]) -> str:
    """A single structure: symmetry, gap, masses, and energies at the labelled points."""
    meta = bands.metadata
    rows = [
        ("structure", f"{bands.name}  ({meta['formula']})"),
        (
            "symmetry",
            f"{meta['crystal_system']}, {meta['space_group_symbol']} "
            f"(No. {meta['space_group_number']})",
        ),
        ("model", meta["model"]),
        ("path", f"{'-'.join(filter(None, bands.kpoints.labels))} ({meta['path']})"),
    ]
    if "is_metal" in properties:
        rows.append(("kind", _kind(properties)))
    if not properties.get("is_metal", True):
        for name, key in (("VBM", "vbm"), ("CBM", "cbm")):
            edge = properties[key]
            rows.append((name, f"{edge['energy_eV']:.2f} eV at {edge['at']}"))
        for name in ("hole_masses", "electron_masses"):
            masses = ", ".join(f"{way} {mass:.2f}" for way, mass in properties[name].items())
            rows.append((name.replace("_", " "), masses))
    halves = properties.get(f"band_half_widths_90_{bands.kind.axis_unit.suffix}")
    if halves is not None:
        shown = ", ".join(f"{half:.2f}" for half in halves)
        rows.append(("± of energies", f"{shown} (bands 1 to {bands.n_bands}, mean over the path)"))
        if not properties.get("is_metal", True) and "band_gap_half_width_90" not in properties:
            rows.append(("± of the gap", "not known: too few gaps in the validation data"))
    rows += error_bar_rows(bands)
    rows += [("written", str(path)) for path in written]
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
