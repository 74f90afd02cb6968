"""What is uploaded, made harmless: its name, its size, its text. Nothing here touches files."""

from __future__ import annotations

import re

from vanhove.crystal.crystal import Crystal
from vanhove.crystal.reading import parse_crystals
from vanhove.errors import StructureError
from vanhove.server.orders import ReferenceOrder
from vanhove.server.settings import ServerSettings

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
    check_lines(content, name, settings, of_file=several)
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


def split(content: bytes, order: ReferenceOrder) -> list[tuple[str, bytes]]:
    """The files of an upload, sent one after the other."""
    found, at = [], 0
    for name, size in order.sizes:
        found.append((name, content[at : at + size]))
        at += size
    return found


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


def check_lines(
    content: bytes, name: str, settings: ServerSettings, *, of_file: bool = False
) -> None:
    """Refuse a text of too many lines; ``of_file``: ten times as many are allowed."""
    allowed = settings.max_lines * (10 if of_file else 1)
    n_lines = max(content.count(b"\n"), content.count(b"\r"))
    if n_lines > allowed:
        raise StructureError(f"has {n_lines:,} lines; allowed: {allowed:,}", name)
