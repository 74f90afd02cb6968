"""`Options`: what every experiment that is reproduced can be told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


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
