"""What changes while a run trains, and how it is saved and restored."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from vanhove.models.model import SpectrumModel
from vanhove.models.processor import TrainingPrecision
from vanhove.runs.checkpoint import build_model
from vanhove.runs.config import RunConfig
from vanhove.runs.state import SavedState, write_state
from vanhove.training.start import start_from


@dataclass
class Progress:
    """Where a run is; saved with the state, so that a resumed run continues in mid-epoch.

    ``precision`` is what ``auto`` meant where the run began.
    """

    epoch: int = 0
    step_in_epoch: int = 0
    step: int = 0
    loss_sum: float = 0.0
    crystals_seen: int = 0
    best_score: float = math.inf
    best_epoch: int = -1
    best_metrics: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    finished: bool = False
    precision: TrainingPrecision | None = None


def state_tensors(
    model: nn.Module, averaged: Mapping[str, Tensor], optimizer: torch.optim.Optimizer
) -> dict[str, Tensor]:
    """Weights, their average and what the optimiser remembers, by name."""
    tensors: dict[str, Tensor] = dict(model.named_parameters(prefix="model"))
    tensors |= {f"averaged.{k}": v for k, v in averaged.items()}
    for index, values in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{k}": v for k, v in values.items()}
    return tensors


def restore_tensors(
    tensors: Mapping[str, Tensor],
    model: nn.Module,
    averaged: Mapping[str, Tensor],
    optimizer: torch.optim.Optimizer,
) -> None:
    """Put back what `state_tensors` gave."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(tensors[f"model.{name}"])
            averaged[name].copy_(tensors[f"averaged.{name}"])
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        kind, _, rest = name.partition(".")
        if kind == "optimizer":
            index, _, key = rest.partition(".")
            state.setdefault(int(index), {})[key] = tensor
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})


class Run:
    """All that changes while training: weights, their average, optimiser, place.

    Args:
        config: of the run.
        grid: of the data.
        seen_systems: indices of the crystal systems in the training split.
        device: where the model lives.
    """

    def __init__(
        self,
        config: RunConfig,
        grid: Sequence[float],
        seen_systems: Sequence[int],
        device: torch.device,
    ):
        torch.manual_seed(config.seed)
        self.config = config
        self.seen_systems = seen_systems
        self.model = build_model(config, grid)
        if config.start.checkpoint is not None:
            start_from(self.model, config.start)
        self.model.to(device)
        self.averaged = {k: v.detach().clone() for k, v in self.model.named_parameters()}
        self.optimizer = torch.optim.AdamW(
            [p for p in self.model.parameters() if p.requires_grad],
            lr=config.training.learning_rate,
            weight_decay=config.training.weight_decay,
            fused=True,
        )
        self.progress = Progress()

    def save(self, path: Path) -> None:
        """All that `restore` needs."""
        tensors = state_tensors(self.model, self.averaged, self.optimizer)
        write_state(path, tensors, self.config.model_dump(mode="json"), asdict(self.progress))

    def restore(self, tensors: Mapping[str, Tensor], saved: SavedState) -> None:
        """Back to where `save` was called."""
        restore_tensors(tensors, self.model, self.averaged, self.optimizer)
        self.progress = Progress(**saved.progress)

    @torch.no_grad()
    def update_average(self) -> None:
        decay = self.config.training.ema_decay
        if decay is None:
            return
        step = self.progress.step
        weight = 1 - min(decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(list(self.averaged.values()), list(self.model.parameters()), weight)

    @contextmanager
    def evaluation_weights(self) -> Iterator[SpectrumModel]:
        """The model as it is measured and saved; its own weights are back afterwards.

        Weights are averaged (if they are to be), and crystal systems that the run did not see get
        the mean prompt, unless the run started from weights that may have seen them.
        """
        parameters = dict(self.model.named_parameters())
        own = {name: p.detach().clone() for name, p in parameters.items()}
        with torch.no_grad():
            if self.config.training.ema_decay is not None:
                for name, parameter in parameters.items():
                    parameter.copy_(self.averaged[name])
            if self.config.start.checkpoint is None:
                self.model.system.fill_unseen(self.seen_systems)
        try:
            yield self.model
        finally:
            with torch.no_grad():
                for name, parameter in parameters.items():
                    parameter.copy_(own[name])
