"""Training an encoder; what was stopped or killed continues, to the same result."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from vanhove.crystal.graph import Batch, collate
from vanhove.crystal.tables import GraphTable
from vanhove.embeddings.contrastive import Contrast
from vanhove.embeddings.objective import Objective
from vanhove.embeddings.settings import EmbeddingSettings
from vanhove.embeddings.vae import CrystalVAE
from vanhove.errors import ConfigError
from vanhove.progress import track
from vanhove.runs.state import read_state, write_state

HELD_OUT = 20
"""One of so many crystals is measured on, not trained on."""
WARMUP_STEPS = 50
SECONDS_BETWEEN_SAVES = 60.0


@dataclass(frozen=True)
class Material:
    """What is learned from.

    Attributes:
        graphs: of all crystals.
        rows: those that have a graph.
        spectra: labels of all crystals ``[n_crystals, n_points]``, or None.
        fingerprint: SHA-256 of the crystals.
    """

    graphs: GraphTable
    rows: Tensor
    spectra: Tensor | None
    fingerprint: str

    def batches(self, rows: Tensor, size: int) -> Iterator[tuple[Batch, Tensor | None]]:
        for chunk in rows.split(size):
            batch = collate([self.graphs.graph(int(row)) for row in chunk])
            yield batch, None if self.spectra is None else self.spectra[chunk]


def build_objective(settings: EmbeddingSettings) -> Objective:
    """Untrained.

    Raises:
        ConfigError: a kind that is not trained.
    """
    if settings.kind == "vae":
        return CrystalVAE(settings)
    if settings.kind in ("contrastive", "contrastive-labels"):
        return Contrast(settings)
    raise ConfigError(f"kind {settings.kind} is not trained; its weights come with its package")


def train_objective(
    settings: EmbeddingSettings, material: Material, state: Path, quiet: bool = True
) -> tuple[Objective, dict[str, float]]:
    """A trained objective, and its measures on the crystals held out.

    Everything random depends on seed and step alone, so the state is weights, optimiser and step.

    Args:
        settings: how.
        material: from what.
        state: file that is written from time to time, and continued from if it is there.
        quiet: no progress.

    Raises:
        ConfigError: too few crystals, or the state is of another training.
        CheckpointError: the state is damaged.
    """
    order = material.rows[_permutation(len(material.rows), settings.seed)]
    n_held_out = max(2, len(order) // HELD_OUT)
    held_out, rows = order[:n_held_out], order[n_held_out:]
    if len(rows) < 2:
        raise ConfigError(f"{len(order)} usable crystals are too few to learn from; give more")
    torch.manual_seed(settings.seed)
    objective = build_objective(settings)
    optimizer = torch.optim.AdamW(objective.parameters(), lr=settings.learning_rate)
    training = _Training(settings, objective, optimizer, material, state)
    training.restore()
    for epoch in range(training.step // _n_steps(rows, settings), settings.epochs):
        loss = training.epoch(epoch, rows, quiet)
        if not quiet and loss is not None:
            print(f"epoch {epoch + 1} of {settings.epochs}: loss {loss:.4f}", file=sys.stderr)
    return objective, measure(objective, material, held_out, settings)


def measure(
    objective: Objective, material: Material, rows: Tensor, settings: EmbeddingSettings
) -> dict[str, float]:
    """`Objective.measures` of some crystals: means over batches, weighted with their size."""
    objective.eval()
    generator = torch.Generator().manual_seed(settings.seed)
    totals: dict[str, float] = {}
    for batch, spectra in material.batches(rows, settings.batch_size):
        for name, value in objective.measures(batch, spectra, generator).items():
            totals[name] = totals.get(name, 0.0) + value * batch.n_crystals
    return {name: total / len(rows) for name, total in totals.items()}


@dataclass
class _Training:
    settings: EmbeddingSettings
    objective: Objective
    optimizer: torch.optim.Optimizer
    material: Material
    state: Path
    step: int = 0

    def epoch(self, number: int, rows: Tensor, quiet: bool) -> float | None:
        """The rest of an epoch; the mean loss of its steps, None where there are none."""
        settings = self.settings
        n_steps = _n_steps(rows, settings)
        first = self.step - number * n_steps
        rows = rows[_permutation(len(rows), settings.seed * 1_000_003 + number + 1)]
        rows = rows[first * settings.batch_size :]
        batches = self.material.batches(rows, settings.batch_size)
        losses, saved = [], time.monotonic()
        self.objective.train()
        for batch, spectra in track(batches, f"epoch {number + 1}", quiet, n_steps - first):
            losses.append(self.train_step(batch, spectra, n_steps * settings.epochs))
            if time.monotonic() - saved > SECONDS_BETWEEN_SAVES:
                self.save()
                saved = time.monotonic()
        self.save()
        return sum(losses) / len(losses) if losses else None

    def train_step(self, batch: Batch, spectra: Tensor | None, n_steps: int) -> float:
        generator = torch.Generator().manual_seed(self.settings.seed * 10_000_019 + self.step)
        warm = min(1.0, (self.step + 1) / WARMUP_STEPS)
        rate = self.settings.learning_rate * warm
        rate *= 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * self.step / n_steps))
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        loss = self.objective.loss(batch, spectra, generator)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.objective.parameters(), 1.0)
        self.optimizer.step()
        self.step += 1
        return float(loss.detach())

    def identity(self) -> dict[str, object]:
        return {
            "settings": self.settings.model_dump(mode="json"),
            "fingerprint": self.material.fingerprint,
        }

    def save(self) -> None:
        tensors: dict[str, Tensor] = dict(self.objective.named_parameters(prefix="model"))
        for index, values in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{k}": v for k, v in values.items()}
        self.state.parent.mkdir(parents=True, exist_ok=True)
        write_state(self.state, tensors, self.identity(), {"step": self.step})

    def restore(self) -> None:
        if not self.state.exists():
            return
        tensors, saved = read_state(self.state)
        if saved.config != self.identity():
            raise ConfigError(
                f"{self.state} is of a training with other settings or crystals; continue with "
                "those, or delete it"
            )
        self.step = saved.progress["step"]
        with torch.no_grad():
            for name, parameter in self.objective.named_parameters():
                parameter.copy_(tensors[f"model.{name}"])
        states: dict[int, dict[str, Tensor]] = {}
        for key, value in tensors.items():
            if key.startswith("optimizer."):
                _, index, name = key.split(".")
                states.setdefault(int(index), {})[name] = value
        content = self.optimizer.state_dict()
        self.optimizer.load_state_dict({**content, "state": states})


def _n_steps(rows: Tensor, settings: EmbeddingSettings) -> int:
    """Of an epoch."""
    return math.ceil(len(rows) / settings.batch_size)


def _permutation(n: int, seed: int) -> Tensor:
    return torch.randperm(n, generator=torch.Generator().manual_seed(seed))
