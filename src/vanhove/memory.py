"""Memory that is freed and needed again."""

from __future__ import annotations

import ctypes
import platform
from functools import cache

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
