"""What this processor computes fast and right; found out once in a process."""

from __future__ import annotations

import platform
import warnings
from collections.abc import Callable
from functools import cache
from typing import Literal

import torch

from vanhove.errors import ConfigError

TrainingPrecision = Literal["float32", "bfloat16"]

_WORTH = 3.0
"""GFLOP of a batch: of eleven models measured, one with 5 trains 1.5 times faster in bfloat16,
those with 1.5 and less 1.03 to 3.7 times slower."""
_INPUTS = 64
"""Of the product that is tried: enough for pairs of 8-bit products to saturate, where they do."""


@cache
def has_bfloat16() -> bool:
    """Whether products of bfloat16 have instructions of their own (AVX512-BF16, AMX).

    Without them they are emulated, and twenty times slower than float32. A limit set by
    ``ONEDNN_MAX_CPU_ISA`` counts.
    """
    if not (torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported()):
        return False
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return True  # asked of the processor by the line above
    if not hasattr(torch.cpu, "get_capabilities"):  # an older torch
        asked = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
        return any(getattr(torch.cpu, name, lambda: False)() for name in asked)
    known = torch.cpu.get_capabilities()
    return bool(known.get("avx512_bf16") or known.get("amx_bf16"))


@cache
def int8_weight_bits() -> int:
    """Bits that weights may have in products of 8-bit integers: 8, or 7 where 8 saturate.

    Without VNNI instructions two products of an unsigned input and a weight are added in 16 bits,
    which hold 32,767: too few for 2 x 255 x 127, enough for 2 x 255 x 63.

    Raises:
        ConfigError: this build of torch has no such products, or they are wrong with 7 bits too.
    """
    for bits in (8, 7):
        if abs(_product_of_ones(bits) / _INPUTS - 1) < 0.01:
            return bits
    raise ConfigError(
        "precision 'int8': products of 8-bit integers are wrong on this processor with this build "
        f"of torch (64 x 1 x 1 gives {_product_of_ones(7):.3g}); use 'bfloat16' or 'float32'"
    )


def packed_int8(weight: torch.Tensor, bias: torch.Tensor | None, bits: int) -> torch.ScriptObject:
    """Weights ``[n_outputs, n_inputs]`` rounded to integers, each output on a scale of its own.

    Raises:
        ConfigError: this build of torch has no products of 8-bit integers.
    """
    largest = 2 ** (bits - 1) - 1
    scale = (weight.abs().amax(dim=1) / largest).clamp(min=1e-12).double()
    zero = torch.zeros(len(scale), dtype=torch.int64)
    try:
        with warnings.catch_warnings():  # torch will give this another place one day
            warnings.simplefilter("ignore")
            rounded = torch.quantize_per_channel(weight, scale, zero, 0, torch.qint8)
            return torch.ops.quantized.linear_prepack(rounded, bias)
    except (AttributeError, RuntimeError) as error:
        raise ConfigError(
            "precision 'int8': this build of torch has no products of 8-bit integers "
            f"({' '.join(str(error).split())[:80]}); use 'bfloat16' or 'float32'"
        ) from None


def _product_of_ones(bits: int) -> float:
    """The sum of 64 products of 1 and 1, by 8-bit integers as large as they get."""
    packed = packed_int8(torch.ones(16, _INPUTS), None, bits)
    return float(torch.ops.quantized.linear_dynamic(torch.ones(1, _INPUTS), packed, False)[0, 0])


def training_precision(
    asked: Literal["auto", "float32", "bfloat16"],
    device: torch.device,
    gflop: Callable[[], float] = lambda: 0.0,
) -> TrainingPrecision:
    """The precision to train in: mixed bfloat16 where it has instructions and pays.

    On a CPU it pays for large products alone: each batch has another shape, for which oneDNN makes
    its products of bfloat16 anew. Warns where it was asked for by name and has no instructions.

    Args:
        asked: by the settings.
        device: of the model.
        gflop: of the products of a batch's forward pass; called only where they decide.
    """
    if device.type == "cuda":
        has_instructions = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        has_instructions = has_bfloat16()
    if asked == "auto":
        pays = has_instructions and (device.type == "cuda" or gflop() > _WORTH)
        return "bfloat16" if pays else "float32"
    if asked == "bfloat16" and not has_instructions:
        warn_of_slow_bfloat16("training.precision")
    return asked


def warn_of_slow_bfloat16(setting: str) -> None:
    """Say that bfloat16 has no instructions here."""
    warnings.warn(
        f"{setting} bfloat16: this processor has no instructions for it (AVX512-BF16, AMX), so it "
        "is many times slower than float32; use auto or float32",
        stacklevel=3,
    )
