"""Finding structure files, reading from bytes, and what importing the reader costs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import STRUCTURES
from vanhove.crystal import find_structure_files, read_crystal
from vanhove.crystal.reading import crystal_from_dict, parse_crystals
from vanhove.errors import StructureError


def _write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_find_structure_files(tmp_path):
    for name in ("Si10.cif", "Si2.cif", "B.CIF", "POSCAR", "POSCAR_1", "POSCARD", "a.vasp",
                 "notes.txt", ".hidden.cif", "x.json", "m.mcif"):  # fmt: skip
        _write(tmp_path, name, "content is not looked at")
    (tmp_path / "folder.cif").mkdir()
    _write(tmp_path / "folder.cif", "inner.xyz", "")
    (tmp_path / ".git").mkdir()
    _write(tmp_path / ".git", "config.cif", "")

    def names(**options):
        return [path.name for path in find_structure_files(tmp_path, **options)]

    flat = ["B.CIF", "POSCAR", "POSCAR_1", "Si2.cif", "Si10.cif", "a.vasp", "m.mcif", "x.json"]
    assert names() == flat
    assert sorted(names(recursive=True)) == sorted([*flat, "inner.xyz"])


def test_find_structure_files_of_several_paths(tmp_path):
    first, second = _write(tmp_path, "b.cif", ""), _write(tmp_path, "a.cif", "")
    odd = _write(tmp_path, "odd.txt", "")
    assert find_structure_files([first, str(odd), tmp_path]) == [first, odd, second]
    assert find_structure_files(first) == [first]
    with pytest.raises(StructureError, match=r"gone\.cif: no such file or folder"):
        find_structure_files([first, tmp_path / "gone.cif"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(StructureError, match=r"empty: no structure file in this folder \(\.cif"):
        find_structure_files(tmp_path / "empty")


def test_cold_import_is_cheap():
    code = (
        "import sys, vanhove.crystal as c; print(*sorted({m.split('.')[0] for m in sys.modules}))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert not {"torch", "pymatgen", "spglib", "vesin", "scipy"} & set(result.stdout.split())


def test_bytes_are_read_as_the_file_is_and_nothing_is_opened():
    content = (STRUCTURES / "Si.cif").read_bytes()
    (crystal,) = parse_crystals(content, "/no/such/folder/Si.cif")
    assert crystal.name == "Si.cif"
    np.testing.assert_array_equal(
        crystal.fractional_coordinates, read_crystal(STRUCTURES / "Si.cif").fractional_coordinates
    )
    with pytest.raises(StructureError, match="not a known structure file"):
        parse_crystals(content, "Si")


def test_site_properties_of_pymatgen_are_not_decoded():
    """Decoding them would import whatever module they name."""
    data = read_crystal(STRUCTURES / "Si.cif").to_structure().as_dict()
    for site in data["sites"]:
        site["properties"] = {"x": {"@module": "no_such_module", "@class": "Y"}}
    assert crystal_from_dict(data).formula == "Si"
