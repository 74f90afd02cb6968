"""A running server with tight limits, its shipped models and a small ensemble."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

httpx = pytest.importorskip("httpx", reason="needs the extra test")
uvicorn = pytest.importorskip("uvicorn", reason="needs the extra serve")

PHONONS = "dostransformer-phonon"
LIMITS = {
    "queue": 4,
    "seconds": 90.0,
    "upload_seconds": 2.0,
    "max_bytes": 500_000,
    "max_batch_bytes": 1_000_000,
    "max_batch_structures": 40,
    "max_batches": 2,
    "max_atoms": 60,
}


@dataclass
class Running:
    """A server, how to reach it, and its inside."""

    address: str
    client: httpx.Client
    pool: object


@pytest.fixture(scope="package")
def server(small_ensemble: Path) -> Iterator[Running]:
    from vanhove.server.app import create_app
    from vanhove.server.pool import Pool
    from vanhove.server.settings import ServerSettings

    settings = ServerSettings(models=(str(small_ensemble),), **LIMITS)
    pool = Pool(settings)
    app = create_app(settings, pool=pool, hosts=("127.0.0.1", "localhost"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    uvicorn_server = uvicorn.Server(
        uvicorn.Config(app, "127.0.0.1", port, log_level="warning", lifespan="on")
    )
    thread = threading.Thread(target=asyncio.run, args=(uvicorn_server.serve(),))
    thread.start()
    address = f"http://127.0.0.1:{port}"
    for _ in range(600):
        if uvicorn_server.started or not thread.is_alive():
            break
        threading.Event().wait(0.1)
    assert uvicorn_server.started, "the server has not started"
    with httpx.Client(base_url=address, timeout=60) as client:
        yield Running(address, client, pool)
    uvicorn_server.should_exit = True
    thread.join(20)
    assert not thread.is_alive()
