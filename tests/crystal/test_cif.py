"""The CIF grammar, symmetry from what a file states, and statements that contradict it."""

from __future__ import annotations

import gemmi
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.crystal.broken_files import cif
from vanhove.crystal import read_crystals, space_group
from vanhove.crystal.reading import parse_crystals
from vanhove.crystal.space_groups import operations_of, operations_of_hall, settings_of_symbol
from vanhove.errors import StructureError

GROUPS = list(gemmi.spacegroup_table())
DIAMOND = (("C1", "C", "0.125", "0.125", "0.125", "1"),)


def read(text: str, name: str = "a.cif"):
    (crystal,) = parse_crystals(text.encode(), name)
    return crystal


def general(group: gemmi.SpaceGroup, symmetry: str, **cell: str) -> str:
    """One atom on a general place, in a cell that fits every setting of its crystal system."""
    return cif(sites=(("Fe1", "Fe", "0.117", "0.281", "0.43", "1"),), header=symmetry, **cell)


def fitting_cell(group: gemmi.SpaceGroup) -> dict[str, str]:
    a, b, c, alpha, beta, gamma = 12.0, 13.5, 15.2, 82.0, 97.0, 101.0
    system = group.crystal_system_str()
    if system == "monoclinic":
        axis = group.qualifier.strip("-")[0]
        alpha, beta, gamma = (97.0 if axis == letter else 90.0 for letter in "abc")
    elif system != "triclinic":
        alpha = beta = gamma = 90.0
    if system in ("tetragonal", "cubic", "trigonal", "hexagonal"):
        b = a
        c = a if system == "cubic" else c
        if system in ("trigonal", "hexagonal"):
            alpha, beta, gamma = 90.0, 90.0, 120.0
        if group.ext == "R":
            c, alpha, beta, gamma = a, 75.0, 75.0, 75.0
    keys = [f"_cell_length_{x}" for x in "abc"] + [
        f"_cell_angle_{x}" for x in ("alpha", "beta", "gamma")
    ]
    return {k: str(v) for k, v in zip(keys, (a, b, c, alpha, beta, gamma), strict=True)}


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(GROUPS))
def test_operations_hall_and_symbol_make_one_crystal(group):
    cell = fitting_cell(group)
    operations = [f"'{op.triplet()}'" for op in group.operations()]
    loop = "loop_\n_space_group_symop_operation_xyz\n" + "\n".join(operations)
    texts = {
        "operations": general(group, loop, **cell),
        "hall": general(group, f"_space_group_name_Hall '{group.hall}'", **cell),
        "symbol": general(group, f"_symmetry_space_group_name_H-M '{group.xhm()}'", **cell),
        "number": general(group, f"{loop}\n_space_group_IT_number {group.number}", **cell),
    }
    if not operations_of_hall(group.hall).fit(read(cif(**cell)).lattice):
        return  # unusual axes of a tetragonal or trigonal cell
    crystals = {name: read(text) for name, text in texts.items()}
    for crystal in crystals.values():
        assert crystal.n_atoms == len(list(group.operations()))
        for place in crystals["operations"].fractional_coordinates:
            offsets = crystal.fractional_coordinates - place
            assert np.abs(offsets - np.rint(offsets)).max(axis=1).min() < 1e-9


@pytest.mark.parametrize(
    ("symbol", "names"),
    [
        ("P 21/n", ["P 1 21/n 1", "P 1 1 21/n", "P 21/n 1 1"]),
        ("F d -3 m S", ["F d -3 m:1"]),
        ("Fd-3mZ", ["F d -3 m:2"]),
        ("P 4/n m m (origin 2)", ["P 4/n m m:2"]),
        ("R -3 m H", ["R -3 m:H"]),
        ("R-3mR", ["R -3 m:R"]),
        ("R 3 :R", ["R 3:R"]),
        ("P6_3mc", ["P 63 m c"]),
        ("FM-3M", ["F m -3 m"]),
        ("P 21 21 2", ["P 21 21 2"]),
        ("Cmce", ["C m c a"]),
        ("Q 7 7 7", []),
        ("P n m a (c b a)", []),
    ],
)
def test_settings_of_symbols(symbol, names):
    assert [setting.name for setting in settings_of_symbol(symbol)] == names


def test_origin_is_taken_as_marked_or_refused():
    def diamond(symbol):
        return cif(sites=DIAMOND, header=f"_symmetry_space_group_name_H-M '{symbol}'")

    assert read(diamond("F d -3 m Z")).n_atoms == 8
    assert read(diamond("F d -3 m S")).n_atoms == 16
    with pytest.raises(StructureError, match="leaves the origin or the axes open"):
        read(diamond("F d -3 m"))
    with pytest.raises(StructureError, match="leaves the origin or the axes open"):
        read(cif(sites=DIAMOND, header="_space_group_IT_number 227"))


def test_rhombohedral_axes_follow_from_the_cell():
    cell = {f"_cell_angle_{x}": "59" for x in ("alpha", "beta", "gamma")}
    header = "_symmetry_space_group_name_H-M 'R -3 m'"
    bismuth = (("Bi1", "Bi", "0.234", "0.234", "0.234", "1"),)
    lengths = {f"_cell_length_{x}": "4.7" for x in "abc"}
    assert read(cif(sites=bismuth, header=header, **cell, **lengths)).n_atoms == 2
    with pytest.raises(StructureError, match="do not fit the lengths and angles"):
        read(cif(sites=bismuth, header=header.replace("-3 m", "-3 m H"), **cell, **lengths))


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("_space_group_IT_number 225", "number 225, but its symmetry operations make number 1"),
        ("_space_group_name_H-M_alt 'P 6/m m m'", "(number 191).* number 1 and its atoms"),
        ("_space_group_name_Hall '-P 6 2'", "(number 191)"),
        ("_chemical_formula_sum 'Na Cl'\n_cell_formula_units_Z 4", "make 2 atoms, .* state 8"),
        ("_exptl_crystal_density_diffrn 2.17", r"2\.17 but cell and atoms give 1\.516 g/cm3"),
        ("_cell_volume 179.4", "179.4 but cell and atoms give 64 cubic angstrom"),
        ("_chemical_formula_sum 'Na2 Cl'", "the atoms make NaCl but .*'Na2 Cl'"),
        ("_space_group_IT_number 300", "space group number '300'; allowed: 1 to 230"),
    ],
)
def test_statements_that_contradict_the_atoms(header, reason):
    identity = "\nloop_\n_space_group_symop_operation_xyz\n'x,y,z'\n"
    with pytest.raises(StructureError, match=reason):
        read(cif(header=header + identity))


@pytest.mark.parametrize(
    "header",
    [
        "_space_group_IT_number 221",  # every atom listed, and the group that they have
        "_cell_volume 64.2(3)",
        "_exptl_crystal_density_diffrn 1.52",
        "_chemical_formula_sum 'Cl1 Na1'\n_cell_formula_units_Z 1",
        "_chemical_formula_sum 'some salt'\n_cell_formula_units_Z ?",
        "_space_group_name_H-M_alt 'my own symbol'",  # the operations say all
    ],
)
def test_statements_that_agree(header):
    identity = "\nloop_\n_space_group_symop_operation_xyz\n'x,y,z'\n"
    assert read(cif(header=header + identity)).n_atoms == 2


@pytest.mark.parametrize(
    ("operations", "reason"),
    [
        (["x,y,z", "x+1/2,y,z", "x,y+1/2,z"], r"no group: x\+1/2,y\+1/2,z follows"),
        (["x,y,z", "?"], r"operation '\?' cannot be read"),
        (["x1,x2,x3,x4"], "operation 'x1,x2,x3,x4' cannot be read"),
        (["x,y,z", "x,x,z"], "operation 'x,x,z' cannot be read"),
        (["x,y,z", "2*x,y,z"], "cannot be read"),
        (["x,y,z", "x+1/5,y,z"], "cannot be read"),
        (["x,y,z", "-x+y,y,z"], "do not fit the lengths and angles"),
    ],
)
def test_operations_that_are_refused(operations, reason):
    rows = "\n".join(f"'{operation}'" for operation in operations)
    header = f"_space_group_IT_number 1\nloop_\n_symmetry_equiv_pos_as_xyz\n{rows}"
    with pytest.raises(StructureError, match=reason):
        read(cif(header=header))


@pytest.mark.parametrize("spelling", ["1/2-X , +Y,Z", "0.5-x,y,z", ".5 - x, y, z", "-x+1/2,y,z"])
def test_spellings_of_an_operation(spelling):
    operations = operations_of(["x,y,z", spelling])
    np.testing.assert_allclose(operations.images(np.array([0.1, 0.2, 0.3]))[1], [0.4, 0.2, 0.3])


def test_group_numbers_of_operations():
    for hall, number in (("-F 4 2 3", 225), ("-P 2yn", 14), ("P 1", 1), ('R 3 2"', 155)):
        assert operations_of_hall(hall).group_number() == number


def test_grammar():
    text = cif().replace("loop_", "LOOP_").replace("data_test", "DATA_test").upper()
    text = text.replace("\n", "\r")
    assert read(text).n_atoms == 2
    note = "_publ_author_address\n;\nloop_\n_atom_site_fract_x 'a quote\n;\n"
    note += "_x.y 'it''s # no comment'\n"
    assert read(cif(header=note)).n_atoms == 2
    several = cif().replace("\n_cell", " _cell").replace("loop_", "# a comment\nloop_")
    assert read(several).n_atoms == 2
    with pytest.raises(StructureError, match="gives _cell_length_a twice"):
        read(cif(header="_CELL_LENGTH_A 4"))
    with pytest.raises(StructureError, match=r"line 2: .*quote"):
        read(cif(header="_publ_author_name 'O'Neill"))


def test_single_site_without_a_loop():
    head = cif().split("loop_")[0]
    site = "_atom_site_label Fe1\n" + "".join(f"_atom_site_fract_{x} 0.25\n" for x in "xyz")
    assert read(head + site).formula == "Fe"


def test_blocks_are_named(tmp_path):
    path = tmp_path / "a.cif"
    path.write_text("data_global\n_journal_year 2020\n" + cif(name="salt"))
    (crystal,) = read_crystals(path)
    assert crystal.notes == ("data block 'salt', one of 2",)


def test_sites_that_are_only_mentioned():
    head, rows = cif().split("_atom_site_occupancy\n")
    columns = head + "_atom_site_occupancy\n_atom_site_{column}\n" + "{rows}"
    rows = rows.strip().splitlines()

    def with_column(column, *values, more=""):
        listed = "\n".join(f"{row} {v}" for row, v in zip(rows, values, strict=True)) + more
        return columns.format(column=column, rows=listed)

    dummy = "\nX1 ? . . . 1 dum\n"
    crystal = read(with_column("calc_flag", "d", "d", more=dummy))
    assert crystal.n_atoms == 2
    assert "1 dummy sites" in crystal.notes[0]
    with pytest.raises(StructureError, match="alternative positions"):
        read(with_column("disorder_group", "1", "2"))
    assert read(with_column("disorder_group", ".", "1")).n_atoms == 2
    with pytest.raises(StructureError, match=r"site Cl1 makes 1 atoms, but its .* is 3"):
        read(with_column("symmetry_multiplicity", "1", "3"))


def test_isotopes_and_labels():
    heavy = (("D1", "D", "0", "0", "0", "1"), ("H2", "H", "0.5", "0.5", "0.5", "1"))
    crystal = read(cif(sites=heavy, header="_chemical_formula_sum 'D H'"))
    assert crystal.formula == "H2"
    assert "D is taken as H" in crystal.notes[0]
    without = cif(sites=heavy).replace("_atom_site_type_symbol\n", "").replace(" D ", " ")
    without = without.replace(" H ", " ")
    with pytest.raises(StructureError, match="site D1: whether that is an element"):
        read(without)
    named = without.replace("data_test\n", "data_test\n_chemical_formula_sum 'D H'\n")
    assert read(named).formula == "H2"


@pytest.mark.parametrize("minus", list("\u2010\u2012\u2013\u2212\uff0d"))
def test_typographic_minus_in_every_format(minus):
    rows = "1.0\n4 0 0\n0 4 0\n0 0 4\nNa Cl\n1 1\nDirect\n0 0 0\n"
    for name, text in {
        "a.cif": cif(sites=(("Na1", "Na", "-0.1", "0", "0", "1"),)),
        "POSCAR": f"NaCl\n{rows}-0.1 0.5 0.5\n",
        "a.xyz": '1\nLattice="4 0 0 0 4 0 0 0 4" Properties=species:S:1:pos:R:3\nFe -0.4 0 0\n',
    }.items():
        plain, typographic = read(text, name), read(text.replace("-", minus), name)
        np.testing.assert_array_equal(
            plain.fractional_coordinates, typographic.fractional_coordinates
        )


def test_group_of_an_expanded_crystal():
    group = gemmi.find_spacegroup_by_name("P 1 21/n 1")
    text = general(group, "_symmetry_space_group_name_H-M 'P 21/n'", **fitting_cell(group))
    assert space_group(read(text))[1] == 14
