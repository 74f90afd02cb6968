"""How well bands on the mesh of electron_pbe give those along its paths, which are known too.

python benchmarks/band_interpolation.py --output results/bands/interpolation.json
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from star_functions import interpolate_bands

from vanhove.datasets import band_structure_of, load_electron_states
from vanhove.datasets.electron_pbe import electron_data_hash
from vanhove.results import json_text, write_result
from vanhove.version import circumstances


def errors(n_bands: int, stars_per_point: int, limit: int | None) -> dict[str, np.ndarray]:
    """MAE, RMSE and largest error of each crystal over its bands at the Fermi level, eV."""
    found: dict[str, list[float]] = {"mae": [], "rmse": [], "max": []}
    for state in list(load_electron_states().values())[:limit]:
        true = band_structure_of(state)
        above = true.n_filled + n_bands // 2
        n_used = min(state.mesh_energies.shape[1], above + 2)
        there = slice(max(0, true.n_filled - n_bands // 2), min(above, n_used))
        guess = interpolate_bands(
            state.crystal,
            state.mesh_kpoints,
            state.mesh_energies[:, :n_used],
            state.path_kpoints,
            stars_per_point,
        )
        difference = (guess - state.path_energies[:, :n_used])[:, there]
        found["mae"].append(np.abs(difference).mean())
        found["rmse"].append(np.sqrt((difference**2).mean()))
        found["max"].append(np.abs(difference).max())
    return {key: np.array(values) for key, values in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n-bands", type=int, default=6)
    parser.add_argument("--stars-per-point", type=int, default=5)
    parser.add_argument("--limit", type=int, help="only so many crystals")
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    found = errors(arguments.n_bands, arguments.stars_per_point, arguments.limit)
    result = {
        "what": "star-function interpolation from the mesh against bands computed on the path, "
        f"{arguments.n_bands} bands at the Fermi level, eV",
        "seed": None,
        "config": {"n_bands": arguments.n_bands, "stars_per_point": arguments.stars_per_point},
        "dataset": {"name": "electron_pbe", "hash": electron_data_hash(), "split": "all"},
        "n_materials": len(found["mae"]),
        "mae_mean": float(found["mae"].mean()),
        "mae_median": float(np.median(found["mae"])),
        "mae_95th_percentile": float(np.percentile(found["mae"], 95)),
        "rmse_mean": float(found["rmse"].mean()),
        "largest_error_median": float(np.median(found["max"])),
        "largest_error": float(found["max"].max()),
        **circumstances(),
    }
    print(json_text(result))
    if arguments.output:
        write_result(result, arguments.output)


if __name__ == "__main__":
    main()
