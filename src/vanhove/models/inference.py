"""Linear layers for inference alone: packed for the processor, or in lower precision."""

from __future__ import annotations

import platform
import warnings
from collections.abc import Collection, Iterator
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vanhove.errors import ConfigError

Precision = Literal["float32", "bfloat16", "int8"]

LEAST_OUTPUTS = 16
"""Narrower layers cost little, and are often the last one: they stay as they are."""


class InferenceLinear(nn.Linear):
    """A linear layer as it was trained; for those who use its ``weight`` without calling it."""

    def __init__(self, exact: nn.Linear):
        super().__init__(exact.in_features, exact.out_features, bias=exact.bias is not None)
        self.load_state_dict(exact.state_dict())
        self.requires_grad_(False)


class PackedLinear(InferenceLinear):
    """A linear layer whose weights lie in memory as the processor's products want them.

    The same numbers but for rounding, about a tenth sooner.
    """

    def __init__(self, exact: nn.Linear):
        super().__init__(exact)
        self.packed = torch.ops.mkldnn._reorder_linear_weight(self.weight.detach())

    def forward(self, x: Tensor) -> Tensor:
        if torch.is_grad_enabled() or x.device.type != "cpu" or x.dtype != torch.float32:
            return F.linear(x, self.weight, self.bias)
        return torch.ops.mkldnn._linear_pointwise(x, self.packed, self.bias, "none", [], "")


class Int8Linear(InferenceLinear):
    """A linear layer whose weights were rounded to 8 bits, each output on a scale of its own.

    Inputs are rounded on the way, on one scale for all rows (dynamic quantisation), so that a
    result depends a little on what else is in the batch; sums and results are as before.

    Raises:
        ConfigError: this build of torch has no such products.
    """

    def __init__(self, exact: nn.Linear):
        super().__init__(exact)
        weight, bias = self.weight.detach(), self.bias
        scale = (weight.abs().amax(dim=1) / 127).clamp(min=1e-12).double()
        zero = torch.zeros(len(scale), dtype=torch.int64)
        try:
            with warnings.catch_warnings():  # torch will give this another place one day
                warnings.simplefilter("ignore")
                rounded = torch.quantize_per_channel(weight, scale, zero, 0, torch.qint8)
                self.packed = torch.ops.quantized.linear_prepack(rounded, bias)
        except (AttributeError, RuntimeError) as error:
            raise ConfigError(
                "precision 'int8': this build of torch has no products of 8-bit integers "
                f"({' '.join(str(error).split())[:80]}); use 'bfloat16' or 'float32'"
            ) from None

    def forward(self, x: Tensor) -> Tensor:
        return torch.ops.quantized.linear_dynamic(x, self.packed, False)


def prepare_linear_layers(
    model: nn.Module, precision: Precision, exact: Collection[nn.Module] = ()
) -> None:
    """Change the linear layers inside a model, for inference from now on.

    Args:
        model: on the CPU.
        precision: ``"float32"`` makes `PackedLinear` of them where the processor has it,
            ``"int8"`` makes `Int8Linear`; ``"bfloat16"`` keeps their weights in it alone: the model
            is then to be called in that autocast.
        exact: modules inside that stay in float32.

    Raises:
        ConfigError: int8, and this build of torch has no such products.
    """
    if precision == "float32" and not _can_pack():
        return
    for parent, name, layer in list(_linear_layers(model, exact)):
        if precision == "bfloat16":
            layer.weight.requires_grad_(False)
            layer.weight.data = layer.weight.data.to(torch.bfloat16)
        elif type(layer) is nn.Linear and layer.out_features >= LEAST_OUTPUTS:
            setattr(parent, name, {"float32": PackedLinear, "int8": Int8Linear}[precision](layer))


def _can_pack() -> bool:
    known = platform.machine().lower() in ("x86_64", "amd64")
    return (
        known
        and torch.backends.mkldnn.is_available()
        and hasattr(torch.ops.mkldnn, "_linear_pointwise")
    )


def _linear_layers(
    module: nn.Module, left_out: Collection[nn.Module]
) -> Iterator[tuple[nn.Module, str, nn.Linear]]:
    for name, child in module.named_children():
        if any(child is other for other in left_out):
            continue
        if isinstance(child, nn.Linear):
            yield module, name, child
        else:
            yield from _linear_layers(child, left_out)
