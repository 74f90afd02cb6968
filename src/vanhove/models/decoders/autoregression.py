"""Decoders that read back what they wrote: the values fed back, and spectra of sum 1.

The numbers fed back are those of the spectrum, not of the layer that made them: the value itself
(``raw``) or its softplus (``softplus``, ``max``). In training they are the target's (teacher
forcing).

``sum``: a softmax over the grid has a normaliser that a decoder writing from left to right cannot
know, so it breaks a stick. Its number at a point is the logit of the share of the mass not yet
placed that goes there; the last point takes the rest (`log_probabilities`). What is fed back is
the probability times the number of points, and the mass that remains.

``max``: dividing by the maximum makes the loss blind to the scale of the values, but values on
another scale than the target's would be unlike anything fed back in training. A penalty
``0.1 log(max)^2`` keeps their maximum at 1, that of the target.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vanhove.models.decoders.decoder import Outputs
from vanhove.models.output import OutputKind

_SCALE_PENALTY = 0.1


def log_probabilities(logits: Tensor) -> Tensor:
    """Logits of the share of the remaining mass ``[..., n_points]`` -> log of a spectrum of sum 1.

    ``log p_j = logsigmoid(h_j) + sum_{i<j} logsigmoid(-h_i)``; the last point takes the rest,
    whatever its logit. A softmax changes nothing about the result.
    """
    left = F.logsigmoid(-logits[..., :-1]).cumsum(dim=-1)
    return F.pad(F.logsigmoid(logits[..., :-1]), (0, 1)) + F.pad(left, (1, 0))


class Feedback(nn.Module):
    """Embeds the values before each step of ``chunk`` points; zeros before the first step.

    Args:
        output: what will be made of the decoder's values.
        n_points: of the grid; the last step may reach beyond it.
        dim: of the embedding.
        chunk: points per step.
        input_dropout: probability, in training, that a step gets a learned "unknown" embedding in
            place of the target's values, so that the decoder does not learn to trust them alone
            (in prediction they are its own, with their errors).
    """

    offset: Tensor

    def __init__(
        self, output: OutputKind, n_points: int, dim: int, chunk: int, input_dropout: float
    ):
        super().__init__()
        self.output = output
        self.n_points = n_points
        self.chunk = chunk
        self.n_steps = -(-n_points // chunk)
        self.n_padding = self.n_steps * chunk - n_points
        self.input_dropout = input_dropout
        self.embed = nn.Linear(chunk + (output == "sum"), dim)
        self.unknown = nn.Parameter(torch.randn(dim)) if input_dropout > 0 else None
        # With this added to the logits, zeros are the uniform spectrum.
        n_after = torch.arange(self.n_steps * chunk - 1, -1, -1) - self.n_padding
        self.register_buffer("offset", -n_after.clamp(min=1).log(), persistent=False)

    def of_target(self, target: Tensor) -> Tensor:
        """``[n_crystals, n_points]`` -> what each step reads, ``[n_crystals, n_steps, dim]``."""
        steps = F.pad(target, (0, self.n_padding)).unflatten(-1, (self.n_steps, self.chunk))
        values = F.pad(steps[:, :-1], (0, 0, 1, 0))
        if self.output == "sum":
            remaining = (1 - values.sum(-1, keepdim=True).cumsum(dim=1)).clamp(min=0)
            values = torch.cat([values * self.n_points, remaining], dim=-1)
        embedded = self.embed(values)
        if self.training and self.unknown is not None:
            drop = torch.rand(embedded.shape[:2], device=target.device) < self.input_dropout
            embedded = torch.where(drop[..., None], self.unknown.to(embedded.dtype), embedded)
        return embedded

    def start(self, like: Tensor, n_crystals: int) -> Tensor:
        """What is fed to the first step, ``[n_crystals, n_values]``."""
        values = like.new_zeros(n_crystals, self.embed.in_features)
        if self.output == "sum":
            values[:, -1] = 1
        return values

    def of_written(self, written: Tensor, step: int, before: Tensor) -> Tensor:
        """What is fed to the next step.

        Args:
            written: the decoder's numbers of this step, ``[n_crystals, chunk]``.
            step: its index.
            before: what was fed to this step.
        """
        if self.output == "raw":
            return written
        if self.output != "sum":
            return F.softplus(written)
        first = step * self.chunk
        share = torch.sigmoid(written + self.offset[first : first + self.chunk])
        mass = before[:, -1:]
        if self.chunk == 1:
            placed = mass * share
            return torch.cat([placed * self.n_points, mass - placed], dim=-1)
        masses = torch.cat([mass, mass * (1 - share).cumprod(dim=-1)], dim=-1)
        return torch.cat([-masses.diff() * self.n_points, masses[:, -1:]], dim=-1)

    def finish(self, written: Tensor) -> Tensor:
        """All numbers ``[n_crystals, n_steps * chunk]`` -> values ``[n_crystals, n_points]``."""
        if self.output == "sum":
            logits = written.float() + self.offset.float()
            return log_probabilities(logits[:, : self.n_points])
        return written[:, : self.n_points]

    def outputs(self, written: Tensor) -> Outputs:
        """As `finish`, for training."""
        values = self.finish(written)
        penalties = {}
        if self.output == "max":
            log_scale = F.softplus(values.float()).amax(dim=-1).log()
            penalties["scale"] = _SCALE_PENALTY * log_scale**2
        return Outputs({"spectrum": values}, penalties)
