"""Compute PBE electron states as those of `electron_pbe`, with GPAW.

    python scripts/label_electrons.py STRUCTURES OUT [--worker I/N] [--limit SECONDS]

STRUCTURES is a folder or file that ASE reads (CIF, POSCAR, ...), or an ``.npz`` with the arrays
``ids``, ``natoms``, ``Z``, ``frac`` and ``lattice`` (rows, angstrom), atoms of all materials one
after another. Give primitive cells: as they are, they are computed. Each material becomes
OUT/<id>.npz; a failure OUT/<id>.err with the reason; a second start skips both. One process uses
one core: start N with ``--worker 0/N`` to ``--worker N-1/N``. `scripts/merge_electron_labels.py`
adds the results to the set.

Method: plane waves of 340 eV (450 eV with B to F), PBE, no spin, no spin-orbit, Fermi-Dirac 0.05
eV; self-consistent on 2.5 k-points per 1/angstrom, then, at fixed density, 4.0 on the mesh and 64
points along the path of ASE, bands converged to 5 eV above the conduction band minimum.

GPAW is needed here and nowhere else in vanhove. On Debian or Ubuntu:

    apt-get install libxc-dev libopenblas-dev libfftw3-dev gpaw-data
    python -m venv gpaw-env && gpaw-env/bin/pip install gpaw==26.7 spglib

with GPAW_CONFIG naming a file that says ``compiler='g++'; libraries=['xc','openblas','fftw3'];
fftw=True; mpi=False; parallel_python_interpreter=False``.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import spglib
from ase import Atoms
from ase.io import read

SCF_DENSITY, MESH_DENSITY, N_PATH = 2.5, 4.0, 64
"""k-points per 1/angstrom; points of the path."""
ABOVE_CBM = 5.0  # eV
SMEARING = 0.05  # eV


class TooSlow(Exception):
    """More CPU seconds than allowed."""


def cutoff_of(numbers: np.ndarray) -> int:
    """Of the plane waves, eV; 450 brings gaps of BN, AlN and MgO within 0.1 eV of 550."""
    return 450 if any(5 <= z <= 9 for z in numbers) else 340


def structures(source: Path) -> Iterator[tuple[str, Atoms]]:
    """Names and cells."""
    if source.suffix == ".npz":
        with np.load(source, allow_pickle=False) as data:
            arrays = {name: data[name] for name in ("ids", "natoms", "Z", "frac", "lattice")}
        ends = np.cumsum(arrays["natoms"])[:-1]
        for name, numbers, fractional, lattice in zip(
            arrays["ids"],
            np.split(arrays["Z"], ends),
            np.split(arrays["frac"], ends),
            arrays["lattice"],
            strict=True,
        ):
            yield str(name), Atoms(numbers, cell=lattice, scaled_positions=fractional, pbc=True)
    else:
        for path in sorted(source.iterdir()) if source.is_dir() else [source]:
            yield path.stem, read(path)


def eigenvalues(calculator, n_kpoints: int) -> np.ndarray:
    """eV, ``[n_kpoints, n_bands]``."""
    return np.array([calculator.get_eigenvalues(kpt=k) for k in range(n_kpoints)])


def compute(atoms: Atoms) -> dict[str, object]:
    """All arrays of one material."""
    from gpaw import GPAW, PW, FermiDirac

    started = time.process_time()
    atoms = atoms.copy()
    cutoff = cutoff_of(atoms.numbers)
    calculator = GPAW(
        mode=PW(cutoff),
        xc="PBE",
        occupations=FermiDirac(SMEARING),
        kpts={"density": SCF_DENSITY, "gamma": True},
        eigensolver="dav",
        symmetry={"point_group": True},
        maxiter=120,
        txt=None,
    )
    atoms.calc = calculator
    energy = atoms.get_potential_energy()
    n_electrons = round(calculator.get_number_of_electrons())
    fixed = {
        "nbands": (n_electrons + 1) // 2 + 6 + 3 * len(atoms),
        "convergence": {"bands": f"CBM+{ABOVE_CBM}", "eigenstates": 1e-2},
        "txt": None,
    }
    mesh = calculator.fixed_density(kpts={"density": MESH_DENSITY, "gamma": True}, **fixed)
    path = atoms.cell.bandpath(npoints=N_PATH)
    along = calculator.fixed_density(kpts=path, symmetry="off", **fixed)
    x, special, names = path.get_linear_kpoint_axis()
    points = mesh.get_ibz_k_points()
    cell = (atoms.cell[:], atoms.get_scaled_positions(), atoms.numbers)
    return {
        "Z": atoms.numbers,
        "lattice": atoms.cell[:],
        "frac": cell[1],
        "spacegroup": spglib.get_symmetry_dataset(cell, symprec=1e-2).number,
        "ecut_eV": cutoff,
        "energy": energy,
        "nelectrons": n_electrons,
        "efermi": float(mesh.get_fermi_level()),
        "eig_mesh": eigenvalues(mesh, len(points)).astype(np.float32),
        "kpts_mesh": points.astype(np.float32),
        "weights": np.asarray(mesh.get_k_point_weights(), dtype=np.float64),
        "nk_full": len(mesh.get_bz_k_points()),
        "eig_path": eigenvalues(along, len(path.kpts)).astype(np.float32),
        "kpts_path": path.kpts.astype(np.float32),
        "path_x": x.astype(np.float32),
        "path_labels": json.dumps([path.path, [float(p) for p in special], list(names)]),
        "cpu_s": time.process_time() - started,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("structures", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--worker", default="0/1", help="this one of how many, such as 0/2")
    parser.add_argument("--limit", type=float, default=120, help="CPU seconds for one material")
    given = parser.parse_args()
    worker, n_workers = map(int, given.worker.split("/"))
    given.out.mkdir(parents=True, exist_ok=True)

    def too_slow(*_) -> None:
        raise TooSlow(f"more than {given.limit:g} CPU seconds")

    signal.signal(signal.SIGPROF, too_slow)
    for i, (name, atoms) in enumerate(structures(given.structures)):
        target, failure = given.out / f"{name}.npz", given.out / f"{name}.err"
        if i % n_workers != worker or target.exists() or failure.exists():
            continue
        try:
            signal.setitimer(signal.ITIMER_PROF, given.limit)
            result = compute(atoms)
        except Exception as error:  # one bad structure must not end the work on the others
            failure.write_text(f"{type(error).__name__}: {error}"[:300])
            print(name, "failed:", failure.read_text()[:100], flush=True)
        else:
            # Renamed when complete: a file that is there is whole.
            part = given.out / f".{name}.npz"
            np.savez_compressed(part, id=name, **result)
            part.rename(target)
            print(name, atoms.get_chemical_formula(), f"{result['cpu_s']:.0f} s", flush=True)
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)


if __name__ == "__main__":
    main()
