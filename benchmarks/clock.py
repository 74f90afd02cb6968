"""How things are timed: processor time, turns, a matrix product beside everything."""

from __future__ import annotations

import hashlib
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import torch

from vanhove.version import circumstances
from vanhove.weights import find_weights

GEMM = "matrix product"
GEMM_SIZE = 1024
START_AND_WAIT = """
import os, sys, time
silent = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
before = time.perf_counter()
pid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=silent)
_, status, usage = os.wait4(pid, 0)
print(time.perf_counter() - before, usage.ru_utime + usage.ru_stime, usage.ru_maxrss, status)
"""
"""A small process between: the peak memory of a child is never less than that of its parent."""


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def core_seconds(
    functions: Mapping[str, Callable[[], Any]], rounds: int, at_least: float = 0.3
) -> dict[str, float]:
    """Processor seconds of a call of each function, medians over rounds.

    They take turns, so that what else the machine does slows all of them alike. Each turn begins
    with a call that does not count and lasts ``at_least`` seconds.
    """
    times: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(rounds):
        for name, function in functions.items():
            function()
            calls, before = 0, time.process_time()
            while calls == 0 or time.process_time() - before < at_least:
                function()
                calls += 1
            times[name].append((time.process_time() - before) / calls)
    return {name: statistics.median(values) for name, values in times.items()}


def matrix_product() -> Callable[[], Any]:
    """The yardstick: a float32 product of two square matrices, one thread."""
    a, b = torch.randn(GEMM_SIZE, GEMM_SIZE), torch.randn(GEMM_SIZE, GEMM_SIZE)
    return lambda: a @ b


def gflops(seconds: float) -> float:
    return round(2 * GEMM_SIZE**3 / seconds / 1e9, 1)


def cold_start(arguments: list[str], repeats: int) -> dict[str, float]:
    """``python ...`` from nothing: wall and processor seconds, peak memory."""
    command = [sys.executable, "-c", START_AND_WAIT, sys.executable, *arguments]
    runs = []
    for _ in range(repeats):
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        wall, cpu, peak, status = done.stdout.split()
        if int(status):
            raise SystemExit(f"python {' '.join(arguments)} failed")
        runs.append((float(wall), float(cpu), megabytes(int(peak))))
    walls, cpus, peaks = zip(*runs, strict=True)
    return {
        "wall_seconds": round(statistics.median(walls), 3),
        "core_seconds": round(statistics.median(cpus), 3),
        "peak_MB": max(peaks),
    }


def megabytes(maxrss: int) -> float:
    """``ru_maxrss`` is in KiB on Linux, in bytes on macOS."""
    return round(maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6, 1)


def about(
    weights: Iterable[str], data: str, file: Path | None = None, seed: int = 0
) -> dict[str, Any]:
    """What every result says: versions, weights by name, seed and data with SHA-256 (hex).

    Args:
        weights: names of those that were measured.
        data: what was read, or how it was made.
        file: its file.
        seed: of what was drawn.
    """
    dataset = {"name": data, "split": "none"}
    return {
        "versions": circumstances()["versions"],
        "weights": {name: _hash(find_weights(name)) for name in weights},
        "seed": seed,
        "dataset": dataset if file is None else dataset | {"hash": _hash(file)},
    }


def _hash(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def machine() -> dict[str, Any]:
    model, flags = platform.processor(), ""
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = dict(
            line.split(":", 1) for line in info.read_text().splitlines() if line.count(":")
        )
        entries = {key.strip(): value.strip() for key, value in lines.items()}
        model, flags = entries.get("model name", model), entries.get("flags", "")
    return {
        "system": platform.system(),
        "architecture": platform.machine(),
        "cpu": model,
        "bfloat16_instructions": "avx512_bf16" in flags or "amx_bf16" in flags,
        "logical_cpus": os.cpu_count(),
        "load_average": [round(x, 2) for x in os.getloadavg()],
        "threads": torch.get_num_threads(),
    }
