import threading
from http.server import ThreadingHTTPServer

import numpy as np
import pytest

from vanhove.crystal.crystal import Crystal
from vanhove.datasets import SpectrumDataset


@pytest.fixture
def make_dataset():
    """A data set of ``n`` rock salts with random spectra; any field can be replaced."""

    def make(n: int = 5, **fields) -> SpectrumDataset:
        values = np.random.default_rng(0).uniform(0.1, 1, (n, 4))
        numbers = [(11, 17), (12, 8), (19, 35), (3, 9), (20, 8)]
        defaults = {
            "name": "mine",
            "ids": [f"m{k}" for k in range(n)],
            "crystals": [
                Crystal(np.eye(3) * (4 + k), [[0, 0, 0], [0.5, 0.5, 0.5]], numbers[k % 5])
                for k in range(n)
            ],
            "grid": np.arange(4) * 20.0,
            "unit": "cm-1",
            "normalisation": "max",
            "quantity": "phonon_dos",
            "values": values,
            "splits": {"train": np.arange(n - 2), "valid": [n - 2], "test": [n - 1]},
            "split_name": "given",
        }
        return SpectrumDataset(**(defaults | fields))

    return make


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty folder in the place of the cache, and no data on this machine."""
    monkeypatch.setenv("VANHOVE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("VANHOVE_DATA", raising=False)
    return tmp_path / "cache"


@pytest.fixture
def serve(monkeypatch):
    """Starts a server on this machine with a handler of requests; what it is asked is kept."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    started = []

    def start(handler):
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        server.asked = []
        server.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        started.append((server, thread))
        return server

    yield start
    for server, thread in started:
        server.shutdown()
        server.server_close()
        thread.join()
