"""Files of public data sets: a local copy, the cache, or a download; never without its SHA-256."""

from __future__ import annotations

import gzip
import hashlib
import os
import sys
import urllib.request
import zlib
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError
from uuid import uuid4

from vanhove.errors import DataError

_CHUNK = 1 << 20
_TIMEOUT_SECONDS = 60


@dataclass(frozen=True)
class RemoteFile:
    """A file that anyone can download, or that has to be there.

    Attributes:
        url: where from; None when no such file is published: then it is looked for under
            ``VANHOVE_DATA`` and in the cache alone.
        sha256: hex digest of the content; of a ``.gz`` file, of what it holds uncompressed (the
            compressed bytes differ from one gzip to the next).
        relative_path: its place under ``VANHOVE_DATA`` and in the cache, e.g.
            ``"phonon_petretto/data.csv"``; ends in ``.gz`` where the url serves gzip.
    """

    url: str | None
    sha256: str
    relative_path: str


def cache_folder() -> Path:
    """``VANHOVE_CACHE``, or ``~/.cache/vanhove``."""
    named = os.environ.get("VANHOVE_CACHE")
    return Path(named).expanduser() if named else Path.home() / ".cache" / "vanhove"


def data_file(source: RemoteFile) -> Path:
    """The file, checked: from ``VANHOVE_DATA``, else from the cache, else downloaded there.

    Read it with `read_content`: the answer may be a ``.gz`` copy of the file asked for.

    Raises:
        DataError: ``VANHOVE_DATA`` names no folder, a local copy or the download has another
            SHA-256, the download fails, the cache folder cannot be written, or the file is in
            neither place and not public.
    """
    local = _local_copy(source)
    if local is not None:
        return local
    target = cache_folder() / source.relative_path
    if target.is_file() and _sha256(target) == source.sha256:
        return target
    if source.url is None:
        raise DataError(
            f"{source.relative_path} has no public url: put the file (SHA-256 {source.sha256}) "
            "into a folder and name that folder in VANHOVE_DATA"
        )
    _download(source.url, target, source)
    return target


def data_folder() -> Path | None:
    """``VANHOVE_DATA``, where it is set.

    Raises:
        DataError: it names no folder.
    """
    named = os.environ.get("VANHOVE_DATA")
    if not named:
        return None
    folder = Path(named).expanduser()
    if not folder.is_dir():
        raise DataError(f"VANHOVE_DATA names {named!r}, which is no folder; correct or unset it")
    return folder


def download_unchecked(url: str, target: Path) -> None:
    """One of many files whose content the caller checks together: whole or not at all, silently.

    Raises:
        DataError: the download fails, or the folder cannot be written.
    """
    _download(url, target, None)


def read_content(path: Path) -> bytes:
    """The bytes of the file; of a ``.gz`` file, what it holds.

    Raises:
        DataError: the file cannot be read.
    """
    try:
        data = path.read_bytes()
        return gzip.decompress(data) if path.suffix == ".gz" else data
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: {error}; replace the file") from error


def _local_copy(source: RemoteFile) -> Path | None:
    folder = data_folder()
    if folder is None:
        return None
    for path in (folder / source.relative_path, folder / f"{source.relative_path}.gz"):
        if path.is_file():
            got = _sha256(path)
            if got != source.sha256:
                raise DataError(
                    f"{path}: SHA-256 {got}, expected {source.sha256}; "
                    "replace the file or unset VANHOVE_DATA"
                )
            return path
    return None


def _sha256(path: Path) -> str:
    try:
        return hashlib.sha256(read_content(path)).hexdigest()
    except DataError as error:
        return f"none ({error.__cause__})"


def _download(url: str, target: Path, source: RemoteFile | None) -> None:
    # The suffix stays last, so that the hash is taken of the content of a .gz file here too.
    part = target.with_name(f".part-{uuid4().hex}-{target.name}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        stream = part.open("wb")
    except OSError as error:
        raise DataError(
            f"cannot write {target.parent}: {error.strerror}; set VANHOVE_CACHE to a folder that "
            "can be written"
        ) from error
    try:
        with stream:
            _fetch(url, stream, quiet=source is None)
        if source is not None and (got := _sha256(part)) != source.sha256:
            raise DataError(
                f"{url}: SHA-256 {got}, expected {source.sha256}; the source has changed "
                "or the transfer was damaged: try again, or put the right file at "
                f"{source.relative_path} in a folder and name that folder in VANHOVE_DATA"
            )
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)


def _fetch(url: str, stream, quiet: bool) -> None:
    def failed(reason: object) -> DataError:
        return DataError(
            f"cannot download {url}: {reason}; check the network, or set VANHOVE_DATA to a folder "
            "that holds the file"
        )

    done, total = 0, None
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS) as response:
            length = response.headers.get("Content-Length")
            total = int(length) if length else None
            while chunk := response.read(_CHUNK):
                stream.write(chunk)
                done += len(chunk)
                if not quiet:
                    _show_progress(url, done, total)
    except HTTPError as error:
        raise failed(f"the server answers {error.code} {error.reason}") from error
    except (OSError, HTTPException) as error:
        raise failed(getattr(error, "reason", None) or error) from error
    if total is not None and done < total:
        raise failed(f"the connection ended after {done} of {total} bytes")


def _show_progress(url: str, done: int, total: int | None) -> None:
    of = f" of {total / 1e6:.1f}" if total else ""
    ended = total is not None and done >= total
    if sys.stderr.isatty():
        end = "\n" if ended else ""
        print(f"\rdownloading {url}: {done / 1e6:.1f}{of} MB", end=end, file=sys.stderr, flush=True)
    elif ended:
        print(f"downloaded {url}: {done / 1e6:.1f} MB", file=sys.stderr)
