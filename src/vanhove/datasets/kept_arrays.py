"""Arrays that were computed once and are kept in the cache.

The name of a file is the SHA-256 of everything that decides its content, so a file is never out of
date; a folder of them can be deleted at any time. A cache that cannot be used costs time, never a
result.
"""

from __future__ import annotations

import os
import sys
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from uuid import uuid4

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from vanhove.datasets.cache import cache_folder

Arrays = dict[str, np.ndarray]


def kept_arrays(
    folder: str, name: str, build: Callable[[], Arrays], fits: Callable[[Arrays], bool]
) -> Arrays:
    """The arrays of a file of the cache; built and written where there is no sound one.

    Args:
        folder: in the cache: what they are, such as ``"graphs"``.
        name: of the file.
        build: them.
        fits: whether what a file holds can be them.
    """
    try:
        path = cache_folder() / folder / f"{name}.safetensors"
        found = _read(path)
    except OSError as error:
        return _not_kept(folder, build(), error)
    if found is not None and fits(found):
        return found
    part = path.with_name(f".part-{uuid4().hex}")
    try:
        # Before the work: a folder that cannot be written says so at once.
        path.parent.mkdir(parents=True, exist_ok=True)
        part.touch()
    except OSError as error:
        return _not_kept(folder, build(), error)
    try:
        arrays = build()
        try:
            _write(part, arrays)
            os.replace(part, path)
        except (OSError, SafetensorError) as error:
            return _not_kept(folder, arrays, error)
        return arrays
    finally:
        part.unlink(missing_ok=True)


def _not_kept(folder: str, arrays: Arrays, error: Exception) -> Arrays:
    _note(folder, " ".join(str(error).split()))
    return arrays


@cache
def _note(folder: str, reason: str) -> None:
    """Once per reason: each start of a run would say it several times."""
    print(
        f"{folder} are not kept: {reason}; set VANHOVE_CACHE to a folder that can be written",
        file=sys.stderr,
    )


def _write(path: Path, arrays: Arrays) -> None:
    arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    mode = path.stat().st_mode
    save_file(arrays, path, {"checksum": str(_checksum(arrays))})
    path.chmod(mode)  # as any new file, so that users of one cache can read each other's
    with path.open("rb") as stream:
        os.fsync(stream.fileno())


def _read(path: Path) -> Arrays | None:
    """The arrays, mapped into memory; None where there is no file or a damaged one.

    Raises:
        OSError: the file cannot be read.
    """
    if not path.exists():
        return None
    try:
        with safe_open(path, "pt") as file:
            # Tensors share the pages of the file; arrays of safetensors would be copies.
            arrays = {name: file.get_tensor(name).numpy() for name in file.keys()}  # noqa: SIM118
            expected = (file.metadata() or {}).get("checksum")
    except (SafetensorError, ValueError, RuntimeError):
        return None
    return arrays if expected == str(_checksum(arrays)) else None


def _checksum(arrays: Arrays) -> int:
    total = 0
    for name in sorted(arrays):
        total = zlib.crc32(arrays[name].reshape(-1).view(np.uint8), total)  # type: ignore[arg-type]
    return total
