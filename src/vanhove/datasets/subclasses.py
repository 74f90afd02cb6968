"""Kinds of crystals that Mat2Spec was fine-tuned on: ternary oxides, one space group."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, get_args

import numpy as np

from vanhove.crystal.crystal import Crystal
from vanhove.datasets.dataset import SpectrumDataset
from vanhove.datasets.graph_store import load_symmetry
from vanhove.errors import DataError

SubclassName = Literal["ternary_oxides", "space_group_225"]

OXYGEN = 8
RARE_EARTHS = frozenset({21, 39, *range(57, 72)})
"""Atomic numbers of Sc, Y and the lanthanides."""


def is_ternary_oxide(crystal: Crystal) -> bool:
    """Three elements, oxygen among them, no rare earth."""
    elements = set(crystal.atomic_numbers.tolist())
    return len(elements) == 3 and OXYGEN in elements and not elements & RARE_EARTHS


def of_subclass(dataset: SpectrumDataset, name: SubclassName) -> SpectrumDataset:
    """The same data set with the crystals of one kind alone in each part of its split.

    Kinds: ``"ternary_oxides"`` without rare earths; ``"space_group_225"`` (Fm-3m: rock salt,
    fluorite, fcc metals, full Heusler compounds), as found within 0.01 angstrom.

    Raises:
        DataError: an unknown kind, or a part of the split without a crystal of it.
    """
    if name == "ternary_oxides":
        belongs = np.array([is_ternary_oxide(crystal) for crystal in dataset.crystals])
    elif name == "space_group_225":
        belongs = load_symmetry(dataset.crystals).space_group == 225
    else:
        raise DataError(f"subclass {name!r}; allowed: {', '.join(get_args(SubclassName))}")
    splits = {part: rows[belongs[rows]] for part, rows in dataset.splits.items()}
    empty = [part for part, rows in splits.items() if not len(rows)]
    if empty:
        raise DataError(f"{dataset.name} holds no crystal of {name} in {', '.join(empty)}")
    return replace(dataset, splits=splits, split_name=f"{dataset.split_name}, {name} alone")
