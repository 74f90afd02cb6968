"""Files from elsewhere: what unfolds, nests or refers without end is refused before it is read.

Nothing here imports a module, runs code, or calls a class because a file names it.
"""

from __future__ import annotations

import gzip
import json
import math
import os
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from vanhove.errors import DataError

LIMIT_VARIABLE = "VANHOVE_FILE_LIMIT"
"""Environment variable: bytes that one file may have, unpacked."""
_LIMIT = 2**30
_DEPTH = 100
TYPOGRAPHIC = str.maketrans(
    dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212\ufe58\ufe63\uff0d", "-")
    | dict.fromkeys("\u00a0\u2002\u2003\u2004\u2005\u2007\u2008\u2009\u200a\u202f\u3000", " ")
    | dict.fromkeys("\u200b\u2060\ufeff", "")
    | {chr(0xFF10 + digit): str(digit) for digit in range(10)}
)
"""For `str.translate`: minus signs, dashes, blanks and digits of papers, as they are typed."""


def file_limit() -> int:
    """Bytes that one file may have, unpacked: 1 GiB, or what `LIMIT_VARIABLE` says.

    Raises:
        DataError: the variable holds no number.
    """
    text = os.environ.get(LIMIT_VARIABLE, "")
    if text and not text.isdecimal():
        raise DataError(f"{LIMIT_VARIABLE} is {text!r}; allowed: a number of bytes")
    return int(text) if text else _LIMIT


def read_file(path: Path, limit: int | None = None) -> bytes:
    """The bytes of a file, gzip (a name that ends in ``.gz``) unpacked.

    Args:
        limit: bytes after which reading stops; by default `file_limit`, and then a longer file is
            refused.

    Raises:
        DataError: missing, not readable, empty, damaged, or longer than `file_limit`.
    """
    most = file_limit() if limit is None else limit
    try:
        packed = path.suffix.lower() == ".gz" and path.stat().st_size > 0
        with gzip.open(path) if packed else path.open("rb") as stream:
            content = stream.read(most + 1)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; correct the path") from None
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{path}: cannot be read ({reason}); copy it again") from error
    if len(content) > most:
        if limit is not None:
            return content[:limit]
        raise DataError(
            f"{path}: more than {most:.3g} bytes unpacked; set {LIMIT_VARIABLE} to allow that"
        )
    if not content.strip():
        raise DataError(f"{path}: is empty; copy it again, or repeat the calculation")
    return content


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an ``.npz`` archive; nothing is unpacked before its size is known.

    Raises:
        DataError: no such archive, arrays of objects, more than `file_limit` unpacked, or a header
            that declares more numbers than the archive holds.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            total = sum(member.file_size for member in members)
            if total > file_limit():
                raise DataError(
                    f"{path}: {total:.3g} bytes unpacked; set {LIMIT_VARIABLE} to allow that"
                )
            for member in members:
                _check_array_header(archive, member, path)
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile, ValueError) as error:
        raise DataError(f"{path}: no npz archive that can be read ({error})") from error
    except (NotImplementedError, RuntimeError) as error:  # a compression or password
        raise DataError(f"{path}: no npz archive that can be read ({error})") from error


def _check_array_header(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path) -> None:
    with archive.open(member) as stream:
        version = np.lib.format.read_magic(stream)
        read = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }.get(version)
        if read is None:
            raise DataError(f"{path}: {member.filename} is an array of unknown version {version}")
        shape, _, dtype = read(stream)
    if dtype.hasobject:
        raise DataError(f"{path}: {member.filename} holds Python objects; allowed: numbers, text")
    declared = math.prod(int(n) for n in shape) * dtype.itemsize
    if min(shape, default=0) < 0 or declared > member.file_size:
        raise DataError(
            f"{path}: {member.filename} declares {declared:.3g} bytes, {member.file_size} are there"
        )


def parse_json(content: bytes | str, name: str) -> Any:
    """JSON.

    Raises:
        DataError: not JSON, or nested without end.
    """
    try:
        return json.loads(content)
    except RecursionError:
        raise DataError(f"{name}: is nested too deep to be data") from None
    except ValueError as error:
        raise DataError(f"{name}: is not valid JSON ({error}); write the file again") from error


def parse_yaml(content: bytes | str, name: str) -> Any:
    """YAML of plain values.

    Raises:
        DataError: not YAML, with aliases (which can unfold without end), or nested too deep.
    """
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        depth = 0
        for event in yaml.parse(content, Loader=loader):
            if isinstance(event, yaml.AliasEvent):
                raise DataError(f"{name}: has YAML aliases (*{event.anchor}); write them out")
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if depth > _DEPTH:
                raise DataError(f"{name}: is nested too deep to be data")
        return yaml.load(content, Loader=loader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        words = " ".join(str(error).split())[:200]
        raise DataError(f"{name}: is not valid YAML ({words}); write the file again") from error


def plain(data: Any) -> Any:
    """The data without the names of classes that monty writes, its arrays as lists.

    What is left, a class reads by a ``from_dict`` of its own, without importing anything.
    """
    if isinstance(data, list):
        return [plain(item) for item in data]
    if not isinstance(data, dict):
        return data
    if data.get("@module") == "numpy" and "data" in data:
        return data["data"]
    return {key: plain(value) for key, value in data.items() if not str(key).startswith("@")}
