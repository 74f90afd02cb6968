"""Symmetry and graphs of all crystals of a data set, computed once and kept in the cache.

They stand in ``graphs/`` of the cache folder, one file of flat arrays for each list of crystals and
setting, mapped into memory when it is opened. The name of a file is the SHA-256 of everything that
decides its content, so a file is never out of date; the folder can be deleted at any time. A cache
that cannot be used costs time, never a result.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from importlib.metadata import version
from multiprocessing import get_context

import numpy as np

from vanhove.crystal.crystal import Crystal
from vanhove.crystal.domain import Domain
from vanhove.crystal.graph import GraphSettings
from vanhove.crystal.symmetry import SYMMETRY_TOLERANCE, crystal_system
from vanhove.crystal.tables import (
    UNUSABLE,
    Arrays,
    GraphTable,
    SymmetryTable,
    graph_arrays,
    symmetry_arrays,
)
from vanhove.datasets.kept_arrays import kept_arrays
from vanhove.progress import track

FORMAT = 4
"""Raise it when what a file holds, or how it is computed, changes."""
CHUNK = 64
"""Crystals that one process takes at a time."""
MANY = 256
"""From this number of crystals on, it pays to start processes."""


def load_graphs(
    crystals: Sequence[Crystal], settings: GraphSettings, quiet: bool = False
) -> GraphTable:
    """The graphs of crystals, from the cache or built and kept there.

    Unusable crystals have no graph and raise nothing; `vanhove.crystal.graph.build_graph` tells
    why.

    Args:
        crystals: all of a data set, so that every part of it finds the same file.
        settings: of the graphs.
        quiet: no progress.
    """

    def build() -> Arrays:
        symmetry = load_symmetry(crystals, settings.symmetry_tolerance, quiet)
        jobs = [
            (
                [symmetry.primitive(row) if settings.primitive else crystals[row] for row in rows],
                [symmetry.crystal_system(row) for row in rows],
                settings,
            )
            for rows in _chunks(len(crystals))
        ]
        return _computed(graph_arrays, jobs, "building graphs", quiet)

    key = _key(crystals, "graphs", settings.model_dump_json(), version("spglib"), version("vesin"))
    return GraphTable(_kept(f"graphs-{key}", len(crystals), build))


def load_symmetry(
    crystals: Sequence[Crystal], tolerance: float = SYMMETRY_TOLERANCE, quiet: bool = False
) -> SymmetryTable:
    """Primitive cells and space groups of crystals; arguments as `load_graphs`."""

    def build() -> Arrays:
        jobs = [(crystals[rows.start : rows.stop], tolerance) for rows in _chunks(len(crystals))]
        return _computed(symmetry_arrays, jobs, "finding symmetries", quiet)

    key = _key(crystals, "symmetry", repr(tolerance), version("spglib"))
    return SymmetryTable(**_kept(f"symmetry-{key}", len(crystals), build))


def domain_of(crystals: Sequence[Crystal], rows: Iterable[int], quiet: bool = False) -> Domain:
    """What a model knows that is trained on these rows, at least one of them usable.

    Args:
        crystals: all of a data set, so that every part of it finds the same file.
        rows: of the training split.
        quiet: no progress.
    """
    table = load_symmetry(crystals, quiet=quiet)
    usable = [row for row in rows if table.space_group[row] != UNUSABLE]
    return Domain.of(
        (table.primitive(row) for row in usable), (int(table.material[row]) for row in usable)
    )


def crystal_systems(crystals: Sequence[Crystal], quiet: bool = False) -> list[str]:
    """The crystal system of each crystal.

    Raises:
        StructureError: no symmetry found.
    """
    table = load_symmetry(crystals, quiet=quiet)
    return [
        table.crystal_system(row) or crystal_system(crystal) for row, crystal in enumerate(crystals)
    ]


def _kept(name: str, n_crystals: int, build: Callable[[], Arrays]) -> Arrays:
    return kept_arrays("graphs", name, build, lambda found: len(found["n_atoms"]) == n_crystals)


def _key(crystals: Sequence[Crystal], *parts: str) -> str:
    digest = hashlib.sha256(json.dumps([FORMAT, *parts]).encode())
    digest.update(np.array([crystal.n_atoms for crystal in crystals], dtype="<i8").tobytes())
    for name, kind in (
        ("atomic_numbers", "<i8"),
        ("lattice", "<f8"),
        ("fractional_coordinates", "<f8"),
    ):
        flat = np.concatenate([getattr(crystal, name) for crystal in crystals])
        digest.update(flat.astype(kind).tobytes())
    return digest.hexdigest()


def _chunks(n: int) -> list[range]:
    return [range(start, min(start + CHUNK, n)) for start in range(0, n, CHUNK)]


def _computed(
    function: Callable[..., Arrays], jobs: Sequence[tuple], description: str, quiet: bool
) -> Arrays:
    """``function(*job)`` of every job, joined; over processes where there are many."""
    # A forked process starts in milliseconds; where there is no fork each imports torch again.
    processes = len(os.sched_getaffinity(0)) if sys.platform == "linux" else 1
    if processes > 1 and len(jobs) * CHUNK >= MANY:
        try:
            with ProcessPoolExecutor(min(processes, len(jobs)), get_context("fork")) as pool:
                running = [pool.submit(function, *job) for job in jobs]
                return _joined([f.result() for f in track(running, description, quiet)])
        except (BrokenProcessPool, OSError):
            pass  # a process was killed or not started, for memory perhaps: one needs less of it
    return _joined([function(*job) for job in track(jobs, description, quiet)])


def _joined(parts: Sequence[Arrays]) -> Arrays:
    return {name: np.concatenate([part[name] for part in parts], axis=-1) for name in parts[0]}
