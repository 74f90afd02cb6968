"""Losses: one number per crystal, averaged over the batch."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def rmse(prediction: Tensor, target: Tensor) -> Tensor:
    """Root of the mean squared error of each crystal (what the released DOSTransformer trains)."""
    return torch.sqrt(((prediction - target) ** 2).mean(dim=-1) + 1e-12)


def mse(prediction: Tensor, target: Tensor) -> Tensor:
    return ((prediction - target) ** 2).mean(dim=-1)


def mae(prediction: Tensor, target: Tensor) -> Tensor:
    return (prediction - target).abs().mean(dim=-1)


LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"rmse": rmse, "mse": mse, "mae": mae}


def branch_loss(branches: dict[str, Tensor], target: Tensor, name: str, beta: float) -> Tensor:
    """Sum over the branches of each crystal, ``[n_crystals]``; ``beta`` weighs the system branch.

    For DOSTransformer this is ``L_global + beta * L_system`` (eq. 6).
    """
    losses = [
        (beta if branch == "system" else 1.0) * LOSSES[name](prediction, target)
        for branch, prediction in branches.items()
    ]
    return torch.stack(losses).sum(dim=0)
