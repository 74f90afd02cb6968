"""Mat2Spec: the divergence of its mixtures, its two paths, its contrastive loss."""

from __future__ import annotations

import math

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from vanhove.crystal.graph import Batch, GraphSettings, build_graph, collate
from vanhove.datasets import load_tiny
from vanhove.models.decoders.mat2spec import (
    Mat2SpecDecoder,
    Mat2SpecSettings,
    Mixture,
    contrastive_loss,
    mixture_divergence,
)
from vanhove.models.dropout import Dropout
from vanhove.training.losses import training_loss

N_POINTS, ATOM_DIM, SYSTEM_DIM = 12, 6, 3
LABEL_PATH = ("label_embedding", "label_encoder", "label_gaussians", "label_weights", "projector")


@pytest.fixture(scope="module")
def batch() -> Batch:
    return collate([build_graph(c, GraphSettings()) for c in load_tiny().crystals[:4]])


def small(**settings: object) -> Mat2SpecDecoder:
    torch.manual_seed(0)
    sizes = {"hidden_dim": 8, "latent_dim": 4, "state_dim": 8, "projection_dim": 8}
    return Mat2SpecDecoder(
        Mat2SpecSettings(**sizes, **settings),
        atom_dim=ATOM_DIM,
        system_dim=SYSTEM_DIM,
        n_points=N_POINTS,
        output="raw",
    )


@pytest.fixture(params=["released", "printed"])
def decoder(request) -> Mat2SpecDecoder:
    return small(form=request.param)


@pytest.fixture
def inputs(batch) -> tuple[torch.Tensor, Batch, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    atoms = torch.randn(len(batch.atomic_numbers), ATOM_DIM, generator=generator)
    return atoms, batch, torch.randn(batch.n_crystals, SYSTEM_DIM, generator=generator)


def mixture(n_crystals: int, *shape: int, dtype: torch.dtype = torch.float64) -> Mixture:
    weights = torch.randn(n_crystals, shape[-2], dtype=dtype).softmax(dim=-1)
    return Mixture(3 + torch.randn(shape, dtype=dtype), torch.randn(shape, dtype=dtype), weights)


@pytest.mark.parametrize(("n_label", "n_feature"), [(12, 10), (7, 3), (1, 1)])
def test_the_divergence_covers_every_pair(n_label, n_feature):
    """Also where the numbers share a factor; released code then visits half of the pairs twice."""
    torch.manual_seed(n_label)
    label, feature = mixture(2, n_label, 5), mixture(2, 2, n_feature, 5)
    expected, one_way = torch.zeros(2, 2, dtype=torch.float64)
    for row in range(2):
        for i in range(n_label):
            for k in range(n_feature):
                a = Normal(label.mean[i], (0.5 * label.log_variance[i]).exp())
                b = Normal(feature.mean[row, k], (0.5 * feature.log_variance[row, k]).exp())
                pair = 0.5 * (kl_divergence(a, b) + kl_divergence(b, a)).sum()
                weight = label.weights[row, i] * feature.weights[row, k]
                expected[row] += weight * pair
                one_way[row] += weight * kl_divergence(a, b).sum()
    torch.testing.assert_close(mixture_divergence(label, feature, symmetric=False), one_way)
    torch.testing.assert_close(mixture_divergence(label, feature), expected)
    single = [m._replace(**{f: getattr(m, f).float() for f in m._fields}) for m in (label, feature)]
    torch.testing.assert_close(mixture_divergence(*single), expected.float())


def test_equal_gaussians_have_no_divergence():
    mean, log_variance = torch.full((3, 4), 100.0), torch.full((3, 4), -6.0)
    weights = torch.full((2, 3), 1 / 3)
    shared = Mixture(mean, log_variance, weights)
    divergence = mixture_divergence(
        shared, Mixture(mean[:2], log_variance[:2], weights[:, :2] * 1.5)
    )
    assert divergence.abs().max() < 1e-2


def test_inference_is_the_feature_path_with_means(decoder, inputs):
    decoder.eval()
    prediction = decoder(*inputs)
    torch.testing.assert_close(decoder(*inputs), prediction, rtol=0, atol=0)
    outputs = decoder.outputs(*inputs, torch.rand(4, N_POINTS))
    torch.testing.assert_close(outputs.spectra["spectrum"], prediction)
    assert not torch.allclose(outputs.spectra["label"], prediction)


def test_training_draws_latents_even_without_dropout(inputs, decoder):
    for module in decoder.modules():
        if isinstance(module, Dropout):
            module.probability = 0.0
    target = torch.rand(4, N_POINTS)
    one, two = decoder.outputs(*inputs, target), decoder.outputs(*inputs, target)
    for path in ("spectrum", "label"):
        assert not torch.allclose(one.spectra[path], two.spectra[path])
    torch.testing.assert_close(one.penalties["alignment"], two.penalties["alignment"])


def test_the_label_path_is_absent_from_inference(decoder, inputs):
    decoder.eval()
    target = torch.rand(4, N_POINTS)
    prediction, label = decoder(*inputs), decoder.outputs(*inputs, target).spectra["label"]
    with torch.no_grad():
        changed = [p for n, p in decoder.named_parameters() if n.split(".")[0] in LABEL_PATH]
        assert changed
        for parameter in changed:
            parameter.normal_()
    torch.testing.assert_close(decoder(*inputs), prediction, rtol=0, atol=0)
    assert not torch.allclose(decoder.outputs(*inputs, target).spectra["label"], label)


def test_the_label_is_read_without_its_scale(decoder):
    target = torch.rand(4, N_POINTS)
    weights = decoder.label_mixture(target).weights
    torch.testing.assert_close(decoder.label_mixture(40 * target).weights, weights)
    assert not torch.allclose(weights[0], weights[1], rtol=1e-4)
    assert torch.isfinite(decoder.label_mixture(torch.zeros(1, N_POINTS)).weights).all()


def test_printed_the_spectrum_hangs_on_the_mixture_alone(inputs):
    """Released, another crystal's latent changes a spectrum; printed, it becomes the other's."""
    atoms, batch, system = inputs
    other = torch.tensor([1, 2, 3, 0])
    for form in ("released", "printed"):
        decoder = small(form=form).eval()
        crystal = decoder.crystal(atoms, batch, system)
        mixture = decoder.feature_mixture(crystal)
        shuffled = Mixture(*(part[other] for part in mixture))
        own = decoder.predictor(decoder.state(crystal, mixture))
        changed = decoder.predictor(decoder.state(crystal, shuffled))
        assert torch.equal(changed, own[other]) == (form == "printed")
        assert not torch.allclose(changed, own)


def test_a_draw_is_of_one_gaussian_chosen_by_its_weight():
    torch.manual_seed(0)
    means = torch.tensor([[0.0], [10.0], [20.0]]).requires_grad_()
    weights = torch.tensor([0.2, 0.5, 0.3]).expand(4000, 3).clone().requires_grad_()
    draws = Mixture(means, torch.full((3, 1), -6.0), weights).draw()
    chosen = (draws / 10).round().squeeze(1)
    assert (draws.squeeze(1) - 10 * chosen).abs().max() < 0.5
    shares = torch.bincount(chosen.long(), minlength=3) / len(draws)
    assert (shares - weights[0]).abs().max() < 0.03
    draws.sum().backward()
    assert weights.grad.abs().min() > 0
    assert means.grad.abs().min() > 0


def test_printed_losses_are_halved_and_the_contrast_is_a_cosine(inputs):
    target = torch.rand(4, N_POINTS)
    outputs = small(form="printed", contrastive_weight=1.0).eval().outputs(*inputs, target)
    assert outputs.weight == 0.5
    assert (outputs.penalties["contrastive"].abs() <= 1).all()
    total = training_loss(outputs, target, "mse", beta=1.0)
    errors = [((s - target) ** 2).mean(dim=1) for s in outputs.spectra.values()]
    expected = 0.5 * sum(errors) + sum(outputs.penalties.values())
    torch.testing.assert_close(total, expected)


def test_ablations_leave_their_part_out(inputs):
    target = torch.rand(4, N_POINTS)
    alone = small(label_path=False)
    assert set(alone.outputs(*inputs, target).spectra) == {"spectrum"}
    assert not [n for n, _ in alone.named_parameters() if n.split(".")[0] in LABEL_PATH]
    bare = small(projector=False)
    assert not [n for n, _ in bare.named_parameters() if n.startswith("projector")]
    assert set(bare.outputs(*inputs, target).penalties) == {"alignment", "contrastive"}


def test_the_contrastive_loss_prefers_the_own_crystal():
    states = torch.eye(3, 5)
    matched = contrastive_loss(2 * states, 3 * states, 1.0)
    torch.testing.assert_close(matched, torch.full((3,), math.log(1 + 2 * math.exp(-1))))
    assert (contrastive_loss(states, states.roll(1, 0), 1.0) > matched).all()
    assert contrastive_loss(states, states, 0.1).max() < 1e-3
    assert contrastive_loss(torch.randn(1, 5), torch.randn(1, 5), 1.0) == 0


def test_a_batch_of_one_trains(decoder):
    graph = build_graph(load_tiny().crystals[0], GraphSettings())
    batch = collate([graph])
    outputs = decoder.outputs(
        torch.randn(graph.n_atoms, ATOM_DIM), batch, torch.randn(1, SYSTEM_DIM), torch.rand(1, 12)
    )
    if not decoder.printed:
        assert outputs.penalties["contrastive"] == 0
    sum(v.sum() for v in (*outputs.spectra.values(), *outputs.penalties.values())).backward()
    assert all(torch.isfinite(p.grad).all() for p in decoder.parameters())


def test_penalties_are_weighted(decoder, inputs):
    decoder.eval()
    target = torch.rand(4, N_POINTS)
    penalties = decoder.outputs(*inputs, target).penalties
    decoder.settings = decoder.settings.model_copy(
        update={"kl_weight": 2.2, "contrastive_weight": 0.0}
    )
    doubled = decoder.outputs(*inputs, target).penalties
    torch.testing.assert_close(doubled["alignment"], 2 * penalties["alignment"])
    assert (penalties["contrastive"] != 0).all()
    assert (doubled["contrastive"] == 0).all()


def test_extreme_inputs_and_bfloat16_stay_finite(decoder, inputs):
    atoms, batch, system = inputs
    outputs = decoder.outputs(1e3 * atoms, batch, system, torch.rand(4, N_POINTS))
    sum(v.sum() for v in (*outputs.spectra.values(), *outputs.penalties.values())).backward()
    assert all(torch.isfinite(p.grad).all() for p in decoder.parameters())
    decoder.eval()
    target = torch.rand(4, N_POINTS)
    exact = decoder.outputs(*inputs, target)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = decoder.outputs(*inputs, target)
    for name, values in exact.penalties.items():
        assert mixed.penalties[name].dtype == torch.float32
        torch.testing.assert_close(mixed.penalties[name], values, rtol=0.1, atol=0.02)
