"""Files that a kill at any moment leaves whole: the old content, or the new one, never half of one.

A file is written beside its place under a temporary name and then renamed. The name is the same in
every process, so that the next write takes the place of what a kill left, and `clean` removes it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vanhove.errors import OutputError

SUFFIX = ".part"


def temporary(path: Path) -> Path:
    """Where the new content of ``path`` is written first."""
    return path.with_name(f".{path.name}{SUFFIX}")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """``with replacing(path) as part:`` write ``part``; it takes the place of ``path`` at the end.

    Raises:
        OutputError: the disk is full, or the place cannot be written; what was there stays.
    """
    part = temporary(path)
    try:
        yield part
        with part.open("rb") as stream:
            os.fsync(stream.fileno())
        os.replace(part, path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise OutputError(f"{path}: cannot be written ({error.strerror or error})") from error
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def write_bytes(path: Path, content: bytes) -> None:
    """The bytes as a whole file; errors as `replacing`."""
    with replacing(path) as part:
        part.write_bytes(content)


def write_text(path: Path, text: str) -> None:
    """The text as a whole file, in UTF-8, lines ending alike on all systems; errors as
    `replacing`."""
    write_bytes(path, text.encode("utf-8"))


def clean(folder: Path) -> None:
    """Remove what writes that were killed left in a folder and the folders in it."""
    for part in folder.rglob(f".*{SUFFIX}"):
        if part.is_file():
            part.unlink(missing_ok=True)
