"""Atom features: given tables, learned ones, and those of files, which a checkpoint keeps."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from tests.conftest import SMALL_RUN, STRUCTURES
from vanhove.crystal.elements import element_table
from vanhove.crystal.embeddings import HEADER
from vanhove.errors import CheckpointError, ConfigError, StructureError
from vanhove.evaluation.evaluate import evaluate
from vanhove.models.atom_features import LEARNED_DIM, AtomFeatures
from vanhove.prediction.loading import load
from vanhove.runs.checkpoint import build_model, load_model
from vanhove.runs.config import RunConfig, with_overrides
from vanhove.runs.folder import BEST
from vanhove.runs.prepared import prepare
from vanhove.training.train import train


@pytest.fixture
def table_file(tmp_path):
    """An embedding of the elements up to Bi."""
    vectors = np.random.default_rng(0).normal(size=(119, 5)).astype(np.float32)
    vectors[84:] = np.nan
    path = tmp_path / "mine.safetensors"
    save_file({"table": vectors}, path, {HEADER: "{}"})
    return path


def small(**settings) -> RunConfig:
    changed = {key.replace("__", "."): value for key, value in settings.items()}
    return RunConfig.parse(with_overrides(SMALL_RUN, changed))


def features(names: list[str]) -> dict[str, object]:
    return {"model__encoder__atom_features": names}


def test_tables_are_joined_in_order(table_file):
    joined = AtomFeatures(["one_hot", str(table_file), "learned"])
    assert joined.dim == 118 + 5 + LEARNED_DIM
    row = joined(torch.tensor([14]))[0]
    np.testing.assert_array_equal(row[:118].detach(), element_table("one_hot")[14])
    np.testing.assert_array_equal(row[118:123].detach(), element_table(str(table_file))[14])


def test_only_what_is_trained_gets_a_gradient(table_file):
    trained = {
        (frozen, names): [
            name
            for name, parameter in AtomFeatures(names, not frozen).named_parameters()
            if parameter.requires_grad
        ]
        for frozen in (True, False)
        for names in (("one_hot",), (str(table_file),), ("one_hot", "learned"), ("learned",))
    }
    assert list(trained.values()) == [
        *([], [], ["learned"], ["learned"]),
        *(["table"], ["table"], ["table", "learned"], ["learned"]),
    ]


@pytest.mark.parametrize("trainable", [False, True])
def test_a_trained_model_needs_the_file_no_more(table_file, tmp_path, trainable):
    given = element_table(str(table_file))
    config = small(**features([str(table_file)]), model__trainable_features=trainable)
    folder = train(config, tmp_path / "run", quiet=True).folder
    before = load(folder / BEST).predict(STRUCTURES / "Si.cif").values
    table_file.unlink()
    predictor = load(folder / BEST)
    np.testing.assert_array_equal(predictor.predict(STRUCTURES / "Si.cif").values, before)
    kept = predictor.model.atom_features.table.detach().numpy()
    assert np.array_equal(kept, given, equal_nan=True) != trainable
    assert evaluate(folder / BEST, "valid", quiet=True).mean["mae"] > 0


def test_learned_vectors_are_trained(tmp_path):
    config = small(**features(["learned"]), training__weight_decay=0.0)
    torch.manual_seed(config.seed)
    start = build_model(config, range(51)).atom_features.learned.detach().numpy()
    folder = train(config, tmp_path / "run", quiet=True).folder
    model, info = load_model(folder / BEST)
    kept = model.atom_features.learned.detach().numpy()
    changed = np.flatnonzero((kept != start).any(axis=1))
    assert changed.tolist() == info.elements


def test_what_cannot_be_used_is_said(table_file, tmp_path):
    with pytest.raises(ConfigError, match=r"'ones'; allowed: one_hot, .*learned, or a"):
        AtomFeatures(["ones"])
    with pytest.raises(ConfigError, match="atom_features is empty"):
        AtomFeatures([])
    with pytest.raises(CheckpointError, match=r"gone\.safetensors: no such embedding"):
        AtomFeatures([str(tmp_path / "gone.safetensors")])
    table_file.write_bytes(b"?")
    with pytest.raises(CheckpointError, match="not a readable safetensors file"):
        AtomFeatures([str(table_file)])
    save_file({"weight": np.zeros(2)}, table_file)
    with pytest.raises(CheckpointError, match="not an embedding"):
        AtomFeatures([str(table_file)])


def test_elements_that_a_table_does_not_hold_are_refused(table_file):
    vectors = np.full((119, 2), np.nan, dtype=np.float32)
    vectors[14] = 1
    save_file({"table": vectors}, table_file, {HEADER: "{}"})
    with pytest.raises(StructureError, match=r"has no .*mine"):
        prepare(small(**features([str(table_file)])), ("train",), quiet=True)
