"""Data sets by name."""

from __future__ import annotations

from collections.abc import Callable

from vanhove.datasets.dataset import SpectrumDataset
from vanhove.registry import Registry

Loader = Callable[[], SpectrumDataset]

DATASETS: Registry[Loader] = Registry("data set", "vanhove.datasets")


def register_dataset(name: str) -> Callable[[Loader], Loader]:
    """Decorator: a function that loads a data set; its first line is what lists of them show.

    Raises:
        ConfigError: another data set has the name.
    """

    def register(loader: Loader) -> Loader:
        DATASETS.add(name, loader)
        return loader

    return register
