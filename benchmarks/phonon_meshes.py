"""How far densities and thermodynamics are from those of many more wave vectors.

Usage:
    python benchmarks/phonon_meshes.py

Phonons of vanhove-phonon, of crystals of the validation part of ``phonon_petretto_full``. Compared
with splines over three times as many wave vectors along each axis: splines as they are by default,
and linear tetrahedra on the mesh of `Phonons.mesh`, which has about three times as many wave
vectors. Writes ``results/speed/phonon-meshes.json``.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import time
from pathlib import Path

import numpy as np
from clock import say

import vanhove
from vanhove.datasets import load_dataset
from vanhove.physics.tetrahedra import mesh_tetrahedra, states_below
from vanhove.results import write_result
from vanhove.spectra.grids import cell_edges
from vanhove.spectra.phonons import Phonons
from vanhove.spectra.spectrum import Spectrum
from vanhove.spectra.whole_density import BROADENING, STEP, broadened_on
from vanhove.version import circumstances

OUTPUT = Path(__file__).parents[1] / "results" / "speed" / "phonon-meshes.json"
DATASET, KELVIN, SEED, FINER = "phonon_petretto_full", (100.0, 300.0, 1000.0), 0, 3
LARGEST = 14
"""Atoms."""


def tetrahedra(phonons: Phonons, grid: np.ndarray) -> Spectrum:
    shape = phonons.mesh()
    frequencies, whole = phonons._mesh_frequencies(shape)
    cells = mesh_tetrahedra(np.array(shape), phonons.crystal.lattice, whole)
    corners = np.sort(frequencies[cells.corners].transpose(0, 2, 1).reshape(-1, 4), axis=1)
    edges = cell_edges(grid)
    below = states_below(corners, cells.weights.repeat(phonons.n_modes), edges)
    return phonons._spectrum(grid, np.diff(below) / np.diff(edges))


def errors(found: Spectrum, dense: Spectrum) -> dict[str, float]:
    """Of the broadened density, in units of its maximum, and of thermodynamics."""
    real = [own.values * (own.grid >= 0) for own in (found, dense)]
    grid = np.arange(0, dense.grid[-1], STEP)
    one, two = (broadened_on(grid, dense.grid, values / values.sum()) for values in real)
    apart = np.abs(one - two) / two.max()
    result = {"density": float(apart.mean()), "density_largest": float(apart.max())}
    own, true = (
        Spectrum(dense.grid, values, "cm-1", "3N", crystal=dense.crystal).thermal_properties(KELVIN)
        for values in real
    )
    for name in ("heat_capacity", "entropy", "free_energy"):
        apart = np.abs(getattr(own, name) - getattr(true, name))
        result |= {f"{name}_{kelvin:g}K": float(x) for kelvin, x in zip(KELVIN, apart, strict=True)}
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--crystals", type=int, default=40)
    parser.add_argument("--output", "-o", type=Path, default=OUTPUT)
    options = parser.parse_args()
    dataset = load_dataset(DATASET)
    rows = [r for r in dataset.split("valid").tolist() if dataset.crystals[r].n_atoms <= LARGEST]
    chosen = np.random.default_rng(SEED).choice(rows, options.crystals, replace=False)
    model = vanhove.load("vanhove-phonon", precision="float32")
    found: dict[str, list[dict[str, float]]] = {"splines": [], "tetrahedra": []}
    for row in chosen:
        started = time.process_time()
        phonons = model.phonons(dataset.crystals[row], primitive=True)
        shape = tuple(FINER * n for n in phonons.spline_mesh())
        low, high = (float(x(phonons._levels(shape))) for x in (np.min, np.max))
        grid = np.arange(np.floor(min(low, 0)) - 5, np.ceil(high) + 40)
        dense = phonons.dos(grid, mesh=shape)
        found["splines"].append(errors(phonons.dos(grid), dense))
        found["tetrahedra"].append(errors(tetrahedra(phonons, grid), dense))
        say(f"{dataset.ids[row]} {phonons!r} {time.process_time() - started:.0f} s")
        say(f"  {found['splines'][-1]}")

    def over_all(name: str) -> dict[str, dict[str, float]]:
        table = {key: np.array([own[key] for own in found[name]]) for key in found[name][0]}
        return {
            key: {"mean": round(float(x.mean()), 5), "largest": round(float(x.max()), 5)}
            for key, x in table.items()
        }

    content = {
        "benchmark": "phonon meshes",
        "units": "density: of its maximum, modes broadened by "
        f"{BROADENING:g} 1/cm; heat capacity and entropy J/(K mol of atoms), free energy kJ/mol",
        "dataset": {
            "name": DATASET,
            "data_hash": dataset.data_hash,
            "split": "valid",
            "split_hash": dataset.split_hash,
        },
        "materials": [dataset.ids[row] for row in chosen],
        "model": "vanhove-phonon",
        "splines": over_all("splines"),
        "tetrahedra": over_all("tetrahedra"),
        "config": {"seed": SEED, "crystals": options.crystals, "largest_cell": LARGEST},
    }
    write_result(content | circumstances(), options.output)


if __name__ == "__main__":
    main()
