"""Measure `vanhove-electron` and what it is compared with; writes a JSON for results/electron.

    python scripts/measure_electrons.py [WEIGHTS ...] --part test --json OUT.json

Without weights, the shipped ones. ``--part`` is valid, test, second_test (see
`vanhove.datasets.electron_pbe.electron_parts`), or gaps (the fixed 1,000 crystals of gaps_mp) or
gaps_valid (those of gaps_mp to choose by).
``--rows`` adds the rows that need no training: training mean, nearest composition, ThreeBodyTB
(its file under VANHOVE_DATA), the weights that were shipped before. ``--each`` measures every
member of the weights alone, too.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import platform
import sys
import time
from pathlib import Path

import numpy as np
import torch
from scipy.stats import spearmanr

import vanhove
from vanhove.datasets import load_dataset
from vanhove.datasets.cache import RemoteFile, data_file, read_content
from vanhove.datasets.electron_pbe import (
    FIRST_PARTS,
    ElectronStates,
    electron_data_hash,
    electron_parts,
    load_electron_states,
)
from vanhove.evaluation.baselines import nearest_copy, spectrum_constants, training_mean
from vanhove.evaluation.electron_states import Prediction, Predictor, measure_all
from vanhove.models.tight_binding.error_bars import HalfWidths
from vanhove.models.tight_binding.hamiltonian import CrystalHamiltonian
from vanhove.models.tight_binding.network import TightBinding
from vanhove.prediction.electron_calibration import gap_errors, state_errors
from vanhove.prediction.electron_predictor import FOLDER, NAME
from vanhove.prediction.electrons import Electrons
from vanhove.results import write_result
from vanhove.runs.hamiltonian import MemberInfo, load_hamiltonian
from vanhove.spectra.band_metrics import crosses_fermi, energy_mae
from vanhove.spectra.metrics import mae_per_material, mse_per_material, r2_per_material
from vanhove.training.band_labels import gap_labels, gaps_by_id
from vanhove.training.electron_run import gap_rows, pbe_rows

TB3_ON_PBE = RemoteFile(
    None,
    "67d2b6014af4e81151f59873b122453f85d0b8ffef9bcff8d0a929af5907f19d",
    "electron_tb3/electron_tb3_on_pbe.npz",
)
CONVENTIONS = {
    "dos_mse_x10": "density of states as in DOSTransformer (tetrahedra of the calculation's mesh, "
    "smoothed, minimum 0 and maximum 1), squared error, times 10",
    "dos_mae": "the same, absolute error",
    "dos_r2_mean": "the same, R2 of each material, mean",
    "dos_r2_median": "the same, median",
    "six_bands": "eV, mean absolute error of three bands below and three above the Fermi level, "
    "256 points of the path, each from its own Fermi level (mid-gap); which are below follows from "
    "the centres of the bands, in calculation and prediction each",
    "six_bands_by_count": "the same of the last three bands that the electrons fill, two each, and "
    "of the next three, on the points of the path",
    "window": "eV, mean absolute error of all bands on mesh and path within -6 to 4 eV of the "
    "valence band maximum (metals: Fermi level), each from its own",
    "metal_accuracy": "metal or insulator told right, share",
    "gap_insulators": "eV, mean absolute error of the gap of insulators",
    "gap_all": "eV, mean absolute error of the gap, 0 for metals",
}


PLURAL = {"energy": "energies", "density": "densities"}
NAMED = (
    "mp-149", "mp-32", "mp-2534", "mp-66", "mp-1265", "mp-22862", "mp-1143", "mp-2657", "mp-2133",
    "mp-5229", "mp-127", "mp-134", "mp-30", "mp-2741", "mp-804", "mp-2815", "mp-19717", "mp-5020",
)  # fmt: skip
"""Si, Ge, GaAs, C, MgO, NaCl, Al2O3, TiO2, ZnO, SrTiO3, Na, Al, Cu, CaF2, GaN, MoS2, PbTe and
BaTiO3."""
GAP_CONVENTIONS = {
    "gap_all": "eV, mean absolute error of the gap (0 for metals), against PBE gaps of the "
    "Materials Project",
    "gap_insulators": "the same, insulators alone",
    "gap_bias_insulators": "eV, predicted minus true gap of insulators, mean",
    "metal_accuracy": "metal (gap below 0.01 eV) or insulator told right, share",
    "correlation": "of predicted and true gaps (Pearson)",
    "constant_0_gap_all": "gap_all of a constant 0",
    "all_metals": "metal_accuracy of saying metal always",
    "gaps_in_90": "share of 90 % intervals that hold the true gap, where one of the two is open",
    "gap_half_width_90_median": "eV, of these intervals",
    "rank_correlation_of_spread_and_error": "Spearman, of gap_spread and error, where one is open",
}


def about_training(members: list[MemberInfo]) -> dict[str, object]:
    """Seeds, settings and data of the members."""
    split_hash = hashlib.sha256(FIRST_PARTS.read_bytes()).hexdigest()
    seeds = [member.run["seed"] for member in members]
    return {
        "dataset": {
            "name": "electron_pbe",
            "hash": electron_data_hash(),
            "split_hash": split_hash,
            "trained_on": [member.data["electron_pbe"] for member in members],
        },
        "config": {"training": members[-1].run["pbe"], "run": members[-1].run},
        "seeds": seeds,
        "runs": [
            {
                "seed": seed,
                "seconds": {k: h["seconds"] for k, h in member.history.items() if "seconds" in h},
                "n_crystals": member.history["pbe"]["n_crystals"],
                "n_gaps": member.history["pbe"]["n_gaps"],
                "teacher_epochs": len(member.history.get("teacher", {}).get("losses", [])),
            }
            for seed, member in zip(seeds, members, strict=True)
        ],
    }


def by_models(models: list[TightBinding]) -> Predictor:
    def predict(state: ElectronStates) -> Prediction:
        solver = CrystalHamiltonian(models, state.crystal)
        return Prediction(
            solver.energies(state.mesh_kpoints),
            solver.energies(state.path_kpoints),
            solver.n_electrons,
        )

    return predict


def by_three_body() -> Predictor:
    with np.load(io.BytesIO(read_content(data_file(TB3_ON_PBE))), allow_pickle=False) as archive:
        data = {name: archive[name] for name in archive.files}
    rows = {str(name): i for i, name in enumerate(data["ids"])}
    parts = {
        kind: np.split(data[f"eig_{kind}"], np.cumsum(data[f"{kind}_shape"].prod(axis=1))[:-1])
        for kind in ("mesh", "path")
    }

    def predict(state: ElectronStates) -> Prediction | None:
        row = rows.get(state.crystal.name)
        if row is None:
            return None
        n_electrons = round(float(data["nelectrons"][row]))
        found = [
            np.sort(parts[kind][row].reshape(data[f"{kind}_shape"][row]).astype(float), axis=1)
            for kind in ("mesh", "path")
        ]
        if 2 * found[0].shape[1] <= n_electrons or (state.n_electrons - n_electrons) % 2:
            return None
        return Prediction(*found, n_electrons)

    return predict


def density_row(target: np.ndarray, found: np.ndarray) -> dict[str, float]:
    r2 = r2_per_material(target, found)
    return {
        "dos_mse_x10": 10 * float(mse_per_material(target, found).mean()),
        "dos_mae": float(mae_per_material(target, found).mean()),
        "dos_r2_mean": float(np.nanmean(r2)),
        "dos_r2_median": float(np.nanmedian(r2)),
    }


def other_rows(ids: set[str]) -> list[dict[str, object]]:
    """Training mean, nearest composition, the weights shipped before."""
    densities, bands = load_dataset("electron_pbe"), load_dataset("electron_pbe_bands")
    rows = np.array([i for i, name in enumerate(densities.ids) if name in ids])
    target = densities.values[rows].astype(float)
    band_rows = np.array([bands.ids.index(densities.ids[row]) for row in rows])
    band_target = bands.values[band_rows].astype(float)
    is_metal = crosses_fermi(band_target)
    constants = spectrum_constants(densities, rows)
    guesses = {
        "training mean": (constants["training mean"], training_mean(bands, band_rows)),
        "nearest composition": (constants["nearest composition"], nearest_copy(bands, band_rows)),
    }
    found: list[dict[str, object]] = []
    for name, (dos, band) in guesses.items():
        row = {"row": name, "n_materials": len(rows), **density_row(target, dos)}
        row["six_bands"] = float(np.nanmean(energy_mae(band_target, band)))
        row["metal_accuracy"] = float((crosses_fermi(band) == is_metal).mean())
        found.append(row)
    found.append({"row": "all metals", "metal_accuracy": float(is_metal.mean())})
    known = [
        i
        for i, row in enumerate(rows)
        if not set(densities.crystals[row].atomic_numbers.tolist())
        - set(vanhove.load("dostransformer-electron").info.elements)
    ]
    crystals = [densities.crystals[rows[i]] for i in known]
    dos = np.array([s.values for s in vanhove.load("dostransformer-electron").predict(crystals)])
    before = {"row": "dostransformer-electron, bandformer-electron", "n_materials": len(known)}
    found.append(before | density_row(target[known], dos))
    return found


def coverage(
    models: list[TightBinding], states: list[ElectronStates], half_widths: dict[str, HalfWidths]
) -> dict[str, float]:
    """Share of energies and densities inside their 90 % intervals; each crystal counts the same."""
    inside: dict[tuple[str, bool], list[float]] = {}
    means, spreads = [], []
    for state in states:
        error = state_errors(models, state)
        for name in ("energy", "density"):
            spread = getattr(error, f"{name}_spread")
            half = half_widths[f"{name} of {error.kind}"].of(spread, 0.9)
            held = np.abs(getattr(error, name)) <= half
            if len(held):
                key = (PLURAL[name], state.edges.is_metal)
                inside.setdefault(key, []).append(float(held.mean()))
        means.append(float(np.abs(error.energy).mean()))
        spreads.append(error.spread)
    found = {}
    for name in PLURAL.values():
        metals, others = inside.get((name, True), []), inside.get((name, False), [])
        found[f"{name}_in_90"] = float(np.mean(metals + others))
        found |= {f"{name}_in_90_metals": float(np.mean(metals))} if metals else {}
        found |= {f"{name}_in_90_insulators": float(np.mean(others))} if others else {}
    rank = float(spearmanr(means, spreads).statistic)
    return found | {"rank_correlation_of_familiarity_and_error": -rank}


def measure_named(models: list[TightBinding]) -> list[dict[str, object]]:
    """Well-known crystals, with PBE gaps of the Materials Project; some were trained on."""
    trained = {item.crystal.formula for item in (*gap_rows(6), *pbe_rows())}
    rows = []
    for label in gaps_by_id(NAMED):
        electrons = Electrons(models, label.crystal, NAME)
        gap = electrons.gap
        bands = electrons.bands()
        at = "" if gap is None else f"{bands.where(gap.vbm_at)} to {bands.where(gap.cbm_at)}"
        gamma = electrons.energies(np.zeros((1, 3)))[0]
        rows.append(
            {
                "formula": label.crystal.formula,
                "id": label.crystal.name,
                "gap": round(electrons.band_gap, 3),
                "pbe_gap": round(label.gap, 3),
                "is_direct": electrons.is_direct,
                "at": at,
                "states_at_the_top_of_gamma": int((np.abs(gamma) < 1e-3).sum()),
                "formula_in_training": label.crystal.formula in trained,
            }
        )
        print(rows[-1])
    return rows


def measure_gaps(
    models: list[TightBinding], part: str, half_widths: HalfWidths | None
) -> dict[str, object]:
    """The fixed 1,000 crystals of gaps_mp, or those to choose by."""
    labels = gap_labels()[part]
    found, true, spread = gap_errors(models, labels)
    known = np.isfinite(found)
    labels = [label for label, there in zip(labels, known, strict=True) if there]
    found, true, spread = found[known], true[known], spread[known]
    insulator = true > 0
    bars = {}
    if half_widths is not None:
        open_ = insulator | (found > 0)
        held = np.abs(found - true)[open_] <= half_widths.of(spread[open_], 0.9)
        bars["gaps_in_90"] = float(held.mean())
        bars["gap_half_width_90_median"] = float(np.median(half_widths.of(spread[open_], 0.9)))
        bars["rank_correlation_of_spread_and_error"] = float(
            spearmanr(spread[open_], np.abs(found - true)[open_]).statistic
        )
    error = np.abs(found - true)
    mean = {
        "gap_all": float(error.mean()),
        "gap_insulators": float(error[insulator].mean()),
        "gap_bias_insulators": float((found - true)[insulator].mean()),
        "metal_accuracy": float(((found > 0.01) == insulator).mean()),
        "correlation": float(np.corrcoef(found, true)[0, 1]),
        "constant_0_gap_all": float(true.mean()),
        "all_metals": float((~insulator).mean()),
        **bars,
    }
    return {
        "conventions": {name: GAP_CONVENTIONS[name] for name in mean},
        "mean": mean,
        "n_materials": len(labels),
        "n_insulators": int(insulator.sum()),
        "n_not_predicted": int((~known).sum()),
        "ids": [label.crystal.name for label in labels],
        "predicted": found.round(4).tolist(),
        "target": true.round(4).tolist(),
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("weights", nargs="*", type=Path)
    parser.add_argument(
        "--part",
        choices=("valid", "test", "second_test", "gaps", "gaps_valid", "named"),
        default="valid",
    )
    parser.add_argument("--json", type=Path)
    parser.add_argument("--rows", action="store_true")
    parser.add_argument("--each", action="store_true")
    return parser.parse_args()


def main() -> None:
    given = _options()
    torch.set_num_threads(1)
    files = given.weights or [FOLDER / f"{NAME}.safetensors"]
    loaded = [load_hamiltonian(path) for path in files]
    models = [model for members, _ in loaded for model in members]
    half_widths = loaded[0][1].half_widths if len(loaded) == 1 else {}
    started = time.monotonic()
    states = load_electron_states()
    names = list(states)
    parts = electron_parts(names, [state.crystal.formula for state in states.values()])
    result: dict[str, object] = {
        "command": f"python scripts/measure_electrons.py {' '.join(sys.argv[1:])}",
        "model": NAME,
        "n_members": len(models),
        "split": given.part,
        **about_training([member for _, info in loaded for member in info.members]),
        "versions": {"vanhove": vanhove.__version__, "torch": torch.__version__},
        "machine": platform.processor() or platform.machine(),
    }
    if given.part == "named":
        result |= {"conventions": {}, "mean": {}, "crystals": measure_named(models)}
    elif given.part in ("gaps", "gaps_valid"):
        of = "test" if given.part == "gaps" else "valid"
        result |= measure_gaps(models, of, half_widths.get("gap"))
        print(result["mean"])
    else:
        chosen = [states[names[row]] for row in parts[given.part]]
        mean, each = measure_all(chosen, by_models(models))
        if "energy of metals" in half_widths:
            result["error_bars"] = coverage(models, chosen, half_widths)
            print(result["error_bars"])
        counts = {k: mean.pop(k) for k in list(mean) if k.startswith("n_")}
        rows = [{"row": NAME, **counts, **mean}]
        if given.each:
            for i, model in enumerate(models):
                alone, _ = measure_all(chosen, by_models([model]))
                rows.append({"row": f"member {i} alone", **alone})
        if given.rows:
            three_body = by_three_body()
            covered = [state for state in chosen if three_body(state) is not None]
            if covered:
                three, _ = measure_all(covered, three_body)
                rows.append({"row": "ThreeBodyTB (electron_tb3_on_pbe)", **three})
            rows += other_rows({state.crystal.name for state in chosen})
        for row in rows:
            print({k: round(v, 4) if isinstance(v, float) else v for k, v in row.items()})
        result |= {
            "conventions": CONVENTIONS,
            "mean": mean,
            "counts": counts,
            "rows": rows,
            "each": [{"id": name, **row} for name, row in each.items()],
        }
    result["seconds"] = round(time.monotonic() - started)
    if given.json:
        write_result(result, given.json)


if __name__ == "__main__":
    main()
