"""Kinds of crystals in each part of a split."""

from __future__ import annotations

import numpy as np
import pytest

from vanhove.crystal.crystal import Crystal
from vanhove.datasets import SpectrumDataset
from vanhove.datasets.subclasses import is_ternary_oxide, of_subclass
from vanhove.errors import DataError

FCC = 4.0 * (np.ones((3, 3)) - np.eye(3)) / 2
CUBE = 4.0 * np.eye(3)


def crystal(lattice, numbers):
    return Crystal(lattice, np.linspace(0, 0.5, len(numbers))[:, None] * np.ones(3), numbers)


@pytest.fixture
def dataset():
    crystals = [crystal(FCC, [11, 17]), crystal(CUBE, [11, 17]), crystal(FCC, [12, 8])] * 3
    return SpectrumDataset(
        name="toys",
        ids=[str(i) for i in range(9)],
        crystals=crystals,
        grid=np.arange(3),
        unit="cm-1",
        normalisation="max",
        quantity="phonon_dos",
        values=np.ones((9, 3)),
        splits={"train": np.arange(3), "valid": np.arange(3, 6), "test": np.arange(6, 9)},
        split_name="given",
    )


def test_a_space_group_in_each_part(dataset):
    kept = of_subclass(dataset, "space_group_225")
    assert {part: rows.tolist() for part, rows in kept.splits.items()} == {
        "train": [0, 2],
        "valid": [3, 5],
        "test": [6, 8],
    }
    assert kept.data_hash == dataset.data_hash
    assert kept.split_name == "given, space_group_225 alone"


def test_ternary_oxides_hold_no_rare_earth(dataset):
    assert is_ternary_oxide(crystal(CUBE, [56, 22, 8, 8, 8]))
    assert not is_ternary_oxide(crystal(CUBE, [57, 22, 8, 8, 8]))  # La
    assert not is_ternary_oxide(crystal(CUBE, [56, 22, 16, 16, 16]))
    assert not is_ternary_oxide(crystal(CUBE, [12, 8]))
    with pytest.raises(DataError, match="toys holds no crystal of ternary_oxides in train"):
        of_subclass(dataset, "ternary_oxides")
    with pytest.raises(DataError, match="allowed: ternary_oxides, space_group_225"):
        of_subclass(dataset, "oxides")
