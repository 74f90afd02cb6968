"""What a data set holds, in short."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vanhove.crystal.elements import SYMBOLS
from vanhove.datasets.dataset import SpectrumDataset
from vanhove.results import Result


@dataclass(frozen=True)
class GridInfo(Result):
    """Ends of a grid, in the unit of the data set, and its number of points."""

    first: float
    last: float
    points: int


@dataclass(frozen=True)
class SplitInfo(Result):
    """Name of a split, and the number of materials in each part."""

    name: str
    rows: dict[str, int]


@dataclass(frozen=True)
class AtomCounts(Result):
    """Atoms in the cells."""

    mean: float
    max: int


@dataclass(frozen=True)
class DataInfo(Result):
    """What ``vanhove data info`` prints.

    Attributes:
        name, quantity, unit, normalisation: as of a `SpectrumDataset`.
        materials: how many.
        grid: of the spectra.
        split: into training, validation and test parts.
        elements: symbols, by atomic number.
        atoms: in the cells.
        data_hash, split_hash: as of a `SpectrumDataset`.
        notes: what to know before using it.
    """

    name: str
    quantity: str
    unit: str
    normalisation: str
    materials: int
    grid: GridInfo
    split: SplitInfo
    elements: list[str]
    atoms: AtomCounts
    data_hash: str
    split_hash: str
    notes: list[str]


def describe(dataset: SpectrumDataset) -> DataInfo:
    """What the data set holds."""
    numbers = np.unique(np.concatenate([c.atomic_numbers for c in dataset.crystals]))
    atoms = [c.n_atoms for c in dataset.crystals]
    rows = {part: len(rows) for part, rows in dataset.splits.items()}
    return DataInfo(
        name=dataset.name,
        quantity=dataset.quantity,
        unit=dataset.unit,
        normalisation=dataset.normalisation,
        materials=len(dataset),
        grid=GridInfo(float(dataset.grid[0]), float(dataset.grid[-1]), len(dataset.grid)),
        split=SplitInfo(dataset.split_name, rows),
        elements=[SYMBOLS[int(z)] for z in numbers],
        atoms=AtomCounts(float(np.mean(atoms)), max(atoms)),
        data_hash=dataset.data_hash,
        split_hash=dataset.split_hash,
        notes=list(dataset.notes),
    )
