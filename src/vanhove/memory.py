"""Memory: what is freed and needed again, and whether there is enough."""

from __future__ import annotations

import ctypes
import platform
from functools import cache
from pathlib import Path

from vanhove.errors import StructureError

LITTLE = 64e6
"""Bytes of which nobody asks whether they are free."""
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of glibc's mallopt


@cache
def keep_freed_memory(megabytes: int = 1024) -> bool:
    """Let this process keep freed memory for its next arrays; does nothing outside glibc.

    By default glibc gives the arrays of each batch back to the system, which hands them out again
    page by page, filled with zeros: about a tenth of a model's time.

    Args:
        megabytes: kept at most.

    Returns:
        whether it worked.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    kept = mallopt(_TRIM_THRESHOLD, megabytes << 20)
    # 32 MiB is the most that glibc takes; larger arrays are rare enough.
    return bool(kept and mallopt(_MMAP_THRESHOLD, 32 << 20))


def give_back_freed_memory() -> bool:
    """Return what `keep_freed_memory` holds to the system; does nothing outside glibc.

    After arrays of many sizes the freed pieces between those in use grow slowly without end.

    Returns:
        whether anything was returned.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    return bool(ctypes.CDLL(None).malloc_trim(0))


def free_memory() -> int | None:
    """Bytes that new arrays can take on this machine; None where the system does not say."""
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) << 10
    except (OSError, ValueError, IndexError):
        pass
    return None


def require_memory(n_bytes: float, n_atoms: int, source: str | None, instead: str = "") -> None:
    """Refuse a cell before its arrays fill the memory.

    Args:
        n_bytes: about what is needed.
        n_atoms: in the cell.
        source: of the structure, in the message.
        instead: what to do, besides taking a smaller cell.

    Raises:
        StructureError: more than is free.
    """
    if n_bytes < LITTLE:
        return
    free = free_memory()
    if free is not None and n_bytes > free:
        raise StructureError(
            f"{n_atoms} atoms need about {n_bytes / 1e9:.1f} GB of memory, {free / 1e9:.1f} GB are "
            f"free; take a smaller cell{instead}",
            source,
        )
