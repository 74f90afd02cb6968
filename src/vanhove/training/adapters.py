"""Low-rank adapters: small trained additions to matrices that stay as they are."""

from __future__ import annotations

import math
from collections.abc import Collection

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize


class LowRank(nn.Module):
    """``W -> W + scale B A`` (LoRA, Hu et al., ICLR 2022); zero before training.

    Args:
        n_out, n_in: of the matrix.
        rank: rows of A, columns of B.
        scale: factor.
    """

    def __init__(self, n_out: int, n_in: int, rank: int, scale: float):
        super().__init__()
        self.scale = scale
        self.down = nn.Parameter(torch.empty(rank, n_in))
        nn.init.kaiming_uniform_(self.down, a=math.sqrt(5))
        self.up = nn.Parameter(torch.zeros(n_out, rank))

    def forward(self, weight: Tensor) -> Tensor:
        return weight + self.scale * (self.up @ self.down)


def add_adapters(
    model: nn.Module, rank: int, scale: float, without: Collection[nn.Module] = ()
) -> int:
    """Give the linear layers of a model adapters, where these are smaller than the matrix.

    Args:
        model: changed in place; what requires a gradient is left as it is.
        rank, scale: of `LowRank`.
        without: layers to leave out.

    Returns:
        how many layers got one.
    """
    linears = [
        module
        for module in model.modules()
        if isinstance(module, nn.Linear)
        and module not in without
        and rank * (module.in_features + module.out_features) < module.weight.numel()
    ]
    for linear in linears:
        low_rank = LowRank(linear.out_features, linear.in_features, rank, scale)
        parametrize.register_parametrization(linear, "weight", low_rank)
    return len(linears)


def merged_parameters(model: nn.Module) -> dict[str, Tensor]:
    """The parameters under their names without adapters; these are added to their matrices.

    A model without adapters can load them, and predicts the same.
    """
    merged: dict[str, Tensor] = {
        name: parameter
        for name, parameter in model.named_parameters()
        if "parametrizations" not in name.split(".")
    }
    for name, module in model.named_modules():
        if parametrize.is_parametrized(module):
            for key in module.parametrizations:
                merged[f"{name}.{key}"] = getattr(module, key)
    return merged
