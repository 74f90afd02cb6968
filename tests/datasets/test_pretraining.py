"""What may be learned from before Petretto's benchmark."""

import numpy as np
import pytest

from vanhove.datasets import load_dataset


@pytest.mark.data
def test_nothing_of_what_petretto_validates_or_tests_is_in_it():
    petretto, jarvis = load_dataset("phonon_petretto"), load_dataset("petretto_pretraining")
    held_out = [*petretto.split("valid").tolist(), *petretto.split("test").tolist()]
    formulas = {petretto.crystals[row].formula for row in held_out}
    assert not formulas & {crystal.formula for crystal in jarvis.crystals}
    assert not {petretto.ids[row] for row in held_out} & set(jarvis.ids)
    trained = {petretto.crystals[row].formula for row in petretto.split("train").tolist()}
    assert len(trained & {crystal.formula for crystal in jarvis.crystals}) > 300


@pytest.mark.data
def test_it_has_petrettos_grid_and_scale():
    petretto, jarvis = load_dataset("phonon_petretto"), load_dataset("petretto_pretraining")
    np.testing.assert_array_equal(jarvis.grid, petretto.grid)
    assert jarvis.values.max(axis=1) == pytest.approx(1)
    assert jarvis.values.min() == 0
    assert {part: len(rows) for part, rows in jarvis.splits.items()} == {
        "train": 8380,
        "valid": 916,
    }
