"""The default pair and its options: invariances, gradients."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from tests.crystal.transform import transformed
from vanhove.crystal.crystal import Crystal
from vanhove.crystal.graph import GraphSettings, build_graph, collate
from vanhove.datasets import load_tiny
from vanhove.models.model import ModelSettings, SpectrumModel
from vanhove.training.losses import training_loss

GRAPH = GraphSettings()
VARIANTS = {
    "default": {},
    "bare": {"decoder": {"attention": "bare"}},
    "projections": {"decoder": {"projections": True}},
    "mean": {"encoder": {"aggregation": "mean"}, "decoder": {"pooling": "mean"}},
    "narrow": {"decoder": {"hidden_dim": 64}},
    "mass-weighted": {"encoder": {"atom_features": ["mass_weighted_one_hot"]}},
    "system branch alone": {"decoder": {"global_branch": False}},
    "no crystal system": {"crystal_system": {"kind": "none"}},
    "one-hot crystal system": {"crystal_system": {"kind": "one_hot"}},
    "prompts at the atoms": {"crystal_system": {"where": "atoms"}},
    "one-hot at the atoms": {"crystal_system": {"kind": "one_hot", "where": "atoms"}},
}
TOLERANCE = 1e-5


def make(variant: str = "default") -> SpectrumModel:
    torch.manual_seed(0)
    return SpectrumModel(
        ModelSettings.model_validate(VARIANTS[variant]), GRAPH.cutoff, range(51)
    ).eval()


@pytest.fixture(scope="module", params=VARIANTS)
def model(request) -> SpectrumModel:
    return make(request.param)


@pytest.fixture(scope="module")
def crystals() -> list[Crystal]:
    return load_tiny().crystals


def predict(model: SpectrumModel, *crystals: Crystal, graph: GraphSettings = GRAPH) -> np.ndarray:
    with torch.inference_mode():
        return model(collate([build_graph(c, graph) for c in crystals])).numpy()


def test_shapes(model, crystals):
    values = predict(model, *crystals[:3])
    assert values.shape == (3, 51)
    assert np.isfinite(values).all()
    assert values.std() > 0


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_the_same_crystal_gives_the_same_spectrum(seed, crystals):
    """Rotation, translation, order of atoms and choice of cell at once, default model."""
    crystal = crystals[seed % len(crystals)]
    model = make()
    difference = predict(model, transformed(crystal, seed)) - predict(model, crystal)
    assert np.abs(difference).max() < TOLERANCE


def test_variants_are_invariant_too(model, crystals):
    for seed in range(3):
        crystal = crystals[seed * 7]
        difference = predict(model, transformed(crystal, seed)) - predict(model, crystal)
        assert np.abs(difference).max() < TOLERANCE


def test_a_batch_changes_nothing(model, crystals):
    by_size = sorted(crystals, key=lambda c: c.n_atoms)
    mixed = [by_size[0], by_size[-1], by_size[len(by_size) // 2], by_size[1]]
    together = predict(model, *mixed)
    alone = np.concatenate([predict(model, crystal) for crystal in mixed])
    assert np.abs(together - alone).max() < TOLERANCE


def test_given_cells_can_be_kept(crystals):
    crystal = crystals[0]
    supercell = transformed(crystal, 1)
    kept = GraphSettings(primitive=False)
    model = make()  # pools by sums: a larger cell then is another input
    difference = predict(model, supercell, graph=kept) - predict(model, crystal, graph=kept)
    if supercell.n_atoms > crystal.n_atoms:
        assert np.abs(difference).max() > TOLERANCE


def test_released_inputs_depend_on_the_rotation(crystals):
    """The option that reproduces the released phonon code has its known defect."""
    settings = ModelSettings.model_validate(
        {"encoder": {"edge_features": "spherical_harmonics", "aggregation": "mean"}}
    )
    torch.manual_seed(0)
    released = SpectrumModel(settings, 4.0, range(51)).eval()
    graph = GraphSettings(self_edges=True, primitive=False)
    crystal = max(crystals, key=lambda c: c.n_atoms)
    rotation = Rotation.from_euler("xyz", [0.3, 0.5, 0.7]).as_matrix()
    rotated = Crystal(
        crystal.lattice @ rotation.T, crystal.fractional_coordinates, crystal.atomic_numbers
    )
    difference = predict(released, rotated, graph=graph) - predict(released, crystal, graph=graph)
    assert np.abs(difference).max() > TOLERANCE


def test_inference_is_the_system_branch(crystals):
    model = make()
    batch = collate([build_graph(c, GRAPH) for c in crystals[:4]])
    with torch.inference_mode():
        branches = model.outputs(batch, torch.zeros(4, 51))[0].spectra
        torch.testing.assert_close(model(batch), branches["system"], rtol=0, atol=TOLERANCE)
    assert not torch.allclose(branches["system"], branches["global"], atol=1e-3)


def test_gradients_reach_every_parameter(crystals):
    by_system = {build_graph(c, GRAPH).crystal_system: c for c in crystals}
    assert len(by_system) == 7  # otherwise some prompts would get no gradient
    batch = collate([build_graph(c, GRAPH) for c in by_system.values()])
    for variant in VARIANTS:
        model = make(variant)
        target = torch.linspace(0, 1, 51).expand(7, -1)
        training_loss(*model.outputs(batch, target), "mse", 1.0).sum().backward()
        for name, parameter in model.named_parameters():
            assert parameter.grad is not None, (variant, name)
            assert parameter.grad.abs().max() > 0, (variant, name)


def test_unknown_settings_are_refused():
    with pytest.raises(ValueError, match="hidden_dims"):
        ModelSettings.model_validate({"encoder": {"hidden_dims": 3}})
