"""Progress on stderr: a bar on a terminal, nothing else disturbed."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")


def track(items: Sequence[T], description: str, quiet: bool = False) -> Iterator[T]:
    """Iterate with a progress bar when stderr is a terminal and ``quiet`` is not set."""
    if quiet or not sys.stderr.isatty():
        yield from items
        return
    from rich.console import Console
    from rich.progress import track as rich_track

    yield from rich_track(
        items, description=description, console=Console(stderr=True), transient=True
    )
