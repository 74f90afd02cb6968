"""The task matbench_phonons (highest optical peak, 1/cm) with shipped weights, honestly.

Its five folds ask for five trainings without the materials of each; the shipped weights were
trained once, without the validation and test split of Petretto et al. So they predict the materials
of the test split, from the structures of Matbench (other cells than those of DFPT). What a peak is,
and a line through predictions and labels, is chosen on the materials of the validation split. Mean
absolute errors are comparable with the leaderboard's in unit and label, not in the choice of
materials.

python scripts/measure_matbench.py results/vanhove-phonon/matbench.json
"""

import argparse
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import vanhove
from vanhove.crystal.crystal import Crystal
from vanhove.datasets import load_dataset
from vanhove.datasets.cache import RemoteFile, data_file
from vanhove.results import write_result
from vanhove.spectra.phonons import Phonons
from vanhove.version import circumstances

DATA = RemoteFile(
    None,
    "31f3185789925e28ee5413a1f9733db4d934a246eac5d7d3865f007353cf0439",
    "phonon_matbench/matbench_phonons.npz",
)
WIDTHS, LEAST = (4.0, 6.0, 10.0), (0.01, 0.02, 0.05)
"""1/cm, of the Gaussians; of the highest value, below which a maximum is no peak."""


def last_peaks(phonons: Phonons) -> np.ndarray:
    """The highest frequency at which the density of states has a maximum, 1/cm.

    Of each width and least height, ``[n_widths, n_heights]``.
    """
    found = []
    for width in WIDTHS:
        dos = phonons.dos(broadening=width)
        inner = dos.values[1:-1]
        is_peak = (inner >= dos.values[:-2]) & (inner > dos.values[2:])
        for least in LEAST:
            found.append(dos.grid[1:-1][is_peak & (inner > least * inner.max())][-1])
    return np.reshape(found, (len(WIDTHS), len(LEAST)))


def read_matbench() -> dict[str, np.ndarray]:
    """The arrays of the task: structures, labels, folds, ids of the Materials Project."""
    with np.load(data_file(DATA), allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def predicted(
    predictor: Any, data: dict[str, np.ndarray], rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float]:
    """Peaks ``[n, n_widths, n_heights]`` of rows, the rows, and seconds of a crystal."""
    ends = np.cumsum(data["natoms"])
    found, start = [], time.process_time()
    for row in rows:
        atoms = slice(ends[row] - data["natoms"][row], ends[row])
        numbers = data["Z"][atoms].astype(np.int64)
        crystal = Crystal(data["lattice"][row], data["frac"][atoms], numbers, "")
        found.append(last_peaks(predictor.phonons(crystal, primitive=True)))
    return np.array(found), rows, (time.process_time() - start) / len(rows)


def line(found: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """Slope and offset with the least absolute deviations (weighted least squares, repeated)."""
    weight = np.ones_like(found)
    for _ in range(30):
        slope, offset = np.polyfit(found, truth, 1, w=np.sqrt(weight))
        weight = 1 / np.maximum(np.abs(slope * found + offset - truth), 1.0)
    return float(slope), float(offset)


def without_one(found: np.ndarray, truth: np.ndarray) -> float:
    """Mean absolute error of `line` on materials that were left out one by one."""
    errors = []
    for row in range(len(found)):
        slope, offset = line(np.delete(found, row), np.delete(truth, row))
        errors.append(abs(slope * found[row] + offset - truth[row]))
    return float(np.mean(errors))


class Peak(NamedTuple):
    """What a peak is (numbers of `WIDTHS` and `LEAST`), and a line through peaks and labels.

    ``mae`` and ``mae_of_line`` are mean absolute errors of the materials that chose it, without the
    line and with the line of the others, 1/cm.
    """

    width: int
    least: int
    line: tuple[float, float]
    mae: float
    mae_of_line: float

    @property
    def line_is_used(self) -> bool:
        """Whether the line helps."""
        return self.mae_of_line < self.mae


def chosen_peak(peaks: np.ndarray, truth: np.ndarray) -> Peak:
    """The one with the least error on materials with peaks as `predicted` and labels."""
    errors = np.abs(peaks - truth[:, None, None]).mean(axis=0)
    width, least = (int(i) for i in np.unravel_index(errors.argmin(), errors.shape))
    found = peaks[:, width, least]
    return Peak(width, least, line(found, truth), float(errors.min()), without_one(found, truth))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path)
    parser.add_argument("--weights", default="vanhove-phonon")
    arguments = parser.parse_args()
    data = read_matbench()
    dataset = load_dataset("phonon_petretto_full")
    predictor = vanhove.load(arguments.weights, precision="float32")
    rows_of = {
        part: np.flatnonzero(np.isin(data["mp_id"], [dataset.ids[i] for i in dataset.split(part)]))
        for part in ("valid", "test")
    }
    labels = data["last_phdos_peak_cm1"]
    peaks, rows, _ = predicted(predictor, data, rows_of["valid"])
    peak = chosen_peak(peaks, labels[rows])
    slope, offset = peak.line
    peaks, rows, seconds = predicted(predictor, data, rows_of["test"])
    found = peaks[:, peak.width, peak.least]
    error, on_line = np.abs(found - labels[rows]), np.abs(slope * found + offset - labels[rows])
    best = on_line if peak.line_is_used else error
    folds = data["official_test_fold"][rows]
    result = {
        "task": "matbench_phonons, materials of the test split of phonon_petretto alone",
        "weights": arguments.weights,
        "n_materials": len(rows),
        "mae_cm1": float(best.mean()),
        "median_cm1": float(np.median(best)),
        "chosen_on_validation": {
            "width_cm1": WIDTHS[peak.width],
            "least_height": LEAST[peak.least],
            "mae_cm1": peak.mae,
            "line": list(peak.line),
            "mae_of_line_left_out_cm1": peak.mae_of_line,
            "line_is_used": peak.line_is_used,
        },
        "mae_without_line_cm1": float(error.mean()),
        "mae_with_line_cm1": float(on_line.mean()),
        "mae_by_official_fold_cm1": {
            int(fold): float(best[folds == fold].mean()) for fold in np.unique(folds)
        },
        "materials_by_fold": {int(fold): int((folds == fold).sum()) for fold in np.unique(folds)},
        "seconds_of_a_crystal": seconds,
        "dataset": {"name": "phonon_matbench", "sha256": DATA.sha256},
        **circumstances(),
    }
    write_result(result, arguments.output)
    print(f"{len(rows)} materials, MAE {best.mean():.1f}, median {np.median(best):.1f} 1/cm")


if __name__ == "__main__":
    main()
