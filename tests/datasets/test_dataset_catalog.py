import re

import numpy as np
import pytest

from vanhove.datasets import DATASETS, load_dataset
from vanhove.errors import DataError


def test_stored_split_by_default():
    dataset = load_dataset("tiny")
    assert dataset.split_name == "stored"
    assert len(dataset.split("train")) == 32


def test_random_split():
    first, again, other = (load_dataset("tiny", split="random", seed=s) for s in (1, 1, 2))
    assert first.split_name == "random (seed 1)"
    assert first.split_hash == again.split_hash != other.split_hash
    assert first.data_hash == load_dataset("tiny").data_hash
    assert [len(rows) for rows in first.splits.values()] == [38, 5, 5]


def test_grouped_split_keeps_formulas_together():
    # The tiny set holds distortions of crystals that it holds too.
    dataset = load_dataset("tiny", split="grouped", seed=4)
    formulas = [{dataset.crystals[r].formula for r in rows} for rows in dataset.splits.values()]
    assert sum(map(len, formulas)) == len(set.union(*formulas)) < len(dataset)
    assert np.array_equal(np.sort(np.concatenate(list(dataset.splits.values()))), np.arange(48))


def test_unknown_name_lists_names():
    allowed = f"'petreto'; allowed: {', '.join(DATASETS)}, or the path"
    with pytest.raises(DataError, match=re.escape(allowed)):
        load_dataset("petreto")


def test_unknown_split():
    with pytest.raises(DataError, match=r"'scaffold'; allowed: .*'random', 'grouped'"):
        load_dataset("tiny", split="scaffold")


def test_held_out_elements_are_tested_on_and_nothing_else():
    dataset = load_dataset("tiny", split="elements", elements=("O", "S"), seed=1)
    for part, rows in dataset.splits.items():
        for row in rows:
            holds = bool({8, 16} & set(dataset.crystals[row].atomic_numbers.tolist()))
            assert holds == (part == "test")
    assert sum(map(len, dataset.splits.values())) == len(dataset)
    assert dataset.split_name == "elements O S (seed 1)"


@pytest.mark.parametrize(("elements", "said"), [((), "give symbols"), (("Xx",), "'Xx' is none")])
def test_held_out_elements_must_be_elements(elements, said):
    with pytest.raises(DataError, match=said):
        load_dataset("tiny", split="elements", elements=elements)
