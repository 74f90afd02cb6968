"""Losses against their formulas."""

import torch

from vanhove.training.losses import branch_loss, mae, mse, rmse


def test_one_number_per_crystal():
    prediction = torch.tensor([[0.0, 0.0], [1.0, 1.0]])
    target = torch.tensor([[3.0, 4.0], [1.0, 3.0]])
    torch.testing.assert_close(mae(prediction, target), torch.tensor([3.5, 1.0]))
    torch.testing.assert_close(mse(prediction, target), torch.tensor([12.5, 2.0]))
    torch.testing.assert_close(rmse(prediction, target), torch.tensor([12.5, 2.0]).sqrt())


def test_a_perfect_prediction_has_a_finite_gradient():
    prediction = torch.zeros(1, 4, requires_grad=True)
    rmse(prediction, torch.zeros(1, 4)).sum().backward()
    assert torch.isfinite(prediction.grad).all()


def test_beta_weighs_the_system_branch():
    branches = {"global": torch.tensor([[1.0]]), "system": torch.tensor([[2.0]])}
    loss = branch_loss(branches, torch.tensor([[0.0]]), "mae", beta=0.5)
    torch.testing.assert_close(loss, torch.tensor([2.0]))
    single = branch_loss({"spectrum": torch.tensor([[3.0]])}, torch.tensor([[0.0]]), "mae", 0.5)
    torch.testing.assert_close(single, torch.tensor([3.0]))
