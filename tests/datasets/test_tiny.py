import runpy
from pathlib import Path

import numpy as np
import pytest
import spglib
from ase.build import bulk

from vanhove.datasets import load_tiny
from vanhove.datasets.tiny import files

SCRIPT = Path(__file__).parents[2] / "scripts" / "make_tiny_dataset.py"


@pytest.fixture(scope="module")
def tiny():
    return load_tiny()


def test_sizes(tiny):
    assert [len(tiny.split(part)) for part in ("train", "valid", "test")] == [32, 8, 8]
    assert tiny.grid.tolist() == list(range(0, 1001, 20))
    assert max(c.n_atoms for c in tiny.crystals) <= 6
    assert (files("vanhove.datasets") / "data" / "tiny.npz").stat().st_size < 60_000


def test_spectra_are_scaled_densities(tiny):
    assert np.all(tiny.values >= 0)
    assert np.all(tiny.values.max(axis=1) == 1)
    assert np.all(tiny.values[:, -1] < 1e-3)
    assert any("not DFT" in note for note in tiny.notes)


def test_training_part_holds_all_crystal_systems(tiny):
    last_number = [2, 15, 74, 142, 167, 194, 230]  # triclinic to cubic
    systems = set()
    for row in tiny.split("train"):
        c = tiny.crystals[row]
        cell = (c.lattice, c.fractional_coordinates, c.atomic_numbers)
        number = spglib.get_symmetry_dataset(cell, symprec=1e-3).number
        systems.add(np.searchsorted(last_number, number))
    assert systems == set(range(7))


def test_heavy_and_soft_vibrate_slower(tiny):
    def mean(material):
        values = tiny.values[tiny.ids.index(material)]
        return values @ tiny.grid / values.sum()

    assert mean("PbTe") < mean("NaCl") < mean("MgO")
    assert mean("Ge") < mean("Si")


def test_the_script_reproduces_the_file(tiny):
    made = runpy.run_path(str(SCRIPT))["make_arrays"]()
    assert list(made["ids"]) == tiny.ids
    assert np.allclose(made["values"], tiny.values, atol=2e-6)
    assert np.allclose(made["lattice"], [c.lattice for c in tiny.crystals])
    assert all(np.array_equal(made[part], tiny.split(part)) for part in tiny.splits)


def test_springs_give_the_frequency_known_by_hand():
    """Simple cubic, nearest neighbours: at the zone corner m w^2 = 4 (k_along + 2 k_across)."""
    script = runpy.run_path(str(SCRIPT))
    a, bond = 3.5, 2 * 1.40
    k = script["STIFFNESS"] * (2.22 / bond) ** 3 * np.exp(-(a - bond) / script["DECAY"])
    found = script["frequencies"](bulk("Po", "sc", a=a))
    assert found.max() == pytest.approx(521.47 * np.sqrt(4 * k * 1.2 / 208.98), rel=1e-4)
