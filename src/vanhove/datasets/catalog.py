"""Data sets by name or folder, and the split asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from vanhove.crystal.elements import ATOMIC_NUMBERS
from vanhove.datasets.band_folder import load_band_folder
from vanhove.datasets.dataset import SpectrumDataset
from vanhove.datasets.description import DataInfo, describe
from vanhove.datasets.electron_folder import load_electron_dataset
from vanhove.datasets.folder import holds_table, load_folder
from vanhove.datasets.graph_store import crystal_systems
from vanhove.datasets.registry import DATASETS
from vanhove.datasets.splits import (
    counted_tuning_split,
    fold_split,
    grouped_split,
    held_out_split,
    random_split,
    thinned,
    tuning_split,
)
from vanhove.datasets.subclasses import SubclassName, of_subclass
from vanhove.errors import DataError

SplitName = Literal["random", "grouped", "species", "crystal_system", "elements", "all"]
TRAINED_SPECIES = (2, 3)
HELD_OUT_SYSTEMS = ("monoclinic", "triclinic")


def load_dataset(
    name_or_path: str | Path,
    *,
    split: SplitName | None = None,
    seed: int = 0,
    tuning_fraction: float | None = None,
    tuning_count: int | None = None,
    tuning_seed: int = 0,
    folds: int | None = None,
    fold: int | None = None,
    train_fraction: float | None = None,
    subclass: SubclassName | None = None,
    elements: Sequence[str] = (),
    electron_target: str = "dostransformer",
    grid_points: int | None = None,
) -> SpectrumDataset:
    """A data set of the catalog, or the user's own folder.

    A folder with a table of spectra is read by `load_folder`, any other as one of electron DOS
    (`load_electron_dataset`).

    Args:
        name_or_path: a name of `DATASETS`, or a folder; a name wins over a folder of that name.
        split: None for the published or stored split; a new one, 80 / 10 / 10, with ``"random"``
            or ``"grouped"`` (all materials of one reduced formula in the same part); or one of
            DOSTransformer's out-of-distribution scenarios: ``"species"`` trains on binary and
            ternary crystals and tests on all others, ``"crystal_system"`` trains on five systems
            and tests on monoclinic and triclinic crystals; ``"elements"`` tests on all that
            hold one of ``elements``; ``"all"`` trains on all materials.
        seed: of a new split.
        tuning_fraction: train on this fraction of the test split instead, and test on the rest of
            it, see `tuning_split`.
        tuning_count: train on so many materials of the test split instead, see
            `counted_tuning_split`.
        tuning_seed: of which these are.
        folds: share the train and valid splits out anew, over so many folds, see `fold_split`.
        fold: the one that validates; None: all train.
        train_fraction: keep this fraction of the training split; smaller parts lie in larger ones.
        subclass: keep the crystals of this kind alone, in all parts, see
            `vanhove.datasets.subclasses`.
        elements: symbols, of split ``"elements"``, such as ``["S"]``.
        electron_target: what to make of a folder of electron DOS, see `load_electron_dataset`;
            ``"bands"`` reads band structures instead, see `load_band_folder`.
        grid_points: interpolate the spectra, see `SpectrumDataset.with_points`.

    Raises:
        DataError: neither a name nor a folder, an unknown split, or data that cannot be read.
        StructureError: a crystal whose system cannot be found.
    """
    allowed = get_args(SplitName)
    if split is not None and split not in allowed:
        raise DataError(
            f"split {split!r}; allowed: None (the stored one), {', '.join(map(repr, allowed))}"
        )
    if str(name_or_path) in DATASETS:
        dataset = DATASETS[str(name_or_path)]()
    elif Path(name_or_path).is_dir():
        if holds_table(name_or_path):
            dataset = load_folder(name_or_path, seed=seed)
        elif electron_target == "bands":
            dataset = load_band_folder(name_or_path)
        else:
            dataset = load_electron_dataset(name_or_path, electron_target)
    else:
        raise DataError(
            f"data set {str(name_or_path)!r}; allowed: {', '.join(DATASETS)}, or the path of a "
            "folder with structures and spectra (relative to where you are now)"
        )
    if grid_points is not None:
        dataset = dataset.with_points(grid_points)
    if split is not None:
        dataset = replace(
            dataset,
            splits=_new_split(dataset, split, seed, elements),
            split_name=" ".join([split, *elements, f"(seed {seed})"]),
        )
    if subclass is not None:
        dataset = of_subclass(dataset, subclass)
    if tuning_fraction is not None:
        dataset = replace(
            dataset,
            splits=tuning_split(dataset.split("test"), tuning_fraction, seed),
            split_name=f"{dataset.split_name}, tuning on {tuning_fraction:g} of its test split",
        )
    if tuning_count is not None:
        dataset = replace(
            dataset,
            splits=counted_tuning_split(dataset.split("test"), tuning_count, seed, tuning_seed),
            split_name=f"{dataset.split_name}, tuning on {tuning_count} of its test split "
            f"(seed {tuning_seed})",
        )
    if folds is not None:
        dataset = _in_folds(dataset, folds, fold, seed)
    if train_fraction is not None:
        dataset = replace(
            dataset,
            splits={
                **dataset.splits,
                "train": thinned(dataset.split("train"), train_fraction, seed),
            },
            split_name=f"{dataset.split_name}, {train_fraction:g} of its training split",
        )
    return dataset


def _new_split(
    dataset: SpectrumDataset, split: SplitName, seed: int, elements: Sequence[str]
) -> dict[str, np.ndarray]:
    crystals = dataset.crystals
    if split == "elements":
        held_out = _atomic_numbers(elements)
        holds = [bool(held_out & set(crystal.atomic_numbers.tolist())) for crystal in crystals]
        return held_out_split(holds, {True}, seed=seed)
    if split == "all":
        nothing = np.empty(0, dtype=np.int64)
        return {"train": np.arange(len(dataset)), "valid": nothing, "test": nothing}
    if split == "random":
        return random_split(len(dataset), seed=seed)
    if split == "grouped":
        return grouped_split([crystal.formula for crystal in crystals], seed=seed)
    if split == "species":
        species = [len(np.unique(crystal.atomic_numbers)) for crystal in crystals]
        return held_out_split(species, set(species) - set(TRAINED_SPECIES), seed=seed)
    return held_out_split(crystal_systems(crystals), HELD_OUT_SYSTEMS, seed=seed)


def _in_folds(dataset: SpectrumDataset, folds: int, fold: int | None, seed: int) -> SpectrumDataset:
    known = [dataset.splits.get(part, np.empty(0, dtype=np.int64)) for part in ("train", "valid")]
    which = "all of them" if fold is None else f"without fold {fold}"
    return replace(
        dataset,
        splits={**dataset.splits, **fold_split(np.sort(np.concatenate(known)), folds, fold, seed)},
        split_name=f"{dataset.split_name}, {folds} folds, {which}",
    )


def _atomic_numbers(elements: Sequence[str]) -> set[int]:
    unknown = [symbol for symbol in elements if symbol not in ATOMIC_NUMBERS]
    if unknown or not elements:
        raise DataError(
            f"split 'elements' with elements {list(elements)}; give symbols such as S or Fe"
            + (f" ({unknown[0]!r} is none)" if unknown else "")
        )
    return {ATOMIC_NUMBERS[symbol] for symbol in elements}


def data_list() -> dict[str, str]:
    """The named data sets, and a line about each."""
    return {name: (loader.__doc__ or "").splitlines()[0] for name, loader in DATASETS.items()}


def data_fetch(name: str) -> DataInfo:
    """Fetch the files of a named data set into the cache where they are not there, and check them.

    Raises:
        DataError: no such data set, or its files cannot be had.
        OutputError: the cache cannot be written.
    """
    if name not in DATASETS:
        raise DataError(f"data set {name!r}; allowed: {', '.join(sorted(DATASETS))}")
    return data_info(name)


def data_info(name: str) -> DataInfo:
    """Load a data set (fetching it first if need be), check it and describe it.

    Raises:
        DataError: no such data set or folder, or it cannot be used.
    """
    return describe(load_dataset(name))
