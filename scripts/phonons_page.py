"""The table of docs/phonons.md: bands and thermodynamics of vanhove-phonon against DFPT.

vanhove evaluate vanhove-phonon --phonons --split test -o results/vanhove-phonon/phonons.json
"""

import json
from pathlib import Path

import numpy as np
import page_parts

from vanhove.results import read_result

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "phonons.md"
RESULT = ROOT / "results" / "vanhove-phonon" / "phonons.json"


def table() -> str:
    result = read_result(RESULT)
    members = result["members"]
    about = (
        f"Test split of `phonon_petretto_full`, {result['n_materials']} crystals that no stage of "
        "training saw; DFPT of Petretto et al. (2018). ± is the standard error over crystals "
        f"(bootstrap). {len(members)} members (seeds {', '.join(map(str, result['seeds']))})."
    )
    rows = []
    for name, text in result["conventions"].items():
        value, error = result["mean"][name], result["standard_error"][name]
        if value is None or name == "seconds":
            continue
        alone = [member[name] for member in members if member.get(name) is not None]
        shown = ", ".join(f"{own:.3g}" for own in alone)
        rows.append([text, f"{value:.3g} ± {error:.2g}", shown])
    measured = page_parts.table(["", "together", "members alone"], rows)
    return "\n\n".join([about, measured, *stability(result), *matbench(), *potentials()])


def matbench() -> list[str]:
    """The task matbench_phonons on materials that no stage of training saw."""
    result = json.loads((RESULT.parent / "matbench.json").read_text())
    chosen = result["chosen_on_validation"]
    line = "with" if chosen["line_is_used"] else "without"
    return [
        "`matbench_phonons` (the highest peak of the density of states): MAE "
        f"{result['mae_cm1']:.1f}, median {result['median_cm1']:.1f} 1/cm on those "
        f"{result['n_materials']} of its materials that are in the test split above, from the "
        f"structures of Matbench, {line} a line through predictions and labels of the "
        f"validation split (test: {result['mae_with_line_cm1']:.1f} with it, "
        f"{result['mae_without_line_cm1']:.1f} without; `scripts/measure_matbench.py`).",
        matbench_folds(),
    ]


def matbench_folds() -> str:
    """Its five official folds, each with a model of its own."""
    result = json.loads((RESULT.parent / "matbench_folds.json").read_text())
    folds = list(result["folds"].values())
    each = ", ".join(f"{fold['mae_cm1']:.1f}" for fold in folds)
    refused = sum(fold["n_refused"] for fold in folds)
    return (
        f"Its five official folds: MAE {result['mae_cm1']:.1f} ± {result['std_of_folds_cm1']:.1f} "
        f"1/cm ({each}; the median of the other labels {result['mae_of_constant_cm1']:.0f}). Of "
        f"each fold one member was trained from the beginning, {result['epochs']} epochs on the "
        "DFPT bands of materials outside it; a twelfth of them chose what a peak is "
        f"(`scripts/matbench_folds.py`). {refused} of {sum(fold['n_test'] for fold in folds)} "
        "materials hold an element that the other folds lack; they get that median."
    )


def potentials() -> list[str]:
    """Machine-learned potentials on the same crystals, with what they cost."""
    result = json.loads((RESULT.parent / "potentials.json").read_text())
    header = ["", "crystals", "bands, 1/cm", "highest, 1/cm", "C_V(300 K)"]
    rows = [
        [
            name,
            own["n_materials"],
            f"{own['bands_cm1']:.1f}",
            f"{own['highest_cm1']:.1f}",
            f"{own['heat_capacity']:.2f}",
            f"{own['is_right']:.2f}",
            f"{own['seconds']:.2g}",
        ]
        for name, own in result["models"].items()
    ]
    return [
        f"Machine-learned potentials beside it, on the first {len(result['materials'])} crystals "
        "of the test split with at most 4 atoms (`scripts/compare_potentials.py`: finite "
        "displacements in the geometry of DFPT, without a non-analytic term). They learned PBE, "
        "the truth is PBEsol; mean absolute errors, and seconds of one core for a crystal:",
        page_parts.table([*header, "(un)stable, right", "seconds"], rows),
    ]


def stability(result: dict) -> list[str]:
    """How unstable crystals are called, what the labels are, and what the odds are worth."""
    columns = result["materials"]
    truth = np.array(columns["is_unstable"]) > 0
    softest = np.array(columns["softest_truth"])[truth]
    away = np.array(columns["softest_truth_away"], dtype=float)[truth]
    probability = np.array(columns["probability"], dtype=float)
    rows = []
    for low, high in ((0.0, 0.1), (0.1, 0.3), (0.3, 1.01)):
        own = (probability >= low) & (probability < high)
        if own.any():
            mean, share = probability[own].mean(), truth[own].mean()
            where = f"{low:g} to {min(high, 1):g}"
            rows.append([where, own.sum(), f"{mean:.2f}", f"{share:.2f}"])
    header = ["predicted probability to be unstable", "crystals", "mean prediction"]
    return [
        f"Of the {truth.sum()} crystals that the data flag as unstable, {(softest >= -5).sum()} "
        f"have no frequency below -5 1/cm along their path, and {(away >= -5).sum()} none away "
        "from Gamma (0.15 of a zone's edge): there an acoustic branch dips below zero, often by "
        "interpolation. Crystals are called unstable where the odds of the model are above the "
        "share of unstable crystals in training and validation; the odds were fitted on these.",
        page_parts.table([*header, "share unstable"], rows),
    ]
