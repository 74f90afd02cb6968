"""How long one small crystal takes: its density of states, and its whole phonons.

Usage:
    python benchmarks/one_crystal.py

Processor milliseconds of one thread with the model loaded, the best of several, for MgO in a cell
of 8 atoms whose atoms are moved at random by 0.1 angstrom: no symmetry helps. Writes
``results/speed/one-crystal.json``.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import torch
from clock import about, machine, say
from large_cells import disordered

import vanhove
from vanhove.results import write_result

OUTPUT = Path(__file__).parents[1] / "results" / "speed" / "one-crystal.json"
MODELS = ("vanhove-phonon", "vanhove-phonon-fast")


def best(work: Callable[[], object], n: int) -> float:
    """Processor milliseconds."""
    work()
    found = []
    for _ in range(n):
        started = time.process_time()
        work()
        found.append(time.process_time() - started)
    return round(1e3 * min(found), 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--output", "-o", type=Path, default=OUTPUT)
    options = parser.parse_args()
    torch.set_num_threads(1)
    load = [round(x, 2) for x in os.getloadavg()]
    crystal, result = disordered(1), {}
    for name in MODELS:
        predictor = vanhove.load(name)
        result[name] = {
            "density_ms": best(lambda p=predictor: p.predict(crystal), options.repeats),
            "thermodynamics_ms": best(
                lambda p=predictor: p.phonons(crystal).thermal_properties(), options.repeats
            ),
        }
        say(f"{name}: {result[name]}")
    content = {"benchmark": "one crystal", "n_atoms": crystal.n_atoms, "models": result}
    content |= about(MODELS, "MgO whose atoms are moved at random")
    write_result(content | {"machine": machine(), "load_average_before": load}, options.output)


if __name__ == "__main__":
    main()
