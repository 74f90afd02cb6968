"""Seeds that a table already holds: measured by an earlier call, whose run folders may be gone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vanhove.errors import ConfigError
from vanhove.experiments.results import RunNumbers
from vanhove.papers.table import Row
from vanhove.results import Json, read_result
from vanhove.runs.config import RunConfig

_OF_THE_MACHINE = {"seed", "start.checkpoint", "training.precision", "training.device"}
"""Settings that may differ between the seeds of a row."""


@dataclass(frozen=True)
class EarlierRow:
    """Finished seeds of a row.

    Attributes:
        runs: one by one.
        config: settings, plain JSON.
        n_parameters: of the model.
        per_material: mean errors over these seeds, as NAME.json holds them; None where it has none.
        examples, relative_errors: of its predictions, likewise.
    """

    runs: tuple[RunNumbers, ...]
    config: Json
    n_parameters: int | None
    per_material: Mapping[str, Sequence[float | None]] | None
    examples: Sequence[Json] | None = None
    relative_errors: Json | None = None

    @property
    def seeds(self) -> tuple[int, ...]:
        return tuple(run.seed for run in self.runs)


@dataclass(frozen=True)
class Earlier:
    """NAME.json of an earlier call."""

    content: Json

    @classmethod
    def read(cls, path: Path) -> Earlier | None:
        """None where there is no such file.

        Raises:
            ValueError: no JSON.
        """
        return cls(read_result(path)) if path.exists() else None

    @property
    def dataset(self) -> Json | None:
        return self.content.get("dataset")

    @property
    def ids(self) -> list[str]:
        return self.content.get("ids", [])

    def row(self, row: Row, config: RunConfig) -> EarlierRow | None:
        """Its finished seeds, if they were trained with the same settings as today.

        Settings that were not there then have the value that does what was done. The precision is
        what suits the processor and does not count.
        """
        for content in self.content["rows"]:
            if (content["label"], content["run"]) != (row.label, row.run) or not content["runs"]:
                continue
            try:
                then = RunConfig.parse(content["config"], row.run)
            except ConfigError:
                return None
            if set(config.differences(then)) - _OF_THE_MACHINE:
                return None
            return EarlierRow(
                tuple(RunNumbers(**run) for run in content["runs"]),
                content["config"],
                content["n_parameters"],
                *(
                    self.content.get(what, {}).get(row.key)
                    for what in ("per_material", "examples", "relative_errors")
                ),
            )
        return None
