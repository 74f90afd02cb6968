import json

import numpy as np
import pytest

from vanhove.datasets import load_dataset, load_folder
from vanhove.errors import DataError

CELLS = {
    "MgO": (4.21, "Mg O"),
    "NaCl": (5.64, "Na Cl"),
    "KBr": (6.60, "K Br"),
    "LiF": (4.03, "Li F"),
}
HEADER = "# unit: cm-1\n# normalisation: max\nid,0,20,40\n"
ROWS = "MgO,0,0.5,1\nNaCl,0,1,0.25\nKBr.vasp,1,0,0\nLiF,0.2,1,0.3\n"


@pytest.fixture
def folder(tmp_path):
    """Four rock salts as POSCAR files; no table yet."""
    folder = tmp_path / "mine"
    folder.mkdir()
    for name, (a, symbols) in CELLS.items():
        write_structure(folder / f"{name}.vasp", a, symbols)
    return folder


def write_structure(path, a, symbols):
    h = a / 2
    path.write_text(
        f"rock salt\n1.0\n0 {h} {h}\n{h} 0 {h}\n{h} {h} 0\n{symbols}\n1 1\nDirect\n"
        "0 0 0\n0.5 0.5 0.5\n"
    )


def write_json(path, **content):
    path.write_text(json.dumps(content))


def test_csv(folder):
    (folder / "spectra.csv").write_text(HEADER + ROWS)
    dataset = load_folder(folder)
    assert dataset.name == "mine"
    assert dataset.ids == ["MgO", "NaCl", "KBr.vasp", "LiF"]
    assert [c.formula for c in dataset.crystals] == ["MgO", "NaCl", "KBr", "LiF"]
    assert [c.name for c in dataset.crystals] == dataset.ids
    assert dataset.crystals[1].volume == pytest.approx(5.64**3 / 4)
    assert dataset.grid.tolist() == [0, 20, 40]
    assert np.allclose(dataset.values, [[0, 0.5, 1], [0, 1, 0.25], [1, 0, 0], [0.2, 1, 0.3]])
    assert (dataset.unit, dataset.normalisation, dataset.quantity) == ("cm-1", "max", "phonon_dos")
    assert dataset.split_name == "random (seed 0)"
    assert sum(map(len, dataset.splits.values())) == 4
    assert dataset.notes == []


def test_json_says_the_same_as_csv(folder, tmp_path):
    (folder / "spectra.csv").write_text(HEADER + ROWS)
    write_json(
        tmp_path / "other.json",
        unit="cm-1",
        normalisation="max",
        grid=[0, 20, 40],
        spectra={
            "MgO": [0, 0.5, 1],
            "NaCl": [0, 1, 0.25],
            "KBr.vasp": [1, 0, 0],
            "LiF": [0.2, 1, 0.3],
        },
    )
    from_json = load_folder(folder, spectra=tmp_path / "other.json")
    assert from_json.data_hash == load_folder(folder).data_hash


def test_load_dataset_takes_a_folder(folder):
    (folder / "spectra.csv").write_text(HEADER + ROWS)
    assert load_dataset(folder).ids == load_dataset(str(folder)).ids
    assert load_dataset(folder, seed=5).split_name == "random (seed 5)"
    assert load_dataset(folder, split="grouped").split_name == "grouped (seed 0)"


def test_nothing_stated(folder):
    (folder / "spectra.csv").write_text("id,0,20,40\nMgO,0,2,4\nNaCl,0,3,1\nKBr,9,0,0\nLiF,1,1,1\n")
    dataset = load_folder(folder)
    assert dataset.values.max(axis=1).tolist() == [1, 1, 1, 1]
    assert np.allclose(dataset.values[0], [0, 0.5, 1])
    assert any("scaled to a maximum of 1" in note for note in dataset.notes)
    assert any("taken to be in cm-1" in note for note in dataset.notes)


def test_other_unit_and_normalisation(folder):
    text = (HEADER + ROWS).replace("cm-1", "eV").replace("max", "states/eV/cell")
    (folder / "spectra.csv").write_text(text.replace("NaCl,0,1,0.25", "NaCl,0,7,1"))
    dataset = load_folder(folder)
    assert (dataset.unit, dataset.quantity) == ("eV", "electron_dos")
    assert dataset.normalisation == "states/eV/cell"
    assert dataset.values[1].tolist() == [0, 7, 1]


def test_split_column(folder):
    (folder / "spectra.csv").write_text(
        "# normalisation: max\nid,split,0,20\nMgO,train,0,1\nNaCl,test,1,0\n"
        "KBr,valid,1,0\nLiF,train,1,0.5\n"
    )
    dataset = load_folder(folder)
    assert dataset.grid.tolist() == [0, 20]
    assert dataset.split_name == "given"
    assert {k: v.tolist() for k, v in dataset.splits.items()} == {
        "train": [0, 3],
        "valid": [2],
        "test": [1],
    }


def test_splits_file(folder):
    (folder / "spectra.csv").write_text(HEADER + ROWS)
    write_json(folder / "splits.json", train=["LiF", "MgO"], valid=["NaCl"], test=["KBr.vasp"])
    dataset = load_folder(folder)
    assert {k: v.tolist() for k, v in dataset.splits.items()} == {
        "train": [0, 3],
        "valid": [1],
        "test": [2],
    }


# what is wrong: (rows of the table, message, ids left when it is skipped)
MISMATCHES = {
    "no spectrum": (
        ROWS.replace("LiF,0.2,1,0.3\n", ""),
        r"1 entries .*structure without spectrum: LiF\.vasp",
        ["MgO", "NaCl", "KBr.vasp"],
    ),
    "no structure": (
        ROWS + "Si,1,0,0\n",
        "spectrum without structure: Si",
        ["MgO", "NaCl", "KBr.vasp", "LiF"],
    ),
    "length": (ROWS.replace("0.25", "0.25,0"), "not 3 values: NaCl", ["MgO", "KBr.vasp", "LiF"]),
    "NaN": (
        ROWS.replace("0.25", "nan"),
        "NaN or infinite values: NaCl",
        ["MgO", "KBr.vasp", "LiF"],
    ),
    "text": (ROWS.replace("0.25", "?"), "no numbers: NaCl", ["MgO", "KBr.vasp", "LiF"]),
    "empty": (ROWS.replace("0.25", ""), "no numbers: NaCl", ["MgO", "KBr.vasp", "LiF"]),
    "negative": (ROWS.replace("0.25", "-0.1"), "negative values: NaCl", ["MgO", "KBr.vasp", "LiF"]),
    "zero": (ROWS.replace("1,0,0", "0,0,0"), "all values zero: KBr", ["MgO", "NaCl", "LiF"]),
    "scale": (
        ROWS.replace("1,0,0", "3,0,0"),
        "maximum not 1 as stated: KBr",
        ["MgO", "NaCl", "LiF"],
    ),
    "twice": (ROWS + "MgO,1,0,0\n", "two spectra: MgO", ["NaCl", "KBr.vasp", "LiF"]),
    "alias": (
        ROWS + "MgO.vasp,1,0,0\n",
        "another id also names: MgO.vasp",
        ["MgO", "NaCl", "KBr.vasp", "LiF"],
    ),
}


@pytest.mark.parametrize(("rows", "message", "left"), MISMATCHES.values(), ids=MISMATCHES)
def test_mismatches(folder, rows, message, left):
    (folder / "spectra.csv").write_text(HEADER + rows)
    with pytest.raises(DataError, match=message) as caught:
        load_folder(folder)
    assert "\n" not in str(caught.value)
    skipped = load_folder(folder, on_error="skip")
    assert skipped.ids == left
    assert len(skipped.notes) == 1
    assert "1 entries left out" in skipped.notes[0]


def test_all_problems_in_one_error(folder):
    (folder / "MgO.vasp").write_text("no structure at all")
    strangers = "".join(f"x{k},1,0,0\n" for k in range(5))
    (folder / "spectra.csv").write_text(HEADER + ROWS.replace("0.25", "-1") + strangers)
    with pytest.raises(DataError) as caught:
        load_folder(folder)
    message = str(caught.value)
    assert "7 entries cannot be used" in message
    assert "negative values: NaCl" in message
    assert "spectrum without structure: x0, x1, x2 and 2 more" in message
    assert "unreadable structure: MgO (" in message
    assert message.endswith("correct them or pass on_error='skip'")
    assert load_folder(folder, on_error="skip").ids == ["KBr.vasp", "LiF"]


def test_two_files_of_one_name(folder):
    write_structure(folder / "MgO.poscar", 4.3, "Mg O")
    (folder / "spectra.csv").write_text(HEADER + ROWS)
    with pytest.raises(DataError, match="several structures: MgO"):
        load_folder(folder)


def test_skipping_everything_is_an_error(folder):
    (folder / "spectra.csv").write_text(HEADER + "Si,1,0,0\n")
    with pytest.raises(DataError, match="5 entries cannot be used"):
        load_folder(folder, on_error="skip")


def test_split_of_skipped_and_unknown_materials(folder):
    (folder / "spectra.csv").write_text(HEADER + ROWS.replace("0.25", "nan"))
    parts = {"train": ["LiF", "MgO"], "valid": ["NaCl"], "test": ["KBr.vasp", "Si"]}
    write_json(folder / "splits.json", **parts)
    with pytest.raises(DataError, match="in the split without a spectrum: Si"):
        load_folder(folder)
    dataset = load_folder(folder, on_error="skip")
    assert dataset.ids == ["MgO", "KBr.vasp", "LiF"]
    assert {k: v.tolist() for k, v in dataset.splits.items()} == {
        "train": [0, 2],
        "valid": [],
        "test": [1],
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        (HEADER, "structure without spectrum"),
        (HEADER.replace("cm-1", "THz") + ROWS, "unit 'THz'; allowed: cm-1, eV"),
        (
            HEADER.replace("max", "area") + ROWS,
            "normalisation 'area' of phonon_dos; allowed: max, sum",
        ),
        (HEADER.replace("0,20,40", "0,40,20") + ROWS, "0, 40, 20 .*increasing numbers"),
        (HEADER.replace("0,20,40", "a,b,c") + ROWS, "a, b, c .*increasing numbers"),
        ("id,split,0\nMgO,dev,1\nNaCl,test,1\nKBr,test,1\nLiF,test,1\n", "'dev'; allowed: train"),
    ],
)
def test_tables_of_another_form(folder, text, message):
    (folder / "spectra.csv").write_text(text)
    with pytest.raises(DataError, match=message) as caught:
        load_folder(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "give JSON"),
        ("[]", "no object 'spectra'"),
        ('{"spectra": {}}', "no list 'grid'"),
        (
            '{"grid": [0, 20], "spectra": {"MgO": [1, 0], "MgO": [0, 1]}}',
            "'MgO' stands in it twice",
        ),
        ('{"grid": [0, 20], "spectra": {"MgO": null}}', "no numbers: MgO"),
        ('{"grid": ["a"], "spectra": {"MgO": [1]}}', "increasing numbers"),
    ],
)
def test_json_of_another_form(folder, text, message):
    (folder / "spectra.json").write_text(text)
    with pytest.raises(DataError, match=message):
        load_folder(folder)


def test_splits_in_two_places_or_of_another_form(folder):
    (folder / "spectra.csv").write_text(HEADER + ROWS)
    write_json(folder / "splits.json", train=[0, 1])
    with pytest.raises(DataError, match="the form is"):
        load_folder(folder)
    (folder / "spectra.csv").write_text("id,split,0\nMgO,train,1\n")
    with pytest.raises(DataError, match="keep one"):
        load_folder(folder)


def test_which_table(folder, tmp_path):
    with pytest.raises(DataError, match=r"spectra\.csv or .*spectra\.json; add a table"):
        load_folder(folder)
    with pytest.raises(DataError, match=r"no .*typo\.csv"):
        load_folder(folder, spectra=tmp_path / "typo.csv")
    (folder / "spectra.csv").write_text(HEADER + ROWS)
    (folder / "spectra.json").write_text("{}")
    with pytest.raises(DataError, match="keep one"):
        load_folder(folder)
    assert load_folder(folder, spectra=folder / "spectra.csv").ids[0] == "MgO"


def test_options(folder, tmp_path):
    with pytest.raises(DataError, match="'ignore'; allowed: 'raise', 'skip'"):
        load_folder(folder, on_error="ignore")
    with pytest.raises(DataError, match="is no folder"):
        load_folder(tmp_path / "none")


def test_no_structures(tmp_path):
    (tmp_path / "spectra.csv").write_text(HEADER + ROWS)
    with pytest.raises(DataError, match="no structure file in this folder"):
        load_folder(tmp_path)


def test_a_stated_quantity_decides_and_an_unknown_one_is_refused(folder):
    (folder / "spectra.csv").write_text("# quantity: phonon_dos\n" + HEADER + ROWS)
    assert load_folder(folder).quantity == "phonon_dos"
    (folder / "spectra.csv").write_text("# quantity: optical_loss\n" + HEADER + ROWS)
    with pytest.raises(DataError, match="'optical_loss'; allowed: phonon_dos, electron_dos"):
        load_folder(folder)
    (folder / "spectra.csv").write_text("# quantity: electron_dos\n" + HEADER + ROWS)
    with pytest.raises(DataError, match="unit 'cm-1' of electron_dos; allowed: eV"):
        load_folder(folder)
