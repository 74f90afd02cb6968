"""The CIF format: pymatgen reads it, this module refuses what pymatgen would quietly mend or drop.

pymatgen guesses elements from odd labels, skips sites that it cannot name, merges sites, falls
back to P1 when it does not know the space group. Each of these would give a different crystal.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

from vanhove.crystal.elements import ATOMIC_NUMBERS
from vanhove.errors import StructureError

if TYPE_CHECKING:
    from pymatgen.core import Composition, Structure

OCCUPANCY_TOLERANCE = 0.01
"""A site occupied to within this of 1 counts as full."""

# Images of one atom under the symmetry operations that are this close, in fractional coordinates,
# are one atom: coordinates are often given with three or four digits (0.333 for 1/3). Two sites
# of the list that close are no rounding; they merge into a site with occupancy 2 and are refused.
_SITE_TOLERANCE = 2e-3

_BLOCK_START = re.compile(r"^\s*data_", re.MULTILINE | re.IGNORECASE)
_ATOM_SITES = re.compile(r"^\s*_atom_site_fract_x\b", re.MULTILINE)
_CELL = tuple(f"_cell_length_{x}" for x in "abc") + tuple(
    f"_cell_angle_{x}" for x in ("alpha", "beta", "gamma")
)
_COORDINATES = tuple(f"_atom_site_fract_{x}" for x in "xyz")
_SPACE_GROUPS = (
    "_symmetry_space_group_name_H-M",
    "_space_group_name_H-M_alt",
    "_symmetry_Int_Tables_number",
    "_space_group_IT_number",
)
_OPERATIONS = (
    "_symmetry_equiv_pos_as_xyz",
    "_space_group_symop_operation_xyz",
    "_space_group_symop_magn_operation.xyz",
)
# Space groups with two choices of the origin in the International Tables.
_TWO_ORIGINS = {48, 50, 59, 68, 70, 85, 86, 88, 125, 126, 129, 130}
_TWO_ORIGINS |= {133, 134, 137, 138, 141, 142, 201, 203, 222, 224, 227, 228}
_RHOMBOHEDRAL = {146, 148, 155, 160, 161, 166, 167}


def split_cif(text: str, name: str) -> list[str]:
    """The data blocks of a CIF that hold atoms.

    Raises:
        StructureError: no data block, or none with atoms.
    """
    blocks = [f"data_{block}" for block in _BLOCK_START.split(text)[1:]]
    if not blocks:
        raise StructureError("is no CIF: it has no line that starts with data_", name)
    with_atoms = [block for block in blocks if _ATOM_SITES.search(block)]
    if not with_atoms:
        raise StructureError("holds no structure: _atom_site_fract_x is missing", name)
    return with_atoms


def parse_cif_block(block: str, name: str) -> Structure:
    """The structure of one data block, its symmetry operations applied; may be disordered.

    Raises:
        StructureError: see the module; any error of pymatgen's that is not foreseen passes.
    """
    from pymatgen.io.cif import CifParser

    try:
        parser = CifParser.from_str(block, site_tolerance=_SITE_TOLERANCE, check_cif=False)
    except (ValueError, ZeroDivisionError, IndexError) as error:
        raise StructureError(
            "is damaged: a loop_ has an incomplete row or none; is the file cut off?", name
        ) from error
    data: dict[str, Any] = next(iter(parser.as_dict().values()), {})
    _check_cell(data, name)
    elements = _check_sites(data, name)

    # Without check_occu merged sites keep their occupancy above 1, for the caller to name them.
    (structure,) = parser.parse_structures(primitive=False, check_occu=False, on_error="raise")

    _check_space_group(data, structure, getattr(parser, "warnings", []), name)
    read = {element.symbol for element in structure.composition.elements}
    if read != elements:
        raise StructureError(
            f"pymatgen reads the elements {', '.join(sorted(read))} instead of "
            f"{', '.join(sorted(elements))}; correct _atom_site_type_symbol",
            name,
        )
    if "implicit_hydrogens" in structure.site_properties:  # pymatgen's reading of O and H together
        raise StructureError("has an O and an H atom at the same place", name)
    _check_formula(data, structure, name)
    return structure


def _check_cell(data: dict[str, Any], name: str) -> None:
    missing = [key for key in _CELL if key not in data]
    if missing:
        raise StructureError(f"{missing[0]} is missing", name)
    cell = [_number(data[key]) for key in _CELL]
    for key, value in zip(_CELL, cell, strict=True):
        allowed = 180.0 if "angle" in key else math.inf
        if not 0 < value < allowed:
            raise StructureError(
                f"{key} is {data[key]!r}; allowed: a number above 0"
                + (" and below 180" if "angle" in key else ""),
                name,
            )
    cosines = [math.cos(math.radians(angle)) for angle in cell[3:]]
    if 1 + 2 * math.prod(cosines) - sum(c * c for c in cosines) < 1e-8:
        raise StructureError(
            f"the cell angles {cell[3]:g}, {cell[4]:g}, {cell[5]:g} span no volume", name
        )


def _check_sites(data: dict[str, Any], name: str) -> set[str]:
    """The element symbols of the listed sites."""
    labels = data.get("_atom_site_label")
    columns = [labels, *(data.get(key) for key in _COORDINATES)]
    if not all(isinstance(column, list) for column in columns):
        raise StructureError(
            "the atoms must be a loop_ with _atom_site_label and _atom_site_fract_x, _y, _z", name
        )
    assert isinstance(labels, list)
    symbols = data.get("_atom_site_type_symbol", labels)
    occupancies = data.get("_atom_site_occupancy", ["1"] * len(labels))
    elements = set()
    for i, label in enumerate(labels):
        elements.add(_element(symbols[i], label, name))
        for key in _COORDINATES:
            if not math.isfinite(_number(data[key][i])):
                raise StructureError(
                    f"site {label}: {key} is {data[key][i]!r}; a number is needed", name
                )
        occupancy = 1.0 if occupancies[i] == "?" else _number(occupancies[i])
        if not abs(occupancy - 1) <= OCCUPANCY_TOLERANCE:
            raise StructureError(
                f"site {label} has occupancy {occupancies[i]}; only fully ordered crystals, "
                "with occupancy 1 everywhere, can be used",
                name,
            )
    return elements


def _element(symbol: str, label: str, name: str) -> str:
    """``"Fe3+"`` -> ``"Fe"``, ``"O1A"`` -> ``"O"``; deuterium and tritium are hydrogen."""
    letters = re.match(r"[A-Za-z]*", symbol)
    element = letters.group().capitalize() if letters else ""
    element = "H" if element in ("D", "T") else element
    if element not in ATOMIC_NUMBERS:
        raise StructureError(
            f"site {label} has an unknown element {symbol!r}; "
            "give its symbol in _atom_site_type_symbol",
            name,
        )
    return element


def _check_space_group(
    data: dict[str, Any], structure: Structure, parser_warnings: list[str], name: str
) -> None:
    """Without operations a file has only the name of its group, which may not say everything."""
    group = next((str(data[key]) for key in _SPACE_GROUPS if data.get(key)), "P1")
    symbol = re.sub(r"[\s_]", "", group)
    if symbol in ("P1", "1", "?", ".") or any(data.get(key) for key in _OPERATIONS):
        return
    if any("Defaulting to P1" in warning for warning in parser_warnings):
        raise StructureError(
            f"has no symmetry operations, and space group {group!r} is not known; "
            "add _space_group_symop_operation_xyz",
            name,
        )
    from pymatgen.symmetry.groups import SpaceGroup

    try:
        number = int(symbol) if symbol.isdigit() else SpaceGroup(symbol).int_number
    except ValueError:
        return
    ambiguous = number in _TWO_ORIGINS or (
        number in _RHOMBOHEDRAL and _number(data["_cell_angle_gamma"]) != 120
    )
    formula, formula_units = _composition(data), _number(data.get("_cell_formula_units_Z"))
    if formula and len(structure) in (formula.num_atoms, formula.num_atoms * formula_units):
        ambiguous = False  # a wrong choice multiplies the atoms
    if ambiguous:
        raise StructureError(
            f"has no symmetry operations, and space group {group!r} alone leaves the origin or "
            "the axes open; add _space_group_symop_operation_xyz",
            name,
        )


def _check_formula(data: dict[str, Any], structure: Structure, name: str) -> None:
    """The atoms must have the composition that the file states: finds missing atoms."""
    stated = _composition(data)
    found = structure.composition.element_composition
    if stated and not stated.fractional_composition.almost_equals(
        found.fractional_composition, rtol=0, atol=0.01
    ):
        raise StructureError(
            f"the atoms make {found.reduced_formula} but _chemical_formula_sum is "
            f"{data['_chemical_formula_sum']!r}; atoms are missing or the symmetry operations "
            "are wrong",
            name,
        )


def _composition(data: dict[str, Any]) -> Composition | None:
    from pymatgen.core import Composition

    try:
        return Composition(data["_chemical_formula_sum"]).element_composition or None
    except Exception:  # missing or free text: then there is nothing to compare with
        return None


def _number(text: Any) -> float:
    """A CIF number, its uncertainty in brackets dropped; NaN if it is none."""
    try:
        return float(re.sub(r"\(\d*\)?$", "", str(text)))
    except ValueError:
        return math.nan
