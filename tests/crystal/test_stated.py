"""What files state of a structure more than once must agree, or it is refused by name."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from tests.crystal.broken_files import cif
from vanhove.crystal import Crystal, read_crystal
from vanhove.crystal.reading import parse_crystals
from vanhove.errors import StructureError

SALT = Crystal(4.0 * np.eye(3), [[0, 0, 0], [0.5, 0.5, 0.5]], [11, 17])
LATTICE = 'Lattice="4 0 0 0 4 0 0 0 4"'
POSCAR = "x\n1.0\n4 0 0\n0 4 0\n0 0 4\nNa Cl\n1 1\nDirect\n0 0 0\n0.5 0.5 0.5\n"


def one(name: str, content: str) -> Crystal:
    (crystal,) = parse_crystals(content.encode(), name)
    return crystal


def pymatgen(**changes: Any) -> str:
    data = SALT.to_structure().as_dict()
    data["lattice"] |= changes
    return json.dumps(data)


def optimade(**changes: Any) -> str:
    attributes = {
        "dimension_types": [1, 1, 1],
        "lattice_vectors": SALT.lattice.tolist(),
        "cartesian_site_positions": SALT.cartesian_coordinates.tolist(),
        "species_at_sites": ["Na", "Cl"],
        "nsites": 2,
    }
    return json.dumps({"data": {"attributes": attributes | changes}})


def test_the_good_ones_are_read():
    structure = SALT.to_structure().as_dict()
    entry = {"structure": structure, "formula_pretty": "NaCl", "volume": 128.0, "nsites": 4}
    for name, content in {
        "pymatgen.json": pymatgen(),
        "optimade.json": optimade(
            nelements=2,
            elements=["Cl", "Na"],
            elements_ratios=[0.5, 0.5],
            chemical_formula_hill="Cl2Na2",
            chemical_formula_reduced="ClNa",
        ),
        "entry.json": json.dumps(entry),
        "POSCAR": POSCAR + "\n0 0 0\n0 0 0.1\n",
        "a.xyz": f"2\n{LATTICE} Properties=pos:R:3:species:S:1\n0 0 0 Na\n2 2 2 Cl\n",
    }.items():
        assert one(name, content).formula == "NaCl", name
        assert one(name, content).notes == (), name


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.json", pymatgen(volume=128.0), 'states "volume" 128.0, but its matrix gives 64'),
        ("a.json", pymatgen(a=5.0), 'states "a" 5.0, but its matrix gives 4'),
        ("a.json", pymatgen(gamma=120.0), 'states "gamma" 120.0'),
        (
            "a.json",
            json.dumps({"structure": SALT.to_structure().as_dict(), "formula_pretty": "KCl"}),
            "the structure is of NaCl, but formula_pretty is KCl",
        ),
        (
            "a.json",
            json.dumps({"structure": SALT.to_structure().as_dict(), "volume": 64, "nsites": 8}),
            "32 cubic angstrom for each atom, but volume 64 and nsites 8 state 8",
        ),
        (
            "a.json",
            json.dumps(
                {
                    "lattice_mat": SALT.lattice.tolist(),
                    "coords": [[0, 0, 0], [0.5, 0.5, 0.5]],
                    "elements": ["Na", "Cl"],
                    "abc": [4, 4, 5],
                }
            ),
            r'"abc" is \[4, 4, 5\], but the lattice has lengths',
        ),
        ("a.json", optimade(nelements=3), "the entry states 3 elements"),
        (
            "a.json",
            optimade(elements=["Cl", "Na"], elements_ratios=[0.75, 0.25]),
            r"the entry states elements_ratios \[0.75, 0.25\]",
        ),
        ("a.json", optimade(chemical_formula_hill="Cl2Na"), "the entry states Cl2Na"),
        ("a.json", optimade(chemical_formula_reduced="ClNx"), "names an unknown element 'Nx'"),
        ("a.cif", cif(header="_chemical_formula_sum 'Cl Nx'"), "names an unknown element 'Nx'"),
        (
            "a.cif",
            "data_a\n_space_group_name_H-M_alt 'F m -3 m'\n" + cif(),
            "data block 'a' states the symmetry, but the atoms stand in another block",
        ),
        ("POSCAR", POSCAR + "0.5 0.5 0\n", "has coordinates of 3 atoms but declares 2"),
        (
            "a.xyz",
            f"1\n{LATTICE} Properties=species:S:1:scaled_positions:R:3\nNa 0.5 0 0\n",
            r"declares no places \(pos:R:3\)",
        ),
        (
            "a.xyz",
            f'1\n{LATTICE}0" Properties=species:S:1:pos:R:3\nNa 0 0 0\n',
            "something is glued to the lattice",
        ),
    ],
)
def test_a_contradiction_is_refused(name, content, reason):
    with pytest.raises(StructureError, match=reason):
        one(name, content)


def test_isotopes_are_said_in_every_format():
    deuterium = "an isotope's other mass is not known to models"
    of_mass = "masses of isotopes (H 2.014 u) are not known to models"
    structure = SALT.to_structure().as_dict()
    structure["sites"][0]["species"] = [{"element": "D", "occu": 1}]
    species = [
        {"name": "D", "chemical_symbols": ["H"], "concentration": [1.0], "mass": [2.014]},
        {"name": "Cl", "chemical_symbols": ["Cl"], "concentration": [1.0], "mass": [35.45]},
    ]
    atoms = Crystal(SALT.lattice, SALT.fractional_coordinates, [1, 17]).to_atoms()
    atoms.set_masses([2.014, 35.45])
    properties = "Properties=species:S:1:pos:R:3:masses:R:1"
    found = {
        deuterium: [
            one("a.json", json.dumps(structure)),
            one("POSCAR", POSCAR.replace("Na", "D")),
            one("a.xyz", f"2\n{LATTICE} Properties=species:S:1:pos:R:3\nD 0 0 0\nCl 2 2 2\n"),
        ],
        of_mass: [
            one("a.json", optimade(species_at_sites=["D", "Cl"], species=species)),
            one("a.xyz", f"2\n{LATTICE} {properties}\nH 0 0 0 2.014\nCl 2 2 2 35.45\n"),
            read_crystal(atoms),
        ],
    }
    for note, crystals in found.items():
        for crystal in crystals:
            assert crystal.formula == "HCl"
            assert any(note in text for text in crystal.notes)
