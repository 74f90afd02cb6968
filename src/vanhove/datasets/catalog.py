"""Data sets by name or folder, and the split asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from vanhove.datasets.dataset import SpectrumDataset
from vanhove.datasets.folder import load_folder
from vanhove.datasets.petretto import load_phonon_petretto
from vanhove.datasets.splits import grouped_split, random_split
from vanhove.datasets.tiny import load_tiny
from vanhove.errors import DataError

DATASETS: dict[str, Callable[[], SpectrumDataset]] = {
    "phonon_petretto": load_phonon_petretto,
    "tiny": load_tiny,
}


def load_dataset(
    name_or_path: str | Path, *, split: str | None = None, seed: int = 0
) -> SpectrumDataset:
    """A data set of the catalog, or the user's own folder (see `load_folder`).

    Args:
        name_or_path: a name of `DATASETS`, or a folder; a name wins over a folder of that name.
        split: None for the published or stored split; ``"random"`` or ``"grouped"`` (all
            materials of one reduced formula in the same part) for a new one, 80 / 10 / 10.
        seed: of a new split.

    Raises:
        DataError: neither a name nor a folder, an unknown split, or data that cannot be read.
    """
    if split not in (None, "random", "grouped"):
        raise DataError(f"split {split!r}; allowed: None (the stored one), 'random', 'grouped'")
    if str(name_or_path) in DATASETS:
        dataset = DATASETS[str(name_or_path)]()
    elif Path(name_or_path).is_dir():
        dataset = load_folder(name_or_path, seed=seed)
    else:
        raise DataError(
            f"data set {str(name_or_path)!r}; allowed: {', '.join(DATASETS)}, or the path of a "
            "folder with structures and spectra (relative to where you are now)"
        )
    if split is None:
        return dataset
    if split == "random":
        splits = random_split(len(dataset), seed=seed)
    else:
        splits = grouped_split([crystal.formula for crystal in dataset.crystals], seed=seed)
    return replace(dataset, splits=splits, split_name=f"{split} (seed {seed})")
