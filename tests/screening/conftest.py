"""Three hundred structures, some of them bad, and the files that a screening makes of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import vanhove
from vanhove.crystal.crystal import Crystal

pytest.importorskip("pyarrow", reason="needs the extra screen")

N_STRUCTURES = 300
OPTIONS = {
    "properties": ("n_atoms", "mean_frequency", "heat_capacity_300K", "elements"),
    "where": 'mean_frequency > 150 and "F" not in elements',
    "sort": "-mean_frequency",
    "partition_size": 12,
    "top": 5,
}


def variant(crystal: Crystal, i: int) -> Crystal:
    """A strained copy of a crystal, or one that nothing can be predicted of."""
    numbers = crystal.atomic_numbers.copy()
    lattice = crystal.lattice * (1 + 0.0005 * (i % 97))
    if i % 37 == 5:
        numbers[0] = 94  # an element that the model has never seen
    if i % 53 == 7:
        lattice = lattice * 0.1  # atoms on top of each other
    return Crystal(lattice, crystal.fractional_coordinates, numbers, f"id-{i}")


@pytest.fixture(scope="session")
def structures(tmp_path_factory) -> Path:
    dataset = vanhove.load_dataset("tiny")
    seen = {z for i in dataset.split("train") for z in dataset.crystals[i].atomic_numbers.tolist()}
    crystals = [c for c in dataset.crystals if set(c.atomic_numbers.tolist()) <= seen]
    made = [variant(crystals[i % len(crystals)], i) for i in range(N_STRUCTURES)]
    path = tmp_path_factory.mktemp("structures") / "structures.npz"
    np.savez(
        path,
        ids=np.array([crystal.name for crystal in made]),
        natoms=np.array([crystal.n_atoms for crystal in made]),
        lattice=np.array([crystal.lattice for crystal in made]),
        frac=np.concatenate([crystal.fractional_coordinates for crystal in made]),
        Z=np.concatenate([crystal.atomic_numbers for crystal in made]),
    )
    return path


@pytest.fixture(scope="session")
def unbroken(structures, small_run, tmp_path_factory) -> Path:
    """The folder of a screening that nothing disturbed."""
    from vanhove.screening import screen

    out = tmp_path_factory.mktemp("unbroken") / "out"
    screen(structures, out, model=small_run, workers=1, **OPTIONS)
    return out


def content(out: Path) -> dict[str, bytes]:
    """Every file of a folder."""
    return {
        str(path.relative_to(out)): path.read_bytes()
        for path in sorted(out.rglob("*"))
        if path.is_file()
    }
