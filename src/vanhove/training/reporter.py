"""What a person sees of a running training: a live bar on a terminal, one line per epoch always."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Any

NAMES = {"rmse": "RMSE", "mse_x10": "MSEx10", "mae": "MAE", "r2": "R2"}
"""How metrics are shown."""


class Reporter:
    """Progress on stderr with loss and time left.

    Args:
        epochs: at most.
        steps_per_epoch: for the bar and the estimate of the time left.
        quiet: print nothing.
    """

    def __init__(self, epochs: int, steps_per_epoch: int, quiet: bool):
        self.epochs, self.steps_per_epoch, self.quiet = epochs, steps_per_epoch, quiet
        self.started: float | None = None
        self.steps_done = 0
        self.bar: Any = None

    def __enter__(self) -> Reporter:
        if not self.quiet and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn

            self.bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.completed}/{task.total}  {task.fields[state]}"),
                console=Console(stderr=True),
                transient=True,
            )
            self.bar.start()
            self.task = self.bar.add_task("", total=self.steps_per_epoch, state="")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.bar is not None:
            self.bar.stop()

    def time_left(self, epoch: int, step_in_epoch: int) -> str:
        """If every epoch is run: early stopping can end it sooner."""
        if self.started is None or self.steps_done == 0:
            return "?"
        left = (self.epochs - epoch) * self.steps_per_epoch - step_in_epoch
        seconds = int((time.monotonic() - self.started) / self.steps_done * left)
        return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"

    def step(self, epoch: int, step_in_epoch: int, loss: float) -> None:
        if self.started is None:
            self.started = time.monotonic()
        else:
            self.steps_done += 1
        if self.bar is not None:
            self.bar.update(
                self.task,
                description=f"epoch {epoch + 1}/{self.epochs}",
                completed=step_in_epoch,
                state=f"loss {loss:.4f}  at most {self.time_left(epoch, step_in_epoch)} left",
            )

    def epoch(self, row: dict[str, float | int], is_best: bool) -> None:
        if self.quiet:
            return
        epoch = int(row["epoch"])
        metrics = "  ".join(
            f"{NAMES.get(key, key)} {value:.4f}"
            for name, value in row.items()
            if (key := name.removeprefix("valid_")) != name
        )
        line = (
            f"epoch {epoch + 1:3d}/{self.epochs}  train loss {row['train_loss']:.4f}  "
            f"valid {metrics}  "
            f"at most {self.time_left(epoch + 1, 0)} left{'  *' if is_best else ''}"
        )
        print(line, file=self.bar.console.file if self.bar is not None else sys.stderr, flush=True)
