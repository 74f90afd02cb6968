"""The CIF format (Hall, Allen & Brown, Acta Cryst. A47, 655 (1991)), parsed with gemmi.

A CIF lists some atoms and says how to get the others. What it says is taken at its word: the
operations, else the Hall symbol, else the Hermann-Mauguin symbol, else the number of the group.
The result is compared with everything else that the file states, see `cif_statements`. What cannot
be read is refused by name and never replaced by a default.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from vanhove.crystal.asymmetric_unit import Atoms, Sites, check_coinciding, expand, same_atoms
from vanhove.crystal.checks import check_crystal
from vanhove.crystal.cif_statements import (
    Tags,
    atoms_stated,
    check_statements,
    formula_counts,
    number_of,
    stated,
)
from vanhove.crystal.cif_symmetry import check_group, symmetry_of
from vanhove.crystal.crystal import Crystal
from vanhove.crystal.elements import ATOMIC_NUMBERS, ISOTOPES, isotope_note
from vanhove.crystal.objects import OCCUPANCY_TOLERANCE
from vanhove.crystal.space_groups import Operations
from vanhove.errors import StructureError

_CELL = tuple(f"_cell_length_{x}" for x in "abc") + tuple(
    f"_cell_angle_{x}" for x in ("alpha", "beta", "gamma")
)
_COORDINATES = tuple(f"_atom_site_fract_{x}" for x in "xyz")
_NOT_STATED = ("?", ".", "")


@dataclass(frozen=True)
class CifBlock:
    """One data block.

    Attributes:
        tags: the values of each tag, in lower case and with ``_`` for ``.``; a single value is a
            list of one.
        place: ``"data block 'x', one of 3"`` where the file has other blocks, else ``""``.
    """

    tags: Tags
    place: str = ""


def split_cif(text: str, name: str) -> list[CifBlock]:
    """The data blocks of a CIF that hold atoms.

    Raises:
        StructureError: the grammar is broken, no data block, none with atoms, or the symmetry in
            another block than the atoms.
    """
    from gemmi import cif

    if not re.search(r"^\s*data_", text, re.MULTILINE | re.IGNORECASE):
        raise StructureError("is no CIF: it has no line that starts with data_", name)
    try:
        # Level 0: blocks may have one name. As bytes, gemmi takes characters it cannot decode.
        blocks = list(cif.read_string(text.encode(), check_level=0))
    except (ValueError, RuntimeError) as error:
        raise StructureError(_grammar(str(error)), name) from error
    tags = [_tags(block, name) for block in blocks]
    with_atoms = [i for i, found in enumerate(tags) if _COORDINATES[0] in found]
    if not with_atoms:
        raise StructureError("holds no structure: _atom_site_fract_x is missing", name)
    apart = [i for i in range(len(tags)) if i not in with_atoms and _states_symmetry(tags[i])]
    if apart and not all(_states_symmetry(tags[i]) for i in with_atoms):
        raise StructureError(
            f"data block {blocks[apart[0]].name!r} states the symmetry, but the atoms stand in "
            "another block; put both into one",
            name,
        )
    places = [
        f"data block {blocks[i].name!r}, one of {len(blocks)}" if len(blocks) > 1 else ""
        for i in with_atoms
    ]
    return [CifBlock(tags[i], place) for i, place in zip(with_atoms, places, strict=True)]


def _states_symmetry(tags: Tags) -> bool:
    return any(tag.startswith(("_space_group", "_symmetry_")) for tag in tags)


def _grammar(message: str) -> str:
    """gemmi's ``"string:12:0(345): parse error"`` in words."""
    line = re.match(r"\w*:(\d+)(?::\d+\(\d+\))?(?: in data_\S*)?:?\s*(.*)", message)
    where, what = (f"line {line.group(1)}", line.group(2)) if line else ("", message)
    if "values in loop" in what or "loop" in what:
        return f"{where}: a loop_ has an incomplete row or none; is the file cut off?"
    return f"{where}: is not CIF ({what.strip() or 'it ends too early'}); is a quote missing there?"


def _tags(block: object, name: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}

    def add(tag: str, values: list[str]) -> None:
        key = tag.lower().replace(".", "_")
        if key in found:
            raise StructureError(f"gives {tag} twice; keep one", name)
        found[key] = values

    for item in block:  # type: ignore[attr-defined]
        if item.pair is not None:
            add(item.pair[0], [_value(item.pair[1])])
        elif item.loop is not None:
            values = [_value(value) for value in item.loop.values]
            width = len(item.loop.tags)
            if not values and any(tag.lower().startswith("_atom_site") for tag in item.loop.tags):
                raise StructureError("a loop_ has an incomplete row or none", name)
            for i, tag in enumerate(item.loop.tags):
                add(tag, values[i::width])
    return found


def _value(raw: str) -> str:
    from gemmi import cif

    return raw if raw in ("?", ".") else str(cif.as_string(raw))


def parse_cif_block(block: CifBlock, name: str) -> Crystal:
    """The crystal of one data block, its symmetry operations applied.

    Raises:
        StructureError: see the module.
    """
    tags = block.tags
    lattice = _lattice(tags, name)
    sites = _sites(tags, name)
    choices, notes = symmetry_of(tags, lattice, name)
    atoms, operations, choice = _chosen(tags, sites, choices, name)
    check_coinciding(atoms, sites, name)
    notes = [note for note in (block.place, choice, *notes, *sites.notes) if note]
    crystal = Crystal(lattice, atoms.coordinates, atoms.numbers, name, notes=tuple(notes))
    check_statements(tags, crystal, name, images=atoms.images, n_operations=len(operations))
    check_crystal(crystal)  # before the symmetry search, which atoms too close would confuse
    check_group(tags, operations, crystal, name)
    return crystal


def _chosen(
    tags: Tags, sites: Sites, choices: list[Operations], name: str
) -> tuple[Atoms, Operations, str]:
    """The atoms by the one choice that fits what the file states, and a note where it was open."""
    expanded = [(expand(sites, choice, name), choice) for choice in choices]
    if len(expanded) == 1 or same_atoms([atoms for atoms, _ in expanded]):
        return *expanded[0], ""
    counts = formula_counts(tags)
    allowed = atoms_stated(tags) or ({round(sum(counts.values()))} if counts else set())
    fitting = [item for item in expanded if len(item[0].numbers) in allowed]
    if len(fitting) != 1:
        listed = " or ".join(choice.name for choice in choices)
        raise StructureError(
            f"has no symmetry operations, and its space group leaves the origin or the axes open "
            f"({listed}); add _space_group_symop_operation_xyz",
            name,
        )
    return *fitting[0], f"{fitting[0][1].name} taken: it makes the number of atoms that is stated"


def _lattice(tags: Tags, name: str) -> np.ndarray:
    missing = [key for key in _CELL if stated(tags, key) is None]
    if missing:
        raise StructureError(f"{missing[0]} is missing", name)
    cell = [number_of(tags[key][0]) for key in _CELL]
    for key, value in zip(_CELL, cell, strict=True):
        allowed = 180.0 if "angle" in key else math.inf
        if not 0 < value < allowed:
            raise StructureError(
                f"{key} is {tags[key][0]!r}; allowed: a number above 0"
                + (" and below 180" if "angle" in key else ""),
                name,
            )
    a, b, c = cell[:3]
    cosines = np.cos(np.radians(cell[3:]))
    if 1 + 2 * np.prod(cosines) - np.sum(cosines**2) < 1e-8:
        raise StructureError(
            f"the cell angles {cell[3]:g}, {cell[4]:g}, {cell[5]:g} span no volume", name
        )
    sines = np.sin(np.radians(cell[3:]))
    cosine = np.clip((cosines[0] * cosines[1] - cosines[2]) / (sines[0] * sines[1]), -1, 1)
    sine = math.sqrt(1 - cosine**2)  # of the reciprocal angle gamma*
    return np.array(
        [
            [a * sines[1], 0, a * cosines[1]],
            [-b * sines[0] * cosine, b * sines[0] * sine, b * cosines[0]],
            [0, 0, c],
        ]
    )


def _sites(tags: Tags, name: str) -> Sites:
    n = len(tags[_COORDINATES[0]])
    columns = {key: tags[key] for key in tags if key.startswith("_atom_site_")}
    columns = {key: values for key, values in columns.items() if len(values) == n}
    labels = columns.get("_atom_site_label") or columns.get("_atom_site_type_symbol")
    if labels is None or not all(key in columns for key in _COORDINATES):
        raise StructureError(
            "the atoms need _atom_site_label and _atom_site_fract_x, _y, _z in one loop_", name
        )
    symbols = columns.get("_atom_site_type_symbol")
    dummy = [flag.lower() == "dum" for flag in columns.get("_atom_site_calc_flag", [""] * n)]
    rows = [i for i in range(n) if not dummy[i]]
    isotopes = set(formula_counts(tags, isotopes=True) or ()) & set(ISOTOPES)
    numbers, notes = [], []
    for i in rows:
        symbol = labels[i] if symbols is None else symbols[i]
        element = _element(symbol, labels[i], name)
        if element in ISOTOPES:
            if symbols is None and element not in isotopes:
                raise StructureError(
                    f"site {labels[i]}: whether that is an element or only a label stands nowhere; "
                    "give its symbol in _atom_site_type_symbol",
                    name,
                )
            notes.append(isotope_note(element))
        numbers.append(ATOMIC_NUMBERS[ISOTOPES.get(element, element)])
        _check_site({key: values[i] for key, values in columns.items()}, labels[i], name)
    if len(rows) < n:
        notes.append(f"{n - len(rows)} dummy sites (_atom_site_calc_flag dum) left out")
    groups = columns.get("_atom_site_disorder_group", [])
    if len({groups[i] for i in rows if groups and groups[i] not in (*_NOT_STATED, "0")}) > 1:
        raise StructureError(
            "lists alternative positions (_atom_site_disorder_group); only fully ordered "
            "crystals, with one atom on every site, can be used",
            name,
        )
    coordinates = np.array([[number_of(columns[key][i]) for key in _COORDINATES] for i in rows])
    return Sites(
        [labels[i] for i in rows], numbers, coordinates.reshape(-1, 3), tuple(dict.fromkeys(notes))
    )


def _check_site(site: Mapping[str, str], label: str, name: str) -> None:
    for key in _COORDINATES:
        if not math.isfinite(number_of(site[key])):
            raise StructureError(f"site {label}: {key} is {site[key]!r}; a number is needed", name)
    occupancy = site.get("_atom_site_occupancy", "1")
    value = 1.0 if occupancy in _NOT_STATED else number_of(occupancy)
    if not abs(value - 1) <= OCCUPANCY_TOLERANCE:
        raise StructureError(
            f"site {label} has occupancy {occupancy}; only fully ordered crystals, "
            "with occupancy 1 everywhere, can be used",
            name,
        )
    hydrogens = site.get("_atom_site_attached_hydrogens", "0")
    if hydrogens not in _NOT_STATED and number_of(hydrogens) != 0:
        raise StructureError(
            f"site {label} has {hydrogens} attached hydrogens without places; give every atom "
            "a place of its own",
            name,
        )


def _element(symbol: str, label: str, name: str) -> str:
    """``"Fe3+"`` -> ``"Fe"``, ``"O1A"`` -> ``"O"``."""
    letters = re.match(r"[A-Za-z]*", symbol)
    element = letters.group().capitalize() if letters else ""
    if element not in ATOMIC_NUMBERS and element not in ISOTOPES:
        raise StructureError(
            f"site {label} has an unknown element {symbol!r}; "
            "give its symbol in _atom_site_type_symbol",
            name,
        )
    return element
