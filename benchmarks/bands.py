"""Time to predict bands of one crystal: 256 k-points, 6 bands, 12 atoms, one core.

    python benchmarks/bands.py --output results/bands/speed.json

The graph (symmetry, neighbours) and the path are made once and timed on their own. Times are
medians of the processor's time, which other processes disturb less than the clock.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from vanhove.crystal.crystal import Crystal
from vanhove.prediction.loading import load
from vanhove.prediction.predictor import Predictor
from vanhove.results import json_text, write_result
from vanhove.version import circumstances


def hexagonal_twelve() -> Crystal:
    """Na2O2: 12 atoms in the primitive cell, space group 189."""
    from pymatgen.core import Lattice, Structure

    structure = Structure.from_spacegroup(
        "P-62m",
        Lattice.hexagonal(6.22, 4.47),
        ["Na", "Na", "O", "O"],
        [[0.632, 0, 0], [0.3, 0, 0.5], [0, 0, 0.17], [1 / 3, 2 / 3, 0.33]],
    )
    numbers = np.array([site.specie.Z for site in structure])
    return Crystal(structure.lattice.matrix, structure.frac_coords, numbers, "Na2O2")


def times(function: Callable[[], object], rounds: int) -> tuple[float, float]:
    """Medians of processor and wall time, ms."""
    function()
    processor, wall = [], []
    for _ in range(rounds):
        start = time.process_time(), time.perf_counter()
        function()
        processor.append(time.process_time() - start[0])
        wall.append(time.perf_counter() - start[1])
    return 1000 * statistics.median(processor), 1000 * statistics.median(wall)


def measure(predictor: Predictor, rounds: int) -> dict[str, float | int]:
    crystal = hexagonal_twelve()
    prepared = predictor._prepare(crystal, primitive=True)
    model = times(lambda: predictor.model.predict([prepared.graph]), rounds)
    everything = times(lambda: predictor.predict(crystal), max(3, rounds // 4))
    assert prepared.kpoints is not None
    return {
        "n_atoms": prepared.cell.n_atoms,
        "n_edges": prepared.graph.edge_index.shape[1],
        "n_kpoints": len(prepared.kpoints),
        "model_processor_ms": round(model[0], 2),
        "model_wall_ms": round(model[1], 2),
        "with_path_and_graph_processor_ms": round(everything[0], 2),
        "with_path_and_graph_wall_ms": round(everything[1], 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="bandformer-electron")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    predictor = load(arguments.model)
    result = {
        "what": "bands of one crystal along its path, one thread",
        "model": predictor.name,
        "n_bands": predictor.info.model.decoder.n_bands,
        "seed": None,
        "config": {"rounds": arguments.rounds, "threads": 1},
        "dataset": {"name": "none: one crystal, Na2O2", "split": "none"},
        "trained_on": predictor.info.trained.dataset.model_dump(),
        **measure(predictor, arguments.rounds),
        **circumstances(),
    }
    print(json_text(result))
    if arguments.output:
        write_result(result, arguments.output)


if __name__ == "__main__":
    main()
