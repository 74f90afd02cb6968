"""Where a run writes its numbers: metrics.csv and metrics.jsonl always, others when asked."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

from vanhove.atomic import write_text
from vanhove.errors import MissingExtraError
from vanhove.results import Json
from vanhove.runs.config import RunConfig


class RunLog:
    """One row per epoch. Resuming drops rows that the resumed run will write again.

    Args:
        folder: of the run.
        config: names the run and the extra loggers.
        first_epoch: rows from this epoch on are dropped.

    Raises:
        MissingExtraError: a logger is asked for whose package is not installed.
    """

    def __init__(self, folder: Path, config: RunConfig, first_epoch: int):
        self.csv_path = folder / "metrics.csv"
        self.json_path = folder / "metrics.jsonl"
        self.rows = [row for row in read_log(folder) if row["epoch"] < first_epoch]
        self._tensorboard: Any = None
        self._wandb: Any = None
        if "tensorboard" in config.training.loggers:
            try:
                from torch.utils.tensorboard import SummaryWriter
            except ImportError:
                raise MissingExtraError("tensorboard", "tensorboard", "--log tensorboard") from None
            self._tensorboard = SummaryWriter(str(folder / "tensorboard"), purge_step=first_epoch)
        if "wandb" in config.training.loggers:
            try:
                import wandb
            except ImportError:
                raise MissingExtraError("wandb", "wandb", "--log wandb") from None
            self._wandb = wandb.init(
                project="vanhove",
                name=config.name,
                id=f"{config.name}-{folder.name}",
                dir=str(folder),
                config=config.model_dump(mode="json"),
                resume="allow",
            )
        self._rewrite()

    def _rewrite(self) -> None:
        write_text(self.json_path, "".join(json.dumps(row) + "\n" for row in self.rows))
        stream = io.StringIO(newline="")
        if self.rows:
            writer = csv.DictWriter(stream, fieldnames=list(self.rows[0]))
            writer.writeheader()
            writer.writerows(self.rows)
        write_text(self.csv_path, stream.getvalue())

    def write(self, row: dict[str, float | int]) -> None:
        """Append one epoch."""
        self.rows.append(row)
        self._rewrite()
        if self._tensorboard is not None:
            for key, value in row.items():
                if key != "epoch":
                    self._tensorboard.add_scalar(key, value, row["epoch"])
        if self._wandb is not None:
            self._wandb.log(row, step=int(row["epoch"]))

    def close(self) -> None:
        if self._tensorboard is not None:
            self._tensorboard.close()
        if self._wandb is not None:
            self._wandb.finish()


def read_log(folder: Path) -> list[Json]:
    """The complete rows of ``metrics.jsonl``; a line cut short by a kill is left out."""
    path = folder / "metrics.jsonl"
    rows = []
    for line in path.read_text().splitlines() if path.exists() else ():
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return rows
