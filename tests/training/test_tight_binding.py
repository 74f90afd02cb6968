import numpy as np
import pytest
import torch

from vanhove.crystal.crystal import Crystal
from vanhove.datasets import load_electron_states
from vanhove.models.tight_binding.graph import collate_electrons, electron_graph
from vanhove.models.tight_binding.hamiltonian import CrystalHamiltonian
from vanhove.models.tight_binding.network import TightBinding, TightBindingSettings, energies
from vanhove.training.band_labels import BandLabels, GapLabel, labels_of_states
from vanhove.training.tight_binding import (
    BandTraining,
    Stage,
    band_error,
    band_items,
    gap_error,
    gap_items,
)

SETTINGS = TightBindingSettings(cutoff=4.5, hidden_dim=16, n_channels=4, n_basis=8)
CRYSTALS = ("mp-66", "mp-134", "mp-1265", "mp-127")  # C, Al, MgO, Na


def new_model(seed=0):
    torch.manual_seed(seed)
    return TightBinding(SETTINGS)


@pytest.fixture(scope="module")
def items():
    states = load_electron_states()
    return band_items([labels_of_states(states[name]) for name in CRYSTALS], SETTINGS.cutoff)


@pytest.fixture(scope="module")
def gaps(items):
    labels = [GapLabel(item.labels.crystal, item.labels.gap) for item in items[:3]]
    return gap_items(labels[::2], SETTINGS.cutoff, density=1.0)


def training(**changes):
    given = {"epochs": 2, "batch_size": 2, "n_kpoints": 4, "gap_batch": 1, "gap_kpoints": 2}
    return BandTraining(**(given | changes))


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def test_a_stopped_run_goes_on_as_if_it_had_not_been(items, gaps, tmp_path):
    whole = Stage(new_model(), training(), seed=3)
    whole.run(items, [type(g)(g.graph, g.kpoints, g.n_filled, g.gap) for g in gaps])

    def stop(stage):
        stage.save(tmp_path / "stage.safetensors")
        if stage.epoch == 1:
            raise KeyboardInterrupt

    first = [type(g)(g.graph, g.kpoints, g.n_filled, g.gap) for g in gaps]
    with pytest.raises(KeyboardInterrupt):
        Stage(new_model(), training(), seed=3).run(items, first, stop)
    again = Stage(new_model(7), training(), seed=3)
    again.restore(tmp_path / "stage.safetensors")
    assert again.epoch == 1
    again.run(items, first)
    torch.testing.assert_close(weights(again.model), weights(whole.model), rtol=0, atol=1e-6)
    assert again.losses == pytest.approx(whole.losses, abs=1e-5)


def test_it_learns_four_crystals(items):
    stage = Stage(new_model(), training(epochs=25, learning_rate=5e-3, gap_batch=0), seed=0)
    stage.run(items)
    assert stage.losses[-1] < 0.5 * stage.losses[0]


def test_the_zero_of_the_labels_and_the_count_of_bands_do_not_matter(items):
    model = new_model().eval()
    item = items[0]
    points = torch.arange(6)
    with torch.no_grad():
        (blocks,) = model(collate_electrons([item.graph]))
        found = energies(blocks, item.kpoints[points])
        expected = band_error(item, points, found, training())
        torch.testing.assert_close(band_error(item, points, found + 3, training()), expected)
        # A teacher that does not count the lowest band.
        cut = BandLabels(
            item.labels.crystal,
            item.labels.kpoints,
            item.labels.energies[:, 1:],
            first_band=1,
            n_filled=0,
            gap=float("nan"),
            edges=(0, 0),
        )
        (other,) = band_items([cut], SETTINGS.cutoff)
        own = training(six_bands=0, edges=0)
        # The lowest band of diamond is too deep to count.
        assert float(band_error(other, points, found, own)) == pytest.approx(
            float(band_error(item, points, found, own)), rel=0.02
        )


def test_perfect_bands_have_no_error(items):
    item = items[2]
    points = torch.tensor([*item.labels.edges, 3, 4])
    assert float(band_error(item, points, item.energies[points] + 1, training())) < 0.03


def test_gap_error_finds_the_edges_on_the_mesh(gaps):
    model = new_model().eval()
    item = gaps[0]
    item.at = ()
    (blocks,) = model(collate_electrons([item.graph]))
    error = gap_error(item, blocks, training(), np.random.default_rng(0))
    with torch.no_grad():
        bands = energies(blocks, item.kpoints)
    gap = float(bands[:, item.n_filled].min() - bands[:, item.n_filled - 1].max())
    assert float(error.detach()) == pytest.approx(np.hypot(gap - item.gap, 0.1) - 0.1, abs=1e-4)
    error.backward()
    assert any(p.grad is not None and p.grad.abs().max() > 0 for p in model.parameters())


def test_members_share_a_zero(items):
    """A member that is the first, shifted, changes nothing."""
    first, second = new_model(), new_model()
    with torch.no_grad():
        second.of_atom.bias[:4] += 2.5  # all levels
    crystal: Crystal = items[0].labels.crystal
    k = np.array([[0, 0, 0], [0.2, 0.1, 0.4]])
    for model in (first, second):
        model.eval()
    both = CrystalHamiltonian([first, second], crystal)
    alone = CrystalHamiltonian([first], crystal)
    assert both.zeros[1] == pytest.approx(2.5, abs=1e-3)
    np.testing.assert_allclose(both.energies(k), alone.energies(k), atol=1e-3)
    assert electron_graph(crystal, 4.5).n_electrons == 8
