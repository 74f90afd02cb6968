"""Our own JSON and CSV of spectra and bands; both come back as the same numbers."""

from __future__ import annotations

import csv
import io
import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vanhove import atomic
from vanhove.errors import DataError
from vanhove.results import Json
from vanhove.spectra.conversions.spreadsheet import comments
from vanhove.spectra.conversions.spreadsheet import rows as table_rows
from vanhove.spectra.density import AnyDensity, Density
from vanhove.spectra.quantities import AXIS_UNITS, density_in, quantity
from vanhove.untrusted import parse_json

if TYPE_CHECKING:
    from vanhove.spectra.dispersion import Dispersion


def write_text(text: str, path: str | Path | None) -> str:
    """The text, also written to ``path`` when given; lines end alike on all systems."""
    if path is not None:
        atomic.write_text(Path(path), text)
    return text


def write_json(content: Json, path: str | Path | None) -> str:
    """Strict JSON (no NaN), also written to ``path`` when given.

    Raises:
        DataError: something that JSON cannot hold.
    """
    try:
        text = json.dumps(content, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"metadata must hold only what strict JSON can (no NaN, no arrays): {error}"
        ) from error
    return write_text(text + "\n", path)


def read_json(source: str | Path) -> Json:
    """The object in JSON text (it starts with a brace) or in a file.

    Raises:
        DataError: a file that cannot be read, not JSON, or not an object.
    """
    is_text = isinstance(source, str) and source.lstrip().startswith("{")
    text, origin = _text(source, is_text)
    content = parse_json(text, origin)
    if not isinstance(content, dict):
        raise DataError(f"{origin}: must be a JSON object, got {type(content).__name__}")
    return content


def spectrum_to_csv(spectrum: Density, path: str | Path | None) -> str:
    """See `Spectrum.to_csv`."""
    lines = [
        f"# quantity: {spectrum.quantity}",
        f"# unit: {spectrum.unit}",
        f"# normalisation: {spectrum.normalisation}",
        f"# name: {' '.join(spectrum.name.split())}",
    ]
    factor = spectrum.metadata.get("interval_factors", {}).get("0.9")
    if factor is not None:
        lines.append(f"# half width of the 90 % interval: {factor:g} times std")
    if "familiarity" in spectrum.metadata:
        lines.append(f"# familiarity: {spectrum.metadata['familiarity']}")
    lines += [f"# warning {i}: {text}" for i, text in enumerate(spectrum.warnings, 1)]
    columns = {spectrum.kind.axis_unit.column: spectrum.grid, "values": spectrum.values}
    if spectrum.std is not None:
        columns["std"] = spectrum.std
    lines.append(",".join(columns))
    rows = zip(*(column.tolist() for column in columns.values()), strict=True)
    lines += [",".join(map(repr, row)) for row in rows]
    return write_text("\n".join(lines) + "\n", path)


def spectrum_from_csv(
    make: type[AnyDensity], source: str | Path, normalisation: str | None
) -> AnyDensity:
    """See `Spectrum.from_csv`."""
    text, origin = _text(source, isinstance(source, str) and "\n" in source)
    header = comments(text)
    rows = table_rows(text, origin)
    columns = [name.strip() for name in rows[0]] if rows else []
    unit = next((unit for unit, axis in AXIS_UNITS.items() if axis.column in columns), None)
    if unit is None or "values" not in columns:
        raise DataError(
            f"{origin}: needs the columns frequency_cm1 (or energy_eV) and values, and may "
            f"have std; got {', '.join(columns) or 'none'}"
        )
    kind = quantity(header["quantity"], "density") if "quantity" in header else density_in(unit)
    normalisation = header.get("normalisation", normalisation)
    if normalisation is None:
        raise DataError(
            f'{origin}: does not state its normalisation: add a line "# normalisation: max" '
            f"(one of {', '.join(kind.normalisations)}) or pass normalisation="
        )
    try:
        table = np.array([[float(cell) for cell in row] for row in rows[1:]])
        column = dict(zip(columns, table.reshape(-1, len(columns)).T, strict=True))
    except ValueError as error:
        raise DataError(f"{origin}: every row must have {len(columns)} numbers: {error}") from error
    return make(
        grid=column[AXIS_UNITS[unit].column],
        values=column["values"],
        std=column.get("std"),
        unit=unit,
        normalisation=normalisation,
        quantity=kind.name,
        name=header.get("name", ""),
        metadata=_trust(header),
    )


def _trust(header: dict[str, str]) -> Json:
    """Familiarity and warnings, as a prediction has them."""
    warnings = [text for key, text in header.items() if key.startswith("warning ")]
    found: Json = {"warnings": warnings} if warnings else {}
    with suppress(KeyError, ValueError):
        found["familiarity"] = float(header["familiarity"])
    return found


def bands_to_csv(bands: Dispersion, path: str | Path | None) -> str:
    """See `BandStructure.to_csv`."""
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    columns = bands.band_columns
    writer.writerow(["distance_per_angstrom", "label", "k1", "k2", "k3", *columns])
    for x, label, k, values in zip(
        bands.kpoints.distances.tolist(),
        bands.kpoints.labels,
        bands.kpoints.fractional.tolist(),
        np.stack([*columns.values()], axis=-1).tolist(),
        strict=True,
    ):
        writer.writerow([x, label, *k, *values])
    return write_text(stream.getvalue(), path)


def _text(source: str | Path, is_text: bool) -> tuple[str, str]:
    """The text, and what to call it in an error."""
    if is_text:
        return str(source), "the text"
    try:
        return Path(source).read_text(encoding="utf-8-sig"), str(source)
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read {source}: {error}") from error
