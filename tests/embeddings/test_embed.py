"""``vanhove embed``: files, latents, maps, and models that start from them."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from tests.conftest import SMALL_RUN, STRUCTURES
from tests.embeddings.conftest import SMALL
from vanhove.cli import app
from vanhove.crystal.elements import check_supported, element_table
from vanhove.crystal.embeddings import EMBEDDINGS, embedding_path, read_embedding
from vanhove.datasets import load_tiny
from vanhove.embeddings import embed
from vanhove.embeddings.plot import principal_plane
from vanhove.errors import CheckpointError, ConfigError, DataError, MissingExtraError
from vanhove.runs.checkpoint import load_model
from vanhove.runs.config import RunConfig, with_overrides
from vanhove.runs.folder import BEST
from vanhove.training.train import train

QUICK = SMALL | {"epochs": 2}


@pytest.fixture(scope="module")
def source(crystals, tmp_path_factory):
    """The structures of the tiny data set as an npz archive, without their spectra."""
    path = tmp_path_factory.mktemp("source") / "structures.npz"
    np.savez(
        path,
        ids=[crystal.name for crystal in crystals],
        natoms=[crystal.n_atoms for crystal in crystals],
        Z=np.concatenate([crystal.atomic_numbers for crystal in crystals]),
        frac=np.concatenate([crystal.fractional_coordinates for crystal in crystals]),
        lattice=np.stack([crystal.lattice for crystal in crystals]),
    )
    return path


@pytest.fixture(scope="module")
def written(source, tmp_path_factory):
    """An embedding learned from them, and what `embed` returned."""
    path = tmp_path_factory.mktemp("embedding") / "mine.safetensors"
    return path, embed(source, path, max_atoms=40, settings=QUICK)


def test_a_file_holds_the_table_the_encoder_and_how_it_was_made(written):
    path, result = written
    known = read_embedding(str(path))
    np.testing.assert_array_equal(known.vectors, result.table)
    assert known.info == json.loads(path.with_suffix(".json").read_text()) == result.info.to_json()
    assert known.info["n_crystals"] == len(load_tiny().crystals)
    assert known.encoder
    assert not list(path.parent.glob("*.state.safetensors"))
    with pytest.raises(CheckpointError, match="not a model checkpoint"):
        load_model(path)


def test_a_table_is_the_mean_over_atoms_on_one_scale(written):
    _, result = written
    latents, table = result.latents, result.table
    present = np.unique(latents.atomic_numbers)
    np.testing.assert_array_equal(np.flatnonzero(~np.isnan(table).any(axis=1)), present)
    np.testing.assert_allclose(table[present].mean(axis=0), 0, atol=1e-5)
    assert (table[present] ** 2).mean() == pytest.approx(1, abs=1e-5)
    a, b, c = present[:3]
    means = {z: latents.atoms[latents.atomic_numbers == z].mean(axis=0) for z in (a, b, c)}
    ratio = np.linalg.norm(means[a] - means[b]) / np.linalg.norm(means[a] - means[c])
    ours = np.linalg.norm(table[a] - table[b]) / np.linalg.norm(table[a] - table[c])
    assert ours == pytest.approx(ratio, rel=1e-3)


def test_the_same_call_gives_the_same_table(source, written, tmp_path):
    _, result = written
    again = embed(source, tmp_path / "again.safetensors", max_atoms=40, settings=QUICK)
    np.testing.assert_array_equal(again.table, result.table)
    other = embed(source, tmp_path / "other.safetensors", settings=QUICK | {"seed": 1})
    assert not np.allclose(other.table, result.table, equal_nan=True)


def test_a_trained_encoder_embeds_other_structures(written, tmp_path):
    path, _ = written
    file = tmp_path / "latents.npz"
    result = embed(STRUCTURES, encoder=str(path), latents=file)
    with np.load(file) as archive:
        n_atoms = archive["n_atoms"]
        assert len(archive["ids"]) == len(archive["crystal_system"]) == len(n_atoms)
        assert archive["atoms"].shape == (n_atoms.sum(), SMALL["latent_dim"])
        first = archive["atoms"][: n_atoms[0]].mean(axis=0)
        np.testing.assert_allclose(archive["crystals"][0], first, atol=1e-5)
        silicon = archive["crystal_system"][archive["ids"].tolist().index("Si.cif")]
    assert silicon == "cubic"
    assert result.info.encoder == str(path)


def test_a_model_starts_from_it(written, tmp_path):
    path, result = written
    names = {"model.encoder.atom_features": ["one_hot", str(path)], "training.epochs": 1}
    folder = train(
        RunConfig.parse(with_overrides(SMALL_RUN, names)), tmp_path / "run", quiet=True
    ).folder
    kept = load_model(folder / BEST)[0].atom_features.table
    assert torch.equal(kept[14, 118:], torch.from_numpy(result.table[14]))


@pytest.mark.parametrize("kind", ["contrastive", "contrastive-labels"])
def test_contrast_writes_a_table_and_measures(kind, tmp_path):
    result = embed("tiny", tmp_path / "it.safetensors", kind=kind, settings=QUICK)
    assert result.table.shape == (119, SMALL["latent_dim"])
    assert -1 <= result.info.held_out["cosine_of_views"] <= 1
    assert ("cosine_of_nearest_spectra" in result.info.held_out) == (kind[-1] == "s")


def test_formulas_of_a_test_part_are_left_out(source, written, tmp_path):
    tiny = load_tiny()
    parts = np.concatenate([tiny.split("valid"), tiny.splits.get("test", [])]).astype(int)
    held_out = {tiny.crystals[row].formula for row in parts}
    kept = [crystal.name for crystal in tiny.crystals if crystal.formula not in held_out]
    assert 0 < len(kept) < len(tiny.crystals)
    file = tmp_path / "l.npz"
    result = embed(source, encoder=str(written[0]), latents=file, leave_out="tiny", max_atoms=40)
    assert sorted(result.latents.ids) == sorted(kept)
    few = embed(source, encoder=str(written[0]), latents=file, limit=3)
    assert len(few.latents.ids) == 3


def test_the_map_shows_systems_and_elements(written, tmp_path):
    pytest.importorskip("plotly")
    path, _ = written
    page = tmp_path / "map.html"
    embed(STRUCTURES, encoder=str(path), map_=page)
    text = page.read_text(encoding="utf-8")
    for words in ("crystals by crystal system", "atoms by element", '"cubic"', '"Si"'):
        assert words in text


def test_the_principal_plane_holds_the_largest_variance():
    values = np.random.default_rng(0).normal(size=(200, 5)) * [1, 9, 0.1, 4, 0.5]
    _, plane, shares = principal_plane(values)
    assert np.abs(plane).argmax(axis=1).tolist() == [1, 3]
    assert 0.7 < shares[0] < 0.9
    np.testing.assert_allclose(plane @ plane.T, np.eye(2), atol=1e-9)


@pytest.mark.parametrize("name", EMBEDDINGS)
def test_shipped_tables_know_the_elements_and_chemistry(name):
    table = element_table(name)
    card = json.loads(embedding_path(name).with_suffix(".json").read_text())
    assert card == read_embedding(name).info
    check_supported(np.array([1, *range(3, 10), *range(11, 18), *range(19, 36)]), name)
    near, far = (np.linalg.norm(table[17] - table[z]) for z in (35, 26))
    assert near < far  # Cl is closer to Br than to Fe


def test_features_of_the_potential(tmp_path):
    pytest.importorskip("chgnet")
    result = embed(STRUCTURES / "NaCl.cif", tmp_path / "p.safetensors", kind="potential")
    assert result.table.shape == (119, 64)
    assert result.info.potential.startswith("CHGNet 0.")
    assert not np.isnan(result.table[[11, 17]]).any()


def test_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "chgnet.model", None)
    with pytest.raises(
        MissingExtraError, match=r"needs chgnet: pip install 'vanhove\[potential\]'"
    ):
        embed("tiny", tmp_path / "p.safetensors", kind="potential")


def test_wrong_options_are_said(tmp_path):
    with pytest.raises(ConfigError, match="nothing to write"):
        embed("tiny")
    with pytest.raises(ConfigError, match=r"must end with \.safetensors"):
        embed("tiny", tmp_path / "table.npz")
    with pytest.raises(ConfigError, match="a training needs --output"):
        embed("tiny", latents=tmp_path / "l.npz")
    with pytest.raises(ConfigError, match=r"kind: .*'vae', 'contrastive'.*got 'gan'"):
        embed("tiny", tmp_path / "t.safetensors", kind="gan")
    with pytest.raises(ConfigError, match="no such file or folder"):
        embed(tmp_path / "nothing", tmp_path / "t.safetensors")
    with pytest.raises(DataError, match="no crystal of at most 0 atoms"):
        embed("tiny", tmp_path / "t.safetensors", max_atoms=0)


def test_the_command(tmp_path):
    out = tmp_path / "t.safetensors"
    words = ["embed", "tiny", "-o", str(out), "--epochs", "1", "--set", "hidden_dim=16", "-q"]
    done = CliRunner().invoke(app, words, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert str(out) in done.output
    assert read_embedding(str(out)).info["settings"]["hidden_dim"] == 16
