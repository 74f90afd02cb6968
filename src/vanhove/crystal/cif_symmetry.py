"""The symmetry that a CIF states: by its operations, a symbol, or the number of a group."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from vanhove.crystal.cif_statements import Tags, atoms_stated, stated
from vanhove.crystal.crystal import Crystal
from vanhove.crystal.space_groups import (
    Operations,
    operations_of,
    operations_of_hall,
    parse_operation,
    settings_of_number,
    settings_of_symbol,
)
from vanhove.errors import StructureError

_OPERATIONS = ("_space_group_symop_operation_xyz", "_symmetry_equiv_pos_as_xyz")
_MAGNETIC_OPERATIONS = "_space_group_symop_magn_operation_xyz"
_MAGNETIC_CENTRING = "_space_group_symop_magn_centering_xyz"
_HALL = ("_space_group_name_hall", "_symmetry_space_group_name_hall")
_SYMBOLS = (
    "_space_group_name_h-m_alt",
    "_symmetry_space_group_name_h-m",
    "_space_group_name_h-m_full",
    "_space_group_name_h-m_ref",
)
_NUMBERS = ("_space_group_it_number", "_symmetry_int_tables_number")
_MODULATED = ("_space_group_ssg", "_space_group_symop_ssg", "_cell_wave_vector", "_cell_subsystem")


def symmetry_of(tags: Tags, lattice: np.ndarray, name: str) -> tuple[list[Operations], list[str]]:
    """The operations, or those of each setting that the file may mean; and what to note.

    Raises:
        StructureError: something that states the symmetry cannot be read, says nothing, or does
            not fit the cell (rows of ``lattice``, angstrom); superspace symmetry.
    """
    dimension = stated(tags, "_cell_modulation_dimension")
    if dimension not in (None, "0") or any(tag.startswith(_MODULATED) for tag in tags):
        raise StructureError(
            "is a modulated (incommensurate) structure with superspace symmetry; only crystals "
            "with three translations can be used",
            name,
        )
    hall, symbol, number = (stated(tags, *keys) for keys in (_HALL, _SYMBOLS, _NUMBERS))
    try:
        given = _given_operations(tags)
        if given is not None:
            choices = [given]
        elif hall is not None:
            choices = [operations_of_hall(hall)]
        elif symbol is not None or number is not None:
            choices = _settings(symbol, number, lattice)
        else:
            choices = [_no_symmetry(tags)]
    except ValueError as error:
        raise StructureError(str(error), name) from error
    if not any(choice.fit(lattice) for choice in choices):
        raise StructureError(
            f"{choices[0].name} do not fit the lengths and angles of the cell", name
        )
    moments = any(tag.startswith("_atom_site_moment") for tag in tags)
    return choices, ["the magnetic moments in the file are not used"] if moments else []


def _given_operations(tags: Tags) -> Operations | None:
    lists = [tags[key] for key in _OPERATIONS if key in tags]
    found = [operations_of(values) for values in lists if set(values) - {"?", ".", ""}]
    if _MAGNETIC_OPERATIONS in tags:
        # "x,y,z,-1": the last number turns the moments round.
        centring, operations = (
            [",".join(text.split(",")[:3]) for text in texts]
            for texts in (tags.get(_MAGNETIC_CENTRING, ["x,y,z"]), tags[_MAGNETIC_OPERATIONS])
        )
        found.append(_products(operations_of(centring), operations))
    if len({frozenset(operations.keys().tolist()) for operations in found}) > 1:
        raise ValueError(
            "lists two sets of symmetry operations that differ (magnetic ones beside ordinary "
            "ones, or two tags); keep the set that the atoms belong to"
        )
    return found[0] if found else None


def _products(centring: Operations, texts: list[str]) -> Operations:
    try:
        operations = [parse_operation(text) for text in texts]
    except ValueError as error:
        raise ValueError(f"the magnetic symmetry operation {str(error)!r} cannot be read") from None
    rotations = np.array([r for r, _ in operations for _ in centring.translations])
    shifts = np.array([t + shift for _, t in operations for shift in centring.translations])
    once = np.sort(np.unique(Operations(rotations, shifts).keys(), return_index=True)[1])
    return Operations(rotations[once], shifts[once]).checked()


def _no_symmetry(tags: Tags) -> Operations:
    """The identity alone, for a file that says nothing of symmetry.

    A file that knows of its symmetry but does not tell it lists perhaps not every atom.
    """
    magnetic = [tag for tag in tags if tag.startswith("_space_group_magn_")]
    unknown = [
        key for key in (*_OPERATIONS, *_HALL, *_SYMBOLS, *_NUMBERS, *magnetic) if key in tags
    ]
    if unknown and len(tags["_atom_site_fract_x"]) not in atoms_stated(tags):
        raise ValueError(
            f"{unknown[0]} is {(tags[unknown[0]] or ['?'])[0]!r}: the symmetry operations are not "
            "known; add _space_group_symop_operation_xyz"
        )
    return operations_of(["x,y,z"])


def _settings(symbol: str | None, number: str | None, lattice: np.ndarray) -> list[Operations]:
    """Of the settings that a symbol or a number mean, those that fit the cell, or else all."""
    text = str(number if symbol is None else symbol)[:100].strip()
    digits = text.isdecimal() and int(text) <= 230
    settings = settings_of_number(int(text)) if digits else settings_of_symbol(text)
    if not settings:
        raise ValueError(
            f"has no symmetry operations, and space group {text!r} is not known; "
            "add _space_group_symop_operation_xyz"
        )
    fitting = [s for s in settings if s.operations().fit(lattice)] or settings
    # The unique axis is b where the symbol and the angles leave it open.
    fitting = [s for s in fitting if s.qualifier.startswith(("b", "-b"))] or fitting
    return [replace(s.operations(), name=f"space group {s.name!r}") for s in fitting]


def check_group(tags: Tags, operations: Operations, crystal: Crystal, name: str) -> None:
    """The group of the operations, or else that of the atoms, must be the one that is stated.

    Raises:
        StructureError: it is another one, with both numbers.
    """
    groups = _stated_groups(tags, name)
    if not groups:
        return
    of_operations = operations.group_number()
    if of_operations is None or set(groups) == {of_operations}:
        return
    from vanhove.crystal.symmetry import space_group

    # All atoms of the cell listed without symmetry, beside the name of the group they have.
    of_atoms = space_group(crystal)[1]
    if set(groups) == {of_atoms}:
        return
    listed = " and ".join(groups.values())
    raise StructureError(
        f"states the space group by {listed}, but its symmetry operations make number "
        f"{of_operations} and its atoms number {of_atoms}; correct the one that is wrong",
        name,
    )


def _stated_groups(tags: Tags, name: str) -> dict[int, str]:
    """The numbers of the groups that the file states, with the words of the file."""
    hall, symbol, number = (stated(tags, *keys) for keys in (_HALL, _SYMBOLS, _NUMBERS))
    groups: dict[int, str] = {}
    if number is not None:
        if not (number.strip().isdecimal() and 1 <= int(number) <= 230):
            raise StructureError(f"space group number {number!r}; allowed: 1 to 230", name)
        groups[int(number)] = f"number {number.strip()}"
    for setting in settings_of_symbol(symbol[:100])[:1] if symbol is not None else []:
        groups.setdefault(setting.number, f"symbol {symbol!r} (number {setting.number})")
    if hall is not None:
        try:
            found = operations_of_hall(hall).group_number()
        except ValueError:  # beside operations, a Hall symbol that cannot be read says nothing
            found = None
        if found is not None:
            groups.setdefault(found, f"Hall symbol {hall!r} (number {found})")
    return groups
