"""How much noise on the positions, and another cell, change what the shipped models predict.

Usage: python scripts/measure_noise.py results/reliability/noise.json [MODEL ...]
Needs the data set phonon_petretto (VANHOVE_DATA).
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from vanhove.crystal import Crystal, read_crystal
from vanhove.crystal.symmetry import standardize
from vanhove.datasets import SpectrumDataset, load_dataset
from vanhove.errors import StructureError
from vanhove.prediction.electron_predictor import NAME, ElectronPredictor
from vanhove.prediction.loading import load
from vanhove.prediction.predictor import Predictor
from vanhove.results import write_result
from vanhove.version import circumstances
from vanhove.weights import shipped_weights

SIZES = (0.001, 0.003, 0.01)
EXAMPLES = Path(__file__).parent.parent / "examples" / "structures"
N_VALIDATION = 30
SEED = 0


def crystals(dataset: SpectrumDataset) -> list[Crystal]:
    """The examples, and the first crystals of the validation part."""
    rows = dataset.split("valid")[:N_VALIDATION]
    return [read_crystal(path) for path in sorted(EXAMPLES.iterdir())] + [
        dataset.crystals[row] for row in rows
    ]


def noisy(crystal: Crystal, size: float, draw: np.random.Generator) -> Crystal:
    """Gaussian displacements, ``size`` in each direction, angstrom."""
    moved = crystal.cartesian_coordinates + draw.normal(0, size, (crystal.n_atoms, 3))
    return replace(crystal, fractional_coordinates=moved @ np.linalg.inv(crystal.lattice))


def other_cell(crystal: Crystal) -> Crystal:
    """The same crystal in a skewed cell of the same volume."""
    change = np.array([[1, 1, 0], [0, 1, -1], [0, 0, 1]])
    return Crystal(
        change @ crystal.lattice,
        crystal.fractional_coordinates @ np.linalg.inv(change),
        crystal.atomic_numbers,
        crystal.name,
    )


def change(predictor: Predictor | ElectronPredictor, before: list, after: list[Crystal]) -> dict:
    """Mean over the points of the change, in units of the largest value; mean and worst crystal."""
    changes, flips, refused = [], 0, 0
    for one, other in zip(before, predictor.stream(after), strict=True):
        if isinstance(one, StructureError) or isinstance(other, StructureError):
            refused += isinstance(other, StructureError) and not isinstance(one, StructureError)
            continue
        a, b = (x.energies if predictor.gives_bands else x.values for x in (one, other))
        changes.append(float(np.abs(a - b).mean() / np.abs(a).max()))
        flips += one.metadata["crystal_system"] != other.metadata["crystal_system"]
    return {"mean": np.mean(changes), "worst": max(changes), "flips": flips, "refused": refused}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("models", nargs="*", help="of the shipped ones; all by default")
    given = parser.parse_args()
    dataset = load_dataset("phonon_petretto")
    structures = crystals(dataset)
    draw = np.random.default_rng(SEED)
    copies = {f"{size:g}": [noisy(c, size, draw) for c in structures] for size in SIZES}
    copies["other cell"] = [other_cell(c) for c in structures]
    near = [standardize(c, near=3.0).tolerance > 0.01 for c in structures]
    content = {
        "seed": SEED,
        "dataset": {"name": dataset.name, "hash": dataset.data_hash, "split": "valid"},
        "config": {"sizes": SIZES, "n_validation": N_VALIDATION},
        **circumstances(),
        "n_crystals": len(structures),
        "near": int(sum(near)),
        "models": {},
    }
    path, asked = given.out, given.models
    if asked:  # the others stay as they were measured
        content["models"] = json.loads(path.read_text(encoding="utf-8"))["models"]
    for name in asked or [*shipped_weights(), NAME]:
        predictor = load(name, grid="training")
        known = set(predictor.info.elements)
        chosen = [i for i, c in enumerate(structures) if set(c.atomic_numbers.tolist()) <= known]
        before = list(predictor.stream([structures[i] for i in chosen]))
        content["models"][name] = {"n_crystals": len(chosen)} | {
            what: change(predictor, before, [moved[i] for i in chosen])
            for what, moved in copies.items()
        }
        print(name, content["models"][name], flush=True)
    write_result(content, path)


if __name__ == "__main__":
    main()
