"""From a decoder's values to a spectrum: the normalisations of the papers."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

OutputKind = Literal["raw", "softplus", "max", "sum", "energies"]
"""``raw``: the values as they are (Standard; clipped at zero in predictions). ``softplus``: the
same, positive. ``max``: softplus divided by the largest (MaxNorm; E3NN and Mat2Spec cut at zero
instead, which leaves no gradient once all values of a crystal are negative).
``sum``: softmax (SumNorm; Xtal2DoS, Mat2Spec). ``energies``: of bands, the values as they are,
also in predictions."""

_TINY = 1e-8


def activate(values: Tensor, kind: OutputKind) -> Tensor:
    """Values of a decoder ``[n_crystals, n_points]`` -> the spectrum that the loss sees."""
    if kind == "softplus":
        return F.softplus(values)
    if kind == "max":
        # In logarithms, so that very negative values have a quotient and a gradient as well;
        # below -15 softplus is the exponential in float32.
        bounded = values.clamp(min=-15)
        log = torch.where(values < -15, values, F.softplus(bounded).log())
        return (log - log.amax(dim=-1, keepdim=True)).exp()
    if kind == "sum":
        return values.softmax(dim=-1)
    return values


def normalise_target(target: Tensor, kind: OutputKind) -> Tensor:
    """The target in the normalisation of the output: divided by its maximum, its sum, or as is."""
    if kind == "max":
        return target / target.amax(dim=-1, keepdim=True).clamp(min=_TINY)
    if kind == "sum":
        return target / target.sum(dim=-1, keepdim=True).clamp(min=_TINY)
    return target


def rescale(spectrum: Tensor, kind: OutputKind) -> Tensor:
    """A prediction on the scale of data whose maximum is 1, not negative.

    A spectrum of sum 1 is divided by its own maximum, as the Mat2Spec paper describes. The scale
    of the true spectrum, which released code multiplies with, is never used. Energies stay.
    """
    if kind == "energies":
        return spectrum
    spectrum = spectrum.clamp(min=0)
    if kind == "sum":
        return spectrum / spectrum.amax(dim=-1, keepdim=True).clamp(min=_TINY)
    return spectrum
