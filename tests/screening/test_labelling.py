"""Structures that a model labels become a data set to train on."""

from __future__ import annotations

import numpy as np
import pytest

import vanhove
from vanhove.errors import ConfigError
from vanhove.screening.labelling import label


def test_labels_train_and_computed_spectra_validate_and_test(small_run, structures, tmp_path):
    folder = tmp_path / "labelled"
    result = label(structures, folder, model=small_run, together_with="tiny", limit=60)
    tiny, mixed = vanhove.load_dataset("tiny"), vanhove.load_dataset(str(folder))
    assert result.n_computed == len(tiny.ids)
    assert result.n_labelled + result.n_left_out + result.n_failed == 60
    assert min(result.n_labelled, result.n_left_out) > 0
    for part in ("valid", "test"):
        assert [mixed.ids[i] for i in mixed.split(part)] == [tiny.ids[i] for i in tiny.split(part)]
    held_out = {tiny.crystals[i].formula for part in ("valid", "test") for i in tiny.split(part)}
    labelled = [i for i in mixed.split("train") if mixed.ids[i].startswith("labelled-")]
    assert len(labelled) == result.n_labelled
    assert not {mixed.crystals[i].formula for i in labelled} & held_out
    said = vanhove.load(small_run).predict(mixed.crystals[labelled[0]]).normalise("max")
    np.testing.assert_allclose(mixed.values[labelled[0]], said.values, atol=1e-3)
    by_id = dict(zip(mixed.ids, mixed.values, strict=True))
    for i, values in zip(tiny.ids, tiny.values, strict=True):
        np.testing.assert_allclose(by_id[i], values, atol=1e-4)


def test_the_draw_is_that_of_the_seed(small_run, structures, tmp_path):
    def formulas(name: str, seed: int) -> list[str]:
        label(structures, tmp_path / name, model=small_run, limit=12, seed=seed)
        return [c.formula for c in vanhove.load_dataset(str(tmp_path / name)).crystals]

    assert formulas("a", 0) == formulas("b", 0) != formulas("c", 1)


def test_what_cannot_be_labelled_is_refused(small_run, structures, tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ConfigError, match="holds files; give a new folder"):
        label(structures, tmp_path, model=small_run)
    with pytest.raises(ConfigError, match="predicts bands"):
        label(structures, tmp_path / "new", model="bandformer-electron")
    with pytest.raises(ConfigError, match="tiny has a grid of 51 points"):
        label(structures, tmp_path / "new", model="dostransformer-electron", together_with="tiny")
    assert not (tmp_path / "new").exists()
