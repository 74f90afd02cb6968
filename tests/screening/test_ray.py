"""The same plan on a Ray cluster of two machines of one processor each."""

from __future__ import annotations

import time

import pytest

from tests.screening.conftest import N_STRUCTURES, OPTIONS, content
from vanhove.screening import screen
from vanhove.screening.source import ArraySource

ray = pytest.importorskip("ray", reason="needs the extra screen-ray")
psutil = pytest.importorskip("psutil", reason="finds the worker that is killed")


@pytest.fixture
def cluster():
    """Two workers and a head without processors, on this machine."""
    from ray.cluster_utils import Cluster

    store = 80 * 2**20  # bytes
    made = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 0, "object_store_memory": store, "include_dashboard": False},
    )
    for _ in range(2):
        made.add_node(num_cpus=1, object_store_memory=store)
    ray.init(address=made.address, log_to_driver=False, logging_level="error")
    yield made
    ray.shutdown()
    made.shutdown()


def busy_workers() -> list:
    """Processes of this test's cluster that run a chunk."""
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            if "ray::_run" in " ".join(process.cmdline()):
                found.append(process)
        except psutil.Error:
            continue
    return found


@pytest.mark.filterwarnings("ignore")
def test_a_worker_killed_in_mid_run_changes_nothing(
    cluster, unbroken, structures, small_run, tmp_path, monkeypatch
):
    """Through `screen` itself; the death comes while chunks are handed out."""
    out = tmp_path / "out"
    killed = []
    chunks_of = ArraySource.chunks

    def deadly(self, size, limit=None):
        for chunk in chunks_of(self, size, limit):
            if chunk.number >= 8 and not killed:
                deadline = time.monotonic() + 60
                while not (busy := busy_workers()) and time.monotonic() < deadline:
                    time.sleep(0.005)
                busy[0].kill()
                killed.append(busy[0].pid)
            yield chunk

    monkeypatch.setattr(ArraySource, "chunks", deadly)
    assert sum(node["Resources"].get("CPU", 0) for node in ray.nodes()) == 2
    result = screen(structures, out, model=small_run, engine="ray", **OPTIONS)
    assert killed
    assert result.n_new_partitions == N_STRUCTURES // OPTIONS["partition_size"]
    assert content(out) == content(unbroken)
