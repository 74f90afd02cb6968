"""Where the files of a run are."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from vanhove.runs.config import RunConfig

BEST, STATE, RUN_FILE = "best.safetensors", "last.safetensors", "config.yaml"
KEPT = "valid.npy"
"""Validation predictions of each epoch of a run with ``data.fold``, in the order of its rows:
``[n_epochs, n_valid, n_points]`` (of bands ``[..., n_bands]``), NaN where an epoch was not run."""


def run_folder(runs: str | PathLike[str], config: RunConfig) -> Path:
    """``RUNS/NAME-seedSEED``."""
    return Path(runs) / f"{config.name}-seed{config.seed}"
