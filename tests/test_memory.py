"""Freed memory stays with the process until it is given back."""

import platform
import resource
from pathlib import Path

import numpy as np
import pytest

from vanhove.memory import give_back_freed_memory, keep_freed_memory

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


@pytest.mark.skipif(platform.system() != "Linux", reason="asks Linux for the memory in use")
def test_freed_pieces_between_others_are_given_back():
    def megabytes() -> float:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * resource.getpagesize() / 1e6

    assert keep_freed_memory()
    pieces = [np.ones(20_000) for _ in range(1000)]  # 160 kB each
    kept = pieces[::4]  # the others lie between these
    before = megabytes()
    del pieces
    give_back_freed_memory()
    assert before - megabytes() > 80
    assert len(kept) == 250
