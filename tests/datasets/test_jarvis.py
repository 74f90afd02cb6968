"""The JARVIS phonon set."""

import numpy as np
import pytest

from vanhove.datasets import load_dataset
from vanhove.errors import DataError


@pytest.mark.data
def test_sizes_split_and_scale():
    full, clean = load_dataset("phonon_jarvis"), load_dataset("phonon_jarvis_clean")
    assert [len(full.split(part)) for part in ("train", "valid", "test")] == [9328, 1175, 1148]
    assert [len(clean.split(part)) for part in ("train", "valid", "test")] == [6570, 828, 782]
    np.testing.assert_array_equal(full.grid, np.arange(-290, 1011, 20))
    assert full.values.max(axis=1) == pytest.approx(1)
    assert full.values.min() == 0
    below = clean.grid < 0
    assert (clean.values[:, below].sum(axis=1) / clean.values.sum(axis=1)).max() < 0.02
    assert set(clean.ids) < set(full.ids)


@pytest.mark.data
def test_species_scenario_holds_out_what_it_says():
    dataset = load_dataset("phonon_jarvis_clean", split="species", seed=1)
    species = [len(np.unique(crystal.atomic_numbers)) for crystal in dataset.crystals]
    for part in ("train", "valid"):
        assert {species[row] for row in dataset.split(part)} == {2, 3}
    assert {species[row] for row in dataset.split("test")} == {1, 4, 5, 6}


def test_without_the_file_it_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.delenv("VANHOVE_DATA", raising=False)
    monkeypatch.setenv("VANHOVE_CACHE", str(tmp_path))
    with pytest.raises(DataError, match=r"no public url.*VANHOVE_DATA"):
        load_dataset("phonon_jarvis")
