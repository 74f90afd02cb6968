"""A forward pass and a training step, to be timed."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import torch

from vanhove.crystal.graph import Batch
from vanhove.models.model import SpectrumModel
from vanhove.runs.config import RunConfig
from vanhove.training.losses import training_loss


def forward(model: Callable[[Batch], Any], batch: Batch, low: bool = False) -> Callable[[], Any]:
    def call() -> Any:
        with (
            torch.inference_mode(),
            torch.autocast("cpu", torch.bfloat16, enabled=low),
        ):
            return model(batch)

    return call


def training_step(
    parameters: torch.nn.Module, loss: Callable[[], torch.Tensor], low: bool = False
) -> Callable[[], None]:
    """Loss, gradient and a step of AdamW; the optimiser is the same for everyone."""
    optimizer = torch.optim.AdamW(parameters.parameters(), lr=1e-4, fused=True)

    def call() -> None:
        parameters.train()
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=low):
            value = loss()
        value.backward()
        optimizer.step()

    return call


def loss_of(
    model: SpectrumModel, config: RunConfig, batches: Sequence[Batch]
) -> Callable[[], torch.Tensor]:
    """Of one batch after the other."""
    n_points = model(batches[0]).shape[1]
    target = torch.rand(batches[0].n_crystals, n_points)
    endless = itertools.cycle(batches)

    def loss() -> torch.Tensor:
        outputs, normalised = model.outputs(next(endless), target)
        return training_loss(outputs, normalised, config.training.loss, config.training.beta).mean()

    return loss
