"""Runs that tables and figures need: there already, or trained now."""

from __future__ import annotations

import sys
from pathlib import Path

from vanhove.runs.config import RunConfig
from vanhove.training.train import is_finished, train_to_end


def say(text: str, quiet: bool) -> None:
    """A line of progress on stderr."""
    if not quiet:
        print(text, file=sys.stderr, flush=True)


def has_run(config: RunConfig, folder: Path, *, measured_only: bool, quiet: bool) -> bool:
    """Whether the run is finished; it is trained to its end first unless nothing is to be trained.

    Raises:
        ConfigError: the folder holds a run with other settings.
        KeyboardInterrupt: stopped; the same call continues.
    """
    if is_finished(folder, config):
        return True
    if measured_only:
        return False
    say(f"{config.name}, seed {config.seed} ({folder})", quiet)
    train_to_end(config, folder, quiet=quiet)
    return True
