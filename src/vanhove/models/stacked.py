"""Models of one shape as one network, whose layers hold the weights of all of them.

Whatever does not depend on weights (distances, angles, phases, who is alike) is then computed once,
and one product of matrices does the work of several. Values have one more dimension in front, of
the models; what a layer is given in two dimensions is the same for all of them.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vanhove.models.decoders.lattice_dynamics import LatticeDynamicsDecoder
from vanhove.models.encoders.alignn import ALIGNN
from vanhove.models.model import SpectrumModel


def stacked(models: Sequence[SpectrumModel]) -> SpectrumModel | None:
    """Several models as one, for inference alone; None for kinds of models that cannot be.

    Args:
        models: of the same settings, on one device, with the layers they were trained with.

    Returns:
        a model whose `encode` and `decode` give ``[n_models, ...]``.
    """
    first = models[0]
    is_known = isinstance(first.encoder, ALIGNN) and isinstance(
        first.decoder, LatticeDynamicsDecoder
    )
    features = first.atom_features
    has_own_features = isinstance(features.table, nn.Parameter) or features.learned is not None
    if len(models) == 1 or not is_known or first.system_at_atoms or has_own_features:
        return None
    made = _joined(models)
    assert isinstance(made, SpectrumModel)
    return made.requires_grad_(False).eval()


def _joined(modules: Sequence[nn.Module]) -> nn.Module:
    first = modules[0]
    for kind, layer in LAYERS.items():
        if isinstance(first, kind):
            return layer(modules)
    made = copy.copy(first)
    made._parameters, made._modules = dict(first._parameters), {}
    made._buffers = dict(first._buffers)
    for name, parameter in first._parameters.items():
        if parameter is not None:
            made._parameters[name] = _parameter([module._parameters[name] for module in modules])
    for name, child in first._modules.items():
        children = [module._modules[name] for module in modules]
        made._modules[name] = None if child is None else _joined(children)  # type: ignore[arg-type]
    return made


def _parameter(values: Sequence[Tensor | None]) -> nn.Parameter:
    return nn.Parameter(torch.stack([value.detach() for value in values if value is not None]))


class StackedLinear(nn.Module):
    """``[n_models, n, in_features]``, or ``[n, in_features]``, to ``[n_models, n, out_features]``.

    There may be more dimensions in the place of n.
    """

    def __init__(self, layers: Sequence[nn.Linear]):
        super().__init__()
        self.weight = _parameter([layer.weight.detach().mT for layer in layers])
        has_bias = layers[0].bias is not None
        self.bias = _parameter([layer.bias[None] for layer in layers]) if has_bias else None

    def forward(self, x: Tensor) -> Tensor:
        flat = x.expand(len(self.weight), -1, -1) if x.dim() == 2 else x.flatten(1, -2)
        if self.bias is None:
            out = torch.bmm(flat, self.weight)
        else:
            out = torch.baddbmm(self.bias, flat, self.weight)
        return out if x.dim() < 4 else out.unflatten(1, x.shape[1:-1])


class StackedLayerNorm(nn.Module):
    """``[n_models, ..., dim]`` to the same."""

    one: Tensor
    zero: Tensor

    def __init__(self, layers: Sequence[nn.LayerNorm]):
        super().__init__()
        self.weight = _parameter([layer.weight for layer in layers])
        self.bias = _parameter([layer.bias for layer in layers])
        self.eps = layers[0].eps
        # With weights torch is twice as fast as without.
        self.register_buffer("one", torch.ones_like(self.weight[0]))
        self.register_buffer("zero", torch.zeros_like(self.weight[0]))

    def forward(self, x: Tensor) -> Tensor:
        shape = (len(self.weight), *(1,) * (x.dim() - 2), x.shape[-1])
        x = F.layer_norm(x, x.shape[-1:], self.one, self.zero, self.eps)
        return torch.addcmul(self.bias.view(shape), x, self.weight.view(shape), out=x)


class StackedConvolution(nn.Module):
    """One kernel for each channel: ``[n_models, n, channels, n_points]`` to the same."""

    def __init__(self, layers: Sequence[nn.Conv1d]):
        super().__init__()
        self.weight = _parameter([layer.weight for layer in layers])
        self.bias = _parameter([layer.bias for layer in layers])
        self.kernel_size = layers[0].kernel_size
        self.padding, self.dilation = layers[0].padding, layers[0].dilation

    def forward(self, x: Tensor) -> Tensor:
        n_models, channels = len(x), x.shape[2]
        x = x.movedim(0, 1).flatten(1, 2)
        x = F.conv1d(
            x,
            self.weight.flatten(0, 1),
            self.bias.flatten(),
            padding=self.padding,
            dilation=self.dilation,
            groups=n_models * channels,
        )
        return x.unflatten(1, (n_models, channels)).movedim(1, 0)


class StackedEmbedding(nn.Module):
    """Index ``[n]`` to ``[n_models, n, dim]``."""

    def __init__(self, layers: Sequence[nn.Embedding]):
        super().__init__()
        self.weight = _parameter([layer.weight for layer in layers])

    def forward(self, index: Tensor) -> Tensor:
        return self.weight.index_select(1, index)


LAYERS = {
    nn.Linear: StackedLinear,
    nn.LayerNorm: StackedLayerNorm,
    nn.Conv1d: StackedConvolution,
    nn.Embedding: StackedEmbedding,
}
