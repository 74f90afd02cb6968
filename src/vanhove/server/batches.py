"""Batches: many files one after another, with progress; kept in memory for a while."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import secrets
import time
from typing import Literal

from vanhove.server.answers import BatchAnswer, FileAnswer, Row
from vanhove.server.orders import TableOrder
from vanhove.server.pool import Answer, Busy, Pool
from vanhove.server.settings import ServerSettings


class FileBatch:
    """Files that are predicted with one model.

    Args:
        model: its name.
        files: names and contents.
    """

    def __init__(self, model: str, files: list[tuple[str, bytes]]):
        self.id = secrets.token_urlsafe(16)
        self.model = model
        self.files = files
        self.n_files = len(files)
        self.n_files_done = 0
        self.state: Literal["running", "done", "cancelled"] = "running"
        self.columns: dict[str, str] = {}
        self.rows: list[Row] = []
        self.ended = 0.0
        self.task: asyncio.Task[None] | None = None

    def answer(self, first_row: int = 0) -> BatchAnswer:
        """Where it is, and its rows from there on."""
        return BatchAnswer(
            id=self.id,
            state=self.state,
            model=self.model,
            n_files=self.n_files,
            n_files_done=self.n_files_done,
            n_rows=len(self.rows),
            columns=self.columns,
            rows=self.rows[first_row:],
        )

    def end(self, state: Literal["done", "cancelled"]) -> None:
        """Nothing more will come."""
        if self.state == "running":
            self.state = state
            self.ended = time.monotonic()
            self.files = []

    def cancel(self) -> None:
        """Stop; the rows that are there stay."""
        self.end("cancelled")
        if self.task is not None:
            self.task.cancel()

    def to_csv(self) -> str:
        """The rows as a table; units are in the names of columns."""
        stream = io.StringIO(newline="")
        writer = csv.writer(stream, lineterminator="\n")
        units = {name: f" [{unit}]" if unit else "" for name, unit in self.columns.items()}
        writer.writerow(["name", *(name + units[name] for name in self.columns), "error"])
        for row in self.rows:
            values = [_cell(row.values.get(name)) for name in self.columns]
            writer.writerow([_cell(row.name), *values, _cell(row.error)])
        return stream.getvalue()


def _cell(value: object) -> object:
    """Texts that a spreadsheet would compute are quoted, lists joined."""
    if isinstance(value, list):
        value = " ".join(map(str, value))
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@"):
        return f"'{value}"
    return value


class Batches:
    """The batches of a server.

    Args:
        pool: that predicts.
        settings: limits.
    """

    def __init__(self, pool: Pool, settings: ServerSettings):
        self.pool = pool
        self.settings = settings
        self._batches: dict[str, FileBatch] = {}

    def get(self, id_: str) -> FileBatch | None:
        """None: no such batch, or it was dropped."""
        self._drop()
        return self._batches.get(id_)

    def start(self, model: str, files: list[tuple[str, bytes]]) -> FileBatch:
        """Begin a batch.

        Raises:
            Busy: as many as are kept are running.
        """
        self._drop()
        if len(self._batches) >= self.settings.max_batches:
            ended = [batch for batch in self._batches.values() if batch.state != "running"]
            if not ended:
                raise Busy
            del self._batches[min(ended, key=lambda batch: batch.ended).id]
        batch = FileBatch(model, files)
        self._batches[batch.id] = batch
        batch.task = asyncio.create_task(self._run(batch))
        return batch

    def stop(self) -> None:
        """Cancel all."""
        for batch in self._batches.values():
            batch.cancel()

    def _drop(self) -> None:
        now = time.monotonic()
        for batch in list(self._batches.values()):
            if batch.state != "running" and now - batch.ended > self.settings.batch_seconds:
                del self._batches[batch.id]

    async def _ask(self, model: str, name: str, content: bytes) -> Answer:
        most = self.settings.max_bytes
        if len(content) > most:
            return Answer.problem(413, f"{len(content):,} bytes; allowed for one file: {most:,}")
        order = TableOrder(name=name, model=model)
        return await self.pool.ask(order, content, patient=True)

    async def _run(self, batch: FileBatch) -> None:
        for name, content in batch.files:
            answer = await self._ask(batch.model, name, content)
            if answer.status == 200:
                found = FileAnswer.model_validate_json(answer.body)
                batch.columns |= found.columns
                batch.rows += found.rows
            else:
                batch.rows.append(Row(name=name, error=json.loads(answer.body)["detail"]))
            batch.n_files_done += 1
            if len(batch.rows) > self.settings.max_batch_structures:
                most = self.settings.max_batch_structures
                batch.rows[most:] = [
                    Row(name="", error=f"more than {most} structures, where the batch ended")
                ]
                break
        batch.end("done")
