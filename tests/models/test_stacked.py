"""Several models as one network say what each of them says."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vanhove.crystal.graph import GraphSettings, build_graph, collate
from vanhove.datasets import load_tiny
from vanhove.models.calibration import Calibration
from vanhove.models.ensemble import Ensemble, at_places, predict_members
from vanhove.models.familiarity import Familiarity
from vanhove.models.model import ModelSettings, SpectrumModel
from vanhove.models.stacked import stacked

GRAPH = GraphSettings()
SMALL = {
    "encoder": {
        "name": "alignn",
        "hidden_dim": 16,
        "embedding_dim": 8,
        "n_alignn_layers": 2,
        "n_gcn_layers": 1,
    },
    "decoder": {
        "name": "lattice_dynamics",
        "hidden_dim": 16,
        "pair_dim": 12,
        "is_polar": True,
        "angle_cutoff": 3.2,
    },
    "output": "softplus",
}


def models(n: int = 3, **changed) -> list[SpectrumModel]:
    found = []
    for seed in range(n):
        torch.manual_seed(seed)
        settings = ModelSettings.model_validate({**SMALL, **changed})
        model = SpectrumModel(settings, GRAPH.cutoff, np.linspace(0, 1000, 51)).eval()
        with torch.no_grad():  # angles and charges that matter
            for parameter in model.decoder.angles.scalars[-1].parameters():
                parameter.normal_(std=0.1)
            model.decoder.log_width += 0.1 * seed
        found.append(model)
    return found


@pytest.fixture(scope="module")
def graphs():
    crystals = sorted(load_tiny().crystals, key=lambda crystal: crystal.n_atoms)
    return [build_graph(crystal, GRAPH) for crystal in [*crystals[:4], *crystals[-3:]]]


def test_it_says_what_its_models_say(graphs):
    members = models()
    expected, states = predict_members(members, graphs)
    found, own_states = predict_members(stacked(members), graphs)
    assert found.shape == expected.shape == (3, len(graphs), 51)
    assert (expected[0] - expected[1]).abs().max() > 1e-3
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(own_states, states, rtol=1e-5, atol=1e-5)


def test_force_constants_charges_and_tensors_are_those_of_each(graphs):
    members, batch = models(), collate(graphs)
    one = stacked(members)
    with torch.inference_mode():
        every = one.decoder.crystals(one.encode(batch)[0], batch)
        for number, member in enumerate(members):
            own = member.decoder.crystals(member.encode(batch)[0], batch)
            for crystal, expected in zip(every, own, strict=True):
                found = list(crystal.sets())[number]
                k = torch.tensor([[0.1, 0.2, -0.3], [0.0, 0.0, 0.0]])
                torch.testing.assert_close(
                    crystal.dynamical_matrices(k)[number],
                    expected.dynamical_matrices(k),
                    rtol=1e-4,
                    atol=1e-4,
                )
                torch.testing.assert_close(found.dielectric, expected.dielectric)


def test_cells_whose_mesh_is_gamma_alone(graphs):
    """Larger than the largest of the small ones: one wave vector, a real matrix."""
    crystal = max(load_tiny().crystals, key=lambda crystal: crystal.n_atoms)
    places = np.indices((3, 3, 3)).reshape(3, -1).T
    from vanhove.crystal.crystal import Crystal

    cell = Crystal(
        3 * crystal.lattice,
        (crystal.fractional_coordinates[None] + places[:, None]).reshape(-1, 3) / 3,
        np.tile(crystal.atomic_numbers, 27),
    )
    graph = build_graph(cell, GraphSettings(primitive=False))
    assert graph.n_atoms > 40
    members = models(2)
    expected, _ = predict_members(members, [graph])
    found, _ = predict_members(stacked(members), [graph])
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_an_ensemble_takes_it_and_answers_on_other_grids(graphs):
    members = models(2)
    calibration = Calibration(weights=[0.1, 1, 0, 0, 0], factors={"0.9": 2.0}, n_materials=1)
    ensemble = Ensemble(members, Familiarity(10, 5, 16), calibration)
    places = torch.linspace(0, 1, 101)
    with at_places(ensemble, places):
        expected = ensemble.predict(graphs)
    ensemble.prepare_inference()
    assert ensemble.stacked is not None
    with at_places(ensemble, places):
        found = ensemble.predict(graphs)
        assert ensemble.predict_with_errors(graphs).std.shape == (len(graphs), 101)
    assert found.shape == (len(graphs), 101)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    assert ensemble.predict(graphs).shape == (len(graphs), 51)


def test_what_cannot_be_stacked_is_not():
    assert stacked(models(1)) is None
    at_atoms = {"kind": "one_hot", "where": "atoms"}
    assert stacked(models(2, crystal_system=at_atoms)) is None
    learned = {**SMALL["encoder"], "atom_features": ["learned"]}
    assert stacked(models(2, encoder=learned)) is None


def test_the_members_of_large_cells_predict_one_after_the_other(graphs, monkeypatch):
    calibration = Calibration(weights=[0.1, 1, 0, 0, 0], factors={"0.9": 2.0}, n_materials=1)
    ensemble = Ensemble(models(2), Familiarity(10, 5, 16), calibration)
    ensemble.prepare_inference()
    together = ensemble.predict(graphs)
    seen = []
    monkeypatch.setattr("vanhove.models.ensemble.MOST_TOGETHER", 0)
    monkeypatch.setattr(type(ensemble.stacked), "encode", watched(seen))
    torch.testing.assert_close(ensemble.predict(graphs), together, rtol=1e-5, atol=1e-5)
    assert len(seen) == 2
    assert all(model is not ensemble.stacked for model in seen)


def watched(seen: list):
    encode = SpectrumModel.encode

    def watching(self, batch):
        seen.append(self)
        return encode(self, batch)

    return watching
