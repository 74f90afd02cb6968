"""How long a prediction of a large cell takes, and how much memory.

Usage:
    python benchmarks/large_cells.py
    python benchmarks/large_cells.py --repeats 1 5 --models vanhove-phonon

Supercells of rock salt whose atoms are moved at random by 0.1 angstrom, so that no symmetry is
left, each in a process of its own; processor seconds of one thread with the model loaded, and the
largest memory of the process less that before. Writes ``results/speed/large-cells.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from clock import about, machine, megabytes, say

import vanhove
from vanhove.crystal.crystal import Crystal
from vanhove.results import write_result

OUTPUT = Path(__file__).parents[1] / "results" / "speed" / "large-cells.json"
REPEATS = (1, 2, 3, 5, 9, 14)
"""Of the cubic cell of 8 atoms, along each axis."""
MODELS = ("vanhove-phonon", "vanhove-phonon-fast")
_SIDE, _NOISE = 4.21, 0.1


def disordered(repeats: int) -> Crystal:
    """``8 repeats^3`` atoms of MgO, without symmetry."""
    motif = np.array([[0, 0, 0], [0, 1, 1], [1, 0, 1], [1, 1, 0]]) / 2
    motif = np.concatenate([motif, motif + np.array([0.5, 0, 0])])
    cells = np.indices((repeats,) * 3).reshape(3, -1).T
    places = (motif[:, None] + cells).reshape(-1, 3) * _SIDE
    places += np.random.default_rng(0).normal(0, _NOISE, places.shape)
    lattice = _SIDE * repeats * np.eye(3)
    numbers = np.repeat([12] * 4 + [8] * 4, len(cells))
    return Crystal(lattice, places @ np.linalg.inv(lattice), numbers, "disordered MgO")


def measure(model: str, repeats: int) -> dict[str, float]:
    """In this process."""
    import resource

    predictor = vanhove.load(model)
    predictor.predict(disordered(1))  # what is imported and made ready once

    def peak() -> float:
        return megabytes(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)

    crystal, before, started = disordered(repeats), peak(), time.process_time()
    predictor.predict(crystal)
    seconds = time.process_time() - started
    return {
        "n_atoms": crystal.n_atoms,
        "core_seconds": round(seconds, 3),
        "memory_MB": round(peak() - before),
        "process_MB": round(peak()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--models", nargs="+", default=MODELS)
    parser.add_argument("--repeats", type=int, nargs="+", default=REPEATS)
    parser.add_argument("--output", "-o", type=Path, default=OUTPUT)
    parser.add_argument("--one", nargs=2, metavar=("MODEL", "REPEATS"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.one[0], int(options.one[1]))))
        return
    load = [round(x, 2) for x in os.getloadavg()]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    result: dict[str, list[dict[str, float]]] = {}
    for model in options.models:
        for repeats in options.repeats:
            command = [sys.executable, __file__, "--one", model, str(repeats)]
            done = subprocess.run(
                command, capture_output=True, text=True, check=True, env=environment
            )
            result.setdefault(model, []).append(json.loads(done.stdout))
            say(f"{model}: {result[model][-1]}")
    content = {
        "benchmark": "large cells",
        "models": result,
        "machine": machine(),
        "load_average_before": load,
        **about(options.models, "MgO whose atoms are moved at random"),
    }
    write_result(content, options.output)


if __name__ == "__main__":
    main()
