"""What is uploaded, made harmless: its name, its size, its text. Nothing here touches files."""

from __future__ import annotations

import json
import re
from typing import Any

from vanhove.crystal.crystal import Crystal
from vanhove.crystal.reading import parse_crystals
from vanhove.errors import ConfigError, DataError, StructureError
from vanhove.server.settings import ServerSettings
from vanhove.spectra.spectrum import Spectrum

_KNOWN = re.compile(r"\.(m?cif|vasp|poscar|(ext)?xyz|json)$|^(POSCAR|CONTCAR)", re.IGNORECASE)


def label_of(name: str) -> str:
    """A file name as a label: the last part of a path, printable, at most 80 characters."""
    last = re.split(r"[/\\]", name)[-1]
    return "".join(c if c.isprintable() else "_" for c in last).strip()[-80:]


def file_name(name: str, content: bytes) -> str:
    """A name that tells the format; guessed from the content where the given one does not.

    A pasted text has no name, and editors call a CIF ``structure.txt``.
    """
    label = label_of(name)
    if _KNOWN.search(label):
        return label
    label = label or "pasted"
    start = content[:20_000].lstrip()
    if start[:1] in (b"{", b"["):
        return f"{label}.json"
    if re.search(rb"(?im)^\s*(data_|_cell_length_a)", start):
        return f"{label}.cif"
    if re.search(rb"(?i)lattice\s*=", start):
        return f"{label}.xyz"
    return f"{label}.vasp"


def read_upload(
    content: bytes, name: str, settings: ServerSettings, *, several: bool = False
) -> list[Crystal]:
    """The crystal of an upload, or all of them.

    Raises:
        StructureError: too many lines, structures or atoms, or as `parse_crystals`.
    """
    name = file_name(name, content)
    _check_lines(content, name, settings, of_file=several)
    n_sites = _most_sites(content)
    if n_sites > settings.max_atoms:  # pymatgen would compare them pair by pair
        raise StructureError(f"lists {n_sites} atoms; allowed: {settings.max_atoms}", name)
    crystals = parse_crystals(content, name, index="all" if several else None)
    if len(crystals) > settings.max_batch_structures:
        raise StructureError(
            f"holds {len(crystals)} structures; allowed: {settings.max_batch_structures}", name
        )
    if not several:
        check_size(crystals[0], settings)
    return crystals


def check_size(crystal: Crystal, settings: ServerSettings) -> None:
    """Refuse a crystal with more atoms than are allowed."""
    if crystal.n_atoms > settings.max_atoms:
        raise StructureError(
            f"has {crystal.n_atoms} atoms; allowed: {settings.max_atoms}; "
            "use vanhove predict for larger cells",
            crystal.name,
        )


def read_reference(
    content: bytes, name: str, normalisation: str, settings: ServerSettings
) -> Spectrum:
    """A spectrum of the JSON or CSV that `Spectrum` writes, in this normalisation.

    Raises:
        StructureError: too many lines.
        DataError, ConfigError: not a spectrum, or not to be normalised so.
    """
    label = label_of(name) or "reference"
    _check_lines(content, label, settings)
    try:
        text = content.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        raise DataError(f"{label}: is not UTF-8 text") from None
    # from_json and from_csv would take a text of one line for a path.
    if text.startswith("{"):
        try:
            data: Any = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{label}: is not valid JSON: {error}") from None
        data = next(iter(data.get("results") or []), data)
        keys = ("quantity", "unit", "normalisation", "grid", "values", "std")
        if not isinstance(data, dict):
            raise DataError(f"{label}: holds no spectrum")
        spectrum = Spectrum.from_dict({key: data[key] for key in keys if key in data})
    else:
        spectrum = Spectrum.from_csv(text + "\n", normalisation)
    if spectrum.normalisation != normalisation or normalisation in ("max", "sum"):
        if normalisation == "states/eV/cell":
            raise ConfigError(
                f'{label}: has normalisation "{spectrum.normalisation}", and the prediction '
                f'"{normalisation}", which no scaling gives'
            )
        spectrum = spectrum.normalise(normalisation)
    return spectrum


def _most_sites(content: bytes) -> int:
    """Lines of the longest loop of atoms in a CIF; 0 in other formats."""
    most = count = 0
    in_loop = False
    for line in content.splitlines():
        line = line.strip()
        if line.startswith(b"_atom_site_fract_"):
            in_loop, count = True, 0
        elif line[:1] in (b"", b"#") or (in_loop and line.startswith(b"_atom_site_")):
            continue
        elif line[:1] == b"_" or line[:5].lower() in (b"loop_", b"data_"):
            in_loop = False
        elif in_loop:
            count += 1
            most = max(most, count)
    return most


def _check_lines(
    content: bytes, name: str, settings: ServerSettings, *, of_file: bool = False
) -> None:
    allowed = settings.max_lines * (10 if of_file else 1)
    n_lines = max(content.count(b"\n"), content.count(b"\r"))
    if n_lines > allowed:
        raise StructureError(f"has {n_lines:,} lines; allowed: {allowed:,}", name)
