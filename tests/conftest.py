"""Shared fixtures: a small run on the tiny data set, and a data set gate."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

# One thread per test process: the arrays are small and the machines have few cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")

STRUCTURES = Path(__file__).parents[1] / "examples" / "structures"
SUPPORTED = sorted(path for path in STRUCTURES.glob("*.cif") if path.stem not in ("GaAs", "AlN"))
"""Shipped examples whose elements the tiny data set has, so that the small run predicts them."""

SMALL_RUN = {
    "name": "small",
    "data": {"dataset": "tiny"},
    "model": {
        "encoder": {"hidden_dim": 16, "n_layers": 2, "n_basis": 8, "dropout": 0.0},
        "decoder": {"hidden_dim": 16, "dropout": 0.0},
        "crystal_system": {"dim": 8},
    },
    "training": {
        "epochs": 3,
        "batch_size": 4,
        "learning_rate": 3e-3,
        "ema_decay": 0.9,
        "precision": "float32",
    },
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.environ.get("VANHOVE_DATA"):
        return
    skip = pytest.mark.skip(reason="needs the large data sets: set VANHOVE_DATA to their folder")
    for item in items:
        if "data" in item.keywords:
            item.add_marker(skip)


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory) -> Iterator[None]:
    """Nothing that an earlier run kept is read, and nothing is left behind."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VANHOVE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def small_config():
    """A run that takes a second."""
    from vanhove.runs.config import RunConfig

    return RunConfig.parse(SMALL_RUN)


@pytest.fixture(scope="session")
def small_run(small_config, tmp_path_factory) -> Path:
    """Folder of the finished small run."""
    from vanhove.training.train import train

    return train(small_config, tmp_path_factory.mktemp("runs") / "small", quiet=True).folder


@pytest.fixture(scope="session")
def small_runs(small_run, small_config, tmp_path_factory) -> list[Path]:
    """Folders of the small run with two seeds."""
    from vanhove.training.train import train

    other = small_config.model_copy(update={"seed": 1})
    return [small_run, train(other, tmp_path_factory.mktemp("second"), quiet=True).folder]


@pytest.fixture(scope="session")
def small_ensemble(small_runs, tmp_path_factory) -> Path:
    """Checkpoint of the ensemble of these two, in full precision."""
    from vanhove.training.ensemble import make_ensemble

    file = tmp_path_factory.mktemp("ensemble") / "pair.safetensors"
    make_ensemble(small_runs, file, name="pair", half=False, quiet=True)
    return file
