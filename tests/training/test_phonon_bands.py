"""The same interface trains on phonon bands: a chain of two masses in three directions."""

from __future__ import annotations

import numpy as np

from tests.datasets.test_band_files import rocksalt
from vanhove.crystal.elements import MASSES
from vanhove.crystal.kpath import high_symmetry_path
from vanhove.datasets.band_folder import bands_dataset
from vanhove.evaluation.evaluate import evaluate
from vanhove.runs.config import RunConfig
from vanhove.spectra.bands import BandStructure
from vanhove.training.train import train

SETTINGS = {
    "name": "phonons",
    "graph": {"cutoff": 5.0},
    "model": {
        "encoder": {"name": "graph_transformer", "hidden_dim": 16, "n_layers": 1, "dropout": 0.0},
        "decoder": {
            "name": "bandformer",
            "hidden_dim": 16,
            "n_layers": 1,
            "channels": 4,
            "energy_scale": 200.0,
            "free_electrons": False,
            "kpoints_per_step": 16,
            "dropout": 0.0,
        },
        "crystal_system": {"kind": "none"},
        "output": "energies",
    },
    "training": {
        "epochs": 40,
        "batch_size": 4,
        "learning_rate": 5e-3,
        "loss": "bands",
        "select_by": "energy_mae",
    },
    "data": {"electron_target": "bands"},
}


def two_masses(a: float, numbers: tuple[int, int]) -> BandStructure:
    """Rock salt with springs between neighbours; lowest six branches, 1/cm."""
    crystal = rocksalt(a, numbers, f"{a:.2f}-{numbers[0]}-{numbers[1]}")
    path = high_symmetry_path(crystal)
    points = path.sample(50)
    cosine = np.cos(points.cartesian * a / 2)  # neighbours along the axes, at a / 2
    first, second = (1 / MASSES[z] for z in numbers)
    spring = 2e6 / a**2
    root = np.sqrt((first + second) ** 2 - 4 * first * second * (1 - cosine**2))
    acoustic = np.sqrt(spring * np.maximum(first + second - root, 0))
    optical = np.sqrt(spring * (first + second + root))
    frequencies = np.sort(np.concatenate([acoustic, optical], axis=1), axis=1)
    return BandStructure(points, frequencies, None, "phonon_bands", path.crystal, crystal.name)


def test_phonon_bands_train(tmp_path):
    rng = np.random.default_rng(0)
    cations, anions = (3, 11, 12, 19, 20, 37, 38), (8, 9, 16, 17)
    toys = [two_masses(4 + rng.random(), (c, a)) for c in cations for a in anions]
    assert np.abs(toys[0].energies[0, :3]).max() < 1e-3  # acoustic at Gamma
    for toy in toys:
        toy.to_json(tmp_path / f"{toy.name}.json")
    config = RunConfig.parse(
        SETTINGS | {"data": {"dataset": str(tmp_path), "electron_target": "bands"}}
    )
    result = train(config, tmp_path / "run", quiet=True)
    dataset = bands_dataset("toys", toys)
    measured = evaluate(result.best, "train", quiet=True).mean
    spread = np.abs(dataset.values - np.mean(dataset.values, axis=(0, 1))).mean()
    assert set(measured) == {"energy_mae", "centre_mae", "dispersion_mae"}
    assert measured["energy_mae"] < 0.3 * spread
