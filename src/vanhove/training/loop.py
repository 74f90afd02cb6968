"""The training loop: exact resume, early stopping, several processes."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from vanhove.atomic import replacing
from vanhove.datasets.graph_store import domain_of
from vanhove.errors import ConfigError
from vanhove.evaluation.measures import measure, validation_keys
from vanhove.models.processor import training_precision
from vanhove.runs.checkpoint import read_info, save_model
from vanhove.runs.config import RunConfig, TrainingSettings
from vanhove.runs.description import DatasetInfo, ModelInfo, Provenance, objective_of
from vanhove.runs.folder import BEST, KEPT, STATE
from vanhove.runs.prepared import PreparedData, predict_rows
from vanhove.training.adapters import merged_parameters
from vanhove.training.distributed import Processes
from vanhove.training.logs import RunLog
from vanhove.training.losses import training_loss
from vanhove.training.process_state import stop_signals
from vanhove.training.reporter import Reporter
from vanhove.training.state import Run
from vanhove.version import __version__
from vanhove.weights import find_weights

EpochRow = dict[str, float | int]
"""What a run logs after an epoch: a row of metrics.csv."""


def learning_rate(settings: TrainingSettings, step: int, steps_per_epoch: int) -> float:
    """Linear warm-up (over a tenth of the run at most), then as ``settings.schedule`` says.

    ``cosine`` falls to 1 %; ``exponential`` is multiplied by ``decay`` each epoch and ``step``
    each ``decay_epochs``; ``noam`` falls with the root of the step (Vaswani et al., 2017).
    """
    total_steps = settings.epochs * steps_per_epoch
    warmup_steps = min(settings.warmup_steps, total_steps // 10)
    warm = min(1.0, (step + 1) / warmup_steps) if warmup_steps else 1.0
    epoch = step / steps_per_epoch
    factor = {
        "constant": 1.0,
        "cosine": 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, step / total_steps))),
        "exponential": settings.decay**epoch,
        "step": settings.decay ** (epoch // settings.decay_epochs),
        "noam": math.sqrt(max(1, warmup_steps) / max(step + 1, warmup_steps)),
    }[settings.schedule]
    return settings.learning_rate * warm * factor


class Trainer:
    """Drives a `Run` over the data."""

    def __init__(
        self,
        run: Run,
        data: PreparedData,
        folder: Path,
        group: Processes,
        quiet: bool,
        on_epoch: Callable[[EpochRow], None] | None = None,
    ):
        self.run, self.data, self.folder, self.group = run, data, folder, group
        self.on_epoch = on_epoch
        self.settings = run.config.training
        self.device = next(run.model.parameters()).device
        self.train_rows, self.valid_rows = data.rows("train"), data.rows("valid")
        if run.progress.precision is None:
            run.progress.precision = training_precision(
                self.settings.precision, self.device, self.gflop
            )
        self.steps_per_epoch = math.ceil(len(self.train_rows) / self.settings.batch_size)
        self.info = model_info(run.config, data)
        self.stop_asked = False
        self.reporter = Reporter(
            self.settings.epochs, self.steps_per_epoch, quiet or not group.is_first
        )

    def gflop(self) -> float:
        """Of the products of a batch's forward pass; nothing is changed by it."""
        rows = self.train_rows[: self.settings.batch_size]
        batch = self.data.training_batch(rows).to(self.device)
        target = self.data.targets[rows].to(self.device)
        self.run.model.eval()  # averages of batches, of models that have them, stay as they are
        with torch.no_grad(), torch.random.fork_rng(), FlopCounterMode(display=False) as counter:
            self.run.model.outputs(batch, target)
        return counter.get_total_flops() / 1e9

    def epoch_order(self) -> Tensor:
        """A permutation that depends on seed and epoch alone, so it need not be saved."""
        generator = torch.Generator().manual_seed(
            self.run.config.seed * 1_000_003 + self.run.progress.epoch
        )
        return self.train_rows[torch.randperm(len(self.train_rows), generator=generator)]

    def rate_at(self, step: int) -> float:
        return learning_rate(self.settings, step, self.steps_per_epoch)

    def train_step(self, rows: Tensor) -> None:
        run, settings, progress = self.run, self.settings, self.run.progress
        # Dropout depends on seed, step and process alone: nothing random is left to save.
        torch.manual_seed(
            (run.config.seed * 10_000_019 + progress.step) * self.group.count + self.group.rank
        )
        run.model.train()
        for parameter_group in run.optimizer.param_groups:
            parameter_group["lr"] = self.rate_at(progress.step)
        run.optimizer.zero_grad(set_to_none=True)
        own = self.group.share(rows)
        total = torch.zeros((), device=self.device)
        if len(own):
            with torch.autocast(
                self.device.type, torch.bfloat16, enabled=progress.precision == "bfloat16"
            ):
                batch = self.data.training_batch(own).to(self.device)
                outputs, target = run.model.outputs(batch, self.data.targets[own].to(self.device))
            losses = training_loss(
                outputs, target, settings.loss, settings.beta, settings.shape_weight
            )
            loss = losses.sum() / len(rows)
            loss.backward()
            total = loss.detach()
        self.group.sum_gradients(run.model)
        total = self.group.sum_(total)
        if settings.gradient_clip is not None:
            torch.nn.utils.clip_grad_norm_(run.model.parameters(), settings.gradient_clip)
        run.optimizer.step()
        progress.step += 1
        progress.step_in_epoch += 1
        run.update_average()
        progress.loss_sum += float(total) * len(rows)
        progress.crystals_seen += len(rows)
        if not math.isfinite(progress.loss_sum):
            raise ConfigError(
                f"the loss is not finite at step {progress.step}; lower training.learning_rate "
                "or set training.gradient_clip"
            )

    def validate(self) -> dict[str, float]:
        """Metrics of the validation split, computed by all processes together."""
        if self.settings.select_by == "last":
            return {}
        with self.run.evaluation_weights() as model:
            places = self.group.share(torch.arange(len(self.valid_rows)))
            predictions = torch.zeros(len(self.valid_rows), *self.data.targets.shape[1:])
            if len(places):
                predictions[places] = predict_rows(model, self.data, self.valid_rows[places])
            predictions = self.group.sum_(predictions.to(self.device)).cpu()
        if self.run.config.data.fold is not None and self.group.is_first:
            self.keep(predictions)
        dataset = self.data.dataset
        metrics = measure(self.data.targets[self.valid_rows].numpy(), predictions.numpy(), dataset)
        if self.settings.select_by == "wasserstein":
            metrics["wasserstein"] = metrics[f"wasserstein_{dataset.kind.axis_unit.suffix}"]
        keys = dict.fromkeys((*validation_keys(dataset), self.settings.select_by))
        return {key: float(metrics[key]) for key in keys}

    def keep(self, predictions: Tensor) -> None:
        """Write the validation predictions of this epoch into `KEPT`."""
        path = self.folder / KEPT
        if not path.exists():
            empty = np.full((self.settings.epochs, *predictions.shape), np.nan, dtype=np.float32)
            with replacing(path) as part, part.open("wb") as stream:
                np.save(stream, empty)
        np.load(path, mmap_mode="r+")[self.run.progress.epoch] = predictions.numpy()

    def save_best(self) -> None:
        if not self.group.is_first:
            return
        progress = self.run.progress
        trained = self.info.trained.model_copy(
            update={"epoch": progress.best_epoch, "validation": progress.best_metrics}
        )
        info = self.info.model_copy(update={"trained": trained})
        with self.run.evaluation_weights() as model:
            save_model(self.folder / BEST, merged_parameters(model), info)

    def save_state(self) -> None:
        if self.group.is_first:
            self.run.save(self.folder / STATE)

    def finish_epoch(self, log: RunLog | None) -> None:
        progress = self.run.progress
        metrics = self.validate()
        # "last": each epoch is better than the one before.
        score = metrics.get(self.settings.select_by, -float(progress.epoch))
        if score < progress.best_score:
            progress.best_score, progress.best_epoch = score, progress.epoch
            progress.best_metrics = metrics
            self.save_best()
        row: EpochRow = {
            "epoch": progress.epoch,
            "train_loss": progress.loss_sum / progress.crystals_seen,
            "learning_rate": self.rate_at(progress.step - 1),
            **{f"valid_{key}": value for key, value in metrics.items()},
            "seconds": round(progress.seconds, 1),
        }
        if log is not None:
            log.write(row)
        self.reporter.epoch(row, is_best=progress.best_epoch == progress.epoch)
        progress.epoch += 1
        progress.step_in_epoch = progress.crystals_seen = 0
        progress.loss_sum = 0.0
        waited = progress.epoch - 1 - progress.best_epoch
        progress.finished = progress.epoch >= self.settings.epochs or (
            waited >= self.settings.patience
        )
        if self.on_epoch is not None:
            self.on_epoch(row)

    def fit(self, log: RunLog | None) -> bool:
        """Train to the end; False when a signal asked to stop (the state is saved)."""
        progress = self.run.progress
        last_tick = last_save = time.monotonic()
        with self.reporter, stop_signals(self.ask_to_stop):
            while not progress.finished:
                order = self.epoch_order()
                batches = order.split(self.settings.batch_size)
                for rows in batches[progress.step_in_epoch :]:
                    self.train_step(rows)
                    now = time.monotonic()
                    progress.seconds += now - last_tick
                    last_tick = now
                    self.reporter.step(
                        progress.epoch,
                        progress.step_in_epoch,
                        progress.loss_sum / progress.crystals_seen,
                    )
                    if self.group.any(self.stop_asked, self.device):
                        self.save_state()
                        return False
                    if now - last_save >= self.settings.checkpoint_seconds:
                        self.save_state()
                        last_save = time.monotonic()
                self.finish_epoch(log)
        self.save_state()
        return True

    def ask_to_stop(self) -> None:
        """End the run after the current step, with its state saved."""
        self.stop_asked = True


def model_info(config: RunConfig, data: PreparedData) -> ModelInfo:
    """The description that every checkpoint of a run carries."""
    dataset = data.dataset
    train = dataset.split("train")
    elements = {int(z) for row in train for z in dataset.crystals[row].atomic_numbers}
    domain = domain_of(dataset.crystals, train.tolist(), quiet=True)
    if config.start.checkpoint is not None:
        start = read_info(find_weights(config.start.checkpoint))
        elements |= set(start.elements)
        domain = domain if start.trained.domain is None else domain.joined(start.trained.domain)
    return ModelInfo(
        version=__version__,
        name=config.name,
        model=config.model,
        graph=config.graph,
        grid=[float(point) for point in dataset.grid],
        unit=dataset.unit,
        normalisation=dataset.normalisation,
        quantity=dataset.quantity,
        elements=sorted(elements),
        trained=Provenance(
            seed=config.seed,
            data=config.data,
            dataset=DatasetInfo.of(dataset),
            objective=objective_of(config),
            fine_tuned=config.start.checkpoint is not None,
            epoch=-1,
            validation={},
            domain=domain,
        ),
    )
