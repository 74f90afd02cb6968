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
    """``L_global + beta * L_system`` of each crystal (DOSTransformer, eq. 6), ``[n_crystals]``."""
    loss = LOSSES[name]
    return loss(branches["global"], target) + beta * loss(branches["system"], target)
