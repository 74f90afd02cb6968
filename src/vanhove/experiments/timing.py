"""How long an epoch takes, model by model, in one run on one machine: ratios that can be compared.

The models take turns, a few training steps and a part of the test materials each, over several
rounds; the median over rounds is taken to an epoch. A machine that is busy for a while then slows
all of them alike, or a single round of one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from vanhove.datasets import SpectrumDataset
from vanhove.runs.config import RunConfig
from vanhove.runs.prepared import predict_rows, prepare_rows
from vanhove.training.distributed import processes
from vanhove.training.loop import Trainer
from vanhove.training.state import Run


@dataclass(frozen=True)
class Effort:
    """What is timed of each model.

    Attributes:
        rounds: turns of each model, after one that does not count.
        steps: training steps per turn.
        materials: test materials per turn.
    """

    rounds: int = 7
    steps: int = 4
    materials: int = 32


def time_models(
    dataset: SpectrumDataset,
    configs: Sequence[RunConfig],
    effort: Effort,
    progress: Callable[[str], None] = lambda text: None,
) -> list[dict[str, float]]:
    """Seconds per epoch of runs on a data set: ``train_seconds`` and ``inference_seconds``.

    Training seconds are those of one pass over the training split without validation, inference
    seconds those of the test split; both without the building of graphs. In the order of
    ``configs``.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    random = np.random.default_rng(0)
    n_train = max(effort.steps * config.training.batch_size for config in configs)
    train = random.permutation(dataset.split("train"))[:n_train]
    test = random.permutation(dataset.split("test"))[: effort.materials]
    timers = []
    with processes() as group:
        for config in configs:
            data = prepare_rows(dataset, np.concatenate([train, test]), config, quiet=True)
            seen = data.crystal_systems(torch.from_numpy(train))
            run = Run(config, data.dataset.grid.tolist(), seen, device)
            trainer = Trainer(run, data, Path(), group, quiet=True)
            timers.append(_Timer(trainer, torch.from_numpy(train), torch.from_numpy(test), effort))
        for number in range(effort.rounds + 1):
            for config, timer in zip(configs, timers, strict=True):
                name = "warm-up" if number == 0 else f"round {number} of {effort.rounds}"
                progress(f"{name}: {config.name}")
                timer.turn(counts=number > 0)
    return [
        timer.result(len(dataset.split("train")), len(dataset.split("test"))) for timer in timers
    ]


class _Timer:
    def __init__(
        self, trainer: Trainer, train: torch.Tensor, test: torch.Tensor, effort: Effort
    ) -> None:
        self.trainer, self.train, self.test, self.steps = trainer, train, test, effort.steps
        self.step_seconds: list[float] = []
        self.material_seconds: list[float] = []

    def turn(self, counts: bool) -> None:
        trainer = self.trainer
        batches = self.train.split(trainer.settings.batch_size)
        start = _now()
        for number in range(self.steps):
            trainer.train_step(batches[number % len(batches)])
        middle = _now()
        predict_rows(trainer.run.model, trainer.data, self.test)
        end = _now()
        if counts:
            self.step_seconds.append((middle - start) / self.steps)
            self.material_seconds.append((end - middle) / len(self.test))

    def result(self, n_train: int, n_test: int) -> dict[str, float]:
        steps = -(-n_train // self.trainer.settings.batch_size)
        return {
            "train_seconds": float(np.median(self.step_seconds)) * steps,
            "inference_seconds": float(np.median(self.material_seconds)) * n_test,
        }


def _now() -> float:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()
