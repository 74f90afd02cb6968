"""Worker processes: orders wait their turn, a late or dead worker is replaced."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from vanhove.errors import ConfigError, VanhoveError
from vanhove.server.orders import Order
from vanhove.server.settings import ServerSettings
from vanhove.server.start import run_worker

START_SECONDS = 300.0
"""For a worker to import torch and load its models on a busy machine."""
LARGEST_ANSWER = 200_000_000
"""Bytes."""


class Busy(Exception):
    """Too many orders wait already."""


@dataclass(frozen=True)
class Answer:
    """Of a worker: an HTTP status and JSON."""

    status: int
    body: bytes

    @classmethod
    def problem(cls, status: int, detail: str) -> Answer:
        return cls(status, json.dumps({"detail": detail}).encode())


def process_context() -> multiprocessing.context.BaseContext:
    """Processes that hold nothing of the server; where there is a fork server, torch only once."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["vanhove.server.worker"])
    return context


class WorkerProcess:
    """One process and the connection to it. For one thread at a time.

    Args:
        settings: of the server.
    """

    def __init__(self, settings: ServerSettings):
        self.settings = settings
        self.process: Any = None
        self.connection: Any = None
        self.n_starts = 0
        self._stopped = threading.Event()

    def start(self) -> bytes:
        """Start anew; the catalog as JSON.

        Raises:
            ConfigError: the models cannot be loaded, or the process dies at once.
        """
        context: Any = process_context()
        self.connection, other = context.Pipe()
        self.process = context.Process(
            target=run_worker, args=(other, self.settings), daemon=True, name="vanhove-worker"
        )
        self.process.start()
        other.close()
        self.n_starts += 1
        answer = self._receive(START_SECONDS)
        if answer is None:
            self.kill()
            raise ConfigError("the worker process ended before it had loaded its models")
        if answer.status != 200:
            raise ConfigError(json.loads(answer.body)["detail"])
        return answer.body

    def ask(self, order: Order, content: bytes) -> Answer:
        """The answer, or why there is none: a worker that is late or dies is killed."""
        if self._stopped.is_set():
            return Answer.problem(503, "the server stops")
        if self.process is None or not self.process.is_alive():
            try:
                self.start()
            except VanhoveError as error:
                return Answer.problem(503, str(error))
        try:
            self.connection.send_bytes(order.model_dump_json().encode())
            self.connection.send_bytes(content)
            answer = self._receive(self.settings.seconds)
        except OSError:
            answer = None
        if answer is not None:
            return answer
        is_late = self.process.is_alive()
        self.kill()
        if is_late:
            return Answer.problem(
                422,
                f"took longer than {self.settings.seconds:g} s and was given up; "
                "use vanhove predict for large structures",
            )
        return Answer.problem(422, "the process that read this ended; it cannot be used")

    def _receive(self, seconds: float) -> Answer | None:
        """None: nothing came in time, or the process is dead."""
        try:
            if not self.connection.poll(seconds):
                return None
            status = int(self.connection.recv_bytes(16))
            return Answer(status, self.connection.recv_bytes(LARGEST_ANSWER))
        except (EOFError, OSError):
            self.process.join(1)
            return None

    def kill(self) -> None:
        """End the process now."""
        if self.process is not None:
            self.process.kill()
            self.process.join()
            self.connection.close()
            self.process = None

    def stop(self) -> None:
        """End it for good; an order that is being answered ends with it."""
        self._stopped.set()
        if self.process is not None:
            self.process.kill()


class Pool:
    """Some workers and the orders that wait for them.

    Args:
        settings: of the server.
    """

    def __init__(self, settings: ServerSettings):
        self.settings = settings
        self.workers = [WorkerProcess(settings) for _ in range(settings.workers)]
        self.threads = ThreadPoolExecutor(settings.workers, thread_name_prefix="vanhove")
        self.idle: asyncio.Queue[WorkerProcess] = asyncio.Queue()
        self.n_waiting = 0
        self.catalog = b""

    async def start(self) -> None:
        """Start all workers.

        Raises:
            ConfigError: the models cannot be loaded.
        """
        loop = asyncio.get_running_loop()
        starts = [loop.run_in_executor(self.threads, worker.start) for worker in self.workers]
        try:
            self.catalog = (await asyncio.gather(*starts))[0]
        except BaseException:
            self.stop()
            raise
        for worker in self.workers:
            self.idle.put_nowait(worker)

    @property
    def models(self) -> list[str]:
        """Names of the models."""
        return [model["name"] for model in json.loads(self.catalog)["models"]]

    def stop(self) -> None:
        """Kill all workers."""
        for worker in self.workers:
            worker.stop()
        self.threads.shutdown(wait=True, cancel_futures=True)

    async def ask(self, order: Order, content: bytes, *, patient: bool = False) -> Answer:
        """The answer to an order; a patient one may wait whatever the length of the queue.

        Raises:
            Busy: the queue is full.
        """
        if not patient and self.idle.empty() and self.n_waiting >= self.settings.queue:
            raise Busy
        self.n_waiting += not patient
        try:
            worker = await self.idle.get()
        finally:
            self.n_waiting -= not patient
        loop = asyncio.get_running_loop()
        answer = loop.run_in_executor(self.threads, worker.ask, order, content)
        # The worker is idle when it has answered, also when nobody waits for the answer any more.
        answer.add_done_callback(lambda _: self.idle.put_nowait(worker))
        return await asyncio.shield(answer)
