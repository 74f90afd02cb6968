"""Made-up crystals without symmetry: no saving that only symmetric crystals allow counts; and how
fast a prepared data set opens."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import torch
from clock import say

from vanhove.crystal.crystal import Crystal
from vanhove.crystal.graph import Batch, CrystalGraph, collate
from vanhove.crystal.neighbors import neighbor_list
from vanhove.datasets.graph_store import load_graphs
from vanhove.errors import DataError
from vanhove.runs.catalog import run_config
from vanhove.runs.prepared import prepare

ELEMENTS = (8, 12, 13, 14, 20, 26)
VOLUME_PER_ATOM = 15.0
CLOSEST = 1.6
REACH = 12.0


def random_crystal(n_atoms: int, seed: int) -> Crystal:
    """Atoms at random in a cube, none closer than 1.6 angstrom."""
    random = np.random.default_rng(seed)
    length = (n_atoms * VOLUME_PER_ATOM) ** (1 / 3)
    places: list[np.ndarray] = []
    while len(places) < n_atoms:
        place = random.random(3)
        offsets = (np.array(places).reshape(-1, 3) - place + 0.5) % 1 - 0.5
        if (np.linalg.norm(offsets * length, axis=1) > CLOSEST).all():
            places.append(place)
    return Crystal(np.eye(3) * length, np.array(places), random.choice(ELEMENTS, n_atoms))


def graph_of(crystal: Crystal, n_neighbors: int) -> CrystalGraph:
    """Every atom with exactly so many nearest neighbours; no check, no symmetry search."""
    found = neighbor_list(crystal, REACH)
    rank = np.arange(len(found.target)) - np.searchsorted(found.target, found.target)
    kept = rank < n_neighbors
    return CrystalGraph(
        atomic_numbers=torch.from_numpy(crystal.atomic_numbers),
        edge_index=torch.from_numpy(np.stack([found.source[kept], found.target[kept]])),
        edge_vector=torch.from_numpy(found.vector[kept].astype(np.float32)),
        crystal_system=6,
        lattice_lengths=torch.full((3,), float(crystal.lattice[0, 0])),
        lattice=torch.from_numpy(crystal.lattice.astype(np.float32)),
        positions=torch.from_numpy(crystal.cartesian_coordinates.astype(np.float32)),
    )


def graphs_of(n_crystals: int, n_atoms: int = 12, n_neighbors: int = 12) -> list[CrystalGraph]:
    """The standard crystals: 12 atoms, 12 neighbours."""
    return [graph_of(random_crystal(n_atoms, seed), n_neighbors) for seed in range(n_crystals)]


def batch_of(n_crystals: int, n_atoms: int = 12, n_neighbors: int = 12) -> Batch:
    return collate(graphs_of(n_crystals, n_atoms, n_neighbors))


def training_batches(n_batches: int = 64, n_crystals: int = 8) -> list[Batch]:
    """Of 6 to 18 atoms, 12 in the mean, as training meets them: no two batches have one shape."""
    random = np.random.default_rng(0)
    return [
        collate(
            [
                graph_of(random_crystal(int(random.integers(6, 19)), n_crystals * i + seed), 12)
                for seed in range(n_crystals)
            ]
        )
        for i in range(n_batches)
    ]


def opening() -> dict[str, Any] | None:
    """How fast a prepared data set opens."""
    config = run_config("dostransformer", "compact", {})
    try:
        crystals = prepare(config, ("train",), quiet=True).dataset.crystals
    except DataError as error:
        say(f"left out: {error}")
        return None
    load_graphs(crystals, config.graph, quiet=True)
    started = time.perf_counter()
    load_graphs(crystals, config.graph, quiet=True)
    return {
        "n_crystals": len(crystals),
        "open_wall_seconds": round(time.perf_counter() - started, 4),
    }
