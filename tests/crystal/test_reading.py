import json
import os
import re
import warnings
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.crystal.broken_files import cif, write_broken_files
from vanhove.crystal import Crystal, find_structure_files, read_crystal, read_crystals, standardize
from vanhove.errors import StructureError

EXAMPLES = Path(__file__).parents[2] / "examples" / "structures"
PRIMITIVE = {  # file: atoms in the file's cell and the primitive one, space group, volume per atom
    "Al2O3": (30, 10, "R-3c", 8.49),
    "AlN": (4, 4, "P6_3mc", 10.45),
    "CaF2": (12, 3, "Fm-3m", 13.59),
    "GaAs": (8, 2, "F-43m", 22.58),
    "MgO": (8, 2, "Fm-3m", 9.34),
    "NaCl": (8, 2, "Fm-3m", 22.43),
    "Si": (8, 2, "Fd-3m", 20.02),
    "SrTiO3": (5, 5, "Pm-3m", 11.91),
    "TiO2_rutile": (6, 6, "P4_2/mnm", 10.41),
    "ZnO": (4, 4, "P6_3mc", 11.91),
}

WURTZITE = """data_ZnO
_cell_length_a 3.25
_cell_length_b 3.25
_cell_length_c 5.207
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 120
_chemical_formula_sum 'Zn O'
loop_
_space_group_symop_operation_xyz
'x, y, z'
'-y, x-y, z'
'-x+y, -x, z'
'-x, -y, z+1/2'
'y, -x+y, z+1/2'
'x-y, x, z+1/2'
'-y, -x, z'
'-x+y, y, z'
'x, x-y, z'
'y, x, z+1/2'
'x-y, -y, z+1/2'
'-x, -x+y, z+1/2'
loop_
_atom_site_label
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
Zn1 {third} {two_thirds} 0.0
O1 {third} {two_thirds} 0.3819(2)
"""


def write(folder: Path, name: str, content: str) -> Path:
    path = folder / name
    path.write_text(content, encoding="utf-8")
    return path


def assert_same(one: Crystal, other: Crystal, tolerance: float = 1e-6) -> None:
    """The same atoms, in any order, in the same cell up to a rotation."""
    assert sorted(one.atomic_numbers) == sorted(other.atomic_numbers)
    np.testing.assert_allclose(
        one.lattice @ one.lattice.T, other.lattice @ other.lattice.T, atol=1e-4
    )
    for z, position in zip(one.atomic_numbers, one.fractional_coordinates, strict=True):
        offsets = other.fractional_coordinates[other.atomic_numbers == z] - position
        offsets -= np.rint(offsets)
        assert np.abs(offsets).max(axis=1).min() < tolerance


@pytest.fixture(scope="module")
def rutile() -> Crystal:
    return read_crystal(EXAMPLES / "TiO2_rutile.cif")


@pytest.mark.parametrize("name", PRIMITIVE)
def test_examples(name):
    n_atoms, n_primitive, symbol, volume = PRIMITIVE[name]
    crystal = read_crystal(EXAMPLES / f"{name}.cif")
    assert crystal.name == f"{name}.cif"
    assert crystal.n_atoms == n_atoms
    assert crystal.volume / n_atoms == pytest.approx(volume, abs=0.01)
    result = standardize(crystal)
    assert (result.primitive.n_atoms, result.space_group_symbol) == (n_primitive, symbol)


def test_every_example_is_tested():
    assert [path.stem for path in find_structure_files(EXAMPLES)] == sorted(PRIMITIVE)


# --- formats ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file_name", "ase_format"),
    [
        ("POSCAR", "vasp"),
        ("CONTCAR_relaxed", "vasp"),
        ("a.vasp", "vasp"),
        ("b.poscar", "vasp"),
        ("c.extxyz", "extxyz"),
        ("d.xyz", "extxyz"),
        ("e.json", "json"),
        ("f.cif", "cif"),
    ],
)
def test_files_written_by_ase(tmp_path, rutile, file_name, ase_format):
    rutile.to_atoms().write(tmp_path / file_name, format=ase_format)
    crystal = read_crystal(str(tmp_path / file_name))
    assert crystal.name == file_name
    assert_same(crystal, rutile, tolerance=1e-5)


@pytest.mark.parametrize("file_name", ["a.cif", "POSCAR", "c.json"])
def test_files_written_by_pymatgen(tmp_path, rutile, file_name):
    structure = rutile.to_structure()
    structure.add_oxidation_state_by_element({"Ti": 4, "O": -2})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        structure.to(str(tmp_path / file_name))
    assert_same(read_crystal(tmp_path / file_name), rutile)


def test_json_of_an_entry_and_of_ase(tmp_path, rutile):
    from ase.io.jsonio import encode

    entry = {"energy": -1.0, "structure": rutile.to_structure().as_dict()}
    assert_same(read_crystal(write(tmp_path, "entry.json", json.dumps(entry))), rutile)
    assert_same(read_crystal(write(tmp_path, "a.json", encode(rutile.to_atoms()))), rutile)
    plain = {key: value.tolist() for key, value in rutile.to_atoms().todict().items()}
    assert_same(read_crystal(write(tmp_path, "plain.json", json.dumps(plain))), rutile)


def test_objects(rutile):
    assert read_crystal(rutile) is rutile
    assert_same(read_crystal(rutile.to_structure()), rutile)
    atoms = rutile.to_atoms()
    assert read_crystal(atoms).name == ""
    atoms.info["name"] = "mine"
    assert read_crystal(atoms).name == "mine"
    assert_same(read_crystal(atoms), rutile)


def test_objects_are_checked(rutile):
    with pytest.raises(StructureError, match="no atoms"):
        read_crystal(Crystal(np.eye(3), [], []))
    atoms = rutile.to_atoms()
    atoms.pbc = (True, True, False)
    with pytest.raises(StructureError, match="not periodic in three directions"):
        read_crystal(atoms)
    with pytest.raises(StructureError, match="is JSON but no structure"):
        read_crystal({})  # type: ignore[arg-type]


def test_disordered_objects():
    from ase.io import read
    from pymatgen.core import DummySpecies, Structure

    cube = np.eye(3) * 4
    mixed = Structure(cube, [{"Fe": 0.5, "Co": 0.5}, "O"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    with pytest.raises(StructureError, match=r"site 1 .* has occupancy Fe 0\.5, Co 0\.5"):
        read_crystal(mixed)
    vacant = Structure(cube, ["Fe", {"O": 0.75}], [[0, 0, 0], [0.5, 0.5, 0.5]])
    with pytest.raises(StructureError, match=r"site 2 .* has occupancy O 0\.75"):
        read_crystal(vacant)
    with pytest.raises(StructureError, match="unknown element 'X'"):
        read_crystal(Structure(cube, [DummySpecies("X")], [[0, 0, 0]]))
    one_element = Structure(cube, [{"Fe2+": 0.5, "Fe3+": 0.5}], [[0, 0, 0]])
    assert read_crystal(one_element).atomic_numbers.tolist() == [26]

    text = cif(sites=(("Fe1", "Fe", "0", "0", "0", "0.5"), ("Co1", "Co", "0", "0", "0", "0.5")))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        atoms = read(StringIO(text), format="cif")
    with pytest.raises(StructureError, match=r"occupancy Fe 0\.5, Co 0\.5"):
        read_crystal(atoms)


# --- POSCAR ----------------------------------------------------------------------------------

POSCARS = {
    "VASP 4": "Na Cl\n1.0\n4 0 0\n0 4 0\n0 0 4\n1 1\nDirect\n0 0 0\n0.5 0.5 0.5\n",
    "VASP 5": "a comment\n2.0\n2 0 0\n0 2 0\n0 0 2\nNa Cl\n1 1\nDirect\n0 0 0\n0.5 0.5 0.5\n",
    "Cartesian": "c\n2.0\n2 0 0\n0 2 0\n0 0 2\nNa Cl\n1 1\nCartesian\n0 0 0\n1 1 1\n",
    "volume": "c\n-64.0\n2 0 0\n0 2 0\n0 0 2\nNa Cl\n1 1\nkartesisch\n0 0 0\n1 1 1\n",
    "three scales": "c\n1 2 4\n4 0 0\n0 2 0\n0 0 1\nNa Cl\n1 1\nDirect\n0 0 0\n0.5 0.5 0.5\n",
    "selective": "c\n1\n4 0 0\n0 4 0\n0 0 4\nNa Cl\n1 1\nSelective dynamics\nDirect\n"
    "0 0 0 T T F\n0.5 0.5 0.5 F F F\n",
    "potentials": "c\n1\n4 0 0\n0 4 0\n0 0 4\nNa_pv Cl/6a2f\n1 1\nDirect\n0 0 0\n.5 .5 .5\n",
    "labels": "c\n1\n4 0 0\n0 4 0\n0 0 4\nNa Cl\n1 1 ! atoms\nDirect\n0 0 0 Na\n.5 .5 .5 Cl\n",
    "velocities": "c\n1\n4 0 0\n0 4 0\n0 0 4\nNa Cl\n1 1\nDirect\n0 0 0\n.5 .5 .5\n"
    "\n0 0 0\n0 0 1\n",
}


@pytest.mark.parametrize("kind", POSCARS)
def test_poscar_variants(tmp_path, kind):
    crystal = read_crystal(write(tmp_path, "POSCAR", POSCARS[kind]))
    np.testing.assert_allclose(crystal.lattice, np.eye(3) * 4, atol=1e-12)
    np.testing.assert_allclose(crystal.fractional_coordinates, [[0] * 3, [0.5] * 3], atol=1e-12)
    assert crystal.atomic_numbers.tolist() == [11, 17]


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("2.0\n", "two\n", "line 2, 'two', is no scale factor"),
        ("2.0\n", "0.0\n", "is no scale factor"),
        ("0 2 0\n", "0 2\n", "line 4, '0 2', is not a lattice vector"),
        ("Na Cl\n", "Na Xx\n", "unknown element 'Xx'"),
        ("Na Cl\n", "Na\n", "names 1 elements but 2 numbers"),
        ("1 1\n", "one\n", "holds no numbers of atoms"),
        ("Direct\n", "", 'no line "Direct"'),
        ("0.5 0.5 0.5", "0.5 0.5", "line 10, '0.5 0.5', is not coordinates"),
        ("0.5 0.5 0.5", "0.5 0.5 nan", "is not coordinates"),
    ],
)
def test_broken_poscars(tmp_path, old, new, reason):
    text = POSCARS["VASP 5"].replace(old, new)
    assert text != POSCARS["VASP 5"]
    with pytest.raises(StructureError, match=reason):
        read_crystal(write(tmp_path, "POSCAR", text + "\n"))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.booleans())
def test_poscar_agrees_with_ase(tmp_path_factory, seed, cartesian):
    rng = np.random.default_rng(seed)
    lattice = np.eye(3) * 12 + rng.normal(size=(3, 3))
    n = int(rng.integers(1, 6))
    corners = rng.permutation(np.array(list(np.ndindex(2, 2, 2))))[:n] / 2  # well apart
    coordinates = corners + rng.uniform(0, 0.3, (n, 3))
    atoms = Crystal(lattice, coordinates, rng.integers(1, 119, n)).to_atoms()
    path = tmp_path_factory.mktemp("poscar") / "POSCAR"
    atoms.write(path, format="vasp", direct=not cartesian)
    assert_same(read_crystal(path), read_crystal(atoms), tolerance=1e-9)


# --- CIF quirks ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("third", "two_thirds"),
    [
        ("0.33333333", "0.66666667"),
        ("0.3333", "0.6667"),
        ("0.3333", "0.6666"),
        ("0.333", "0.667"),
        ("0.3333(3)", "-0.3333"),
    ],
)
def test_rounded_special_positions(tmp_path, third, two_thirds):
    text = WURTZITE.format(third=third, two_thirds=two_thirds)
    crystal = read_crystal(write(tmp_path, "ZnO.cif", text))
    assert crystal.n_atoms == 4
    result = standardize(crystal)
    assert (result.primitive.n_atoms, result.space_group_symbol) == (4, "P6_3mc")


def test_group_name_without_operations(tmp_path):
    def diamond(position, formula_units):
        return cif(
            sites=(("C1", "C", position, position, position, "1"),),
            header="_symmetry_space_group_name_H-M 'F d -3 m'\n" + formula_units,
        )

    z = "_chemical_formula_sum C\n_cell_formula_units_Z 8"
    crystal = read_crystal(write(tmp_path, "first_origin.cif", diamond("0.0", z)))
    assert (crystal.n_atoms, standardize(crystal).space_group_symbol) == (8, "Fd-3m")
    # At the other origin the same atom makes 16.
    crystal = read_crystal(write(tmp_path, "second_origin.cif", diamond("0.125", z)))
    assert (crystal.n_atoms, standardize(crystal).space_group_symbol) == (8, "Fd-3m")
    with pytest.raises(StructureError, match="leaves the origin or the axes open"):
        read_crystal(write(tmp_path, "open.cif", diamond("0.0", "")))


def test_cif_elements(tmp_path):
    na, cl = ("X1", "Na1+", "0", "0", "0", "1"), ("X2", "CL1-", "0.5", "0.5", "0.5", "?")
    crystal = read_crystal(write(tmp_path, "ions.cif", cif(sites=(na, cl))))
    assert sorted(crystal.atomic_numbers) == [11, 17]
    heavy_water = (("D1", "D", "0", "0", "0", "1"), ("T1", "T", "0.5", "0.5", "0.5", "1"))
    crystal = read_crystal(write(tmp_path, "isotopes.cif", cif(sites=heavy_water)))
    assert crystal.atomic_numbers.tolist() == [1, 1]


@pytest.mark.parametrize("symbol", ["Xx", "Cx", "Wat", "OH", "?", "0.5Nb"])
def test_cif_symbols_that_pymatgen_guesses_or_skips(tmp_path, symbol):
    sites = (("Na1", "Na", "0", "0", "0", "1"), ("Q1", symbol, "0.5", "0.5", "0.5", "1"))
    with pytest.raises(StructureError, match=f"site Q1 .*element '{re.escape(symbol)}'"):
        read_crystal(write(tmp_path, "odd.cif", cif(sites=sites)))


def test_latin1_and_byte_order_mark(tmp_path):
    path = tmp_path / "a.cif"
    path.write_bytes(("# Müller\n" + cif()).encode("latin-1"))
    assert read_crystal(path).n_atoms == 2
    path.write_bytes(cif().encode("utf-8-sig").replace(b"\n", b"\r\n"))
    assert read_crystal(path).n_atoms == 2


# --- several structures ----------------------------------------------------------------------


@pytest.fixture
def several(tmp_path) -> dict[str, Path]:
    """Three cubes, lattice constants 4, 5 and 6 angstrom, in every format that can hold them."""
    from ase.io import write as ase_write

    cubes = [Crystal(np.eye(3) * a, [[0, 0, 0]], [26]) for a in (4.0, 5.0, 6.0)]
    ase_write(tmp_path / "all.xyz", [c.to_atoms() for c in cubes], format="extxyz")
    site = (("Fe1", "Fe", "0", "0", "0", "1"),)
    blocks = [
        cif(site, _cell_length_a=a, _cell_length_b=a, _cell_length_c=a) for a in ("4", "5", "6")
    ]
    write(tmp_path, "all.cif", "data_global\n_journal_year 2020\n" + "".join(blocks))
    structures = [c.to_structure().as_dict() for c in cubes]
    write(tmp_path, "all.json", json.dumps(structures))
    return {suffix: tmp_path / f"all.{suffix}" for suffix in ("xyz", "cif", "json")}


@pytest.mark.parametrize("suffix", ["xyz", "cif", "json"])
def test_several_structures(several, suffix):
    path = several[suffix]
    for read in (read_crystal, read_crystals):
        with pytest.raises(StructureError, match=r'holds 3 structures; choose: index 0 to 2 .*":"'):
            read(path)
    crystal = read_crystal(path, index=1)
    assert (crystal.name, round(crystal.lattice[0, 0])) == (f"all.{suffix}[1]", 5)
    assert round(read_crystal(path, index=-1).lattice[0, 0]) == 6
    for everything in (":", "all"):
        crystals = read_crystals(path, index=everything)
        assert [round(c.lattice[0, 0]) for c in crystals] == [4, 5, 6]
        assert [c.name for c in crystals] == [f"all.{suffix}[{i}]" for i in range(3)]
    with pytest.raises(StructureError, match="has no structure 3; allowed: index 0 to 2"):
        read_crystal(path, index=3)
    with pytest.raises(ValueError, match="allowed: a number"):
        read_crystals(path, index="first")
    with pytest.raises(ValueError, match="read_crystals"):
        read_crystal(path, index=":")  # type: ignore[arg-type]


def test_index_of_a_single_structure(rutile):
    path = EXAMPLES / "Si.cif"
    assert [c.name for c in read_crystals(path, index=":")] == ["Si.cif"]
    assert read_crystals(rutile) == [rutile]
    with pytest.raises(StructureError, match="has no structure 1"):
        read_crystal(path, index=1)


# --- failures --------------------------------------------------------------------------------


def test_broken_files(tmp_path, capfd):
    reasons = write_broken_files(tmp_path)
    assert sum(name.endswith(".cif") for name in reasons) >= 10
    for name, reason in reasons.items():
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises(StructureError) as caught:
                read_crystal(tmp_path / name)
        message = str(caught.value)
        assert re.search(reason, message), f"{message!r} does not match {reason!r}"
        assert message.startswith(f"{name}: ")
        assert "\n" not in message
        assert len(message) < 300
    assert capfd.readouterr() == ("", "")


def test_reading_prints_nothing(tmp_path, capfd):
    path = write(
        tmp_path,
        "a.cif",
        cif(
            header="_symmetry_Int_Tables_number 221",
            sites=(("Po1", "Po", "0.3333", "0.3333", "0.3333", "1"),),
        ),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_crystal(path).n_atoms == 8
    assert capfd.readouterr() == ("", "")


def test_paths_that_cannot_be_read(tmp_path):
    with pytest.raises(StructureError, match=r"missing\.cif: no such file"):
        read_crystal(tmp_path / "missing.cif")
    with pytest.raises(StructureError, match="is a folder"):
        read_crystal(tmp_path)
    with pytest.raises(StructureError, match=r"a\.txt: not a known structure file; allowed: \.cif"):
        read_crystal(write(tmp_path, "a.txt", cif()))
    if os.geteuid():  # root may read everything
        locked = write(tmp_path, "locked.cif", cif())
        locked.chmod(0)
        with pytest.raises(StructureError, match="cannot be opened: Permission denied"):
            read_crystal(locked)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_damaged_files_are_read_or_refused(tmp_path_factory, data):
    """Cut, with a line lost, or with a character replaced: never another exception."""
    name, text = data.draw(
        st.sampled_from(
            [
                ("a.cif", WURTZITE.format(third="0.3333", two_thirds="0.6667")),
                ("POSCAR", POSCARS["selective"]),
                ("a.json", json.dumps(_FE.to_structure().as_dict())),
                (
                    "a.xyz",
                    '1\nLattice="3 0 0 0 3 0 0 0 3" Properties=species:S:1:pos:R:3\nFe 0 0 0',
                ),
            ]
        )
    )
    at = data.draw(st.integers(0, len(text)))
    damaged = data.draw(
        st.sampled_from(
            [
                text[:at],
                text[:at] + data.draw(st.sampled_from("-9x'\"é ,[")) + text[at + 1 :],
                "\n".join(text.split("\n")[: at % 9] + text.split("\n")[at % 9 + 1 :]),
            ]
        )
    )
    path = write(tmp_path_factory.mktemp("damaged"), name, damaged)
    message = ""
    try:
        assert read_crystal(path).n_atoms > 0
    except StructureError as error:
        message = str(error)
    assert "\n" not in message


_FE = Crystal(np.eye(3) * 2.87, [[0, 0, 0], [0.5, 0.5, 0.5]], [26, 26])
