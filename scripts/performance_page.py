"""Write docs/performance.md from the JSON of the benchmarks.

Usage:
    python benchmarks/run.py
    python benchmarks/screening.py -o results/speed/screening-vanhove-phonon.json
    python benchmarks/newcomer.py
    python scripts/performance_page.py          # or --check, for continuous integration
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from page_parts import table
from performance_runs import newcomer, server, side_by_side

ROOT = Path(__file__).parents[1]
SPEED = ROOT / "results" / "speed"
PAGE = ROOT / "docs" / "performance.md"
WEIGHTS = ROOT / "src" / "vanhove" / "weights"
KINDS = ("mean", "largest")
SIZES = {"published": "as wide and deep as published", "compact": "as shipped"}


def read(name: str) -> dict[str, Any]:
    return json.loads((SPEED / f"{name}.json").read_text(encoding="utf-8"))


def times(value: float) -> str:
    return f"{value:.2f}x"


def released_figure(others: dict, n_points: str, key: str, gemm: float) -> float:
    """ms of the released DOSTransformer, scaled to a machine of this yardstick."""
    (row,) = [
        row
        for row in others["released_codes"]
        if row["ours"] == "dostransformer" and str(row["n_points"]) == n_points
    ]
    return row[key] * others["gemm_GFLOPs"] / gemm


def against_released(result: dict, others: dict) -> list[str]:
    parts = []
    for part, key, unit in (
        ("inference", "inference_ms", "ms per crystal"),
        ("training_step", "training_step_ms", "ms per step of 8 crystals"),
    ):
        rows: list[list[object]] = []
        for n_points, entry in result["against_released"].items():
            measured, gemm = entry[part]["core_ms"], entry[part]["gemm_GFLOPs"]
            figure = released_figure(others, n_points, key, gemm)
            rows.append([n_points, "released", f"{measured['released']:.4g}", "1", ""])
            for name, ms in measured.items():
                if name == "released":
                    continue
                size, precision = name.split(", ")
                what = f"{SIZES[size]}, {precision}"
                ratios = times(measured["released"] / ms), times(figure / ms)
                rows.append([n_points, what, f"{ms:.4g}", *ratios])
        header = ["energies", "model", unit, "faster, same run", "faster, yardstick"]
        parts += [f"### {part.replace('_', ' ').capitalize()}", table(header, rows)]
    arithmetic = "; ".join(
        f"{n_points} energies: {entry['inference_GFLOP_per_crystal']['released']:.3f} GFLOP for a "
        f"crystal in the released code, {entry['inference_GFLOP_per_crystal']['published']:.3f} "
        f"here, {entry['inference_GFLOP_per_crystal']['compact']:.3f} as shipped"
        for n_points, entry in result["against_released"].items()
    )
    gemms = {
        n: entry["inference"]["gemm_GFLOPs"] for n, entry in result["against_released"].items()
    }
    figures = "; ".join(
        f"{n} energies: {released_figure(others, n, 'inference_ms', gemm):.3g} ms"
        for n, gemm in gemms.items()
    )
    row = others["released_codes"][0]
    rate = 1e3 * row["GFLOP_per_crystal"] / row["inference_ms"]
    return [
        "## DOSTransformer",
        "*Released* is the arithmetic of the released code written anew (`benchmarks/released.py`, "
        "the same number of operations), timed in turns with ours: *faster, same run*. *Faster, "
        "yardstick* compares with figures that the released code itself was once measured with, "
        f"at {others['gemm_GFLOPs']} GFLOP/s, scaled by the yardstick ({figures}). That scaling "
        f"flatters the released code: its figures amount to {rate:.0f} GFLOP/s, more than the "
        "yardstick they came with.",
        f"What is saved is arithmetic ({arithmetic}): both branches are trained but one predicts; "
        "what depends on atoms, crystals or constants alone is not computed for each edge or each "
        "energy; the last messages are summed before the last matrix. The spectra are those of the "
        "plain model (`tests/models`). Weights are packed for the processor at loading. "
        "The shipped model is also half as wide. In training both "
        "branches are needed, so that less can be saved; mixed precision "
        "(`training.precision: bfloat16`, as the shipped weights were trained) does the rest.",
        *parts,
    ]


def precision(result: dict) -> list[str]:
    found = result["precision"]
    rows: list[list[object]] = [
        [
            f"`{name}`",
            kind,
            f"{entry['mae'][kind]:.5f}",
            f"{100 * change:+.3f} %",
            f"{entry['largest_difference'][kind]:.3f}",
        ]
        for name, entry in found["models"].items()
        for kind, change in entry["mae_change"].items()
    ]
    return [
        "## Lower precision",
        '`vanhove.load(precision="bfloat16")` or `"int8"`, and `--precision` of the commands: what '
        f"it costs on {found['n_materials']} crystals of the validation split of "
        f"`{found['dataset']['name']}`. bfloat16 pays on processors with such instructions (here: "
        f"{'yes' if result['machine']['bfloat16_instructions'] else 'no'}). With int8 the linear "
        "layers multiply integers of 8 bits; inputs are rounded on one scale for a batch, so that "
        "a result depends a little on what else is in its batch.",
        table(["model", "precision", "MAE", "change to float32", "largest difference"], rows),
    ]


def graphs(result: dict) -> list[str]:
    found = result["graphs"]
    rows: list[list[object]] = [
        [
            row["crystals"],
            f"{row['cutoff']:g}",
            row["edges_per_crystal"],
            f"{row['core_ms']['pymatgen']:.3g}",
            f"{row['core_ms']['vanhove']:.3g}",
            f"{row['ratio']:.1f}x",
            "yes" if row["same_edges"] else "no",
        ]
        for row in found["neighbours_and_gaussians"]
    ]
    header = ["crystals", "cutoff, Å", "edges", "pymatgen", "vanhove", "ratio", "same edges"]
    steps = found["steps_core_ms"]
    collate = ", ".join(f"{n}: {ms:.3g}" for n, ms in found["collate_core_ms_per_crystal"].items())
    prepared = result["prepared"]
    return [
        "## From structure to graph",
        "Neighbours and 41 Gaussians of each distance, ms per crystal: with pymatgen's "
        "`get_all_neighbors` and NumPy, edge by edge, and with `vanhove.crystal` (vesin).",
        table(header, rows),
        f"A whole graph with the settings of the shipped model takes {steps['all']:.3g} ms: "
        f"symmetry search {steps['symmetry']:.3g}, checks {steps['check']:.3g}, neighbours "
        f"{steps['neighbours']:.3g}. Joining the standard crystals into a batch, ms per crystal, "
        f"by size of the batch: {collate}. The prepared graphs of a data set of "
        f"{prepared['n_crystals']:,} crystals are mapped into memory: they open in "
        f"{1e3 * prepared['open_wall_seconds']:.0f} ms.",
    ]


def models(result: dict, others: dict) -> list[str]:
    theirs = {(row["ours"], str(row["n_points"])): row for row in others["released_codes"]}
    scale = others["gemm_GFLOPs"] / result["gemm_GFLOPs"]
    rows: list[list[object]] = []
    for name, entry in result["models"].items():
        for n_points, forward in entry["forward_ms_per_crystal"].items():
            released = theirs.get((name, n_points))
            rows.append(
                [
                    f"`{name}`",
                    n_points,
                    f"{entry['n_parameters'][n_points] / 1e6:.2f}",
                    *(f"{ms:.3g}" for ms in forward.values()),
                    f"{entry['training_step_ms'][n_points]:.3g}",
                    f"{scale * released['inference_ms']:.3g}" if released else "",
                    f"{scale * released['training_step_ms']:.3g}" if released else "",
                ]
            )
    header = [
        *("model", "energies", "million parameters"),
        *("batch of 1", "of 8", "of 64", "training step"),
        *("released, of 8", "released, training step"),
    ]
    return [
        "## Every model",
        "Our compact settings (`vanhove models`), float32, standard crystals: forward in ms per "
        "crystal for three sizes of batch, and a training step of 8 crystals in ms. *Released*: "
        f"the public codes, measured at {others['gemm_GFLOPs']} GFLOP/s and scaled by the "
        "yardstick; their models are larger (a published size is an option here, "
        "`--size published`), so these columns tell what one pays, not how well the same "
        "arithmetic is done.",
        table(header, rows),
    ]


def scaling(result: dict) -> list[str]:
    rows: list[list[object]] = [
        [what, ", ".join(f"{size}: {ms:.3g}" for size, ms in costs.items())]
        for what, costs in result["scaling_core_ms_per_crystal"].items()
    ]
    return [
        "## Cost against size",
        "The shipped kind of DOSTransformer, ms per crystal, when one size of the standard batch "
        "(12 atoms, 12 neighbours, 51 energies, batch of 8) changes.",
        table(["what", "size: ms per crystal"], rows),
    ]


def from_files(result: dict) -> list[str]:
    files = result["from_files"]["core_ms"]
    rows: list[list[object]] = [
        [f"`{name}`", run["wall_seconds"], run["core_seconds"], f"{run['peak_MB']:.0f}"]
        for name, run in result["cold_start"].items()
    ]
    return [
        "## From files, and from nothing",
        f"{result['from_files']['n_files']} example CIF files, ms per file "
        "to the spectrum with the model loaded: "
        + ", ".join(f"`{name}` {ms:.3g}" for name, ms in files.items() if name != "read")
        + f"; reading is {files['read']:.3g} of that"
        + ". The command from a cold start:",
        table(["command", "seconds", "core-seconds", "peak memory, MB"], rows),
        "Wall seconds are those of a machine that also did other work. What `predict` takes beyond "
        "importing torch is the other imports, the first use of the symmetry search and of the "
        "parser of CIF, and the weights.",
    ]


def screening(measured: list[dict]) -> list[str]:
    rows: list[list[object]] = [
        [
            f"`{found['model']}`",
            f"{run['structures']:,}",
            f"{run['predicted']:,}",
            f"{run['seconds']:.0f}",
            f"{run['structures_per_second']:.0f}",
            f"{run['predicted_per_second']:.0f}",
            f"{run['core_ms_per_structure']:.2f}",
            f"{run['peak_pss_MB']:.0f}",
        ]
        for found in measured
        for run in found["runs"]
    ]
    header = [
        *("model", "structures", "predicted", "seconds", "structures/s", "predicted/s"),
        *("core ms per structure", "peak memory, MB"),
    ]
    circumstances = "; ".join(
        f"`{found['model']}` {found['gemm_float32_GFLOPs']} GFLOP/s and "
        f"{found['machine']['load_average_before'][0]:.1f}"
        for found in measured
    )
    first = measured[0]
    return [
        "## Screening",
        f"`vanhove screen` with {first['workers']} worker processes on "
        f"{first['machine']['logical_cpus']} cores, from an archive of Materials Project "
        "structures to tables and report, cold start included. Structures with elements that the "
        "model does not know are refused, which costs little: *predicted* counts the others. Peak "
        "memory is that of all processes together. See [screen.md](screen.md).",
        table(header, rows),
        f"Yardstick and load average before: {circumstances}. Other work on the cores lowers the "
        "rates and hardly the core ms.",
    ]


def large_cells(found: dict) -> list[str]:
    rows: list[list[object]] = [
        [f"`{model}`", f"{run['n_atoms']:,}", f"{run['core_seconds']:.3g}", run["memory_MB"]]
        for model, runs in found["models"].items()
        for run in runs
    ]
    return [
        "## Large cells",
        "`python benchmarks/large_cells.py`: density of states of rock salt whose atoms are moved "
        "at random, so that no symmetry is left; processor seconds of one thread with the model "
        "loaded, and the memory beyond that of the loaded model. Up to 500 atoms modes are found "
        "by diagonalisation. Densities of larger cells are estimated with random vectors (kernel "
        "polynomials): the noise is about one percent of the maximum, for several members together "
        "less. A cell of more than 40 atoms has Gamma as its only wave vector. Whole phonons "
        "(`vanhove.phonons`) and electrons need matrices of all atoms: cells that would not fit "
        "into the memory are refused. A supercell of a perfect crystal is reduced to its primitive "
        "cell first, whatever its size.",
        table(["model", "atoms", "core-seconds", "memory, MB"], rows),
        f"Load average before: {found['load_average_before'][0]:.1f}.",
    ]


def todays_route(result: dict, others: dict) -> list[str]:
    names = [
        name for name in result["from_files"]["core_ms"] if (WEIGHTS / f"{name}.json").exists()
    ]
    cards = [json.loads((WEIGHTS / f"{name}.json").read_text(encoding="utf-8")) for name in names]
    route = others["potential"]
    rows: list[list[object]] = [
        *(
            [
                f"vanhove, `{card['model']}`, from CIF to spectrum",
                card["n_materials"],
                *(f"{card['mean'][key]:.3g}" for key in ("mse_x10", "mae", "r2")),
                f"{result['from_files']['core_ms'][card['model']] / 1e3:.3g}",
            ]
            for card in cards
        ),
        [
            route["route"],
            route["n_materials"],
            *(route[key] for key in ("mse_x10", "mae", "r2")),
            f"{route['core_seconds_mean']} (median {route['core_seconds_median']})",
        ],
    ]
    header = ["phonon DOS from", "materials", "MSE×10", "MAE", "R²", "core-seconds per crystal"]
    return [
        "## Beside today's route",
        "Test crystals of `phonon_petretto`. The potential was not fitted to these data; it gives "
        "more than a density of states (bands, unstable modes), and it left out its "
        "four largest crystals. Our core-seconds are of the example files, which are smaller than "
        "the test crystals on average. `python benchmarks/side_by_side.py --help` says how to "
        "measure released code, of which you have a checkout, and potentials on one machine.",
        table(header, rows),
    ]


def meshes(found: dict) -> list[str]:
    columns = {
        "density": "density",
        "heat_capacity_300K": "C_V(300 K)",
        "entropy_300K": "S(300 K)",
        "free_energy_300K": "F(300 K)",
    }
    rows: list[list[object]] = [
        [name, *(f"{found[name][key][what]:.2g}" for key in columns for what in KINDS)]
        for name in ("splines", "tetrahedra")
    ]
    return [
        "## Wave vectors of phonon densities",
        "How far densities and thermodynamics are from those of three times as many wave vectors "
        "along each axis (`python benchmarks/phonon_meshes.py`; "
        f"{len(found['materials'])} crystals "
        f"of the validation part of `{found['dataset']['name']}`): by cubic splines between the "
        "wave vectors, as `vanhove` does, and by linear tetrahedra on a mesh with three times as "
        "many. The density is broadened by 12 1/cm, its error in units of the maximum; heat "
        "capacity and entropy in J/(K mol of atoms), free energy in kJ/mol.",
        table(["", *(f"{name}, {what}" for name in columns.values() for what in KINDS)], rows),
    ]


def page() -> str:
    result, others = read("benchmark"), read("others")
    screened = [read(path.stem) for path in sorted(SPEED.glob("screening-*.json"))]
    machine, versions = result["machine"], result["versions"]
    parts = [
        "<!-- Written by scripts/performance_page.py from results/speed: do not edit. -->",
        "# Speed",
        "`make bench` (`python benchmarks/run.py`) measures everything here but the screening "
        "(`python benchmarks/screening.py`), large cells (`python benchmarks/large_cells.py`), the "
        "server (`python benchmarks/server.py`), a "
        "newcomer's path (`python benchmarks/newcomer.py`) and the figures of other codes "
        "(`results/speed/others.json`). Times are processor time of one thread, medians; all that "
        "is compared takes turns with a float32 matrix product of 1024 by 1024, the yardstick, so "
        "that machines can be compared: "
        f"{result['gemm_GFLOPs']} GFLOP/s (medians; {machine['cpu']}, torch {versions['torch']}). "
        "The standard batch is 8 crystals of 12 atoms with 12 neighbours each, without symmetry; "
        "training steps of the first tables take batches of 6 to 18 atoms, each of another shape.",
        *against_released(result, others),
        *precision(result),
        *screening(screened),
        *(large_cells(read("large-cells")) if (SPEED / "large-cells.json").exists() else []),
        *server(read("server")),
        *todays_route(result, others),
        *(side_by_side(read("side-by-side")) if (SPEED / "side-by-side.json").exists() else []),
        *meshes(read("phonon-meshes")),
        *graphs(result),
        *from_files(result),
        *(newcomer(read("newcomer")) if (SPEED / "newcomer.json").exists() else []),
        *scaling(result),
        *models(result, others),
    ]
    return "\n\n".join(parts) + "\n"


def main(check: bool) -> int:
    content = page()
    if PAGE.exists() and PAGE.read_text(encoding="utf-8") == content:
        return 0
    if check:
        print(f"{PAGE.relative_to(ROOT)} is stale: run python scripts/performance_page.py")
        return 1
    PAGE.write_text(content, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
