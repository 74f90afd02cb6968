"""Where the structures come from: one streaming reader for each format.

A reader gives *records*: raw entries that are cheap to read and to send to another process, in an
order that never changes. Making crystals of them is the work of the process that predicts them.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from io import BufferedReader, StringIO
from itertools import islice
from os import PathLike
from pathlib import Path
from typing import IO, Any

import numpy as np

from vanhove.crystal.crystal import Crystal
from vanhove.crystal.reading import (
    crystal_from_dict,
    find_structure_files,
    guarded,
    read_crystal,
    read_crystals,
)
from vanhove.errors import ConfigError, DataError, MissingExtraError, StructureError
from vanhove.results import Json
from vanhove.untrusted import read_arrays

ID_KEYS = ("id", "material_id", "mp_id", "jid", "ids", "name")
"""Where an entry may say what it is called; the first that is there counts."""
LONGEST_ENTRY = 2**26
"""Characters of one entry of a file: a crystal of a million atoms has fewer."""
_LONGEST_NUMBER = 20
ROWS_PER_READ = 256
"""Rows taken from a table or a database at once."""


@dataclass(frozen=True)
class Record:
    """One raw entry: its place in the source, what it is called, and what a reader made of it."""

    index: int
    id: str
    content: Any


@dataclass(frozen=True)
class Chunk:
    """The records of one partition."""

    number: int
    records: tuple[Record, ...]


class Source:
    """A reader; each format derives from it.

    Attributes:
        path: of the file or folder.
        count: how many records there are, where that is known without reading them.
    """

    count: int | None = None

    def __init__(self, path: Path):
        self.path = path

    def contents(self) -> Iterator[tuple[str, Any]]:
        """Id (``""``: none) and content of each record; memory does not grow with their number."""
        raise NotImplementedError

    @staticmethod
    def crystals(content: Any, name: str) -> list[Crystal]:
        """The structures of one record; none for an entry that is no structure.

        Raises:
            StructureError: or anything else that a parser raises.
        """
        raise NotImplementedError

    def fingerprint(self) -> str:
        """SHA-256 of the content."""
        try:
            with self.path.open("rb") as stream:
                return hashlib.file_digest(stream, "sha256").hexdigest()
        except OSError as error:
            raise DataError(f"{self.path}: cannot be opened: {error.strerror}") from None

    def records(self) -> Iterator[Record]:
        """All records. One that says why stands for the rest of a file that is damaged."""
        stem = self.path.name.split(".")[0]
        contents = enumerate(self.contents())
        index = -1
        while True:
            try:
                index, (id_, content) = next(contents)
            except StopIteration:
                return
            except (OSError, ConfigError, DataError, MissingExtraError):
                raise
            except Exception as error:
                words = " ".join(str(error).split())[:200] or type(error).__name__
                reason = f"the rest of the file cannot be read: {words}"
                yield Record(index + 1, f"{stem}[{index + 1}]", StructureError(reason))
                return
            yield Record(index, id_ or f"{stem}[{index}]", content)

    def chunks(self, size: int, limit: int | None = None) -> Iterator[Chunk]:
        """The first ``limit`` records in chunks of ``size``: always the same ones."""
        records = islice(self.records(), limit)
        number = 0
        while chunk := tuple(islice(records, size)):
            yield Chunk(number, chunk)
            number += 1

    @classmethod
    def read(cls, record: Record) -> list[Crystal]:
        """The structures of a record, by name.

        Raises:
            StructureError: the record cannot be read.
        """
        if isinstance(record.content, StructureError):
            raise StructureError(record.content.reason, record.id)
        return guarded(cls.crystals, record.content, record.id)


def open_source(source: str | PathLike[str]) -> Source:
    """The reader for a file or folder, by its name.

    Raises:
        ConfigError: nothing there, or a format that is not known.
    """
    if not isinstance(source, str | PathLike):
        raise ConfigError(
            f"a {type(source).__name__} is no source; allowed: a file or a folder. Of structures "
            "in memory: for spectrum in vanhove.load().stream(structures)"
        )
    path = Path(source)
    if path.is_dir():
        return ParquetSource(path) if any(path.rglob("*.parquet")) else FolderSource(path)
    if not path.is_file():
        raise ConfigError(f"{path}: no such file or folder; give the structures to screen")
    name = path.name.lower().removesuffix(".gz")
    for suffix, reader in SUFFIXES.items():
        if name.endswith(suffix):
            return reader(path)
    if name == path.name.lower():  # what is left is a single structure
        return FolderSource(path)
    raise ConfigError(f"{path}: not a known source; allowed: {ALLOWED}")


class ArraySource(Source):
    """An ``.npz`` archive: ``natoms``, ``Z``, ``frac``, and ``lattice`` or ``cellpar``.

    ``Z`` and ``frac`` hold the atoms of all crystals one after the other, ``lattice`` row vectors
    in angstrom, ``cellpar`` a, b, c, alpha, beta, gamma (angstrom, degrees); ``ids`` may be there.
    The arrays stay in memory, about 200 bytes for a crystal of ten atoms.
    """

    def __init__(self, path: Path):
        super().__init__(path)
        arrays = read_arrays(path)
        cell = "lattice" if "lattice" in arrays else "cellpar"
        missing = [key for key in ("natoms", "Z", "frac", cell) if key not in arrays]
        if missing:
            raise DataError(
                f"{path}: no {', '.join(missing)}; a source has natoms, Z, frac, and lattice or "
                "cellpar"
            )
        self.n_atoms, self.numbers = arrays["natoms"], arrays["Z"]
        self.coordinates, self.cells = arrays["frac"], arrays[cell]
        self.ids = arrays.get("ids")
        for key, dims, kinds, what in (
            ("natoms", 1, "iu", "whole numbers"),
            ("Z", 1, "iu", "whole numbers"),
            ("frac", 2, "fiu", "rows of three numbers"),
            (cell, 3 if cell == "lattice" else 2, "fiu", "3 x 3 or 6 numbers each"),
        ):
            if arrays[key].ndim != dims or arrays[key].dtype.kind not in kinds:
                shown = f"{arrays[key].dtype} {list(arrays[key].shape)}"
                raise DataError(f"{path}: {key} is {shown}; it must hold {what}")
        if len(self.n_atoms) and self.n_atoms.min() < 1:
            raise DataError(f"{path}: natoms holds {self.n_atoms.min()}; at least 1 is needed")
        self.count = len(self.n_atoms)
        atoms = {"natoms": int(self.n_atoms.sum()), "Z": len(self.numbers)}
        atoms["frac"] = len(self.coordinates)
        crystals = {"natoms": self.count, cell: len(self.cells)}
        if self.ids is not None:
            crystals["ids"] = len(self.ids)
        for what, lengths in (("atoms", atoms), ("crystals", crystals)):
            if len(set(lengths.values())) != 1:
                listed = ", ".join(f"{key} {length}" for key, length in lengths.items())
                raise DataError(f"{path}: the arrays disagree on the number of {what}: {listed}")

    def contents(self) -> Iterator[tuple[str, Any]]:
        ends = np.cumsum(self.n_atoms)
        for i, (end, n) in enumerate(zip(ends, self.n_atoms, strict=True)):
            id_ = "" if self.ids is None else str(self.ids[i])
            atoms = slice(end - n, end)
            yield id_, (self.cells[i], self.coordinates[atoms], self.numbers[atoms])

    @staticmethod
    def crystals(content: Any, name: str) -> list[Crystal]:
        cell, coordinates, numbers = content
        if cell.shape == (6,):
            from ase.geometry import cellpar_to_cell

            cell = cellpar_to_cell(cell)
        return [Crystal(cell, coordinates, numbers, name)]


class FolderSource(Source):
    """Structure files (CIF, POSCAR, ...) in a folder and the folders inside it, or a single file.

    A file with several structures gives all of them. Only the names are read here.
    """

    def __init__(self, path: Path):
        super().__init__(path)
        self.folder = path if path.is_dir() else path.parent
        try:
            self.files = find_structure_files(path, recursive=True)
        except StructureError as error:
            raise ConfigError(str(error)) from None
        self.count = len(self.files)

    def contents(self) -> Iterator[tuple[str, Any]]:
        for file in self.files:
            yield str(file.relative_to(self.folder)), str(file.resolve())

    @staticmethod
    def crystals(content: Any, name: str) -> list[Crystal]:
        crystals = read_crystals(content, index=":")
        if len(crystals) == 1:
            return [replace(crystals[0], name=name)]
        return [replace(crystal, name=f"{name}[{i}]") for i, crystal in enumerate(crystals)]

    def fingerprint(self) -> str:
        """SHA-256 of the names, sizes and times of the files: reading them all would take long."""
        digest = hashlib.sha256()
        for file in self.files:
            status = file.stat()
            line = f"{file.relative_to(self.folder)} {status.st_size} {status.st_mtime_ns}\n"
            digest.update(line.encode())
        return digest.hexdigest()


class DictSource(Source):
    """The part that the sources of dictionaries share: what `crystal_from_dict` understands."""

    @staticmethod
    def crystals(content: Any, name: str) -> list[Crystal]:
        data = json.loads(content) if isinstance(content, str) else content
        if not isinstance(data, dict):
            raise StructureError("is JSON but no structure", name)
        if "x-optimade" in data or data.get("type", "structures") in ("info", "references"):
            return []
        named = (data.get(key) for key in ID_KEYS)
        name = next((str(value) for value in named if value not in (None, "")), name)
        return [crystal_from_dict(_with_known_keys(data), name)]


class LinesSource(DictSource):
    """JSON lines: a dictionary on each line; OPTIMADE's export has headers, which are left out."""

    def contents(self) -> Iterator[tuple[str, Any]]:
        with _open_text(self.path) as stream:
            while line := stream.readline(LONGEST_ENTRY):
                if len(line) == LONGEST_ENTRY:
                    raise ValueError(f"a line of more than {LONGEST_ENTRY} characters")
                if line.strip():
                    yield "", line


class JsonSource(DictSource):
    """One JSON document: a list of entries, an OPTIMADE response, a single entry, an ASE database.

    The first two are streamed.
    """

    def contents(self) -> Iterator[tuple[str, Any]]:
        try:
            import ijson
        except ImportError as error:
            raise MissingExtraError("ijson", "screen", "reading a long JSON file") from error

        with _open_binary(self.path) as stream:
            kind = self._kind(ijson.parse(stream))
        if kind == "ase":
            yield from AseSource(self.path).contents()
            return
        with _open_binary(self.path) as stream:
            prefix = {"list": "item", "optimade": "data.item", "one": ""}[kind]
            for entry in ijson.items(stream, prefix, use_float=True):
                yield "", entry

    @staticmethod
    def _kind(events: Iterator[tuple[str, str, Any]]) -> str:
        first = next(events)[1]
        if first == "start_array":
            return "list"
        for prefix, event, _ in events:
            if event == "start_array" and prefix in ("data", "ids"):
                return {"data": "optimade", "ids": "ase"}[prefix]
        return "one"


class ExtxyzSource(Source):
    """Extended XYZ: frames one after the other in one file."""

    def contents(self) -> Iterator[tuple[str, Any]]:
        with _open_text(self.path) as stream:
            while line := stream.readline(LONGEST_ENTRY):
                if not line.strip():
                    continue
                if not line.strip().isdecimal() or len(line) > _LONGEST_NUMBER:
                    raise ValueError(f"{line.strip()[:40]!r} is no number of atoms")
                frame, length = [line], 0
                while len(frame) < int(line) + 2 and (row := stream.readline(LONGEST_ENTRY)):
                    frame.append(row)
                    length += len(row)
                    if length >= LONGEST_ENTRY:
                        raise ValueError(f"a frame of more than {LONGEST_ENTRY} characters")
                if len(frame) < int(line) + 2:
                    raise ValueError(f"the last frame has {len(frame)} lines of {int(line) + 2}")
                yield "", "".join(frame)

    @staticmethod
    def crystals(content: Any, name: str) -> list[Crystal]:
        from ase.io.extxyz import read_xyz

        (atoms,) = read_xyz(StringIO(content), index=slice(None))
        id_ = next((str(atoms.info[key]) for key in ID_KEYS if key in atoms.info), name)
        atoms.info["name"] = id_
        return [replace(read_crystal(atoms), name=id_)]


class ParquetSource(DictSource):
    """A Parquet file or a folder of them; each row is a dictionary of its columns.

    Rows need a column ``structure`` (pymatgen's dictionary as JSON text), or the columns of ASE,
    OPTIMADE, an npz archive or a `Crystal`.
    """

    def contents(self) -> Iterator[tuple[str, Any]]:
        try:
            import pyarrow.parquet as pq
        except ImportError as error:
            raise MissingExtraError("pyarrow", "screen", "reading Parquet") from error

        for path in self._files():
            with pq.ParquetFile(path) as table:
                for batch in table.iter_batches(batch_size=ROWS_PER_READ):
                    for row in batch.to_pylist():
                        yield "", row

    def _files(self) -> list[Path]:
        return sorted(self.path.rglob("*.parquet")) if self.path.is_dir() else [self.path]

    def fingerprint(self) -> str:
        """SHA-256 of the files, in their order."""
        digest = hashlib.sha256()
        for path in self._files():
            with path.open("rb") as stream:
                digest.update(hashlib.file_digest(stream, "sha256").digest())
        return digest.hexdigest()


class AseSource(DictSource):
    """An ASE database; ids are ``key_value_pairs`` named in `ID_KEYS`, or the row's number."""

    def contents(self) -> Iterator[tuple[str, Any]]:
        from ase.db import connect

        database = connect(str(self.path))
        last = 0
        while True:  # in pages: a selection of all rows would be held in memory
            rows = list(database.select(f"id>{last}", sort="id", limit=ROWS_PER_READ))
            if not rows:
                return
            for row in rows:
                pairs = row.key_value_pairs
                id_ = next((str(pairs[key]) for key in ID_KEYS if key in pairs), str(row.id))
                keys = ("numbers", "positions", "cell", "pbc")
                yield id_, {key: np.asarray(getattr(row, key)) for key in keys}
            last = rows[-1].id


SUFFIXES: dict[str, type[Source]] = {
    ".npz": ArraySource,
    ".jsonl": LinesSource,
    ".ndjson": LinesSource,
    ".json": JsonSource,
    ".extxyz": ExtxyzSource,
    ".xyz": ExtxyzSource,
    ".parquet": ParquetSource,
    ".db": AseSource,
}
ALLOWED = (
    f"a folder of structure files, a structure file, {', '.join(SUFFIXES)}; .json, .jsonl, .xyz "
    "also with .gz"
)


def _with_known_keys(data: Json) -> Json:
    """The columns of an npz archive under the names of a `Crystal`."""
    if not {"Z", "frac"} <= set(data):
        return data
    lattice = data.get("lattice")
    if lattice is None and data.get("cellpar") is not None:
        from ase.geometry import cellpar_to_cell

        lattice = cellpar_to_cell(data["cellpar"])
    return {
        "lattice": lattice,
        "fractional_coordinates": data["frac"],
        "atomic_numbers": data["Z"],
    }


def _open_text(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8", errors="replace")
    return path.open(encoding="utf-8", errors="replace")


def _open_binary(path: Path) -> gzip.GzipFile | BufferedReader:
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")
