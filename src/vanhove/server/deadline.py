"""Give up one model of several when the time is over, and still answer with the others."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class TooLate(BaseException):
    """The time is over. No `Exception`: nothing on the way may take it for its own."""


@contextmanager
def deadline(end: float) -> Iterator[None]:
    """What runs within is ended at ``end`` of ``time.monotonic``, between two steps of Python.

    Where there are no such signals, or outside the main thread, nothing happens.

    Raises:
        TooLate: the time is over.
    """

    def late(_: int, __: FrameType | None) -> None:
        raise TooLate

    seconds = end - time.monotonic()
    if seconds <= 0:
        raise TooLate
    try:
        before = signal.signal(signal.SIGALRM, late)
    except (AttributeError, ValueError):
        yield
        return
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
