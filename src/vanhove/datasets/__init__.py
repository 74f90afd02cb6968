"""Data sets: one module per source, splits, and the cache with hashes."""

from vanhove.datasets.cache import RemoteFile, cache_folder, data_file
from vanhove.datasets.catalog import DATASETS, load_dataset
from vanhove.datasets.dataset import PARTS, SpectrumDataset, describe
from vanhove.datasets.folder import load_folder
from vanhove.datasets.petretto import load_phonon_petretto
from vanhove.datasets.splits import given_split, grouped_split, random_split
from vanhove.datasets.tiny import load_tiny

__all__ = [
    "DATASETS",
    "PARTS",
    "RemoteFile",
    "SpectrumDataset",
    "cache_folder",
    "data_file",
    "describe",
    "given_split",
    "grouped_split",
    "load_dataset",
    "load_folder",
    "load_phonon_petretto",
    "load_tiny",
    "random_split",
]
