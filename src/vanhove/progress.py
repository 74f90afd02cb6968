"""Progress on stderr: a bar on a terminal, nothing else disturbed."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def track(
    items: Iterable[T], description: str, quiet: bool = False, total: int | None = None
) -> Iterator[T]:
    """Iterate with a progress bar when stderr is a terminal and ``quiet`` is not set.

    ``total`` says how many items there are where they have no length.
    """
    if quiet or not sys.stderr.isatty():
        yield from items
        return
    from rich.console import Console
    from rich.progress import track as rich_track

    yield from rich_track(items, description, total, console=Console(stderr=True), transient=True)
