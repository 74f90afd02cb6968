"""The five official folds of the task matbench_phonons: train without a fold, predict it.

Of each fold one member of `vanhove-phonon-whole` is trained from the beginning on the DFPT phonons
of the materials outside it, less every twelfth, which choose what a peak is. Then the materials of
the fold are predicted from the structures of Matbench; one with an element that the training lacks
gets the median label of the others (`n_refused`). A fold takes about a quarter of an hour of one
core; a command that was stopped goes on when it is given again.

python scripts/matbench_folds.py results/vanhove-phonon/matbench_folds.json --runs runs
"""

import argparse
import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from measure_matbench import DATA, LEAST, WIDTHS, chosen_peak, predicted, read_matbench

import vanhove
from vanhove.datasets import load_dataset
from vanhove.datasets.dataset import SpectrumDataset
from vanhove.datasets.registry import register_dataset
from vanhove.results import write_result
from vanhove.version import circumstances

FOLDS = 5
MODEL = "vanhove-phonon-whole"


def fold_dataset(data: dict[str, np.ndarray], fold: int) -> SpectrumDataset:
    """`phonon_petretto_full` with the materials of one fold of Matbench as its test split."""
    dataset = load_dataset("phonon_petretto_full")
    fold_of = dict(zip(data["mp_id"].tolist(), data["official_test_fold"].tolist(), strict=True))
    known = [(row, fold_of[name]) for row, name in enumerate(dataset.ids) if name in fold_of]
    inside = [row for row, of in known if of == fold]
    outside = [row for row, of in known if of != fold]
    splits = {
        "train": [row for k, row in enumerate(outside) if k % 12],
        "valid": outside[::12],
        "test": inside,
    }
    name = f"matbench_phonons, fold {fold}"
    return replace(dataset, splits={k: np.sort(v) for k, v in splits.items()}, split_name=name)


def trained(data: dict[str, np.ndarray], fold: int, runs: Path, epochs: int) -> Path:
    """Weights that saw nothing of the fold; trained unless they are there."""
    name = f"phonon_matbench_fold{fold}"
    register_dataset(name)(lambda: fold_dataset(data, fold))
    settings = {"data.dataset": name, "training.epochs": epochs, "name": name}
    folder = runs / name
    result = vanhove.train(MODEL, folder, seed=fold, settings=settings, resume=True)
    if result.interrupted:
        raise SystemExit(f"{folder}: stopped; the same command goes on")
    return folder / "best.safetensors"


def knows(elements: Sequence[int], data: dict[str, np.ndarray]) -> np.ndarray:
    """Of each material, whether all of its elements are among those of the training, bool."""
    ends = np.cumsum(data["natoms"])
    return np.array([np.isin(part, elements).all() for part in np.split(data["Z"], ends[:-1])])


def measured(data: dict[str, np.ndarray], fold: int, weights: Path) -> dict[str, Any]:
    """Errors on one fold; its own valid part chose what a peak is, and a line through peaks."""
    predictor = vanhove.load(weights, precision="float32")
    dataset, labels = fold_dataset(data, fold), data["last_phdos_peak_cm1"]
    valid = np.isin(data["mp_id"], [dataset.ids[row] for row in dataset.split("valid")])
    is_known = knows(predictor.info.elements, data)
    is_test = data["official_test_fold"] == fold
    peaks, rows, _ = predicted(predictor, data, np.flatnonzero(valid & is_known))
    peak = chosen_peak(peaks, labels[rows])
    slope, offset = peak.line if peak.line_is_used else (1.0, 0.0)
    peaks, rows, seconds = predicted(predictor, data, np.flatnonzero(is_test & is_known))
    constant = float(np.median(labels[~is_test]))
    found = np.full(len(labels), constant)
    found[rows] = slope * peaks[:, peak.width, peak.least] + offset
    errors = np.abs(found - labels)[is_test]
    return {
        "n_train": len(dataset.split("train")),
        "n_valid": int(valid.sum()),
        "n_test": int(is_test.sum()),
        "n_refused": int((is_test & ~is_known).sum()),
        "mae_cm1": float(errors.mean()),
        "median_cm1": float(np.median(errors)),
        "rmse_cm1": float(np.sqrt((errors**2).mean())),
        "largest_cm1": float(errors.max()),
        "mae_of_constant_cm1": float(np.abs(labels[is_test] - constant).mean()),
        "peak": {"width_cm1": WIDTHS[peak.width], "least_height": LEAST[peak.least]},
        "line": [slope, offset],
        "seed": fold,
        "weights_sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
        "seconds_of_a_crystal": seconds,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path)
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--folds", type=int, nargs="*", default=list(range(FOLDS)))
    arguments = parser.parse_args()
    data = read_matbench()
    folds = {
        fold: measured(data, fold, trained(data, fold, arguments.runs, arguments.epochs))
        for fold in arguments.folds
    }
    of_folds = np.array([fold["mae_cm1"] for fold in folds.values()])
    result = {
        "task": "matbench_phonons, official folds",
        "model": f"{MODEL}, one member, trained from the beginning for each fold",
        "epochs": arguments.epochs,
        "mae_cm1": float(of_folds.mean()),
        "std_of_folds_cm1": float(of_folds.std()),
        "mae_of_constant_cm1": float(
            np.mean([fold["mae_of_constant_cm1"] for fold in folds.values()])
        ),
        "folds": folds,
        "dataset": {"name": "phonon_matbench", "sha256": DATA.sha256},
        **circumstances(),
    }
    write_result(result, arguments.output)
    print(f"{len(folds)} folds, MAE {of_folds.mean():.1f}, spread {of_folds.std():.1f} 1/cm")


if __name__ == "__main__":
    main()
