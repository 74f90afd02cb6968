"""A folder of electron DOS of any kind becomes a data set that models train on."""

import numpy as np
import pytest
from pymatgen.core import Structure
from pymatgen.electronic_structure.dos import CompleteDos

from tests.datasets.dos_files import DENSITIES, SILICON, dos, write_json
from vanhove.datasets import load_dataset
from vanhove.errors import DataError

ELEMENTS = ("C", "Si", "Ge", "Sn", "Pb", "Ti", "Zr", "Hf", "Mo", "W", "Cu", "Ag")


@pytest.fixture
def folder(tmp_path):
    for element in ELEMENTS:
        structure = Structure(SILICON.lattice, [element] * 2, SILICON.frac_coords)
        total = dos()
        whole = CompleteDos(structure, total, {site: {} for site in structure})
        write_json(tmp_path / f"{element}.json", whole.as_dict())
    write_json(tmp_path / "broken.json", {"@class": "Dos"})
    return tmp_path


def test_both_targets(folder):
    dataset = load_dataset(folder)
    assert sorted(dataset.ids) == sorted(ELEMENTS)
    assert (dataset.unit, dataset.normalisation, dataset.quantity) == (
        "eV",
        "min-max",
        "electron_dos",
    )
    assert dataset.values.shape == (len(ELEMENTS), 201)
    assert any("1 materials left out: broken" in note for note in dataset.notes)
    assert sum(map(len, dataset.splits.values())) == len(ELEMENTS)
    native = load_dataset(folder, electron_target="mat2spec")
    assert native.values.shape == (len(ELEMENTS), 128)
    assert native.values.max() == pytest.approx(DENSITIES.max(), rel=0.01)
    assert np.abs(native.values - 1).mean() < 0.05  # one state per eV up to both edges


def test_a_folder_with_nothing_to_read_says_what_it_needs(folder, tmp_path):
    with pytest.raises(DataError, match="allowed: dostransformer, mat2spec"):
        load_dataset(folder, electron_target="xtal2dos")
    empty = tmp_path / "structures"
    empty.mkdir()
    SILICON.to(str(empty / "Si.cif"))
    with pytest.raises(DataError, match=r"no file of a DOS.*spectra\.csv"):
        load_dataset(empty)
