"""What a run changes in its process, and puts back: signal handlers, deterministic kernels."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch


@contextmanager
def deterministic_algorithms(asked: bool) -> Iterator[None]:
    """Only deterministic kernels inside, if asked for; outside what was before."""
    before = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    if asked:
        torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before, warn_only=warn_only)


@contextmanager
def stop_signals(ask: Callable[[], None]) -> Iterator[None]:
    """Ctrl-C and SIGTERM call ``ask`` instead of ending the process."""
    previous = {}
    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            previous[number] = signal.signal(number, lambda number, frame: ask())
        except ValueError:  # not in the main thread (a notebook kernel's worker)
            break
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
