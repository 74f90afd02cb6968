"""The tables of a screening: Parquet partitions, written whole or not at all.

``properties`` has every crystal that was predicted, ``spectra`` those that were selected,
``failures`` the records that gave nothing. Nothing in a file depends on when, where or by whom it
was written.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, TypedDict

import numpy as np

from vanhove.atomic import clean, write_bytes
from vanhove.errors import MissingExtraError
from vanhove.prediction.electron_predictor import AnyInfo
from vanhove.prediction.property import Property, Value

try:
    import pyarrow as pa
    import pyarrow.parquet as pq
except ImportError as error:
    raise MissingExtraError("pyarrow", "screen", "screening") from error

PROPERTIES, SPECTRA, FAILURES = "properties", "spectra", "failures"
TABLES = (FAILURES, SPECTRA, PROPERTIES)
"""In the order in which they are written: a partition is finished when the last is there."""
_METADATA = b"vanhove"


PropertyRow: TypeAlias = dict[str, Value]
"""``index`` (place in the source), ``id``, the properties by name, and ``selected``."""


class SpectrumRow(TypedDict):
    """Place in the source, id, and the spectrum ``[n_points]`` of a selected crystal."""

    index: int
    id: str
    values: np.ndarray


class FailureRow(TypedDict):
    """Place in the source, id, and why nothing was predicted."""

    index: int
    id: str
    reason: str


@dataclass(frozen=True)
class Partition:
    """The rows of one partition: the columns of its tables.

    Attributes:
        number: of the chunk it was made of.
        properties: of every crystal that was predicted.
        spectra: of the selected ones.
        failures: of the records that gave nothing.
    """

    number: int
    properties: list[PropertyRow]
    spectra: list[SpectrumRow]
    failures: list[FailureRow]


class Tables:
    """The tables of one screening in its folder.

    Args:
        out: the folder.
        properties: the columns.
        info: of the model, for units and the grid.
        model: its name.
    """

    def __init__(self, out: Path, properties: Sequence[Property], info: AnyInfo, model: str):
        self.out = out
        about = {"model": model, "quantity": info.quantity}
        dos = {
            **about,
            "grid": info.grid,
            "grid_unit": info.unit,
            "normalisation": info.normalisation,
        }
        place = [_field("index", pa.int64(), "", "place in the source"), _field("id", pa.string())]
        self.schemas = {
            PROPERTIES: pa.schema(
                [
                    *place,
                    *(_field(p.name, _type(p), p.unit, p.description) for p in properties),
                    _field("selected", pa.bool_(), "", "whether the expression holds"),
                ],
                {_METADATA: json.dumps(about).encode()},
            ),
            SPECTRA: pa.schema(
                [
                    *place,
                    _field(
                        "values",
                        pa.list_(pa.float32(), len(info.grid)),
                        info.normalisation,
                        f"density of states on the grid, in {info.unit}, that the schema holds",
                    ),
                ],
                {_METADATA: json.dumps(dos).encode()},
            ),
            FAILURES: pa.schema([*place, _field("reason", pa.string())]),
        }

    def prepare(self) -> None:
        """Make the folders; take away what an earlier kill left."""
        for table in TABLES:
            (self.out / table).mkdir(exist_ok=True)
        self.tidy()

    def tidy(self) -> None:
        """Take away what killed workers left half-written; nobody may be writing."""
        for table in TABLES:
            clean(self.out / table)

    def path(self, table: str, number: int) -> Path:
        return self.out / table / f"part-{number:06d}.parquet"

    def is_finished(self, number: int) -> bool:
        return self.path(TABLES[-1], number).exists()

    def write(self, partition: Partition) -> None:
        for table in TABLES:
            rows = getattr(partition, table)
            content = io.BytesIO()
            columns = pa.Table.from_pylist(rows, schema=self.schemas[table])
            pq.write_table(columns, content, compression="zstd")
            write_bytes(self.path(table, partition.number), content.getvalue())


def read_partitions(out: Path, table: str) -> Iterator[tuple[int, Any]]:
    """Number and Arrow table of each partition, in their order."""
    for path in sorted((out / table).glob("part-*.parquet")):
        yield int(path.stem.removeprefix("part-")), pq.read_table(path)


def read_spectra(out: Path, number: int) -> dict[tuple[int, str], np.ndarray]:
    """The spectra of one partition by index and id, each ``[n_points]``."""
    path = out / SPECTRA / f"part-{number:06d}.parquet"
    rows = pq.read_table(path).to_pylist()
    return {(row["index"], row["id"]): np.array(row["values"]) for row in rows}


def _field(name: str, kind: Any, unit: str = "", description: str = "") -> Any:
    texts = {"unit": unit, "description": description}
    return pa.field(name, kind, metadata={key: text for key, text in texts.items() if text})


def _type(item: Property) -> Any:
    if item.integer:
        return pa.int32()
    return {
        "number": pa.float64(),
        "text": pa.string(),
        "flag": pa.bool_(),
        "set": pa.list_(pa.string()),
    }[item.kind]
