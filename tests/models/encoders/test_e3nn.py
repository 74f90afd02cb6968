"""E3NN: which parts of the geometry it sees, and that e3nn is optional."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from vanhove.crystal.graph import Batch, CrystalGraph, collate
from vanhove.errors import MissingExtraError
from vanhove.models.atom_features import AtomFeatures
from vanhove.models.encoders.e3nn import E3NN, E3NNSettings, typical_length

FEATURES = AtomFeatures(("mass_weighted_one_hot",))
OXIDE = np.array([8, 55, 55])


def encoder(**settings) -> E3NN:
    torch.manual_seed(0)
    small = {"hidden_dim": 8, "embedding_dim": 8, "multiplicity": 4, "radial_dim": 16}
    return E3NN(E3NNSettings.model_validate(small | settings), atom_dim=FEATURES.dim, cutoff=4.0)


def molecule(angle: float, rotation: np.ndarray | None = None) -> Batch:
    """Three atoms, bonds of 1 angstrom at ``angle`` degrees, edges only along the bonds."""
    at = np.radians(angle)
    bonds = np.array([[1.0, 0, 0], [np.cos(at), np.sin(at), 0]])
    bonds = bonds if rotation is None else bonds @ rotation.T
    graph = CrystalGraph(
        atomic_numbers=torch.from_numpy(OXIDE),
        edge_index=torch.tensor([[1, 2, 0, 0], [0, 0, 1, 2]]),
        edge_vector=torch.from_numpy(np.concatenate([bonds, -bonds])).float(),
        crystal_system=0,
        lattice_lengths=torch.ones(3),
        lattice=torch.eye(3),
        positions=torch.zeros(3, 3),
    )
    return collate([graph])


def encode(model: E3NN, batch: Batch) -> torch.Tensor:
    with torch.inference_mode():
        return model(FEATURES(batch.atomic_numbers), batch)


def test_degree_one_tells_angles_apart():
    distances_only, vectors = encoder(lmax=0), encoder(lmax=1)
    same = encode(distances_only, molecule(90)) - encode(distances_only, molecule(120))
    assert same.abs().max() < 1e-6
    right = encode(vectors, molecule(90))
    assert (right - encode(vectors, molecule(120))).abs().max() > 0.01 * right.abs().max()


@pytest.mark.parametrize("settings", [{"lmax": 2}, {"n_layers": 1}, {"n_layers": 3}])
def test_other_sizes_are_invariant_and_have_no_idle_parameters(settings):
    model = encoder(**settings)
    turned = -Rotation.random(random_state=0).as_matrix()  # a reflection too
    batch = molecule(105)
    torch.testing.assert_close(
        encode(model, molecule(105, turned)), encode(model, batch), atol=2e-6, rtol=0
    )
    model(FEATURES(batch.atomic_numbers), batch).square().sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name


def test_masses_enter_with_the_scale_of_ones():
    assert typical_length(("one_hot",)) == 1
    assert typical_length(("mass_weighted_one_hot",)) == pytest.approx(172, abs=1)
    batch = molecule(105)
    wide = encoder(embedding_dim=512)
    with torch.inference_mode():
        scaled = FEATURES(batch.atomic_numbers) * wide.feature_scale
        element = torch.relu(wide.element_in.weight[:, OXIDE - 1])
    assert 0.5 < element.square().mean() < 2
    assert scaled.max() == pytest.approx(133 / 172, abs=0.01)


def test_a_checkpoint_needs_the_parameters_only():
    model = encoder()
    assert set(model.state_dict()) == {name for name, _ in model.named_parameters()}


def test_autocast_changes_nothing():
    model, batch = encoder(), molecule(105)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cast = encode(model, batch)
    assert cast.dtype == torch.float32
    torch.testing.assert_close(cast, encode(model, batch))


def test_without_e3nn_the_pip_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "e3nn", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'vanhove\[e3nn\]'"):
        encoder()
