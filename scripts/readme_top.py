"""The table at the top of README: how well the two default models do, beside what people use."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import page_parts

from vanhove.papers.published import PublishedRow

RESULTS = Path(__file__).parents[1] / "results"
CARD = Path(__file__).parents[1] / "src" / "vanhove" / "weights" / "vanhove-phonon.json"
MARK = "top"
TIGHT_BINDING = "ThreeBodyTB (electron_tb3_on_pbe)"


def table(published: list[PublishedRow]) -> str:
    """Markdown, from the files in ``results``.

    Args:
        published: what papers state on the same phonon data and split.
    """
    density = _read(CARD)
    phonons = _read(RESULTS / "vanhove-phonon" / "phonons.json")
    electrons = _read(RESULTS / "electron" / "vanhove-electron.json")
    gaps = _read(RESULTS / "electron" / "vanhove-electron-gaps.json")
    other = next(row for row in electrons["rows"] if row["row"] == TIGHT_BINDING)
    best = min(published, key=lambda row: row.values["MAE"])
    n, n_electrons = phonons["n_materials"], electrons["counts"]["n_materials"]
    mean, found = phonons["mean"], electrons["mean"]
    rows = [
        (
            f"phonon density of states (maximum 1), MAE; {n} crystals, DFPT",
            f"{density['mean']['mae']:.3f}",
            f"{best.values['MAE']:.3f}, {best.model} (best published)",
        ),
        (f"phonon bands, MAE; {n} crystals, DFPT", f"{mean['bands']:.1f} 1/cm", ""),
        (
            "C_V(300 K), MAE; those of them that are stable",
            f"{mean['heat_capacity_300K']:.2f} J/(K mol of atoms)",
            "",
        ),
        (
            f"electron bands, -6 to 4 eV, MAE; {n_electrons} crystals, PBE",
            f"{found['window']:.2f} eV",
            f"{other['window']:.2f} eV, ThreeBodyTB",
        ),
        (
            f"PBE gap, MAE; {gaps['n_materials']} crystals, {gaps['n_insulators']} with a gap",
            f"{gaps['mean']['gap_all']:.2f} eV",
            f"{gaps['mean']['constant_0_gap_all']:.2f} eV, always 0",
        ),
    ]
    return page_parts.table(["test crystals that no training saw", "vanhove", "others"], rows)


def _read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text())
