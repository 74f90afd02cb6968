"""Kinds of crystals that Mat2Spec was fine-tuned on: ternary oxides, one space group."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import numpy as np

from vanhove.crystal.crystal import Crystal
from vanhove.crystal.symmetry import space_group
from vanhove.datasets.dataset import PARTS, SpectrumDataset
from vanhove.errors import DataError
from vanhove.progress import track

SubclassName = Literal["ternary_oxides", "space_group_225"]

OXYGEN = 8
RARE_EARTHS = frozenset({21, 39, *range(57, 72)})
"""Atomic numbers of Sc, Y and the lanthanides."""


def is_ternary_oxide(crystal: Crystal) -> bool:
    """Three elements, oxygen among them, no rare earth."""
    elements = set(crystal.atomic_numbers.tolist())
    return len(elements) == 3 and OXYGEN in elements and not elements & RARE_EARTHS


def is_space_group_225(crystal: Crystal) -> bool:
    """Fm-3m: rock salt, fluorite, fcc metals, full Heusler compounds."""
    return space_group(crystal)[1] == 225


SUBCLASSES: dict[SubclassName, Callable[[Crystal], bool]] = {
    "ternary_oxides": is_ternary_oxide,
    "space_group_225": is_space_group_225,
}


def of_subclass(dataset: SpectrumDataset, name: SubclassName) -> SpectrumDataset:
    """The same data set with the crystals of one kind alone in each part of its split.

    Raises:
        DataError: an unknown kind, or a part of the split without a crystal of it.
    """
    if name not in SUBCLASSES:
        raise DataError(f"subclass {name!r}; allowed: {', '.join(SUBCLASSES)}")
    belongs = SUBCLASSES[name]
    splits = {
        part: np.array(
            [
                row
                for row in track(dataset.split(part).tolist(), f"finding {name}")
                if belongs(dataset.crystals[row])
            ],
            dtype=np.int64,
        )
        for part in PARTS
    }
    empty = [part for part, rows in splits.items() if not len(rows)]
    if empty:
        raise DataError(f"{dataset.name} holds no crystal of {name} in {', '.join(empty)}")
    return replace(dataset, splits=splits, split_name=f"{dataset.split_name}, {name} alone")
