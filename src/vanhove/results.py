"""Results as files: a short JSON, and beside it an npz file with the numbers of single materials.

``NAME.json`` has one line for each key, and one for each entry of a list of tables (rows, runs,
trials). A list of more than `LONG` numbers or names stands in ``NAME.npz``, to six digits; in the
JSON ``{"array": ARRAY, "row": ROW}`` takes its place.
"""

from __future__ import annotations

import json
import math
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from vanhove import atomic

LONG = 40
_DIGITS = 6
Json: TypeAlias = dict[str, Any]
"""An object of plain JSON: what a file holds, for a reader who knows its keys."""


class Result:
    """Base of the frozen dataclasses that results are: their JSON has a key for each field.

    A field that is None by default does not always apply; where it is None it is no key.
    """

    def to_json(self) -> Json:
        """Plain JSON, keys in the order of the fields."""
        return {
            own.name: _jsonable(value)
            for own in fields(self)  # type: ignore[arg-type]
            if (value := getattr(self, own.name)) is not None or own.default is not None
        }


def _jsonable(value: Any) -> Any:
    if isinstance(value, Result):
        return value.to_json()
    if isinstance(value, Mapping):
        return {key: _jsonable(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_jsonable(inner) for inner in value]
    return value


def write_result(content: Mapping[str, Any], path: Path) -> None:
    """Write a result; its folder is made if missing.

    Args:
        content: plain JSON.
        path: ``NAME.json``.
    """
    arrays: dict[str, list[list[Any]]] = {}
    text = json_text(_without_arrays(content, arrays))
    path.parent.mkdir(parents=True, exist_ok=True)
    if arrays:
        _write_arrays(path.with_suffix(".npz"), arrays)
    atomic.write_text(path, text + "\n")


def read_result(path: Path) -> Any:
    """What `write_result` was given; numbers of the npz file to six digits."""
    text = path.read_text(encoding="utf-8")
    content = json.loads(text)
    beside = path.with_suffix(".npz")
    if '"array"' not in text or not beside.exists():
        return content
    with np.load(beside, allow_pickle=False) as archive:
        return _with_arrays(content, {name: archive[name] for name in archive.files})


def json_text(content: Mapping[str, Any]) -> str:
    """JSON with a line for each key, and for each entry of a list of tables."""
    return "{\n " + ",\n ".join(f"{json.dumps(k)}: {_value(v)}" for k, v in content.items()) + "\n}"


def _value(value: Any) -> str:
    if isinstance(value, Sequence) and value and isinstance(value[0], Mapping):
        return "[\n  " + ",\n  ".join(map(json.dumps, value)) + "\n ]"
    return json.dumps(value)


def _without_arrays(value: Any, arrays: dict[str, list[list[Any]]]) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_arrays(inner, arrays) for key, inner in value.items()}
    if not isinstance(value, Sequence) or isinstance(value, str):
        return value
    if len(value) > LONG:
        for kind, holds in (("names", _is_name), ("numbers", _is_number)):
            if all(map(holds, value)):
                rows = arrays.setdefault(f"{kind}_{len(value)}", [])
                rows.append(list(value))
                return {"array": f"{kind}_{len(value)}", "row": len(rows) - 1}
    return [_without_arrays(inner, arrays) for inner in value]


def _with_arrays(value: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    if isinstance(value, list):
        return [_with_arrays(inner, arrays) for inner in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {"array", "row"}:
        array = arrays[value["array"]]
        return [_plain(number) for number in array[value["row"]].tolist()]
    return {key: _with_arrays(inner, arrays) for key, inner in value.items()}


def _is_name(value: Any) -> bool:
    return isinstance(value, str)


def _is_number(value: Any) -> bool:
    return value is None or isinstance(value, float)


def _array(rows: list[list[Any]]) -> np.ndarray:
    if isinstance(rows[0][0], str):
        return np.array(rows)
    return np.array([[math.nan if x is None else x for x in row] for row in rows], dtype=np.float32)


def _plain(value: float | str) -> float | str | None:
    if isinstance(value, str):
        return value
    return None if math.isnan(value) else float(f"{value:.{_DIGITS}g}")


def _write_arrays(path: Path, arrays: Mapping[str, list[list[Any]]]) -> None:
    """As `numpy.savez_compressed`, but the same arrays make the same file, whatever the time."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, rows in arrays.items():
            entry = zipfile.ZipInfo(f"{name}.npy")
            entry.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(entry, "w") as stream:
                np.lib.format.write_array(stream, _array(rows), allow_pickle=False)
