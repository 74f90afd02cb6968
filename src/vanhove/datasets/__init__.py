"""Data sets: one module per source, splits, and the cache with hashes."""

from vanhove.datasets.band_files import read_bands
from vanhove.datasets.band_folder import bands_dataset, load_band_folder
from vanhove.datasets.cache import RemoteFile, cache_folder, data_file
from vanhove.datasets.calculated_dos import ElectronDOS
from vanhove.datasets.catalog import load_dataset
from vanhove.datasets.dataset import PARTS, SpectrumDataset
from vanhove.datasets.description import describe
from vanhove.datasets.electron_folder import iterate_electron_folder, load_electron_folder
from vanhove.datasets.electron_pbe import (
    ElectronStates,
    load_electron_pbe,
    load_electron_pbe_128,
    load_electron_properties,
    load_electron_states,
)
from vanhove.datasets.electron_pbe_bands import band_structure_of, load_electron_pbe_bands
from vanhove.datasets.folder import load_folder
from vanhove.datasets.petretto import load_phonon_petretto
from vanhove.datasets.registry import DATASETS, register_dataset
from vanhove.datasets.splits import given_split, grouped_split, hashed_split, random_split
from vanhove.datasets.tiny import load_tiny
from vanhove.datasets.vasp import read_electron_dos

__all__ = [
    "DATASETS",
    "PARTS",
    "ElectronDOS",
    "ElectronStates",
    "RemoteFile",
    "SpectrumDataset",
    "band_structure_of",
    "bands_dataset",
    "cache_folder",
    "data_file",
    "describe",
    "given_split",
    "grouped_split",
    "hashed_split",
    "iterate_electron_folder",
    "load_band_folder",
    "load_dataset",
    "load_electron_folder",
    "load_electron_pbe",
    "load_electron_pbe_128",
    "load_electron_pbe_bands",
    "load_electron_properties",
    "load_electron_states",
    "load_folder",
    "load_phonon_petretto",
    "load_tiny",
    "random_split",
    "read_bands",
    "read_electron_dos",
    "register_dataset",
]
