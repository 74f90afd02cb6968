"""Losses: one number per crystal, on spectra in the normalisation of the output."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from vanhove.models.decoders.decoder import Outputs

_TINY = 1e-10


def rmse(prediction: Tensor, target: Tensor) -> Tensor:
    """Root of the mean squared error of each crystal (what the released DOSTransformer trains)."""
    return torch.sqrt(((prediction - target) ** 2).mean(dim=-1) + 1e-12)


def mse(prediction: Tensor, target: Tensor) -> Tensor:
    """Mean squared error."""
    return ((prediction - target) ** 2).mean(dim=-1)


def mae(prediction: Tensor, target: Tensor) -> Tensor:
    """Mean absolute error."""
    return (prediction - target).abs().mean(dim=-1)


def kl(prediction: Tensor, target: Tensor) -> Tensor:
    """Kullback-Leibler divergence ``sum t log(t / p)`` of spectra of sum 1 (Mat2Spec, Xtal2DoS)."""
    return (torch.xlogy(target, target) - target * torch.log(prediction.clamp(min=_TINY))).sum(-1)


def bregman(prediction: Tensor, target: Tensor) -> Tensor:
    """Bregman divergence of the negative entropy: ``mean of t log(t / p) - t + p``.

    The Kullback-Leibler divergence of positive values that need not sum to 1.
    """
    prediction = prediction.clamp(min=_TINY)
    divergence = torch.xlogy(target, target) - target * torch.log(prediction)
    return (divergence - target + prediction).mean(dim=-1)


def wasserstein(prediction: Tensor, target: Tensor) -> Tensor:
    """Sum of the absolute differences of the running sums, in grid steps (Mat2Spec, SumNorm-WD).

    For spectra of sum 1 this is the Wasserstein-1 distance.
    """
    return (prediction - target).cumsum(dim=-1).abs().sum(dim=-1)


def shape_wasserstein(prediction: Tensor, target: Tensor) -> Tensor:
    """Wasserstein-1 distance of the two spectra scaled to sum 1, in grid steps.

    Weight far from where it belongs, which the eye and the MSE overlook, counts with its distance:
    it spoils mean frequency and heat capacity.
    """
    prediction, target = prediction.clamp(min=0), target.clamp(min=0)
    return wasserstein(
        prediction / prediction.sum(dim=-1, keepdim=True).clamp(min=_TINY),
        target / target.sum(dim=-1, keepdim=True).clamp(min=_TINY),
    )


def bands(prediction: Tensor, target: Tensor, beta: float) -> Tensor:
    """Bandformer: MAE of the band centres plus ``beta`` times that of the dispersions.

    Args:
        prediction, target: ``[n_crystals, n_kpoints, n_bands]``; bands that are NaN in the target
            do not count.
        beta: weight of the dispersions.

    Returns:
        ``[n_crystals]``.
    """
    there = target.isfinite()
    error = torch.where(there, prediction - target, torch.zeros_like(prediction))
    centre = error.mean(dim=1)
    dispersion = (error - centre[:, None]).abs().mean(dim=1)
    n_bands = there.any(dim=1).sum(dim=1)
    return (centre.abs() + beta * dispersion).sum(dim=1) / n_bands


LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "rmse": rmse,
    "mse": mse,
    "mae": mae,
    "kl": kl,
    "bregman": bregman,
    "wasserstein": wasserstein,
}


def training_loss(
    outputs: Outputs, target: Tensor, name: str, beta: float, shape_weight: float = 0.0
) -> Tensor:
    """The loss of all branches plus the decoder's penalties, ``[n_crystals]``.

    ``beta`` weighs the branch called ``system``; for DOSTransformer this is
    ``L_global + beta * L_system`` (eq. 6). Of bands it weighs the dispersions. ``shape_weight``
    adds as much of `shape_wasserstein`.
    """
    if name == "bands":
        return bands(outputs.spectra["spectrum"], target, beta)

    def loss(spectrum: Tensor) -> Tensor:
        value = LOSSES[name](spectrum, target)
        return value + shape_weight * shape_wasserstein(spectrum, target) if shape_weight else value

    losses = [
        outputs.weight * (beta if branch == "system" else 1.0) * loss(spectrum)
        for branch, spectrum in outputs.spectra.items()
    ]
    return torch.stack([*losses, *outputs.penalties.values()]).sum(dim=0)
