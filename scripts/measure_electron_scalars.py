"""Scalars that a Hamiltonian also gives, against tables of others; never trained on.

    python scripts/measure_electron_scalars.py --json results/electron/vanhove-electron-scalars.json

- Density at the Fermi level of metals, states/eV/cell, both spins (`supercon_alexandria`, PBEsol).
- Transport masses of insulators at 300 K (`jarvis_scalars`: BoltzTraP, OptB88vdW), the mean over
  the principal axes, against those of `Electrons.carriers`.

Both on crystals of at most ``--atoms`` atoms whose formulas no stage of training has seen, at
random (seed 0). The best constant and, for the density at the Fermi level, the best constant for
each atom stand beside: medians of the same crystals, which favours them.
"""

from __future__ import annotations

import argparse
import io
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from measure_electrons import about_training
from scipy.stats import spearmanr

import vanhove
from vanhove.crystal.crystal import Crystal
from vanhove.datasets.cache import RemoteFile, data_file, read_content
from vanhove.errors import VanhoveError
from vanhove.models.tight_binding.atoms import atom_table
from vanhove.prediction.electron_predictor import FOLDER, NAME
from vanhove.prediction.electrons import Electrons
from vanhove.results import write_result
from vanhove.runs.hamiltonian import load_hamiltonian
from vanhove.training.band_labels import MAGNETIC
from vanhove.training.electron_run import gap_rows, pbe_rows, teacher_rows

SUPERCON = RemoteFile(
    None,
    "80e5db86175a7c13be85ad95b17b47120130f5e82f614c624cfc5606bcbf589e",
    "supercon_alexandria/alexandria_supercon.npz",
)
JARVIS = RemoteFile(
    None,
    "865cd4c0f364212e5f7d0fdc1aea77cdcb94d144321e0809d5fa2da2e6074954",
    "jarvis_scalars/jarvis_scalars.npz",
)

CONVENTIONS = {
    "density_at_fermi_level": "states/eV/cell of both spins, tetrahedra; mean and median absolute "
    "error, rank correlation, median of predicted by true",
    "transport_masses": "electron masses: mean over the principal axes at 300 K; mean absolute "
    "error of log10, rank correlation",
}


def rows_of(file: RemoteFile, columns: list[str], max_atoms: int) -> Iterator[tuple]:
    """Crystals in random order, with their columns, where all are known."""
    path = Path(data_file(file))
    with np.load(io.BytesIO(read_content(path)), allow_pickle=False) as archive:
        data = {name: archive[name] for name in archive.files}
    ends, electrons = np.cumsum(data["natoms"]), atom_table().electrons
    for row in np.random.default_rng(0).permutation(len(ends)):
        atoms = slice(ends[row] - data["natoms"][row], ends[row])
        numbers = data["Z"][atoms].astype(np.int64)
        values = [float(data[name][row]) for name in columns]
        known = (electrons[numbers] > 0).all() and not np.isin(numbers, MAGNETIC).any()
        if len(numbers) <= max_atoms and known and np.isfinite(values).all():
            lattice = data["lattice"][row].astype(float)
            frac = data["frac"][atoms].astype(float)
            yield (Crystal(lattice, frac, numbers, str(data["ids"][row])), *values)


def error_row(found: np.ndarray, target: np.ndarray, n_atoms: np.ndarray) -> dict[str, float]:
    """Errors of the model and of constants."""
    per_atom = np.median(target / n_atoms)
    return {
        "n": len(target),
        "mae": float(np.abs(found - target).mean()),
        "median_absolute_error": float(np.median(np.abs(found - target))),
        "rank_correlation": float(spearmanr(found, target).statistic),
        "best_constant_mae": float(np.abs(np.median(target) - target).mean()),
        "best_constant_per_atom_mae": float(np.abs(per_atom * n_atoms - target).mean()),
        "median_ratio": float(np.median(found / np.maximum(target, 1e-6))),
    }


def fermi_densities(models: list, n: int, max_atoms: int, seen: set[str]) -> dict[str, object]:
    """Of crystals that both hold to be metals."""
    found, target, sizes, ids, n_gapped = [], [], [], [], 0
    for crystal, value in rows_of(SUPERCON, ["dos_at_ef"], max_atoms):
        if crystal.formula in seen or value < 0.05:
            continue
        electrons = Electrons(models, crystal)
        n_gapped += not electrons.is_metal
        found.append(electrons.fermi_level_density())
        target.append(value)
        sizes.append(crystal.n_atoms)
        ids.append(crystal.name)
        if len(ids) == n:
            break
    row = error_row(np.array(found), np.array(target), np.array(sizes))
    row |= {"share_predicted_metals": 1 - n_gapped / len(ids)}
    return {"mean": row, "ids": ids, "predicted": np.round(found, 3).tolist(), "target": target}


def masses(models: list, n: int, max_atoms: int, seen: set[str]) -> dict[str, object]:
    """Of crystals that both hold to be insulators."""
    columns = ["elec_mass_300K", "hole_mass_300K", "gap_optb88vdw_eV"]
    found: dict[str, list[float]] = {"electrons": [], "holes": []}
    target: dict[str, list[float]] = {"electrons": [], "holes": []}
    ids = []
    for crystal, electron, hole, gap in rows_of(JARVIS, columns, max_atoms):
        if crystal.formula in seen or gap < 0.3:
            continue
        try:
            own = Electrons(models, crystal).carriers()
        except VanhoveError:
            continue
        if not own:
            continue
        ids.append(crystal.name)
        for name, value in (("electrons", electron), ("holes", hole)):
            found[name].append(own[name].mass)
            target[name].append(value)
        if len(ids) == n:
            break
    result = {}
    for name, values in found.items():
        own, true = np.log10(values), np.log10(np.maximum(target[name], 1e-3))
        result[name] = {
            "n": len(ids),
            "mae_of_log10": float(np.abs(own - true).mean()),
            "best_constant_mae_of_log10": float(np.abs(np.median(true) - true).mean()),
            "rank_correlation": float(spearmanr(own, true).statistic),
        }
    return {"mean": result, "ids": ids, "predicted": found, "target": target}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--n", type=int, default=300, help="crystals of each set")
    parser.add_argument("--atoms", type=int, default=8, help="largest cell")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    started = time.monotonic()
    models, info = load_hamiltonian(FOLDER / f"{NAME}.safetensors")
    seen = {item.crystal.formula for item in (*pbe_rows(), *gap_rows(10), *teacher_rows())}
    about = about_training(info.members)
    found = {
        "density_at_fermi_level": fermi_densities(models, given.n, given.atoms, seen),
        "transport_masses": masses(models, given.n, given.atoms, seen),
    }
    result = {
        "command": f"python scripts/measure_electron_scalars.py {' '.join(sys.argv[1:])}",
        "model": NAME,
        "n_members": len(models),
        "split": "formulas that no stage of training has seen; at random, seed 0",
        **about,
        "measured_on": {"supercon_alexandria": SUPERCON.sha256, "jarvis_scalars": JARVIS.sha256},
        "versions": {"vanhove": vanhove.__version__, "torch": torch.__version__},
        "conventions": CONVENTIONS,
        "mean": {name: part.pop("mean") for name, part in found.items()},
        "each": found,
        "seconds": round(time.monotonic() - started),
    }
    print(result["mean"])
    if given.json:
        write_result(result, given.json)


if __name__ == "__main__":
    main()
