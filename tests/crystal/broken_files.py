"""Structure files that are broken in one way each, for the tests of reading and of the command."""

from __future__ import annotations

import json
from pathlib import Path

_CELL = {
    "_cell_length_a": "4.0",
    "_cell_length_b": "4.0",
    "_cell_length_c": "4.0",
    "_cell_angle_alpha": "90",
    "_cell_angle_beta": "90",
    "_cell_angle_gamma": "90",
}
_SITES = (("Na1", "Na", "0.0", "0.0", "0.0", "1"), ("Cl1", "Cl", "0.5", "0.5", "0.5", "1"))
_COLUMNS = ("label", "type_symbol", "fract_x", "fract_y", "fract_z", "occupancy")


def cif(
    sites: tuple[tuple[str, ...], ...] = _SITES,
    header: str = "",
    drop: str = "",
    name: str = "test",
    **cell: str,
) -> str:
    """A CIF without symmetry operations; ``_cell_length_a="..."`` replaces, ``drop`` leaves out."""
    lines = [f"data_{name}", header]
    lines += [f"{key} {value}" for key, value in (_CELL | cell).items() if key != drop]
    lines += ["loop_", *(f"_atom_site_{column}" for column in _COLUMNS)]
    lines += [" ".join(site) for site in sites]
    return "\n".join(lines) + "\n"


_NA, _CL = _SITES
FILES: dict[str, tuple[str | bytes, str]] = {
    "empty.cif": ("", "is empty"),
    "blank.cif": (" \n\n", "is empty"),
    "truncated_row.cif": (cif()[: cif().rindex("0.5")], "incomplete row"),
    "truncated_header.cif": (cif()[: cif().index("loop_")], "_atom_site_fract_x is missing"),
    "no_rows.cif": (cif(sites=()), "incomplete row or none"),
    "binary.cif": (bytes(range(256)) * 4, "is binary"),
    "utf16.cif": (cif().encode("utf-16"), "is binary or UTF-16"),
    "prose.cif": ("This is not a crystal.\n", "no line that starts with data_"),
    "partial.cif": (
        cif(sites=(_NA, (*_CL[:5], "0.5"))),
        r"site Cl1 has occupancy 0\.5; only fully ordered",
    ),
    "mixed_site.cif": (
        cif(sites=((*_NA[:5], "0.5"), ("K1", "K", "0.0", "0.0", "0.0", "0.5"))),
        r"site Na1 has occupancy 0\.5",
    ),
    "two_on_one_site.cif": (
        cif(sites=(_NA, ("Na2", "Na", "0.0", "0.0", "0.0", "1"))),
        "occupancy Na 2",
    ),
    "unknown_element.cif": (
        cif(sites=(_NA, ("Xx1", "Xx", *_CL[2:]))),
        "site Xx1 has an unknown element 'Xx'",
    ),
    "overlap.cif": (
        cif(sites=(_NA, ("Cl1", "Cl", "0.05", "0.0", "0.0", "1"))),
        r"0\.200 angstrom apart",
    ),
    "overlap_across_boundary.cif": (
        cif(sites=(_NA, ("Cl1", "Cl", "0.95", "0.0", "0.0", "1"))),
        r"0\.200 angstrom apart",
    ),
    "zero_volume.cif": (cif(_cell_angle_gamma="180"), "_cell_angle_gamma is '180'"),
    "flat_angles.cif": (
        cif(_cell_angle_alpha="30", _cell_angle_beta="30", _cell_angle_gamma="60"),
        "span no volume",
    ),
    "zero_length.cif": (cif(_cell_length_c="0.0"), r"_cell_length_c is '0\.0'"),
    "nan.cif": (
        cif(sites=(_NA, ("Cl1", "Cl", "nan", "0.5", "0.5", "1"))),
        "site Cl1: _atom_site_fract_x is 'nan'",
    ),
    "unknown_coordinate.cif": (
        cif(sites=(_NA, ("Cl1", "Cl", "?", "0.5", "0.5", "1"))),
        r"site Cl1: _atom_site_fract_x is '\?'",
    ),
    "missing_cell.cif": (cif(drop="_cell_length_b"), "_cell_length_b is missing"),
    "two_blocks.cif": (
        cif(name="first") + cif(name="second"),
        "holds 2 structures; choose: index 0 to 1",
    ),
    "two_blocks_same_name.cif": (cif() + cif(), "holds 2 structures"),
    "unknown_group.cif": (
        cif(header="_symmetry_space_group_name_H-M 'Q 7 7 7'"),
        "space group 'Q 7 7 7' is not known",
    ),
    "missing_atoms.cif": (
        cif(header="_chemical_formula_sum 'Na Cl3'"),
        "the atoms make NaCl but _chemical_formula_sum is 'Na Cl3'",
    ),
    "POSCAR_too_few": (
        "NaCl\n1.0\n4 0 0\n0 4 0\n0 0 4\nNa Cl\n1 1\nDirect\n0 0 0\n",
        "coordinates of 1 atoms but declares 2",
    ),
    "POSCAR_no_elements": (
        "a cell of mine\n1.0\n4 0 0\n0 4 0\n0 0 4\n1 1\nDirect\n0 0 0\n0.5 0.5 0.5\n",
        "names no elements",
    ),
    "POSCAR_flat": (
        "NaCl\n1.0\n4 0 0\n0 4 0\n4 4 0\nNa Cl\n1 1\nDirect\n0 0 0\n0.5 0.5 0.5\n",
        "span no volume",
    ),
    "water.xyz": (
        "3\nwater\nO 0 0 0\nH 0.76 0.59 0\nH -0.76 0.59 0\n",
        "has no lattice",
    ),
    "slab.xyz": (
        '1\nLattice="3 0 0 0 3 0 0 0 20" pbc="T T F" Properties=species:S:1:pos:R:3\nC 0 0 0\n',
        "not periodic in three directions",
    ),
    "unknown_element.xyz": (
        '1\nLattice="3 0 0 0 3 0 0 0 3" Properties=species:S:1:pos:R:3\nXx 0 0 0\n',
        "unknown element.*Xx",
    ),
    "settings.json": (json.dumps({"batch": 4}), "is JSON but no structure"),
    "cut_off.json": ('{"lattice": {"matrix": [[4.0, 0', "is not valid JSON"),
    "empty_list.json": ("[]", "holds no structure"),
}
"""File name -> its content and what the error must say."""


def write_broken_files(folder: Path) -> dict[str, str]:
    """Write them into ``folder``; returns a regular expression of the reason for each file name."""
    for name, (content, _) in FILES.items():
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return {name: reason for name, (_, reason) in FILES.items()}
