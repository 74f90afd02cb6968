"""What an experiment that is reproduced can be told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vanhove.papers.table import Row
from vanhove.runs.catalog import Size
from vanhove.runs.config import RunConfig
from vanhove.runs.folder import run_folder


@dataclass(frozen=True, kw_only=True)
class Options:
    """How `vanhove.reproduce` runs; the arguments are explained there."""

    seeds: tuple[int, ...] | None = None
    quick: bool = False
    measured_only: bool = False
    runs: Path = Path("runs")
    output: Path = Path("reproduced")
    figures: Path | None = None
    quiet: bool = False

    @property
    def figure_folder(self) -> Path:
        return self.figures or self.output

    def seeds_of(self, name: str) -> tuple[int, ...]:
        """Of the runs ``RUNS/NAME-seedSEED``: those asked for, those that are there, or 0."""
        if self.seeds is not None:
            return self.seeds
        if not self.measured_only:
            return (0,)
        prefix = f"{name}-seed"
        found = (path.name.removeprefix(prefix) for path in self.runs.glob(f"{prefix}*"))
        return tuple(sorted(int(seed) for seed in found if seed.isdigit()))


@dataclass(frozen=True, kw_only=True)
class TableOptions(Options):
    """Those of a table whose rows are runs of the catalog."""

    name: str
    size: Size

    @property
    def stem(self) -> str:
        """Of the names of its files."""
        suffix = "" if self.size == "compact" else f"-{self.size}"
        return self.name + suffix + ("-quick" if self.quick else "")

    def config(self, row: Row, seed: int) -> RunConfig:
        return row.config(self.size, seed=seed, runs=self.runs, quick=self.quick)

    def folder(self, row: Row, seed: int) -> Path:
        return run_folder(self.runs, self.config(row, seed))
