"""One quick reproduction, shared by the tests."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from vanhove import reproduce
from vanhove.experiments.results import TableResult

NAME = "dostransformer-table1"
ROWS = ["mlp", "mlp-energy"]


@dataclass(frozen=True)
class Done:
    runs: Path
    output: Path
    result: TableResult


@pytest.fixture(scope="session")
def done(tmp_path_factory) -> Done:
    """Two rows of a table with two seeds each, on the tiny data set."""
    folder = tmp_path_factory.mktemp("reproduced")
    runs, output = folder / "runs", folder / "output"
    result = reproduce(
        NAME, seeds=(0, 1), rows=ROWS, quick=True, runs=runs, output=output, quiet=True
    )
    return Done(runs, output, result)
