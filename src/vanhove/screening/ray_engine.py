"""The same plan on a Ray cluster: one task for each chunk.

Ray starts a lost task again, and a partition is written whole or not at all, so a worker or a
machine that goes away costs time alone. All machines need this version of vanhove, the model and
the output folder under the same path.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

from vanhove.errors import MissingExtraError, ScreeningError

if TYPE_CHECKING:
    from vanhove.screening.partition import Job, PartitionWorker
    from vanhove.screening.source import Chunk

ATTEMPTS = 3
"""A chunk whose worker dies so often is given up, as on one machine."""
CHUNKS_PER_CPU = 2
"""Chunks that are under way or wait for a processor: bounds the memory."""


def run_ray(job: Job, chunks: Iterator[Chunk], n_workers: int | None) -> Iterator[int]:
    """Predict and write chunks; the number of each when it is done, in any order.

    Uses the cluster that ``RAY_ADDRESS`` names, that this process already uses or that runs on
    this machine; else starts one with ``n_workers`` processors.

    Raises:
        MissingExtraError: ray is not installed.
        ScreeningError: a task failed, or its worker died several times.
    """
    try:
        import ray
    except ImportError as error:
        raise MissingExtraError("ray", "screen-ray", "--engine ray") from error

    ours = not ray.is_initialized()
    if ours:
        _connect(n_workers)
    task = ray.remote(num_cpus=1, max_retries=ATTEMPTS - 1)(_run)
    shared = ray.put(job)
    limit = CHUNKS_PER_CPU * (n_workers or max(1, int(ray.cluster_resources().get("CPU", 1))))
    pending: list = []
    try:
        for chunk in chunks:
            pending.append(task.remote(shared, chunk))
            if len(pending) == limit:
                done, pending = ray.wait(pending)
                yield from ray.get(done)
        while pending:
            done, pending = ray.wait(pending)
            yield from ray.get(done)
    except ray.exceptions.RayError as error:
        words = " ".join(str(error).split())[-300:]
        raise ScreeningError(f"a Ray task failed: {words}") from error
    finally:
        for reference in pending:
            ray.cancel(reference)
        if ours:
            ray.shutdown()


def _connect(n_workers: int | None) -> None:
    import ray

    try:
        ray.init(address="auto", log_to_driver=False, logging_level=logging.ERROR)
    except ConnectionError:
        ray.init(
            num_cpus=n_workers,
            log_to_driver=False,
            logging_level=logging.ERROR,
            include_dashboard=False,
        )


@cache
def _worker(job: Job) -> PartitionWorker:
    """One for each process: the model is loaded once."""
    from vanhove.screening.partition import PartitionWorker

    return PartitionWorker(job)


def _run(job: Job, chunk: Chunk) -> int:
    return _worker(job).run(chunk)
