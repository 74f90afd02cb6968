"""Damaged files in every format end in a sentence: no traceback, no endless run.

`scripts/measure_fuzz.py` runs many more.
"""

from __future__ import annotations

import gzip
import json
import zipfile

import numpy as np
import pytest

from tests.fuzz import other_files, read_other, run, structure_files
from vanhove import Spectrum
from vanhove.crystal.reading import parse_crystals
from vanhove.datasets import read_bands, read_electron_dos
from vanhove.errors import DataError, StructureError, VanhoveError
from vanhove.untrusted import LIMIT_VARIABLE, parse_json, parse_yaml, read_arrays


def test_the_good_files_are_read(tmp_path):
    for name, content in structure_files().items():
        assert parse_crystals(content, name)[0].n_atoms in (2, 5, 6), name
    for name, content in other_files().items():
        read_other(tmp_path, name, content)


def test_mutated_files(tmp_path):
    result = run(tmp_path, 2000, seed=3)
    assert result["wrong"] == []
    assert result["accepted"] > 50


def test_files_that_unfold(tmp_path, monkeypatch):
    monkeypatch.setenv(LIMIT_VARIABLE, "100000")
    bomb = gzip.compress(b"[" + b" " * 10_000_000 + b"]")
    for read, name in ((read_bands, "a.json.gz"), (read_electron_dos, "b.json.gz")):
        (tmp_path / name).write_bytes(bomb)
        with pytest.raises(DataError, match="unpacked; set VANHOVE_FILE_LIMIT"):
            read(tmp_path / name)
    np.savez_compressed(tmp_path / "a.npz", a=np.zeros(1_000_000))
    with pytest.raises(DataError, match="unpacked"):
        read_arrays(tmp_path / "a.npz")


def test_archives_that_lie(tmp_path):
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as archive, archive.open("natoms.npy", "w") as stream:
        header = {"descr": "<i8", "fortran_order": False, "shape": (10**12,)}
        np.lib.format.write_array_header_1_0(stream, header)
        stream.write(b"\0" * 80)
    with pytest.raises(DataError, match="declares 8e"):
        read_arrays(path)
    np.savez(path, natoms=np.array([object()], dtype=object))
    with pytest.raises(DataError, match="Python objects"):
        read_arrays(path)
    path.write_bytes(b"PK garbage")
    with pytest.raises(DataError, match="no npz archive"):
        read_arrays(path)


def test_deep_and_aliased_files():
    with pytest.raises(DataError, match="nested too deep"):
        parse_json("[" * 100_000, "a")
    with pytest.raises(DataError, match="nested too deep"):
        parse_yaml("[" * 500 + "]" * 500, "a")
    with pytest.raises(DataError, match="YAML aliases"):
        parse_yaml("a: &a [1, 2]\nb: [*a, *a]", "a")
    with pytest.raises(DataError, match="nested"):
        Spectrum.from_json('{"a": ' + "[" * 100_000)


@pytest.mark.parametrize("number", [10**18, 10**30, -1, 119, 1e300, "a", None])
def test_impossible_atomic_numbers(number):
    data = {"lattice": [[3, 0, 0], [0, 3, 0], [0, 0, 3]], "fractional_coordinates": [[0, 0, 0]]}
    content = json.dumps(data | {"atomic_numbers": [number]}).encode()
    with pytest.raises(StructureError):
        parse_crystals(content, "a.json")


def test_a_number_of_atoms_that_the_file_does_not_hold():
    for name, content in {
        "a.xyz": b'99999999999\nLattice="4 0 0 0 4 0 0 0 4"\nNa 0 0 0\n',
        "POSCAR": b"x\n1\n4 0 0\n0 4 0\n0 0 4\nNa\n99999999999\nDirect\n0 0 0\n",
    }.items():
        with pytest.raises(VanhoveError, match="declares 99999999999 atoms"):
            parse_crystals(content, name)


def test_a_property_of_endless_columns():
    content = (
        b'1\nLattice="4 0 0 0 4 0 0 0 4" Properties=species:S:1:pos:R:999999999993\nNa 0 0 0\n'
    )
    with pytest.raises(StructureError, match="declares a property of 999999999993 columns"):
        parse_crystals(content, "a.xyz")
