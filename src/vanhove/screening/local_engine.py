"""Worker processes on this machine.

Each worker holds one chunk, and one more waits: memory does not grow with the number of structures.
A worker is told of its work through a pipe that only it and the parent hold, so when the parent is
killed the workers see the end of the pipe, and when a worker is killed the parent does.
"""

from __future__ import annotations

import os
import signal
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import get_all_start_methods, get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING, Any

from vanhove.errors import ScreeningError

if TYPE_CHECKING:
    from vanhove.screening.partition import Job
    from vanhove.screening.source import Chunk

ATTEMPTS = 3
"""A chunk whose worker dies so often is given up."""
_READY = "ready"


@dataclass
class _Process:
    process: BaseProcess
    pipe: Connection
    is_ready: bool = False
    chunk: Chunk | None = None


def run_local(job: Job, chunks: Iterator[Chunk], n_workers: int) -> Iterator[int]:
    """Predict and write chunks; the number of each when it is done, in any order.

    Raises:
        ScreeningError: workers cannot start, one ends with an error, or a chunk kills its workers.
    """
    workers: list[_Process] = []
    deaths: Counter[int] = Counter()
    waiting: deque[Chunk] = deque()
    try:
        workers += [_start(job) for _ in range(n_workers)]
        while True:
            for worker in workers:
                if worker.is_ready and worker.chunk is None and waiting:
                    _give(worker, waiting.popleft())
                if not waiting and (chunk := next(chunks, None)) is not None:
                    waiting.append(chunk)
            if not waiting and not any(worker.chunk for worker in workers):
                return
            for pipe in wait([worker.pipe for worker in workers]):
                i = next(i for i, worker in enumerate(workers) if worker.pipe is pipe)
                worker = workers[i]
                try:
                    message = worker.pipe.recv()
                except (EOFError, OSError):
                    workers[i] = _replace(job, worker, deaths)
                    if worker.chunk is not None:
                        waiting.append(worker.chunk)
                    continue
                if isinstance(message, str) and message != _READY:
                    raise ScreeningError(message)
                worker.is_ready, worker.chunk = True, None
                if message != _READY:
                    yield message
    finally:
        for worker in workers:
            worker.pipe.close()
            worker.process.terminate()
        for worker in workers:
            worker.process.join()


def _give(worker: _Process, chunk: Chunk) -> None:
    worker.chunk = chunk
    with suppress(OSError):  # it died: reading from it says so too
        worker.pipe.send(chunk)


def _start(job: Job) -> _Process:
    # A fork server imports torch once, in a process without threads, for all workers.
    is_there = "forkserver" in get_all_start_methods()
    context: Any = get_context("forkserver" if is_there else "spawn")
    if is_there:
        context.set_forkserver_preload(["vanhove.screening.partition"])
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(theirs, job), daemon=True)
    with _one_thread():
        process.start()
    theirs.close()
    return _Process(process, ours)


def _replace(job: Job, worker: _Process, deaths: Counter[int]) -> _Process:
    worker.pipe.close()
    worker.process.join()
    status = worker.process.exitcode
    number = -1 if worker.chunk is None else worker.chunk.number
    deaths[number] += 1
    if deaths[number] < ATTEMPTS:
        return _start(job)
    if worker.chunk is None:
        raise ScreeningError(
            f"{ATTEMPTS} workers ended before they had work (status {status}); when a script calls "
            'screen(), its main part must stand under if __name__ == "__main__"'
        )
    records = worker.chunk.records
    raise ScreeningError(
        f"partition {number} ({records[0].id} to {records[-1].id}) ended its worker {ATTEMPTS} "
        f"times (status {status}): out of memory, or a structure that crashes a library; find and "
        "remove it"
    )


@contextmanager
def _one_thread() -> Iterator[None]:
    """Numerical libraries read these when they are loaded."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _work(pipe: Connection, job: Job) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what Ctrl-C ends
    from vanhove.screening.partition import PartitionWorker

    try:
        worker = PartitionWorker(job)
        pipe.send(_READY)
        while True:
            chunk = pipe.recv()
            pipe.send(worker.run(chunk))
    except (EOFError, BrokenPipeError):
        return  # the parent is gone
    except Exception as error:
        words = " ".join(str(error).split())
        pipe.send(f"a worker failed: {type(error).__name__}: {words}")
