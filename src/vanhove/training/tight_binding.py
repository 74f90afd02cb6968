"""Training of the tight-binding model on eigenvalues: teacher first, then PBE."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from pydantic import Field
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from vanhove.crystal.crystal import Crystal
from vanhove.models.tight_binding.graph import ElectronGraph, collate_electrons, electron_graph
from vanhove.models.tight_binding.network import TightBinding, energies
from vanhove.settings import Settings
from vanhove.training.band_labels import BandLabels

_SOFT = 0.1
"""eV: errors below it count quadratically."""
_WINDOW, _EDGE = (-7.0, 4.0), 0.7
"""eV from the Fermi level: outside, the weight of a band fades."""


class BandTraining(Settings):
    """How the tight-binding model is trained on eigenvalues."""

    epochs: int = Field(60, ge=1)
    learning_rate: float = Field(1e-3, gt=0)
    weight_decay: float = Field(1e-4, ge=0)
    batch_size: int = Field(8, ge=1)
    n_kpoints: int = Field(12, ge=1, description="of each crystal in each step")
    six_bands: float = Field(0.2, ge=0, description="weight of the bands next to the Fermi level")
    gap: float = Field(0.2, ge=0, description="weight of the gap of insulators")
    average: float = Field(0.99, ge=0, lt=1, description="decay of the averaged weights")
    seed: int = 0


@dataclass(frozen=True)
class Item:
    """A crystal ready for training."""

    graph: ElectronGraph
    labels: BandLabels
    kpoints: Tensor
    energies: Tensor


def prepare(labels: Sequence[BandLabels], cutoff: float) -> list[Item]:
    """Graphs and tensors, made once."""
    result = []
    for item in labels:
        graph = electron_graph(item.crystal, cutoff)
        kpoints = torch.as_tensor(item.kpoints, dtype=torch.float32) @ graph.reciprocal
        result.append(Item(graph, item, kpoints, torch.from_numpy(item.energies)))
    return result


def band_error(item: Item, chosen: Tensor, predicted: Tensor, settings: BandTraining) -> Tensor:
    """The loss of one crystal: eigenvalues in order, up to a common constant."""
    labels = item.labels
    target = item.energies[chosen]
    first = max(0, -labels.first_band)
    start = first + labels.first_band
    n = min(target.shape[1] - first, predicted.shape[1] - start)
    target, predicted = target[:, first : first + n], predicted[:, start : start + n]
    low, high = _WINDOW
    weight = torch.sigmoid((target - low) / _EDGE) * torch.sigmoid((high - target) / _EDGE)
    total = weight.sum().clamp(min=1e-3)
    difference = predicted - target
    difference = difference - ((weight * difference).sum() / total)
    soft = torch.sqrt(difference**2 + _SOFT**2) - _SOFT
    loss = (weight * soft).sum() / total
    filled = labels.n_filled - first
    if labels.n_filled and settings.six_bands:
        near = soft[:, max(filled - 3, 0) : filled + 3]
        if near.numel():
            loss = loss + settings.six_bands * near.mean()
    if labels.gap > 0 and settings.gap and 0 < filled < n:
        # The first two points chosen are those of the band edges.
        top, bottom = difference[0, filled - 1], difference[1, filled]
        loss = loss + settings.gap * torch.sqrt((bottom - top) ** 2 + _SOFT**2)
    return loss


def choose_points(item: Item, n: int, rng: np.random.Generator) -> Tensor:
    """Random k-points; of an insulator, those of its band edges first."""
    n_points = len(item.kpoints)
    fixed = list(item.labels.edges) if item.labels.gap > 0 else []
    drawn = rng.choice(n_points, min(n - len(fixed), n_points), replace=False).tolist()
    return torch.tensor(fixed + drawn)


def train_bands(
    model: TightBinding,
    items: Sequence[Item],
    settings: BandTraining,
    *,
    after_epoch=None,
    max_seconds: float = float("inf"),
) -> TightBinding:
    """Train, and return the averaged weights."""
    torch.manual_seed(settings.seed)
    rng = np.random.default_rng(settings.seed)
    optimizer = torch.optim.AdamW(
        model.parameters(), settings.learning_rate, weight_decay=settings.weight_decay
    )
    steps = -(-len(items) // settings.batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, settings.learning_rate, epochs=settings.epochs, steps_per_epoch=steps,
        pct_start=0.15,
    )  # fmt: skip
    averaged = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(settings.average))
    started = time.monotonic()
    for epoch in range(settings.epochs):
        model.train()
        total = 0.0
        order = rng.permutation(len(items))
        for i in range(steps):
            chosen = [items[k] for k in order[i * settings.batch_size : (i + 1) * settings.batch_size]]
            loss = torch.zeros(())
            for item, blocks in zip(
                chosen, model(collate_electrons([c.graph for c in chosen])), strict=True
            ):
                points = choose_points(item, settings.n_kpoints, rng)
                bands = energies(blocks, item.kpoints[points])
                loss = loss + band_error(item, points, bands, settings)
            loss = loss / len(chosen)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            averaged.update_parameters(model)
            total += float(loss.detach())
        print(f"epoch {epoch} loss {total / steps:.4f} {time.monotonic() - started:.0f} s", flush=True)
        if after_epoch is not None:
            after_epoch(epoch, averaged.module)
    return averaged.module


def predicted_energies(model: TightBinding, crystal: Crystal, kpoints: np.ndarray) -> np.ndarray:
    """All bands at fractional k-points, eV, ``[n_k, n_states]``."""
    graph = electron_graph(crystal, model.settings.cutoff)
    model.eval()
    with torch.no_grad():
        (blocks,) = model(collate_electrons([graph]))
        points = torch.as_tensor(kpoints, dtype=torch.float32) @ graph.reciprocal
        return energies(blocks, points).double().numpy()
