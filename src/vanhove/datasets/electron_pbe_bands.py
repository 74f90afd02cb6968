"""Bands along the paths of `electron_pbe`, as a model is trained on them."""

from __future__ import annotations

from typing import Any

import numpy as np

from vanhove.crystal.kpath import GAMMA, KPoints
from vanhove.datasets.band_folder import N_BANDS, N_POINTS, bands_dataset
from vanhove.datasets.dataset import SpectrumDataset
from vanhove.datasets.electron_pbe import (
    SPLIT_NAME,
    ElectronStates,
    electron_data_hash,
    load_electron_states,
    parts_of,
)
from vanhove.datasets.registry import register_dataset
from vanhove.spectra.bands import BandStructure
from vanhove.spectra.eigenvalues import BandEdges

_ON_PATH = 1e-3
"""1/angstrom: positions of special points in the file are of single precision."""


@register_dataset("electron_pbe_bands")
def load_electron_pbe_bands() -> SpectrumDataset:
    """Electron bands (PBE, computed for this project): 6 bands at the Fermi level, 256 k-points.

    Three bands below and three above, energies from the Fermi level (the middle of the gap), along
    a continuous path. Split by formula as `electron_pbe`.

    Raises:
        DataError: a file is damaged.
    """
    states = list(load_electron_states().values())
    bands = [band_structure_of(state) for state in states]
    n_metals = sum(state.edges.is_metal for state in states)
    touching = [
        state.crystal.name
        for state, band in zip(states, bands, strict=True)
        if state.edges.is_metal != band.is_metal
    ]
    dataset = bands_dataset(
        "electron_pbe_bands",
        bands,
        splits=parts_of(states),
        split_name=SPLIT_NAME,
    )
    lacking = np.isnan(dataset.values).any(axis=(1, 2)).sum()
    differing = f": {', '.join(touching)}" if touching else ""
    dataset.notes.extend(
        [
            f"Small: {len(states)} crystals ({n_metals} metals), computed for this project, see "
            "electron_pbe. Bands at 64 or 100 points of a Setyawan-Curtarolo path, linear between "
            "them. "
            f"A continuous path walks some of its stretches twice; {N_POINTS} points.",
            f"{lacking} crystals have fewer than {N_BANDS // 2} bands below the Fermi level: what "
            "is missing is left out of losses and metrics.",
            "Metal or not by mesh and path together; along the path alone "
            f"{len(touching)} crystals look different{differing}.",
            f"Files with SHA-256 {electron_data_hash()[:12]}...",
        ]
    )
    return dataset


def band_structure_of(state: ElectronStates) -> BandStructure:
    """The bands as computed, along the path as computed, energies from the Fermi level.

    The Fermi level is the middle of the gap of mesh and path together, for metals that of the mesh.
    """
    return bands_along_path(state, state.path_energies, state.edges)


def bands_along_path(
    state: ElectronStates, energies: np.ndarray, edges: BandEdges
) -> BandStructure:
    """Bands at the k-points of a calculation's path, such as predicted ones, from the Fermi level.

    Args:
        state: the calculation.
        energies: eV, ``[n_path_kpoints, n_bands]``.
        edges: of these bands, eV, same zero.
    """
    _, positions, names = state.path_labels
    labels = [""] * len(state.path_x)
    x = np.maximum.accumulate(state.path_x)
    free = np.ones(len(x), dtype=bool)
    for position, name in zip(positions, names, strict=True):
        # At a jump two points, and two names, share a position.
        near = np.flatnonzero(free & (np.abs(x - position) < _ON_PATH))
        if len(near):
            labels[near[0]] = GAMMA if name == "G" else name
            free[near[0]] = False
    metadata: dict[str, Any] = {"is_metal": edges.is_metal, "band_gap": edges.gap}
    return BandStructure(
        kpoints=KPoints(
            state.path_kpoints, state.crystal.lattice, _with_jumps(x, labels), tuple(labels)
        ),
        energies=energies - edges.fermi_level,
        fermi_level=0.0,
        crystal=state.crystal,
        name=state.crystal.name,
        metadata=metadata,
    )


def _with_jumps(x: np.ndarray, labels: list[str]) -> np.ndarray:
    """Distances in which the two sides of a jump are at exactly the same place."""
    distances = x.copy()
    for i in range(1, len(x)):
        if labels[i] and labels[i - 1] and x[i] - x[i - 1] < _ON_PATH:
            distances[i] = distances[i - 1]
    return distances
