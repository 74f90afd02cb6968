"""Training of the tight-binding model on eigenvalues and gaps, with exact resume."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from vanhove.models.tight_binding.graph import ElectronGraph, collate_electrons, electron_graph
from vanhove.models.tight_binding.network import Blocks, TightBinding, energies
from vanhove.physics.meshes import irreducible_mesh
from vanhove.runs.state import read_state, write_state
from vanhove.settings import Settings
from vanhove.training.band_labels import BandLabels, GapLabel
from vanhove.training.state import restore_tensors, state_tensors

_SOFT = 0.1
"""eV: errors below it count quadratically."""
_WINDOW, _EDGE = (-7.0, 4.0), 0.7
"""eV from the Fermi level: outside, the weight of a band fades."""
_WARM_UP = 0.15
"""Share of the steps in which the learning rate rises."""


class BandTraining(Settings):
    """How the tight-binding model is trained: one stage, on eigenvalues and, with them, on gaps."""

    epochs: int = Field(60, ge=1)
    learning_rate: float = Field(1e-3, gt=0, description="the largest, of one cycle")
    weight_decay: float = Field(1e-4, ge=0)
    batch_size: int = Field(8, ge=1, description="crystals with eigenvalues in each step")
    n_kpoints: int = Field(12, ge=1, description="number of k-points of a crystal in each step")
    six_bands: float = Field(0.2, ge=0, description="weight of the bands next to the Fermi level")
    edges: float = Field(0.2, ge=0, description="weight of the gap between known band edges")
    gap: float = Field(0.3, ge=0, description="weight of gaps of crystals without eigenvalues")
    gap_batch: int = Field(0, ge=0, description="crystals with a gap alone in each step")
    gap_kpoints: int = Field(8, ge=1, description="where the band edges are looked for again")
    average: float = Field(0.99, ge=0, lt=1, description="decay of the averaged weights")


@dataclass(frozen=True)
class BandItem:
    """A crystal with eigenvalues, ready for training."""

    graph: ElectronGraph
    labels: BandLabels
    kpoints: Tensor
    energies: Tensor


@dataclass(eq=False)
class GapItem:
    """A crystal of which only the gap is known.

    Attributes:
        kpoints: of a mesh, Cartesian, ``[n_k, 3]``.
        n_filled: occupied bands.
        at: points of the band edges as last seen, empty at first.
    """

    graph: ElectronGraph
    kpoints: Tensor
    n_filled: int
    gap: float
    at: tuple[int, ...] = ()


def band_items(labels: Sequence[BandLabels], cutoff: float) -> list[BandItem]:
    """Graphs and tensors, made once."""
    result = []
    for label in labels:
        graph = electron_graph(label.crystal, cutoff)
        kpoints = torch.as_tensor(label.kpoints, dtype=torch.float32) @ graph.reciprocal
        result.append(BandItem(graph, label, kpoints, torch.from_numpy(label.energies)))
    return result


def gap_items(labels: Sequence[GapLabel], cutoff: float, density: float = 2.0) -> list[GapItem]:
    """As `band_items`, with a mesh of so many points per 1/angstrom, even along each axis."""
    result = []
    for label in labels:
        graph = electron_graph(label.crystal, cutoff)
        lengths = np.linalg.norm(graph.reciprocal.numpy(), axis=1)
        shape = 2 * np.maximum(np.rint(lengths * density / 2), 1).astype(int)
        fractional, _, _ = irreducible_mesh(label.crystal, shape)
        kpoints = torch.as_tensor(fractional, dtype=torch.float32) @ graph.reciprocal
        result.append(GapItem(graph, kpoints, graph.n_electrons // 2, label.gap))
    return result


def band_error(item: BandItem, chosen: Tensor, predicted: Tensor, settings: BandTraining) -> Tensor:
    """The loss of one crystal: eigenvalues in order, up to a common constant.

    Args:
        chosen: numbers of the k-points; of an insulator, those of its band edges first.
        predicted: at these points, eV, ``[n_k, n_states]``.
    """
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
    difference = difference - (weight * difference).sum() / total
    soft = torch.sqrt(difference**2 + _SOFT**2) - _SOFT
    loss = (weight * soft).sum() / total
    filled = labels.n_filled - first
    if labels.n_filled and settings.six_bands:
        near = soft[:, max(filled - 3, 0) : filled + 3]
        if near.numel():
            loss = loss + settings.six_bands * near.mean()
    if labels.gap > 0 and settings.edges and 0 < filled < n:
        apart = difference[1, filled] - difference[0, filled - 1]
        loss = loss + settings.edges * torch.sqrt(apart**2 + _SOFT**2)
    return loss


def gap_error(
    item: GapItem, blocks: Blocks, settings: BandTraining, rng: np.random.Generator
) -> Tensor:
    """Error of the gap, which a metal must not have.

    Band edges are looked for without gradient: on the whole mesh at first, later at the points
    where they were and at some at random. The gradient is that of the two edges.
    """
    n_points = len(item.kpoints)
    looked = np.arange(n_points)
    if item.at:
        n_random = min(settings.gap_kpoints, n_points)
        looked = np.union1d(item.at, rng.choice(n_points, n_random, replace=False))
    with torch.no_grad():
        bands = energies(blocks, item.kpoints[torch.from_numpy(looked)])
    top = int(looked[int(bands[:, item.n_filled - 1].argmax())])
    bottom = int(looked[int(bands[:, item.n_filled].argmin())])
    item.at = (top, bottom)
    edges = energies(blocks, item.kpoints[[top, bottom]])
    gap = edges[1, item.n_filled] - edges[0, item.n_filled - 1]
    difference = gap - item.gap if item.gap > 0 else gap.clamp(min=0)
    return torch.sqrt(difference**2 + _SOFT**2) - _SOFT


def chosen_points(item: BandItem, n: int, rng: np.random.Generator) -> Tensor:
    """Random k-points; of an insulator, those of its band edges first."""
    n_points = len(item.kpoints)
    fixed = list(item.labels.edges) if item.labels.gap > 0 else []
    drawn = rng.choice(n_points, min(max(n - len(fixed), 0), n_points), replace=False).tolist()
    return torch.tensor(fixed + drawn)


@dataclass
class Stage:
    """One stage of training and all that changes in it.

    A run that was stopped and restored goes on as if it had not been: random numbers follow from
    seed and epoch, and the rest is in `save`.
    """

    model: TightBinding
    settings: BandTraining
    seed: int
    epoch: int = 0
    step: int = 0
    seconds: float = 0.0
    losses: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.averaged = {k: v.detach().clone() for k, v in self.model.named_parameters()}
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(),
            lr=self.settings.learning_rate,
            weight_decay=self.settings.weight_decay,
        )

    def run(
        self,
        bands: Sequence[BandItem],
        gaps: Sequence[GapItem] = (),
        after_epoch: Callable[[Stage], None] | None = None,
    ) -> None:
        """Train to the last epoch; the averaged weights are in the model at the end."""
        settings = self.settings
        n_steps = -(-len(bands) // settings.batch_size)
        while self.epoch < settings.epochs:
            started = time.monotonic()
            rng = np.random.default_rng([self.seed, self.epoch])
            torch.manual_seed(rng.integers(2**31))
            self.model.train()
            order = rng.permutation(len(bands))
            total = 0.0
            for i in range(n_steps):
                rows = order[i * settings.batch_size : (i + 1) * settings.batch_size]
                n_gaps = min(settings.gap_batch, len(gaps))
                others = rng.choice(len(gaps), n_gaps, replace=False) if n_gaps else ()
                for group in self.optimizer.param_groups:
                    group["lr"] = self._learning_rate(n_steps)
                total += self._step([bands[k] for k in rows], [gaps[k] for k in others], rng)
            self.epoch += 1
            self.seconds += time.monotonic() - started
            self.losses.append(total / n_steps)
            if after_epoch is not None:
                after_epoch(self)
        with torch.no_grad():
            for name, parameter in self.model.named_parameters():
                parameter.copy_(self.averaged[name])

    def _step(self, bands: list[BandItem], gaps: list[GapItem], rng: np.random.Generator) -> float:
        settings = self.settings
        graphs = [item.graph for item in bands] + [item.graph for item in gaps]
        blocks = self.model(collate_electrons(graphs))
        loss = torch.zeros(())
        for item, own in zip(bands, blocks[: len(bands)], strict=True):
            points = chosen_points(item, settings.n_kpoints, rng)
            error = band_error(item, points, energies(own, item.kpoints[points]), settings)
            loss = loss + error / len(bands)
        for gap, own in zip(gaps, blocks[len(bands) :], strict=True):
            loss = loss + settings.gap * gap_error(gap, own, settings, rng) / len(gaps)
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.step += 1
        weight = 1 - min(settings.average, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            torch._foreach_lerp_(
                list(self.averaged.values()), list(self.model.parameters()), weight
            )
        return float(loss.detach())

    def _learning_rate(self, steps_per_epoch: int) -> float:
        """One cycle: up along a cosine, then down to a thousandth."""
        part = self.step / max(self.settings.epochs * steps_per_epoch, 1)
        if part < _WARM_UP:
            share = 0.04 + 0.96 * (1 - math.cos(math.pi * part / _WARM_UP)) / 2
        else:
            share = (1 + math.cos(math.pi * (part - _WARM_UP) / (1 - _WARM_UP))) / 2
        return self.settings.learning_rate * max(share, 1e-3)

    def save(self, path: Path) -> None:
        """All that `restore` needs; the file is replaced as a whole."""
        tensors = state_tensors(self.model, self.averaged, self.optimizer)
        config = {"seed": self.seed, "settings": self.settings.model_dump(mode="json")}
        place = {
            "epoch": self.epoch,
            "step": self.step,
            "seconds": self.seconds,
            "losses": self.losses,
        }
        write_state(path, tensors, config, place)

    def restore(self, path: Path) -> None:
        """Back to where `save` was called."""
        tensors, saved = read_state(path)
        place = saved.progress
        restore_tensors(tensors, self.model, self.averaged, self.optimizer)
        self.epoch, self.step = place["epoch"], place["step"]
        self.seconds, self.losses = place["seconds"], place["losses"]
