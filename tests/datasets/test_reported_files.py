"""Small files modelled on faults that users of this field's programs reported."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.crystal.broken_files import cif
from vanhove import Spectrum
from vanhove.datasets import load_folder, read_bands, read_electron_dos
from vanhove.errors import DataError
from vanhove.spectra.plausibility import check_modes

FOLDER = Path(__file__).parent / "reported"


MAGNESIUM, PLACE = "symbol: X # 1", "[  0.500000000000000,  0.500000000000000,  0.500000000000000 ]"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (
            {MAGNESIUM: "symbol: MgCa # 1\n  mixture: [ [Mg, 0.5], [Ca, 0.5] ]"},
            "MgCa is shared by a mixture",
        ),
        (
            {MAGNESIUM: "symbol: Mg # 1", "mass: 24.305000": "mass: 24.305000\n  weight: 0.5"},
            "Mg is shared by a mixture",
        ),
        ({}, "unknown element 'X'"),
        ({MAGNESIUM: "symbol: Mg1 # 1"}, "unknown element 'Mg1'"),
        ({MAGNESIUM: "symbol: Mg # 1", PLACE: "[  0.0, 0.0, 0.0 ]"}, "0.000 angstrom apart"),
    ],
)
def test_refused_sites_of_phonopy(changes, reason, tmp_path):
    text = (FOLDER / "band_X.yaml").read_text()
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new, 1)
    with pytest.raises(DataError, match=reason):
        read_yaml(tmp_path, text)


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        ("band_cm1.yaml", "a frequency of 18059 1/cm.* is the file in 1/cm"),
        ("conventional/NaCl.json", "the bands are of another cell than the structure"),
    ],
)
def test_refused_bands(file, reason):
    with pytest.raises(DataError, match=reason):
        read_bands(FOLDER / file)


def test_frequencies_of_another_unit():
    spectrum = Spectrum.from_phonopy(FOLDER / "total_dos_THz.dat")
    assert 500 < spectrum.grid[spectrum.values > 1e-6].max() < 600
    with pytest.raises(DataError, match="is the file in 1/cm"):
        Spectrum.from_phonopy(FOLDER / "total_dos_cm1.dat")


def test_bands_of_the_same_cell():
    bands = read_bands(FOLDER / "primitive" / "NaCl.json")
    assert abs(bands.kpoints.distances[-1] - 7.151) < 1e-3
    assert bands.gap.energy > 0


@pytest.mark.parametrize("fermi_level", [2.5, -0.005, -0.03, 5.004])  # eV, of a gap from 0 to 5
def test_gap_is_that_of_the_occupations(fermi_level, tmp_path):
    text, stated = (FOLDER / "mid_gap" / "vasprun.xml").read_text(), '"efermi"> 2.50000000 <'
    assert stated in text
    path = tmp_path / "vasprun.xml"
    path.write_text(text.replace(stated, f'"efermi"> {fermi_level:.8f} <'))
    shutil.copy(FOLDER / "mid_gap" / "KPOINTS", tmp_path)
    bands = read_bands(path)
    assert bands.gap.energy == pytest.approx(5.0, abs=0.01)
    assert bands.n_filled == read_bands(FOLDER / "mid_gap" / "vasprun.xml").n_filled
    moved = fermi_level != 2.5
    assert ("fermi_level_of_the_file" in bands.metadata) == moved
    dos = read_electron_dos(path, max_spacing=None)
    assert dos.gap == pytest.approx(5.0, abs=0.01)


@pytest.fixture
def good_yaml() -> str:
    text = (FOLDER / "band_X.yaml").read_text()
    return text.replace("symbol: X", "symbol: Mg")


def read_yaml(tmp_path, text):
    path = tmp_path / "band.yaml"
    path.write_text(text)
    return read_bands(path)


def test_phonopy_bands(tmp_path, good_yaml):
    bands = read_yaml(tmp_path, good_yaml)
    assert bands.crystal.formula == "MgO"
    bohr = 'physical_unit:\n  length: "au"\n' + good_yaml
    smaller = read_yaml(tmp_path, bohr)
    ratio = smaller.crystal.volume / bands.crystal.volume
    assert ratio == pytest.approx(0.529177**3, rel=1e-4)
    for old, new, reason in (
        ("segment_nqpoint:\n- 21", "segment_nqpoint:\n- 20", "adds up to 41, but 42 points"),
        ("0.23752969,   0.23752969 ] # a*", "0.3,   0.3 ] # a*", "of another cell"),
        ("nqpoint:", "physical_unit:\n  length: parsec\nnqpoint:", "length unit 'parsec'"),
        ("natom: 2", "x: &a [1]\ny: *a", "YAML aliases"),
    ):
        assert old in good_yaml
        with pytest.raises(DataError, match=reason):
            read_yaml(tmp_path, good_yaml.replace(old, new, 1))


def test_modes_must_be_three_for_each_atom():
    grid, values = np.linspace(0, 100, 101), np.full(101, 0.06)
    check_modes(grid, values, 2, "a")
    with pytest.raises(DataError, match="holds 6 modes, but 8 atoms have 24"):
        check_modes(grid, values, 8, "a")


# --- tables of spreadsheets -------------------------------------------------------------------

TABLE = [["id", "0", "100.5", "200"], ["Si", "0", "0.3", "1"], ["MgO", "0.25", "1", "0"]]


def folder_with(tmp_path, text: str | bytes):
    for name, element in (("Si", "Si"), ("MgO", "Mg")):
        site = (("A1", element, "0", "0", "0", "1"),)
        (tmp_path / f"{name}.cif").write_text(cif(sites=site))
    content = text if isinstance(text, bytes) else text.encode()
    (tmp_path / "spectra.csv").write_bytes(content)
    return tmp_path


def written(separator: str, comma: bool = False, end: str = "\n") -> str:
    rows = [separator.join(row) for row in TABLE]
    return end.join(row.replace(".", ",") if comma else row for row in rows)


@pytest.mark.parametrize(
    "text",
    [
        written(","),
        written(";"),
        written("\t"),
        written(";", comma=True),
        written("\t", comma=True, end="\r\n"),
        "\ufeff" + written(";", comma=True),
        written("\t", comma=True).encode("utf-16"),
        "# unit: cm-1;;;\n" + written(";"),
        '"# unit: cm-1"\n' + written(","),
        written(";").replace("\n", ";\n") + ";",
        written(";").replace("\n", "\n-;1/cm;1/cm;1/cm\n", 1),
        written(";").replace("\n", "\n\n") + "\n;;;\n",
        written(";").replace("200", "\u2007200").replace("Si;0", "Si;\u22120"),
    ],
)
def test_spreadsheets(tmp_path, text):
    dataset = load_folder(folder_with(tmp_path, text))
    np.testing.assert_allclose(dataset.grid, [0, 100.5, 200])
    np.testing.assert_allclose(dataset.values, [[0, 0.3, 1], [0.25, 1, 0]])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (written(";", comma=True).replace("1\n", "1.5\n", 1), "decimal commas and decimal points"),
        (written(";").replace("100.5", "1.000,5"), "separators of thousands"),
        (written("|"), r"one column, .*the separator is a comma, semicolon or tab"),
        ("# unit: THz\n" + written(","), "unit 'THz'; allowed: cm-1, eV"),
        ("# normalisation: sum\n" + written(","), "sum not 1 as stated"),
        ("# normalisation: 3N\n" + written(","), "modes, but 1 atoms have 3"),
    ],
)
def test_tables_that_contradict_themselves(tmp_path, text, reason):
    with pytest.raises(DataError, match=reason):
        load_folder(folder_with(tmp_path, text))


def test_a_row_that_lost_its_maximum_is_not_scaled(tmp_path):
    text = "id;0,5;1,5;2,5\nSi;0;0,3;0,25\nMgO;0;0,05;1\nNaCl;0;1;0,4\n"
    site = (("A1", "Na", "0", "0", "0", "1"),)
    (tmp_path / "NaCl.cif").write_text(cif(sites=site))
    with pytest.raises(DataError, match=r"maximum below 1, unlike the others.*: Si;"):
        load_folder(folder_with(tmp_path, text))
    dataset = load_folder(tmp_path, on_error="skip")
    assert dataset.ids == ["MgO", "NaCl"]
    np.testing.assert_allclose(dataset.grid, [0.5, 1.5, 2.5])


def test_no_module_is_imported_because_a_file_names_it(tmp_path, monkeypatch):
    """monty would import what ``@module`` names."""
    (tmp_path / "planted.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    evil = {"@module": "planted", "@class": "Evil", "x": 1}
    data = json.loads((FOLDER / "primitive" / "NaCl.json").read_text())
    structure = read_bands(FOLDER / "primitive" / "NaCl.json").crystal.to_structure().as_dict()
    for site in structure["sites"]:
        site["properties"] = {"evil": evil}
    structure["properties"] = {"evil": evil}
    data |= {"structure": structure, "other": evil}
    (tmp_path / "a.json").write_text(json.dumps(data))
    assert read_bands(tmp_path / "a.json").gap.energy > 0
    dos = {"energies": [0, 1, 2], "densities": {"1": [0, 1, 0]}, "efermi": 1.5, "evil": evil}
    (tmp_path / "b.json").write_text(json.dumps({"dos": dos, "structure": structure}))
    with pytest.raises(DataError, match=r"b\.json"):
        read_electron_dos(tmp_path / "b.json", max_spacing=1e-3)
