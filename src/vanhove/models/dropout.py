"""Dropout, whose random numbers are the dearest part of a training step on the CPU."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

_STEPS = 2**16
"""Probabilities are whole multiples of one over this."""
_LEAST = -(2**63)


class Dropout(nn.Module):
    """As `torch.nn.Dropout`; on the CPU in a third of its time.

    There 16 random bits decide on each number, four of them out of each draw of torch's generator,
    which makes one number of a draw. Nothing is drawn at probability 0.
    """

    def __init__(self, probability: float):
        super().__init__()
        self.probability = probability

    def forward(self, x: Tensor) -> Tensor:
        return dropped(x, self.probability) if self.training else x

    def extra_repr(self) -> str:
        return f"{self.probability:g}"


def dropped(x: Tensor, probability: float) -> Tensor:
    """Each number 0 with this probability, else larger by as much as keeps the mean."""
    if probability == 0:
        return x
    if x.device.type != "cpu":
        return nn.functional.dropout(x, probability)
    n, limit = x.numel(), round(probability * _STEPS)
    words = torch.empty(-(-n // 4), dtype=torch.int64).random_(_LEAST, None)
    kept = words.numpy().view(np.int16)[:n] >= limit - _STEPS // 2
    mask = torch.from_numpy(kept.astype(np.float32)).view(x.shape).to(x.dtype)
    return x * mask.mul_(_STEPS / max(_STEPS - limit, 1))
