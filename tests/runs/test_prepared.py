"""Preparing a data set: errors name the crystal at fault, and only those asked for matter."""

from dataclasses import replace

import numpy as np
import pytest

from vanhove.crystal.crystal import Crystal
from vanhove.datasets import load_dataset
from vanhove.errors import StructureError
from vanhove.runs.config import RunConfig
from vanhove.runs.prepared import prepare_rows


def with_first(crystal: Crystal):
    dataset = load_dataset("tiny")
    return replace(dataset, crystals=[crystal, *dataset.crystals[1:]])


def test_an_unusable_crystal_is_an_error_if_it_is_needed():
    dataset = with_first(Crystal(np.eye(3) * 4, [[0, 0, 0], [0, 0, 0]], [14, 14], "doubled"))
    with pytest.raises(StructureError, match=r"doubled: atom 1 \(Si\) and atom 2 \(Si\) are 0.000"):
        prepare_rows(dataset, np.arange(3), RunConfig(), quiet=True)
    assert prepare_rows(dataset, np.arange(1, 3), RunConfig(), quiet=True).graph(1).n_atoms


def test_an_element_without_features_is_an_error():
    dataset = with_first(Crystal(np.eye(3) * 4, [[0, 0, 0]], [118], "strange"))
    config = RunConfig.parse({"model": {"encoder": {"atom_features": ["matscholar"]}}})
    with pytest.raises(StructureError, match=f"{dataset.ids[0]}: element Og has no matscholar"):
        prepare_rows(dataset, np.arange(3), config, quiet=True)
