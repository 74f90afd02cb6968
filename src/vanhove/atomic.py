"""Files that a kill at any moment leaves whole: the old content, or the new one, never half of one.

A file is written beside its place under a temporary name and then renamed. The name is the same in
every process, so that the next write takes the place of what a kill left, and `clean` removes it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import filelock

from vanhove.errors import BusyError, OutputError

SUFFIX, LOCK = ".part", ".lock"


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


@contextmanager
def held(folder: Path, doing: str) -> Iterator[None]:
    """Make a folder and hold it: two processes in one would write over each other.

    A folder that is made here (or hidden), and into which nothing is written, goes away again.

    Args:
        folder: of the output.
        doing: what the other process does, for the message.

    Raises:
        BusyError: another process holds it.
        OutputError: it cannot be made.
    """
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    lock = filelock.FileLock(folder / LOCK)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except filelock.Timeout:
        raise BusyError(
            f"another process is {doing} in {folder}: wait for it, stop it, or choose another "
            f"--output (if there is none, on any machine, delete {folder / LOCK})"
        ) from None
    except OSError as error:
        raise OutputError(f"{folder}: cannot be made ({error.strerror or error})") from error
    try:
        clean(folder)
        yield
    finally:
        if (made or folder.name.startswith(".")) and [path.name for path in folder.glob("*")] in (
            [],
            [LOCK],
        ):
            (folder / LOCK).unlink(missing_ok=True)
            for path in made or [folder]:
                with suppress(OSError):  # something is in it
                    path.rmdir()
        lock.release()


@contextmanager
def whole_folder(folder: Path, doing: str) -> Iterator[Path]:
    """``with whole_folder(path, doing) as part:`` fill the folder ``part``.

    It becomes ``path`` (which is missing or empty) at the end, and goes away where something
    fails. Held as by `held`.

    Raises:
        BusyError: another process is making this folder.
        OutputError: it cannot be made.
    """
    beside = folder.with_name(f".{folder.name}{SUFFIX}")
    with held(beside, doing):
        part = beside / folder.name
        try:
            shutil.rmtree(part, ignore_errors=True)  # what a kill left
            part.mkdir()
            yield part
            if folder.exists():
                folder.rmdir()
            part.rename(folder)
        except OSError as error:
            raise OutputError(f"{folder}: cannot be written ({error.strerror or error})") from error
        finally:
            shutil.rmtree(beside, ignore_errors=True)
