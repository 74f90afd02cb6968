"""Freed memory stays with the process."""

import platform
import resource

import numpy as np
import pytest

from vanhove.memory import keep_freed_memory

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="of glibc alone")


def page_faults() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


def test_an_array_gets_the_pages_of_the_one_before():
    assert keep_freed_memory()
    np.ones(4_000_000)
    before = page_faults()
    for _ in range(10):
        np.ones(4_000_000)  # 7,800 pages of 4 KiB
    assert page_faults() - before < 7800 * 2
