"""The validity test, where the answer is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.electron_subset import write_subset
from vanhove.datasets import electron_pbe, load_dataset
from vanhove.datasets.petretto import load_bulk_moduli
from vanhove.errors import DataError
from vanhove.evaluation import validity
from vanhove.evaluation.validity import PROPERTIES, known_moduli, validity_test


def test_true_spectra_are_better_than_wrong_ones():
    dataset = load_dataset("tiny")
    test = validity_test("bulk_modulus", "tiny", seeds=1)
    assert test.counts == {"train": 32, "valid": 8, "test": 8}
    rows = dataset.split("test")
    ids = [dataset.ids[row] for row in rows]
    assert test.errors(ids, dataset.values[rows]) == test.lower_bound
    wrong = test.errors(ids, dataset.values[rows][:, ::-1].copy())
    assert test.lower_bound["bulk_modulus_mse"] < 0.5 * wrong["bulk_modulus_mse"]
    assert test.lower_bound["bulk_modulus_mae_GPa"] < wrong["bulk_modulus_mae_GPa"]


def test_unknown_moduli_do_not_count(monkeypatch):
    dataset = load_dataset("tiny")
    moduli = known_moduli(dataset)
    moduli[dataset.split("test")[:3]] = np.nan
    of = replace(PROPERTIES["bulk_modulus"], known=lambda dataset: moduli)
    monkeypatch.setitem(PROPERTIES, "bulk_modulus", of)
    monkeypatch.setattr(validity, "NETWORK_EPOCHS", 1)
    test = validity_test("bulk_modulus", "tiny", seeds=1)
    assert test.counts["test"] == len(test.values) == 5
    assert np.isfinite(test.lower_bound["bulk_modulus_mse"])


def test_without_the_file_the_error_says_where_it_belongs(monkeypatch, tmp_path):
    monkeypatch.setenv("VANHOVE_DATA", str(tmp_path))
    with pytest.raises(DataError, match=r"set VANHOVE_DATA .*phonon_petretto\.npz"):
        load_bulk_moduli(["mp-1"])


def test_a_property_that_the_data_do_not_have():
    with pytest.raises(DataError, match=r"'tiny' has no band_gap"):
        validity_test("band_gap", "tiny")


def test_the_gap_is_learned_from_the_true_density(tmp_path, monkeypatch):
    write_subset(tmp_path, every=2)
    monkeypatch.setattr(electron_pbe, "FOLDER", tmp_path)
    test = validity_test("band_gap", "electron_pbe", seeds=1)
    variance = np.var(list(test.values.values()))
    assert test.lower_bound["band_gap_mse"] < 0.8 * variance


@pytest.mark.data
def test_the_counts_that_the_documentation_gives():
    dataset = load_dataset("phonon_petretto")
    known = np.isfinite(load_bulk_moduli(dataset.ids))
    assert known.sum() == 996
    assert [int(known[dataset.split(p)].sum()) for p in ("train", "valid", "test")] == [
        793,
        87,
        116,
    ]
