"""A search on the tiny data set."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import SMALL_RUN

pytest.importorskip("optuna")


def space_content(**changes: Any) -> dict[str, Any]:
    """A space of small runs; trials far below the base's learning rate are pruned."""
    base = copy.deepcopy(SMALL_RUN)
    base["training"]["checkpoint_seconds"] = 0  # after each step, however fast the machine
    return {
        "name": "small",
        "base": base,
        "epochs": 2,
        "startup_trials": 2,
        "pruner": {"startup_trials": 1, "warmup_epochs": 0},
        "space": {
            "training.learning_rate": {"type": "log", "low": 1e-6, "high": 3e-3},
            "model.encoder.n_layers": {"type": "int", "low": 1, "high": 2},
            "model.encoder.hidden_dim": {
                "type": "choice",
                "values": [8, 16],
                "also": ["model.decoder.hidden_dim"],
            },
        },
        **changes,
    }


@pytest.fixture(scope="session")
def space():
    from vanhove.tuning.space import SearchSpace

    return SearchSpace.parse(space_content()).resolved()


@pytest.fixture(scope="session")
def searched(space, tmp_path_factory) -> Path:
    """Folder of a finished search of three trials."""
    from vanhove.tuning.search import tune

    return tune(space, tmp_path_factory.mktemp("search"), trials=3, quiet=True).folder
