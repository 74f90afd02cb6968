import hashlib
import os
from pathlib import Path

import numpy as np
import pytest

from vanhove.datasets import RemoteFile, load_dataset, petretto
from vanhove.errors import DataError

STRUCTURE = (
    "\"{'numbers': [11, 17], 'positions': [[0, 0, 0], [2.8, 0, 0]], "
    "'cell': [[0, 2.8, 2.8], [2.8, 0, 2.8], [2.8, 2.8, 0]], 'pbc': [True, True, True]}\""
)


@pytest.fixture
def small_source(tmp_path, monkeypatch):
    """The files of the source in miniature: 4 of 5 rows, as in the published copy."""
    monkeypatch.setenv("VANHOVE_DATA", str(tmp_path))

    def write(name, text):
        (tmp_path / name).write_text(text)
        return RemoteFile("http://none.invalid", hashlib.sha256(text.encode()).hexdigest(), name)

    def make(grids=("[0.0, 20.0, 40.0]",) * 4):
        rows = [f'mp-{k},{STRUCTURE},"{g}","[0.0, 1.0, 0.{k}]"' for k, g in enumerate(grids)]
        text = "\n".join(["mp_id,structure,phfreq,phdos", *rows]) + "\n"
        monkeypatch.setattr(petretto, "DATA", write("data.csv", text))
        split = {"train": "4\n2\n0\n", "valid": "1\n", "test": "3\n"}
        monkeypatch.setattr(
            petretto, "SPLIT", {part: write(f"{part}.txt", x) for part, x in split.items()}
        )

    return make


def test_reads_the_published_form(small_source):
    small_source()
    dataset = load_dataset("phonon_petretto")
    assert dataset.ids == ["mp-0", "mp-1", "mp-2", "mp-3"]
    assert dataset.grid.tolist() == [0, 20, 40]
    assert np.allclose(dataset.values[3], [0, 1, 0.3])
    # Row 4 stands in the index file only.
    assert {part: rows.tolist() for part, rows in dataset.splits.items()} == {
        "train": [2, 0],
        "valid": [1],
        "test": [3],
    }
    crystal = dataset.crystals[1]
    assert crystal.name == "mp-1"
    assert crystal.formula == "NaCl"
    # Cartesian (2.8, 0, 0) in these axes.
    assert np.allclose(crystal.fractional_coordinates, [[0, 0, 0], [-0.5, 0.5, 0.5]])
    assert any("inferred, not proven" in note for note in dataset.notes)


def test_refuses_rows_on_different_grids(small_source):
    small_source(grids=["[0.0, 20.0, 40.0]"] * 3 + ["[0.0, 10.0, 20.0]"])
    with pytest.raises(DataError, match="2 frequency grids"):
        load_dataset("phonon_petretto")


@pytest.mark.data
@pytest.mark.skipif("VANHOVE_DATA" not in os.environ, reason="VANHOVE_DATA is not set")
def test_agrees_with_the_independent_copy():
    dataset = load_dataset("phonon_petretto")
    assert [len(dataset.split(part)) for part in ("train", "valid", "test")] == [1191, 141, 189]
    folder = Path(os.environ["VANHOVE_DATA"]) / "phonon_petretto"
    with np.load(folder / "phonon_petretto.npz", allow_pickle=False) as copy:
        assert dataset.ids == list(copy["ids"])
        assert np.array_equal(dataset.grid, copy["freq_cm1"])
        assert np.array_equal(dataset.values, copy["phdos"])
        assert [c.n_atoms for c in dataset.crystals] == list(copy["natoms"])
        assert np.array_equal(
            np.concatenate([c.atomic_numbers for c in dataset.crystals]), copy["Z"]
        )
        assert np.allclose(np.stack([c.lattice for c in dataset.crystals]), copy["lattice"])
        fractional = np.concatenate([c.fractional_coordinates for c in dataset.crystals])
        assert np.allclose(fractional, copy["frac"], atol=1e-9)
        for part, rows in dataset.splits.items():
            assert set(copy["split"][rows]) == {part}
    assert dataset.data_hash == ("0c4d2a097ee35126c7bf3095eea46038920c72bbc33dbeb5fea48f62df1f7fae")
