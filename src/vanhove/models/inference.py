"""Linear layers for inference alone: packed for the processor, or in lower precision."""

from __future__ import annotations

import platform
from collections.abc import Collection, Iterator
from functools import cache
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vanhove.models.processor import (
    has_bfloat16,
    int8_weight_bits,
    packed_int8,
    warn_of_slow_bfloat16,
)

Precision = Literal["auto", "float32", "bfloat16", "int8"]
"""``auto`` takes what is fast and gives the numbers of float32: packed weights where this processor
has them and they are right."""

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

    To 7 bits on processors where 8 saturate, see `int8_weight_bits`. Inputs are rounded on the way,
    on one scale for all rows (dynamic quantisation), so that a result depends a little on what else
    is in the batch; sums and results are as before.

    Args:
        exact: the layer as it was trained.
        bits: of the weights; as many as this processor multiplies rightly by default.

    Raises:
        ConfigError: this build of torch has no such products, or they are wrong here.
    """

    def __init__(self, exact: nn.Linear, bits: int | None = None):
        super().__init__(exact)
        bits = int8_weight_bits() if bits is None else bits
        self.packed = packed_int8(self.weight.detach(), self.bias, bits)

    def forward(self, x: Tensor) -> Tensor:
        return torch.ops.quantized.linear_dynamic(x, self.packed, False)


def prepare_linear_layers(
    model: nn.Module, precision: Precision, exact: Collection[nn.Module] = ()
) -> None:
    """Change the linear layers inside a model, for inference from now on.

    Args:
        model: on the CPU.
        precision: ``"auto"`` and ``"float32"`` make `PackedLinear` of them where the processor has
            it, ``"int8"`` makes `Int8Linear`; ``"bfloat16"`` keeps their weights in it alone: the
            model is then to be called in that autocast.
        exact: modules inside that stay in float32.

    Raises:
        ConfigError: int8, and this build of torch has no such products.
    """
    if precision in ("auto", "float32") and not _can_pack():
        return
    if precision == "bfloat16" and not has_bfloat16():
        warn_of_slow_bfloat16("precision")
    kind = Int8Linear if precision == "int8" else PackedLinear
    for parent, name, layer in list(_linear_layers(model, exact)):
        if precision == "bfloat16":
            layer.weight.requires_grad_(False)
            layer.weight.data = layer.weight.data.to(torch.bfloat16)
        elif type(layer) is nn.Linear and layer.out_features >= LEAST_OUTPUTS:
            setattr(parent, name, kind(layer))


@cache
def _can_pack() -> bool:
    """Whether packed weights exist here and give what `torch.nn.functional.linear` gives."""
    known = platform.machine().lower() in ("x86_64", "amd64")
    if not (
        known
        and torch.backends.mkldnn.is_available()
        and hasattr(torch.ops.mkldnn, "_linear_pointwise")
    ):
        return False
    weight = torch.linspace(-1, 1, 32 * 24).view(32, 24)
    layer = nn.Linear(24, 32)
    layer.load_state_dict({"weight": weight, "bias": weight[:, 0]})
    x = torch.linspace(-1, 2, 3 * 24).view(3, 24)
    with torch.inference_mode():
        return bool((PackedLinear(layer)(x) - layer(x)).abs().max() < 1e-5)


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
