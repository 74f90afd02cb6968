"""Models that answer on other grids than the one they were trained on."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from tests.conftest import SMALL_RUN, SUPPORTED
from vanhove import load
from vanhove.crystal.graph import GraphSettings, build_graph
from vanhove.datasets import load_tiny
from vanhove.errors import ConfigError, DataError
from vanhove.evaluation.evaluate import evaluate
from vanhove.models.ensemble import Ensemble
from vanhove.models.model import ModelSettings, SpectrumModel
from vanhove.runs.checkpoint import load_model
from vanhove.runs.config import RunConfig, with_overrides
from vanhove.runs.other_grid import answer_on, answering_on
from vanhove.training.train import train

OWN, FINE, COARSE = (np.linspace(0, 1000, n) for n in (51, 101, 26))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The small run with Gaussian energies."""
    changes = {"model.decoder.energies": "gaussian", "training.epochs": 2}
    config = RunConfig.parse(with_overrides(SMALL_RUN, changes))
    return train(config, tmp_path_factory.mktemp("smooth"), quiet=True).folder


@pytest.fixture(scope="module")
def graphs():
    return [build_graph(crystal, GraphSettings()) for crystal in load_tiny().crystals[:4]]


def pooled_model() -> SpectrumModel:
    """One that knows its own grid alone."""
    settings = ModelSettings.model_validate({"decoder": {"name": "pooled"}})
    return SpectrumModel(settings, 4.0, np.linspace(0, 1000, 51))


DECODERS = {
    "dostransformer": {"energies": "gaussian"},
    "bare": {"name": "dostransformer", "energies": "sinusoidal", "attention": "bare"},
    "energywise": {"energies": "fourier"},
    "atomwise": {"energies": "gaussian", "kernel_size": 5},
    "lattice_dynamics": {"energies": "gaussian"},
}


@pytest.mark.parametrize("name", DECODERS)
def test_values_at_shared_energies_do_not_change(name, graphs):
    torch.manual_seed(0)
    decoder = {"name": name, "hidden_dim": 16, **DECODERS[name]}
    settings = ModelSettings.model_validate({"decoder": decoder, "encoder": {"hidden_dim": 16}})
    model = SpectrumModel(settings, 4.0, np.linspace(0, 1000, 51)).eval()
    last = model.decoder.out if isinstance(model.decoder.out, nn.Linear) else model.decoder.out[-1]
    nn.init.constant_(last.bias, 1.0)  # far from zero, where predictions are clipped
    own = model.predict(graphs)
    assert own.std() > 0.01
    model.set_places(torch.linspace(0, 1, 101))
    fine = model.predict(graphs)
    torch.testing.assert_close(fine[:, ::2], own, rtol=0, atol=2e-5)
    between = (own[:, 1:] + own[:, :-1]) / 2
    assert (fine[:, 1::2] - between).abs().mean() < 0.3 * own.std()
    model.set_places(torch.tensor([0.02, 0.5, 0.75]))
    odd = model.predict(graphs)
    torch.testing.assert_close(odd[:, :2], own[:, [1, 25]], rtol=0, atol=2e-5)
    torch.testing.assert_close(odd[:, 2], fine[:, 75], rtol=0, atol=2e-5)
    model.set_places(None)
    assert torch.equal(model.predict(graphs), own)


def test_a_convolution_refuses_points_that_no_division_of_its_steps_meets(graphs):
    decoder = {"name": "atomwise", "hidden_dim": 8}
    model = SpectrumModel(
        ModelSettings.model_validate({"decoder": decoder}), 4.0, np.linspace(0, 1000, 51)
    ).eval()
    model.set_places(torch.from_numpy(FINE / 1000))
    with pytest.raises(ConfigError, match="divided into 2 to 16 equal parts"):
        model.set_places(torch.tensor([0.0, 0.0123456]))


def test_a_trained_model_answers_on_other_grids(run):
    spectra = {len(g): load(run, grid=g).predict(SUPPORTED[0]) for g in (OWN, FINE, COARSE)}
    plain = load(run).predict(SUPPORTED[0])
    assert np.array_equal(plain.values, spectra[51].values)
    np.testing.assert_array_equal(spectra[26].grid, COARSE)
    np.testing.assert_allclose(spectra[101].values[::2], plain.values, atol=1e-5)
    np.testing.assert_allclose(spectra[26].values, plain.values[::2], atol=1e-5)


def test_evaluation_on_other_grids(run):
    assert evaluate(run, grid_points=51, quiet=True).mean == evaluate(run, quiet=True).mean
    coarse = evaluate(run, grid_points=26, quiet=True)
    assert "interpolated linearly from 51 to 26 points" in " ".join(coarse.notes)
    model, info = load_model(run / "best.safetensors")
    tiny = load_tiny()
    rows = tiny.split("test")
    graphs = [build_graph(tiny.crystals[row], info.graph) for row in rows]
    error = np.abs(model.predict(graphs).numpy() - tiny.values[rows])[:, ::2].mean()
    assert coarse.mean["mae"] == pytest.approx(error, rel=1e-4)


def test_error_bars_on_another_grid_are_those_of_the_own_grid_between():
    own, fine = (load("vanhove-phonon-fast", grid=g).predict(SUPPORTED[0]) for g in (OWN, FINE))
    plain = load("vanhove-phonon-fast", grid="training").predict(SUPPORTED[0])
    assert np.array_equal(plain.std, own.std)
    np.testing.assert_allclose(fine.values[::2], plain.values, atol=1e-6)
    np.testing.assert_allclose(fine.std, np.interp(FINE, OWN, plain.std), rtol=1e-6)
    assert fine.samples.shape == (1, 101)


def test_mistakes_say_what_to_do(run, small_run):
    with pytest.raises(ConfigError, match="trained from 0 to 1000 and knows nothing beyond"):
        load(run, grid=[0, 500, 1200])
    with pytest.raises(DataError, match="the grid must increase"):
        load(run, grid=[500, 0])
    with pytest.raises(ConfigError, match=r"learned a vector .* interpolate its spectra"):
        load(small_run, grid=FINE)
    with pytest.raises(ConfigError, match=r"learned a vector"):
        evaluate(small_run, grid_points=26, quiet=True)
    with pytest.raises(ConfigError, match="PooledDecoder gives one value per point"):
        answer_on(pooled_model(), load_model(run / "best.safetensors")[1], FINE)
    with pytest.raises(ConfigError, match="a model of bands takes k-points"):
        load("bandformer-electron", grid=[0, 1])


def test_an_error_on_another_grid_leaves_the_model_on_its_own(run):
    """The second member refuses the grid after the first has moved; or predicting there fails."""
    member, info = load_model(run / "best.safetensors")
    pair = Ensemble([member, pooled_model()], None, None)
    for change in (answer_on, lambda *given: answering_on(*given).__enter__()):
        with pytest.raises(ConfigError, match="one value per point"):
            change(pair, info, FINE)
        assert pair.places is None
        assert member.places is None
    graph = build_graph(load_tiny().crystals[0], info.graph)
    own = member.predict([graph])

    def fail_there():
        with answering_on(member, info, FINE) as there:
            assert len(there.grid) == len(member.predict([graph])[0]) == 101
            raise MemoryError

    with pytest.raises(MemoryError):
        fail_there()
    assert torch.equal(member.predict([graph]), own)
    answer_on(member, info, FINE)
    with answering_on(member, info, COARSE):
        assert member.predict([graph]).shape == (1, 26)
    assert member.predict([graph]).shape == (1, 101)
