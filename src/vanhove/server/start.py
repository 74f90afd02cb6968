"""What a worker process runs first; imports nothing heavy, as the server imports it too."""

from __future__ import annotations

from multiprocessing.connection import Connection

from vanhove.server.settings import ServerSettings


def run_worker(connection: Connection, settings: ServerSettings) -> None:
    """See `vanhove.server.worker.work`."""
    from vanhove.server.worker import work

    work(connection, settings)
