"""What a worker does: records in, one partition of the tables out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from vanhove.crystal.crystal import Crystal
from vanhove.errors import StructureError
from vanhove.memory import give_back_freed_memory
from vanhove.models.inference import Precision
from vanhove.prediction.loading import load
from vanhove.prediction.properties import Properties
from vanhove.screening.expression import Variable, parse_expression
from vanhove.screening.source import Chunk, Source
from vanhove.screening.writer import Partition, PropertyRow, Tables
from vanhove.spectra.spectrum import Spectrum


@dataclass(frozen=True)
class Job:
    """What every worker is told; it must be the same for all of them.

    Attributes:
        out: folder of the screening.
        model: shipped weights, a checkpoint file or a run folder.
        source: the class of the reader, which knows how to make crystals of a record.
        properties: their names.
        where: the expression that selects, or None: all.
        primitive: whether structures are reduced to their primitive cell.
        precision: of the matrix products.
    """

    out: Path
    model: str
    source: type[Source]
    properties: tuple[str, ...]
    where: str | None
    primitive: bool
    precision: Precision


class PartitionWorker:
    """Predicts chunks and writes them; one thread, so that its numbers never depend on others."""

    def __init__(self, job: Job):
        torch.set_num_threads(1)
        self.job = job
        self.predictor = load(job.model, precision=job.precision, grid="training")
        self.properties = Properties(self.predictor.info).choose(job.properties)
        variables = {item.name: Variable(item.kind, item.choices) for item in self.properties}
        self.where = None if job.where is None else parse_expression(job.where, variables, "flag")
        self.tables = Tables(job.out, self.properties, self.predictor.info, self.predictor.name)

    def run(self, chunk: Chunk) -> int:
        """Predict and write one chunk; its number."""
        self.tables.write(self.predict(chunk))
        give_back_freed_memory()
        return chunk.number

    def predict(self, chunk: Chunk) -> Partition:
        """The rows of a chunk, in the order of its records."""
        items: list[tuple[int, str, Crystal | StructureError]] = []
        for record in chunk.records:
            try:
                crystals = self.job.source.read(record)
            except StructureError as error:
                items.append((record.index, error.source or record.id, error))
            else:
                items += [(record.index, crystal.name, crystal) for crystal in crystals]
        partition = Partition(chunk.number, [], [], [])
        outcomes = self._outcomes([item for _, _, item in items])
        for (index, id_, _), outcome in zip(items, outcomes, strict=True):
            if isinstance(outcome, StructureError):
                partition.failures.append({"index": index, "id": id_, "reason": outcome.reason})
                continue
            row: PropertyRow = {item.name: item.of(outcome) for item in self.properties}
            selected = self.where is None or self.where(row) is True
            partition.properties.append({"index": index, "id": id_, **row, "selected": selected})
            if selected:
                values = outcome.values.astype(np.float32)
                partition.spectra.append({"index": index, "id": id_, "values": values})
        return partition

    def _outcomes(
        self, items: Sequence[Crystal | StructureError]
    ) -> list[Spectrum | StructureError]:
        try:
            return list(self.predictor.stream(items, primitive=self.job.primitive))
        except Exception:
            # Something that nobody foresaw, in one crystal: it shall not cost the others.
            return [self._alone(item) for item in items]

    def _alone(self, item: Crystal | StructureError) -> Spectrum | StructureError:
        try:
            (outcome,) = self.predictor.stream([item], primitive=self.job.primitive)
            return outcome
        except Exception as error:
            words = " ".join(str(error).split())[:200]
            return StructureError(f"cannot be predicted: {type(error).__name__}: {words}")
