"""How fast prediction is: structure to graph, batching, forward pass, cold start, memory.

Usage:
    python benchmarks/prediction.py                                  # the shipped weights
    python benchmarks/prediction.py --model runs/mine --output prediction.json

Prints JSON on stdout (and writes it to ``--output``), progress on stderr. Everything runs on one
thread of the CPU. The crystals are supercells of 12 atoms made from the tiny data set, kept as they
are (not reduced), with at least 12 neighbours per atom where the cutoff of the model has so many;
``crystals`` in the result says how many atoms and edges they have. Times are per crystal, in ms.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

import vanhove
from vanhove.crystal.checks import check_crystal
from vanhove.crystal.crystal import Crystal
from vanhove.crystal.graph import CrystalGraph, build_graph, collate
from vanhove.crystal.neighbors import neighbor_list
from vanhove.crystal.symmetry import standardize
from vanhove.weights import DEFAULT_WEIGHTS, find_weights

ROOT = Path(__file__).parents[1]
N_ATOMS = 12
N_NEIGHBORS = 12
BATCH_SIZES = (1, 8, 64)
SECONDS_PER_TIMING = 1.0
START_AND_WAIT = """
import os, sys, time
silent = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
before = time.perf_counter()
pid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=silent)
_, status, usage = os.wait4(pid, 0)
print(time.perf_counter() - before, usage.ru_maxrss, status)
"""
"""A small process between: the peak memory of a child is never less than that of its parent."""


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def timed(function: Callable[[], Any], seconds: float = SECONDS_PER_TIMING) -> dict[str, float]:
    """Minimum and median wall time of a call, in ms; at least three calls after a warm-up."""
    function()
    times: list[float] = []
    started = time.perf_counter()
    while len(times) < 3 or time.perf_counter() - started < seconds:
        before = time.perf_counter()
        function()
        times.append(1e3 * (time.perf_counter() - before))
    return {"min": min(times), "median": statistics.median(times), "calls": len(times)}


def per_crystal(timing: dict[str, float], n: int) -> dict[str, float]:
    return {
        "min": round(timing["min"] / n, 4),
        "median": round(timing["median"] / n, 4),
        "calls": timing["calls"],
    }


def gemm_gflops(n: int = 1024) -> dict[str, float]:
    """The yardstick: float32 matrix product, one thread."""
    a, b = torch.randn(n, n), torch.randn(n, n)
    timing = timed(lambda: a @ b)
    work = 2 * n**3 / 1e6  # MFLOP; per ms that is GFLOP/s
    return {
        "size": n,
        "best": round(work / timing["min"], 1),
        "median": round(work / timing["median"], 1),
    }


def supercell(crystal: Crystal, repeats: tuple[int, int, int]) -> Crystal:
    shifts = np.array(list(itertools.product(*map(range, repeats))), dtype=float)
    fractional = (crystal.fractional_coordinates[None] + shifts[:, None]) / np.array(repeats)
    return Crystal(
        crystal.lattice * np.array(repeats)[:, None],
        fractional.reshape(-1, 3),
        np.tile(crystal.atomic_numbers, len(shifts)),
        crystal.name,
    )


def crystals_of_twelve_atoms(elements: set[int]) -> list[Crystal]:
    """Supercells of the tiny data set whose elements the model knows."""
    found = []
    for crystal in vanhove.load_dataset("tiny").crystals:
        copies, rest = divmod(N_ATOMS, crystal.n_atoms)
        if rest or not set(crystal.atomic_numbers.tolist()) <= elements:
            continue
        shapes = [
            shape
            for shape in itertools.product(range(1, copies + 1), repeat=3)
            if np.prod(shape) == copies
        ]
        lengths = np.linalg.norm(crystal.lattice, axis=1)
        # The most compact supercell.
        found.append(supercell(crystal, min(shapes, key=lambda s: np.ptp(lengths * s))))
    if not found:
        raise SystemExit("the model knows none of the crystals of the tiny data set")
    return found


def graph_timings(crystals: list[Crystal], settings: Any) -> dict[str, dict[str, float]]:
    tolerance = settings.symmetry_tolerance
    steps: dict[str, Callable[[Crystal], Any]] = {
        "check": check_crystal,
        "standardize": lambda c: standardize(c, tolerance),
        "neighbors": lambda c: neighbor_list(c, settings.cutoff, settings.max_neighbors),
        "total": lambda c: build_graph(c, settings),
    }
    result = {}
    for name, step in steps.items():
        say(f"structure to graph: {name}")
        timing = timed(lambda step=step: [step(crystal) for crystal in crystals])
        result[name] = per_crystal(timing, len(crystals))
    return result


def model_timings(model: Any, graphs: list[CrystalGraph]) -> dict[str, dict[str, dict]]:
    result: dict[str, dict[str, dict]] = {"collate_ms": {}, "forward_ms": {}}
    with torch.inference_mode():
        for size in BATCH_SIZES:
            say(f"batch of {size}")
            chosen = list(itertools.islice(itertools.cycle(graphs), size))
            batch = collate(chosen)
            timing = timed(lambda chosen=chosen: collate(chosen))
            result["collate_ms"][str(size)] = per_crystal(timing, size)
            timing = timed(lambda batch=batch: model(batch))
            result["forward_ms"][str(size)] = per_crystal(timing, size)
    return result


def command_timing(arguments: list[str], repeats: int) -> dict[str, Any]:
    """Wall seconds of ``python -m vanhove ...`` from a cold process, and its peak memory."""
    seconds, memory = [], []
    command = [sys.executable, "-c", START_AND_WAIT, sys.executable, "-m", "vanhove", *arguments]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    for _ in range(repeats):
        done = subprocess.run(
            command, stdout=subprocess.PIPE, text=True, check=True, env=environment
        )
        wall, peak, status = done.stdout.split()
        if int(status):
            raise SystemExit(f"vanhove {' '.join(arguments)} failed")
        seconds.append(float(wall))
        memory.append(megabytes(int(peak)))
    return {
        "seconds_min": round(min(seconds), 3),
        "seconds_median": round(statistics.median(seconds), 3),
        "repeats": repeats,
        "peak_rss_MB": max(memory),
    }


def megabytes(maxrss: int) -> float:
    """``ru_maxrss`` is in KiB on Linux, in bytes on macOS."""
    return round(maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6, 1)


def machine() -> dict[str, Any]:
    model = platform.processor()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = [x for x in info.read_text().splitlines() if x.startswith("model name")]
        model = lines[0].partition(":")[2].strip() if lines else model
    return {
        "system": platform.system(),
        "architecture": platform.machine(),
        "cpu": model,
        "logical_cpus": os.cpu_count(),
        "load_average": [round(x, 2) for x in os.getloadavg()],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", "-m", default=DEFAULT_WEIGHTS, help="weights, file or run")
    parser.add_argument("--output", "-o", type=Path, help="also write the JSON here")
    parser.add_argument("--repeats", type=int, default=5, help="of the cold starts")
    options = parser.parse_args()
    torch.set_num_threads(1)

    started_with = machine()
    say("loading the model")
    predictor = vanhove.load(options.model)
    settings = predictor.info.config.graph
    kept = settings.model_copy(update={"primitive": False, "max_neighbors": N_NEIGHBORS})
    crystals = crystals_of_twelve_atoms(set(predictor.info.elements))
    graphs = [build_graph(crystal, kept) for crystal in crystals]
    edges = [graph.edge_index.shape[1] / graph.n_atoms for graph in graphs]

    say("matrix product")
    yardstick = gemm_gflops()
    graph_ms = graph_timings(crystals, settings)
    model_ms = model_timings(predictor.model, graphs)
    own_peak = megabytes(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)

    weights = str(find_weights(options.model).resolve())
    cold = {}
    with tempfile.TemporaryDirectory() as folder:
        structure = str(ROOT / "examples" / "structures" / "NaCl.cif")
        predict = ["predict", structure, "--model", weights, "--output", folder, "--quiet"]
        for name, arguments in {"help": ["--help"], "predict NaCl.cif": predict}.items():
            say(f"cold start: {name}")
            cold[name] = command_timing(arguments, options.repeats)

    result = {
        "benchmark": "prediction",
        "model": {
            "name": predictor.name,
            "n_parameters": sum(p.numel() for p in predictor.model.parameters()),
            "config": predictor.info.config.model_dump(
                mode="json", include={"graph": True, "model": True}
            ),
        },
        "crystals": {
            "n": len(crystals),
            "atoms": N_ATOMS,
            "edges_per_atom_mean": round(statistics.mean(edges), 2),
            "edges_per_atom_max": round(max(edges), 2),
        },
        "gemm_float32_GFLOPs": yardstick,
        "structure_to_graph_ms": graph_ms,
        **model_ms,
        "cold_start": cold,
        "peak_rss_MB": own_peak,
        "threads": torch.get_num_threads(),
        "machine": started_with,
        "versions": {
            "vanhove": vanhove.__version__,
            "torch": torch.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
    }
    text = json.dumps(result, indent=1)
    print(text)
    if options.output is not None:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
