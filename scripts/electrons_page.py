"""The numbers of docs/electrons.md and of the card of vanhove-electron, from results/electron.

python scripts/measure_electrons.py --part test --rows --json results/electron/vanhove-electron.json
python scripts/measure_electron_scalars.py --n 200 --json \
results/electron/vanhove-electron-scalars.json

The parts valid, second_test, gaps and named go to -valid.json, -second.json, -gaps.json and
-named.json beside it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from page_parts import table

from vanhove.results import read_result

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "electrons.md"
WEIGHTS = ROOT / "src" / "vanhove" / "weights"
CARD = WEIGHTS / "tight_binding" / "vanhove-electron.md"
THREE_BODY = "ThreeBodyTB (electron_tb3_on_pbe)"
PAPERS_MODELS = "dostransformer-electron, bandformer-electron"
CLOSE = 0.4
"""eV, the goal for gaps of well-known crystals."""

LINES = (
    ("density of states in DOSTransformer's form, MSE x 10", "dos_mse_x10", 3),
    ("the same, MAE", "dos_mae", 3),
    ("the same, R2, mean", "dos_r2_mean", 2),
    ("the same, R2, median", "dos_r2_median", 2),
    ("six bands around the Fermi level, MAE, eV", "six_bands", 2),
    ("the same, bands told by the electrons that fill them", "six_bands_by_count", 2),
    ("bands within -6 to 4 eV, MAE, eV", "window", 2),
    ("metal or insulator told right", "metal_accuracy", 2),
)


def read(suffix: str = "") -> dict[str, Any]:
    return read_result(ROOT / "results" / "electron" / f"vanhove-electron{suffix}.json")


def measured() -> dict[str, dict[str, Any]]:
    """Row of the test part -> its numbers; the weights of the papers' models with their bands."""
    rows = {row["row"]: row for row in read()["rows"]}
    bands = json.loads((WEIGHTS / "bandformer-electron.json").read_text())["mean"]
    rows[PAPERS_MODELS] |= {
        "six_bands": bands["energy_mae"],
        "metal_accuracy": bands["metal_accuracy"],
    }
    return rows


def compared(columns: dict[str, dict[str, Any]]) -> str:
    """The rows `LINES`; a dash where a model has no such number."""
    return table(
        ["", *columns],
        [
            [title, *(f"{own[key]:.{digits}f}" if key in own else "-" for own in columns.values())]
            for title, key, digits in LINES
        ],
    )


def section() -> str:
    """Of the page."""
    test, second = read(), read("-second")
    rows = measured()
    columns = {
        "`vanhove-electron`": test["mean"],
        "ThreeBodyTB": rows[THREE_BODY],
        "`dostransformer-electron`, `bandformer-electron`": rows[PAPERS_MODELS],
        "second test": second["mean"],
    }
    valid = read("-valid")["mean"]
    chosen = ", ".join(f"{valid[key]:.{digits}f}" for _, key, digits in LINES)
    worst = max(test["each"], key=lambda one: one["six_bands"])
    share = worst["six_bands"] / sum(one["six_bands"] for one in test["each"])
    return "\n\n".join(
        [
            f"On the {test['counts']['n_materials']} test crystals of `electron_pbe`, and on the "
            f"{second['counts']['n_materials']} of a second test that came later; no stage of "
            "training has seen them (nor their formulas):",
            compared(columns),
            f"(`results/electron/vanhove-electron.json`, `-second.json`; on validation, by which "
            f"everything was chosen, {chosen}.) The first row of six bands takes, as Bandformer "
            "does, the bands whose centres lie below and above the Fermi level of calculation and "
            f"prediction each: where a centre crosses it, other bands are compared. One crystal "
            f"(`{worst['id']}`) makes {share:.0%} of that mean.",
            _gaps(),
            _scalars(),
            "Half widths of 90 % intervals were calibrated on validation crystals. " + _bars(),
        ]
    )


def _gaps() -> str:
    gaps, named = read("-gaps"), read("-named")["crystals"]
    mean = gaps["mean"]
    off = {one["formula"]: one["gap"] - one["pbe_gap"] for one in named}
    far = sorted((f for f in off if abs(off[f]) > CLOSE), key=lambda f: -abs(off[f]))
    others = ", ".join(f"{formula} ({off[formula]:+.1f} eV)" for formula in far)
    return (
        f"Gaps of {gaps['n_materials']:,} crystals of the Materials Project that were never "
        f"trained on ({gaps['n_insulators']} insulators), in `-gaps.json`: MAE "
        f"{mean['gap_all']:.2f} eV "
        f"({mean['constant_0_gap_all']:.2f} if all are called metals), of insulators "
        f"{mean['gap_insulators']:.2f}, bias {mean['gap_bias_insulators']:+.2f}; metal or "
        f"insulator {mean['metal_accuracy']:.2f} (all metals: {mean['all_metals']:.2f}); "
        f"correlation {mean['correlation']:.2f}. Of {len(off)} well-known crystals (`-named.json`; "
        f"some were trained on) {len(off) - len(far)} have a gap within {CLOSE:g} eV of PBE"
        + (f"; the others are {others}." if far else ".")
    )


def _scalars() -> str:
    result = read("-scalars")["mean"]
    density, masses = result["density_at_fermi_level"], result["transport_masses"]
    rows = [
        [
            "density at the Fermi level of metals (PBEsol, both spins), MAE, states/eV/cell",
            f"{density['mae']:.2f}",
            f"{density['best_constant_mae']:.2f}; for each atom "
            f"{density['best_constant_per_atom_mae']:.2f}",
            f"{density['rank_correlation']:.2f}",
        ]
    ]
    for name, own in masses.items():
        numbers = [own["mae_of_log10"], own["best_constant_mae_of_log10"], own["rank_correlation"]]
        shown = [f"{value:.2f}" for value in numbers]
        rows.append([f"transport mass of {name} at 300 K, error of log10", *shown])
    worse = [
        name
        for name, own in masses.items()
        if own["mae_of_log10"] >= own["best_constant_mae_of_log10"]
    ]
    text = (
        f"Scalars of other tables, of {density['n']} crystals each whose formulas no training has "
        "seen (`-scalars.json`):\n\n"
        + table(["", "`vanhove-electron`", "best constant", "rank correlation"], rows)
    )
    if worse:
        text += (
            f"\n\n**Masses of {' and '.join(worse)} do not beat the constant**; only the order of "
            "crystals carries over."
        )
    return text


def _bars() -> str:
    """What intervals and familiarity are worth."""
    test, second = read()["error_bars"], read("-second")["error_bars"]

    def inside(of: str) -> str:
        kinds = ", ".join(
            f"{kind} {test[f'{of}_in_90_{kind}']:.0%}" for kind in ("metals", "insulators")
        )
        return f"{test[f'{of}_in_90']:.0%} ({kinds})"

    gaps = read("-gaps")
    rank = "rank_correlation_of_familiarity_and_error"
    return (
        f"Of the test energies {inside('energies')} lie inside, of densities where there is weight "
        f"{inside('densities')}, of the gaps of the {gaps['n_materials']:,} crystals "
        f"{gaps['mean']['gaps_in_90']:.0%}. The rank correlation of familiarity and error of the "
        f"energies is {test[rank]:.2f} on the test, {second[rank]:.2f} on the second (negative is "
        "good)."
    )


def card_section() -> str:
    """Of the card."""
    rows = measured()
    counts = {name: row.get("n_with_density") for name, row in rows.items()}
    second = read("-second")
    columns = {
        "this": read()["mean"],
        "ThreeBodyTB": rows[THREE_BODY],
        "models of the papers": rows[PAPERS_MODELS],
        "nearest composition": rows["nearest composition"],
        "training mean": rows["training mean"],
        "second test": second["mean"],
    }
    return "\n\n".join(
        [
            compared(columns),
            f"The {read()['counts']['n_materials']} test crystals of `electron_pbe`, and "
            f"{second['counts']['n_materials']} later ones. To say metal always is right for "
            f"{rows['all metals']['metal_accuracy']:.2f} of the test. Densities of ThreeBodyTB are "
            f"of the {counts[THREE_BODY]} crystals where it has enough bands, those of this model "
            f"of {counts['vanhove-electron']}.",
            _gaps(),
            "**Error bars** (90 %) were calibrated on the validation part, with later crystals of "
            "its formulas, metals and insulators apart. " + _bars(),
        ]
    )
