"""Losses against their formulas and against scipy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import entropy, wasserstein_distance

from vanhove.models.decoders.decoder import Outputs
from vanhove.training.losses import (
    LOSSES,
    bregman,
    kl,
    mae,
    mse,
    rmse,
    shape_wasserstein,
    training_loss,
    wasserstein,
)

SPECTRUM = st.lists(st.floats(0, 10, width=32), min_size=6, max_size=6)


def distributions(n: int = 4, n_points: int = 51) -> tuple[torch.Tensor, torch.Tensor]:
    """Prediction and target of sum 1, float64; the target has zeros."""
    generator = torch.Generator().manual_seed(0)
    prediction = torch.rand(n, n_points, generator=generator, dtype=torch.float64) + 1e-3
    target = torch.rand(n, n_points, generator=generator, dtype=torch.float64)
    target[:, ::3] = 0
    return tuple(x / x.sum(-1, keepdim=True) for x in (prediction, target))


def test_one_number_per_crystal():
    prediction = torch.tensor([[0.0, 0.0], [1.0, 1.0]])
    target = torch.tensor([[3.0, 4.0], [1.0, 3.0]])
    torch.testing.assert_close(mae(prediction, target), torch.tensor([3.5, 1.0]))
    torch.testing.assert_close(mse(prediction, target), torch.tensor([12.5, 2.0]))
    torch.testing.assert_close(rmse(prediction, target), torch.tensor([12.5, 2.0]).sqrt())


def test_kl_equals_scipy():
    prediction, target = distributions()
    expected = entropy(target.numpy(), prediction.numpy(), axis=1)
    np.testing.assert_allclose(kl(prediction, target).numpy(), expected, rtol=1e-9)
    hand = kl(torch.tensor([[0.25, 0.75]]), torch.tensor([[1.0, 0.0]]))
    torch.testing.assert_close(hand, torch.tensor([4.0]).log())


def test_bregman_by_hand_and_against_kl():
    # t log(t / p) - t + p: (2 log 2 - 2 + 1 + 0 - 0 + 3) / 2
    by_hand = bregman(torch.tensor([[1.0, 3.0]]), torch.tensor([[2.0, 0.0]]))
    torch.testing.assert_close(by_hand, torch.tensor([4.0]).log() / 2 + 1.0)
    prediction, target = distributions()
    torch.testing.assert_close(51 * bregman(prediction, target), kl(prediction, target))
    # homogeneous of degree one, unlike the squared losses
    torch.testing.assert_close(bregman(7 * prediction, 7 * target), 7 * bregman(prediction, target))


def test_wasserstein_equals_scipy_in_grid_steps():
    prediction, target = distributions()
    points = np.arange(prediction.shape[1])
    expected = [
        wasserstein_distance(points, points, p, t)
        for p, t in zip(prediction.numpy(), target.numpy(), strict=True)
    ]
    np.testing.assert_allclose(wasserstein(prediction, target).numpy(), expected, rtol=1e-9)
    moved = wasserstein(torch.tensor([[1.0, 0, 0, 0]]), torch.tensor([[0.0, 0, 0, 1]]))
    torch.testing.assert_close(moved, torch.tensor([3.0]))


@pytest.mark.parametrize("name", LOSSES)
def test_a_perfect_prediction_costs_nothing(name):
    _, target = distributions()
    assert LOSSES[name](target, target).abs().max() < 2e-6
    prediction = target.float().requires_grad_()
    LOSSES[name](prediction, target.float()).sum().backward()
    assert torch.isfinite(prediction.grad).all()


@pytest.mark.parametrize("name", LOSSES)
def test_zeros_have_finite_losses_and_gradients(name):
    """Zeros in the target, in the prediction, in both; all of the target zero."""
    prediction = torch.tensor([[0.0, 0.0, 0.5, 0.5], [0.0, 0.0, 0.0, 0.0]], requires_grad=True)
    target = torch.tensor([[0.0, 0.5, 0.0, 0.5], [0.0, 0.0, 0.0, 0.0]])
    loss = LOSSES[name](prediction, target)
    assert torch.isfinite(loss).all()
    assert loss[0] > 0.1
    loss.sum().backward()
    assert torch.isfinite(prediction.grad).all()


@pytest.mark.parametrize("name", ["kl", "bregman"])
def test_a_prediction_of_zero_where_there_are_states_is_the_worst(name):
    target = torch.tensor([[0.5, 0.5]])
    losses = [
        float(LOSSES[name](torch.tensor([[p, 1 - p]]), target)) for p in (0.5, 0.1, 1e-4, 0.0)
    ]
    assert losses == sorted(losses)
    assert losses[-1] > losses[-2] + 1


@pytest.mark.parametrize("name", ["kl", "bregman", "wasserstein", "mse"])
def test_softmax_reaches_the_target_by_its_gradient(name):
    """From a uniform spectrum; the target has zeros."""
    target = torch.tensor([[0.0, 0.2, 0.5, 0.3, 0.0]])
    values = torch.zeros(1, 5, requires_grad=True)
    optimizer = torch.optim.Adam([values], lr=0.05)
    first = LOSSES[name](values.detach().softmax(-1), target)
    for _ in range(300):
        optimizer.zero_grad()
        LOSSES[name](values.softmax(-1), target).sum().backward()
        optimizer.step()
    assert LOSSES[name](values.softmax(-1), target) < 0.05 * first


@pytest.mark.parametrize("name", LOSSES)
@given(prediction=SPECTRUM, target=SPECTRUM)
def test_a_loss_is_not_negative(name, prediction, target):
    p, t = (torch.tensor([x], dtype=torch.float64) for x in (prediction, target))
    if name == "kl":  # of spectra of sum 1
        p, t = ((x + 1e-6) / (x + 1e-6).sum() for x in (p, t))
    loss = LOSSES[name](p, t)
    assert loss.shape == (1,)
    assert torch.isfinite(loss).all()
    assert loss >= -1e-8


def test_beta_weighs_the_system_branch():
    target = torch.tensor([[0.0]])
    both = Outputs({"global": torch.tensor([[1.0]]), "system": torch.tensor([[2.0]])})
    torch.testing.assert_close(training_loss(both, target, "mae", beta=0.5), torch.tensor([2.0]))
    single = Outputs({"spectrum": torch.tensor([[3.0]])}, {"alignment": torch.tensor([0.25])})
    torch.testing.assert_close(training_loss(single, target, "mae", 0.5), torch.tensor([3.25]))


def test_the_shape_distance_knows_no_scale_and_grows_with_the_way():
    target = torch.tensor([[0.0, 1.0, 0.0, 0.0]])
    near, far = torch.tensor([[0.0, 0.0, 3.0, 0.0]]), torch.tensor([[0.0, 0.0, 0.0, 0.2]])
    torch.testing.assert_close(shape_wasserstein(near, target), torch.tensor([1.0]))
    torch.testing.assert_close(shape_wasserstein(far, target), torch.tensor([2.0]))
    outputs = Outputs({"spectrum": far})
    plain = training_loss(outputs, target, "mae", 1.0)
    torch.testing.assert_close(training_loss(outputs, target, "mae", 1.0, 0.5), plain + 1.0)
