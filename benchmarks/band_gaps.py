"""The bands a model is trained on against the eigenvalues they were made of; gaps of both.

python benchmarks/band_gaps.py --output results/bands/gaps.json
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from vanhove.datasets import band_structure_of, load_electron_pbe_bands, load_electron_states
from vanhove.datasets.electron_pbe import ElectronStates, electron_data_hash
from vanhove.results import json_text, write_result
from vanhove.spectra.band_metrics import band_gaps, crosses_fermi
from vanhove.version import circumstances

NAMED = {
    "mp-27": "Si (face-centred; the set has no diamond Si)",
    "mp-66": "C (diamond, in its place)",
    "mp-603640": "GaAs (orthorhombic; the set has no zincblende GaAs)",
    "mp-2490": "GaP (zincblende, in its place)",
    "mp-22851": "NaCl (CsCl type; the set has no rock salt NaCl)",
    "mp-1138": "LiF (rock salt, in its place)",
    "mp-1265": "MgO (rock salt)",
    "mp-134": "Al (face-centred)",
}
DIFFERENT = 0.1
"""eV."""
SAME = 1e-5
"""Of fractional k-points."""


def largest_error(state: ElectronStates, processed: np.ndarray, kpoints: np.ndarray) -> float:
    """Of processed bands, wherever the path comes to a labelled point, against the file, eV."""
    bands = band_structure_of(state)
    first = bands.continuous().resampled(len(kpoints)).n_filled - processed.shape[1] // 2
    worst = 0.0
    for point in (i for i, label in enumerate(bands.kpoints.labels) if label):
        same = np.abs(kpoints - state.path_kpoints[point]).max(axis=1) < SAME
        assert same.any(), f"{bands.name}: a labelled point is lost"
        stored = state.path_energies[point] - state.edges.fermi_level
        columns = first + np.arange(processed.shape[1])
        there = (columns >= 0) & (columns < len(stored))
        error = np.abs(processed[same][:, there] - stored[columns[there]])
        worst = max(worst, float(error.max()))
    return worst


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    dataset = load_electron_pbe_bands()
    values = dataset.values.astype(np.float64)
    processed = np.where(crosses_fermi(values), 0.0, band_gaps(values))
    entries = {}
    for row, (name, state) in enumerate(load_electron_states().items()):
        path = band_structure_of(state).gap
        entries[name] = {
            "formula": state.crystal.formula,
            "mesh_gap": state.mesh_edges.gap,
            "path_gap": 0.0 if path is None else path.energy,
            "processed_gap": float(np.nan_to_num(processed[row], nan=-1)),
            "is_metal": state.edges.is_metal,
            "largest_error_at_labels": largest_error(state, values[row], dataset.kpoints[row]),
        }
    insulators = {name: e for name, e in entries.items() if not e["is_metal"]}
    difference = {name: e["processed_gap"] - e["mesh_gap"] for name, e in insulators.items()}
    result = {
        "what": "band gaps (eV): of the k-mesh, of the 100 points of the path, of the 256 points "
        "of the data set (0: metal); largest difference of the latter from the stored eigenvalues "
        "at labelled points (eV)",
        "seed": None,
        "config": {"points": dataset.values.shape[1], "different_from_eV": DIFFERENT},
        "dataset": {"name": "electron_pbe", "hash": electron_data_hash(), "split": "all"},
        "named": {name: {"what": what, **entries[name]} for name, what in NAMED.items()},
        "n_materials": len(entries),
        "largest_error_at_labels": max(e["largest_error_at_labels"] for e in entries.values()),
        "n_insulators": len(insulators),
        "mean_absolute_difference": float(np.mean(np.abs(list(difference.values())))),
        "largest_loss_by_resampling": max(
            abs(e["processed_gap"] - e["path_gap"]) for e in insulators.values()
        ),
        "different": {
            name: insulators[name] for name in difference if abs(difference[name]) > DIFFERENT
        },
        **circumstances(),
    }
    print(json_text(result))
    if arguments.output:
        write_result(result, arguments.output)


if __name__ == "__main__":
    main()
