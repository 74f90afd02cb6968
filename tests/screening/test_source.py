"""Every format gives the same crystals, in order, by name; what is damaged says so."""

from __future__ import annotations

import gzip
import json
import shutil

import numpy as np
import pytest

import vanhove
from tests.conftest import STRUCTURES
from vanhove.crystal.crystal import Crystal
from vanhove.errors import ConfigError, DataError, StructureError
from vanhove.screening.source import Record, open_source

pa = pytest.importorskip("pyarrow", reason="needs the extra screen")
pytest.importorskip("ijson", reason="needs the extra screen")


@pytest.fixture(scope="module")
def crystals() -> list[Crystal]:
    """A few of the tiny data set, enough for two pages of a database."""
    return vanhove.load_dataset("tiny").crystals[:12]


def arrays_of(crystals) -> dict[str, np.ndarray]:
    return {
        "ids": np.array([crystal.name for crystal in crystals]),
        "natoms": np.array([crystal.n_atoms for crystal in crystals]),
        "lattice": np.array([crystal.lattice for crystal in crystals]),
        "frac": np.concatenate([crystal.fractional_coordinates for crystal in crystals]),
        "Z": np.concatenate([crystal.atomic_numbers for crystal in crystals]).astype(np.uint8),
    }


def write_npz(path, crystals):
    np.savez_compressed(path / "all.npz", **arrays_of(crystals))
    return path / "all.npz"


def write_cellpar(path, crystals):
    arrays = arrays_of(crystals)
    arrays["cellpar"] = np.array([crystal.to_atoms().cell.cellpar() for crystal in crystals])
    del arrays["lattice"]
    np.savez(path / "cells.npz", **arrays)
    return path / "cells.npz"


def write_folder(path, crystals):
    folder = path / "folder"
    for i, crystal in enumerate(crystals):
        part = folder / f"{i // 10}"
        part.mkdir(parents=True, exist_ok=True)
        crystal.to_structure().to(str(part / f"POSCAR_{i:03d}"), fmt="poscar")
    return folder


def write_jsonl(path, crystals):
    lines = [
        json.dumps(
            {"material_id": crystal.name, "structure": crystal.to_structure().as_dict()},
        )
        for crystal in crystals
    ]
    (path / "all.jsonl").write_text("\n".join(lines) + "\n")
    return path / "all.jsonl"


def write_jsonl_gz(path, crystals):
    plain = write_jsonl(path, crystals)
    with gzip.open(path / "all.jsonl.gz", "wb") as stream:
        stream.write(plain.read_bytes())
    return path / "all.jsonl.gz"


def write_json_list(path, crystals):
    entries = [{"id": c.name, **c.to_structure().as_dict()} for c in crystals]
    (path / "list.json").write_text(json.dumps(entries))
    return path / "list.json"


def write_extxyz(path, crystals):
    from ase.io import write

    frames = []
    for crystal in crystals:
        atoms = crystal.to_atoms()
        atoms.info["material_id"] = crystal.name
        frames.append(atoms)
    write(path / "all.extxyz", frames, format="extxyz")
    return path / "all.extxyz"


def write_parquet_json(path, crystals):
    import pyarrow.parquet as pq

    rows = [
        {"material_id": c.name, "structure": json.dumps(c.to_structure().as_dict())}
        for c in crystals
    ]
    pq.write_table(pa.Table.from_pylist(rows), path / "all.parquet")
    return path / "all.parquet"


def write_parquet_folder(path, crystals):
    import pyarrow.parquet as pq

    folder = path / "parts"
    folder.mkdir()
    half = len(crystals) // 2
    for name, part in (("a", crystals[:half]), ("b", crystals[half:])):
        rows = [
            {
                "id": c.name,
                "lattice": c.lattice.tolist(),
                "frac": c.fractional_coordinates.tolist(),
                "Z": c.atomic_numbers.tolist(),
            }
            for c in part
        ]
        pq.write_table(pa.Table.from_pylist(rows), folder / f"{name}.parquet")
    return folder


def write_ase(path, crystals):
    from ase.db import connect

    with connect(path / "all.db") as database:
        for crystal in crystals:
            database.write(crystal.to_atoms(), material_id=crystal.name)
    return path / "all.db"


def write_ase_json(path, crystals):
    from ase.db import connect

    with connect(path / "ase.json", type="json") as database:
        for crystal in crystals:
            database.write(crystal.to_atoms(), material_id=crystal.name)
    return path / "ase.json"


def optimade(crystal) -> dict:
    symbols = crystal.to_atoms().get_chemical_symbols()
    return {
        "id": crystal.name,
        "type": "structures",
        "attributes": {
            "lattice_vectors": crystal.lattice.tolist(),
            "dimension_types": [1, 1, 1],
            "cartesian_site_positions": crystal.cartesian_coordinates.tolist(),
            "species_at_sites": symbols,
            "species": [
                {"name": s, "chemical_symbols": [s], "concentration": [1.0]}
                for s in sorted(set(symbols))
            ],
        },
    }


def write_optimade_json(path, crystals):
    response = {"meta": {"data_returned": 12}, "data": [optimade(c) for c in crystals]}
    (path / "optimade.json").write_text(json.dumps(response))
    return path / "optimade.json"


def write_optimade_jsonl(path, crystals):
    headers = [{"x-optimade": {"api_version": "1.1.0"}}, {"type": "info", "id": "structures"}]
    lines = [json.dumps(entry) for entry in [*headers, *map(optimade, crystals)]]
    (path / "optimade.jsonl").write_text("\n".join(lines))
    return path / "optimade.jsonl"


WRITERS = [
    write_npz,
    write_cellpar,
    write_folder,
    write_jsonl,
    write_jsonl_gz,
    write_json_list,
    write_extxyz,
    write_parquet_json,
    write_parquet_folder,
    write_ase,
    write_ase_json,
    write_optimade_json,
    write_optimade_jsonl,
]


@pytest.mark.parametrize("write", WRITERS, ids=lambda f: f.__name__.removeprefix("write_"))
def test_round_trip(write, crystals, tmp_path, monkeypatch):
    monkeypatch.setattr("vanhove.screening.source.ROWS_PER_READ", 5)
    source = open_source(write(tmp_path, crystals))
    chunks = list(source.chunks(5))
    assert [chunk.number for chunk in chunks] == list(range(len(chunks)))
    records = [record for chunk in chunks for record in chunk.records]
    assert [record.index for record in records] == list(range(len(records)))
    assert source.count in (None, len(records))
    found = [crystal for record in records for crystal in source.read(record)]
    assert len(found) == len(crystals)
    for got, expected in zip(found, crystals, strict=True):
        if write is not write_folder:
            assert got.name == expected.name
        assert got.volume == pytest.approx(expected.volume, rel=1e-4)
        if write is write_cellpar:  # the cell comes back in another orientation
            lengths = [np.linalg.norm(c.lattice, axis=1) for c in (got, expected)]
            np.testing.assert_allclose(*lengths, rtol=1e-5)
        else:
            np.testing.assert_allclose(got.lattice, expected.lattice, atol=1e-5)
        if write is not write_folder:  # a POSCAR joins the atoms of an element
            np.testing.assert_array_equal(got.atomic_numbers, expected.atomic_numbers)
            shifts = got.fractional_coordinates - expected.fractional_coordinates
            np.testing.assert_allclose(shifts, np.rint(shifts), atol=1e-5)
    again = open_source(source.path)
    assert [r.id for c in again.chunks(7) for r in c.records] == [r.id for r in records]
    assert again.fingerprint() == source.fingerprint()


def test_a_limit_takes_the_first(crystals, tmp_path):
    source = open_source(write_npz(tmp_path, crystals))
    assert [len(chunk.records) for chunk in source.chunks(4, limit=6)] == [4, 2]


def test_names_of_files(crystals, tmp_path):
    """A file is called by its place in the folder, a structure of several by its number."""
    folder = tmp_path / "cifs" / "more"
    folder.mkdir(parents=True)
    shutil.copy(STRUCTURES / "Si.cif", folder)
    frames = write_extxyz(tmp_path, crystals[:2])
    shutil.move(frames, tmp_path / "cifs" / "two.extxyz")
    source = open_source(tmp_path / "cifs")
    names = [c.name for chunk in source.chunks(9) for r in chunk.records for c in source.read(r)]
    assert names == ["more/Si.cif", "two.extxyz[0]", "two.extxyz[1]"]


def test_one_bad_record_does_not_cost_the_others(crystals, tmp_path):
    path = write_jsonl(tmp_path, crystals[:2])
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], "{broken", '{"a": 1}', "[1]", lines[1]]))
    source = open_source(path)
    (chunk,) = source.chunks(9)
    reasons = []
    for record in chunk.records:
        try:
            assert len(source.read(record)) == 1
        except StructureError as error:
            reasons.append((record.index, error.source, error.reason))
    assert [(index, name) for index, name, _ in reasons] == [
        (1, "all[1]"),
        (2, "all[2]"),
        (3, "all[3]"),
    ]
    assert "cannot be read" in reasons[0][2]
    assert "no structure" in reasons[1][2]


@pytest.mark.parametrize("name", ["all.extxyz", "list.json", "optimade.json", "all.jsonl.gz"])
def test_a_file_that_is_cut_off_ends_in_a_failure(name, crystals, tmp_path):
    writers = {
        "all.extxyz": write_extxyz,
        "list.json": write_json_list,
        "optimade.json": write_optimade_json,
        "all.jsonl.gz": write_jsonl_gz,
    }
    path = writers[name](tmp_path, crystals)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * 0.7)])
    source = open_source(path)
    *good, last = [record for chunk in source.chunks(5) for record in chunk.records]
    with pytest.raises(StructureError, match="the rest of the file cannot be read"):
        source.read(last)
    assert last.index == len(good)
    assert all(len(source.read(record)) == 1 for record in good[:-1])


def optimade_with(crystal, **changes) -> Record:
    entry = optimade(crystal)
    entry["attributes"].update(changes)
    return Record(0, "it", entry)


def test_what_optimade_leaves_out(crystals, tmp_path):
    source = open_source(write_optimade_json(tmp_path, crystals[:1]))
    crystal = crystals[0]
    symbols = crystal.to_atoms().get_chemical_symbols()
    mixed = {"name": symbols[0], "chemical_symbols": ["Na", "K"], "concentration": [0.5, 0.5]}
    empty = {"name": symbols[0], "chemical_symbols": [symbols[0]], "concentration": [0.8]}
    cases = {
        "three directions": {"dimension_types": [1, 1, 0]},
        "no cartesian_site_positions": {"cartesian_site_positions": None},
        "shared by Na, K": {"species": [mixed]},
        "or partly empty": {"species": [empty]},
        "unknown element 'X'": {"species_at_sites": ["X"] * crystal.n_atoms},
        "span no volume": {"lattice_vectors": np.ones((3, 3)).tolist()},
    }
    for reason, changes in cases.items():
        with pytest.raises(StructureError, match=reason):
            source.read(optimade_with(crystal, **changes))


def test_sources_that_are_none(tmp_path):
    with pytest.raises(ConfigError, match="no such file or folder"):
        open_source(tmp_path / "nothing.npz")
    with pytest.raises(ConfigError, match="no structure file"):
        open_source(tmp_path)
    (tmp_path / "a.tar.gz").write_bytes(b"")
    with pytest.raises(ConfigError, match="allowed: a folder"):
        open_source(tmp_path / "a.tar.gz")
    np.savez(tmp_path / "a.npz", natoms=np.array([1]))
    with pytest.raises(DataError, match="natoms, Z, frac"):
        open_source(tmp_path / "a.npz")
    np.savez(
        tmp_path / "b.npz",
        natoms=np.array([2]),
        Z=np.array([1]),
        frac=np.zeros((1, 3)),
        lattice=np.eye(3)[None],
    )
    with pytest.raises(DataError, match="number of atoms: natoms 2, Z 1, frac 1"):
        open_source(tmp_path / "b.npz")
