"""Losses against their formulas."""

import torch

from vanhove.models.decoders.decoder import Outputs
from vanhove.training.losses import mae, mse, rmse, training_loss


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
    target = torch.tensor([[0.0]])
    both = Outputs({"global": torch.tensor([[1.0]]), "system": torch.tensor([[2.0]])})
    torch.testing.assert_close(training_loss(both, target, "mae", beta=0.5), torch.tensor([2.0]))
    single = Outputs({"spectrum": torch.tensor([[3.0]])}, {"alignment": torch.tensor([0.25])})
    torch.testing.assert_close(training_loss(single, target, "mae", 0.5), torch.tensor([3.25]))
