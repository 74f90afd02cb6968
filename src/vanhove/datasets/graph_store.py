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
import zlib
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import cache
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from uuid import uuid4

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

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
from vanhove.datasets.cache import cache_folder
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


def _kept(name: str, n_crystals: int, build: Callable[[], Arrays]) -> Arrays:
    """The arrays of the file ``name``; built and written where there is no sound one."""
    try:
        path = cache_folder() / "graphs" / f"{name}.safetensors"
        found = _read(path, n_crystals)
    except OSError as error:
        return _not_kept(build(), error)
    if found is not None:
        return found
    part = path.with_name(f".part-{uuid4().hex}")
    try:
        # Before the work: a folder that cannot be written says so at once.
        path.parent.mkdir(parents=True, exist_ok=True)
        part.touch()
    except OSError as error:
        return _not_kept(build(), error)
    try:
        arrays = build()
        try:
            _write(part, arrays)
            os.replace(part, path)
        except (OSError, SafetensorError) as error:
            return _not_kept(arrays, error)
        return arrays
    finally:
        part.unlink(missing_ok=True)


def _not_kept(arrays: Arrays, error: Exception) -> Arrays:
    _note(" ".join(str(error).split()))
    return arrays


@cache
def _note(reason: str) -> None:
    """Once per reason: each start of a run would say it several times."""
    print(
        f"graphs are not kept: {reason}; set VANHOVE_CACHE to a folder that can be written",
        file=sys.stderr,
    )


def _write(path: Path, arrays: Arrays) -> None:
    arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    mode = path.stat().st_mode
    save_file(arrays, path, {"checksum": str(_checksum(arrays))})
    path.chmod(mode)  # as any new file, so that users of one cache can read each other's
    with path.open("rb") as stream:
        os.fsync(stream.fileno())


def _read(path: Path, n_crystals: int) -> Arrays | None:
    """The arrays, mapped into memory; None where there is no file or a damaged one.

    Raises:
        OSError: the file cannot be read.
    """
    if not path.exists():
        return None
    try:
        with safe_open(path, "pt") as file:
            # Tensors share the pages of the file; arrays of safetensors would be copies.
            arrays = {name: file.get_tensor(name).numpy() for name in file.keys()}  # noqa: SIM118
            expected = (file.metadata() or {}).get("checksum")
    except (SafetensorError, ValueError, RuntimeError):
        return None
    sound = expected == str(_checksum(arrays)) and len(arrays["n_atoms"]) == n_crystals
    return arrays if sound else None


def _checksum(arrays: Arrays) -> int:
    total = 0
    for name in sorted(arrays):
        total = zlib.crc32(arrays[name].reshape(-1).view(np.uint8), total)  # type: ignore[arg-type]
    return total


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
