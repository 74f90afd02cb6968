"""Machine-learned potentials against DFPT on the crystals that vanhove-phonon is tested on.

Each potential that is installed gives forces in supercells of displaced atoms (phonopy), in the
geometry of DFPT, without a non-analytic term; vanhove-phonon predicts the same crystals. One table:
bands, highest frequency, C_V(300 K), stable or not, and seconds of one core. Crystals are those of
the test split with at most so many atoms, from its beginning. What the file holds of the same
crystals stays there, so that each potential may have an environment of its own.

python scripts/compare_potentials.py results/vanhove-phonon/potentials.json vanhove-phonon chgnet
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from phonopy import Phonopy
from phonopy.structure.atoms import PhonopyAtoms

import vanhove
from vanhove.crystal.crystal import Crystal
from vanhove.crystal.kpath import reciprocal_lattice
from vanhove.datasets import load_dataset
from vanhove.datasets.crystal_phonons import CrystalPhonons
from vanhove.results import write_result
from vanhove.spectra.conversions.force_constants import supercell_sides
from vanhove.spectra.density import THZ_PER_CM1
from vanhove.spectra.stability import UNSTABLE_BELOW
from vanhove.version import circumstances

REACH, STEP, MESH = 5.0, 0.01, (8, 8, 8)
"""Angstrom: a supercell holds a sphere of this radius, atoms are displaced by so much."""
TEMPERATURE = 300.0


def mace() -> Any:
    from mace.calculators import mace_mp

    return mace_mp(model="medium", device="cpu", default_dtype="float64")


def chgnet() -> Any:
    from chgnet.model.dynamics import CHGNetCalculator

    return CHGNetCalculator(use_device="cpu")


def sevennet() -> Any:
    from sevenn.calculator import SevenNetCalculator

    return SevenNetCalculator("7net-0", device="cpu")


def mattersim() -> Any:
    from mattersim.forcefield import MatterSimCalculator

    return MatterSimCalculator(device="cpu")


def orb() -> Any:
    from orb_models.forcefield import pretrained
    from orb_models.forcefield.calculator import ORBCalculator

    return ORBCalculator(pretrained.orb_v2(device="cpu"), device="cpu")


def emt() -> Any:
    """ASE's effective medium theory: a few metals alone; to try this script."""
    from ase.calculators.emt import EMT

    return EMT()


POTENTIALS: dict[str, Callable[[], Any]] = {
    own.__name__: own for own in (mace, chgnet, sevennet, mattersim, orb, emt)
}


class Found:
    """Of one crystal: frequencies along the path ``[n_q, n_modes]`` and softest, 1/cm; C_V."""

    def __init__(self, bands: np.ndarray, softest: float, heat_capacity: float):
        self.bands, self.softest, self.heat_capacity = bands, softest, heat_capacity


def with_potential(calculator: Any, crystal: Crystal, qpoints: np.ndarray) -> Found:
    """By finite displacements."""
    cell = PhonopyAtoms(
        numbers=crystal.atomic_numbers,
        cell=crystal.lattice,
        scaled_positions=crystal.fractional_coordinates,
    )
    sides = supercell_sides(crystal.lattice, REACH)
    phonopy = Phonopy(cell, np.diag(sides), primitive_matrix=np.eye(3))
    phonopy.generate_displacements(distance=STEP)
    forces = []
    for displaced in phonopy.supercells_with_displacements:
        atoms = Atoms(
            numbers=displaced.numbers, cell=displaced.cell, positions=displaced.positions, pbc=True
        )
        atoms.calc = calculator
        forces.append(atoms.get_forces())
    phonopy.forces = np.array(forces)
    phonopy.produce_force_constants()
    phonopy.run_qpoints(qpoints)
    bands = phonopy.qpoints.frequencies / THZ_PER_CM1
    phonopy.run_mesh(MESH)
    softest = phonopy.mesh.frequencies.min() / THZ_PER_CM1
    phonopy.run_thermal_properties(temperatures=[TEMPERATURE])
    heat = phonopy.thermal_properties.heat_capacity[0] / crystal.n_atoms
    return Found(bands, float(softest), float(heat))


def with_vanhove(predictor: Any, crystal: Crystal, qpoints: np.ndarray, towards: Any) -> Found:
    phonons = predictor.phonons(crystal)
    heat = phonons.thermal_properties([TEMPERATURE]).heat_capacity[0]
    bands = phonons.frequencies(qpoints, towards)
    return Found(bands, phonons.stability.frequency, float(heat))


def measured(name: str, crystals: list[tuple[Crystal, CrystalPhonons]]) -> dict[str, Any]:
    """Mean errors over the crystals that the potential can take."""
    is_ours = name not in POTENTIALS
    maker = vanhove.load(name, precision="float32") if is_ours else POTENTIALS[name]()
    rows: list[dict[str, float]] = []
    refused = 0
    for crystal, truth in crystals:
        basis = np.linalg.inv(reciprocal_lattice(crystal.lattice))
        qpoints, towards = truth.kpoints @ basis, truth.directions @ basis
        start = time.process_time()
        try:
            found = (
                with_vanhove(maker, crystal, qpoints, towards)
                if is_ours
                else with_potential(maker, crystal, qpoints)
            )
        except (NotImplementedError, KeyError):
            refused += 1  # an element that it does not know
            continue
        at = int(np.argmin(np.abs(truth.temperatures - TEMPERATURE)))
        rows.append(
            {
                "seconds": time.process_time() - start,
                "bands_cm1": float(np.abs(found.bands - truth.frequencies).mean()),
                "highest_cm1": abs(float(found.bands.max() - truth.frequencies.max())),
                "heat_capacity": abs(found.heat_capacity - float(truth.heat_capacity[at])),
                "is_right": float((found.softest < UNSTABLE_BELOW) == truth.is_unstable),
            }
        )
    means = {key: float(np.nanmean([row[key] for row in rows])) for key in rows[0]} if rows else {}
    return {"n_materials": len(rows), "n_refused": refused, **means}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path)
    parser.add_argument("models", nargs="+", help=f"shipped weights or {', '.join(POTENTIALS)}")
    parser.add_argument("--limit", type=int, default=10, help="number of crystals")
    parser.add_argument("--most-atoms", type=int, default=4, help="of a primitive cell")
    arguments = parser.parse_args()
    dataset = load_dataset("phonon_petretto_full")
    assert dataset.phonons is not None
    rows = [
        row
        for row in dataset.split("test").tolist()
        if dataset.crystals[row].n_atoms <= arguments.most_atoms
    ][: arguments.limit]
    crystals = [(dataset.crystals[row], dataset.phonons[row]) for row in rows]
    ids = [dataset.ids[row] for row in rows]
    found, missing = {}, []
    if arguments.output.exists():
        before = json.loads(arguments.output.read_text())
        found = before["models"] if before["materials"] == ids else {}
    for name in arguments.models:
        try:
            found[name] = measured(name, crystals)
        except ImportError:
            missing.append(name)
    result = {
        "split": "test",
        "dataset": {"name": dataset.name, "hash": dataset.data_hash},
        "materials": ids,
        "models": found,
        "not_installed": missing,
        **circumstances(),
    }
    write_result(result, arguments.output)
    for name, values in found.items():
        print(name, {key: round(value, 3) for key, value in values.items()})
    if missing:
        print("not installed:", ", ".join(missing))


if __name__ == "__main__":
    main()
