"""The tables of measured numbers in the pages of the models."""

from __future__ import annotations

from pathlib import Path

import page_parts
from page_parts import number

from vanhove.runs.catalog import CATALOG, run_config

DOCS = Path(__file__).parents[1] / "docs"
METRICS = {"mse_x10": "MSE×10", "mae": "MAE", "r2": "R²", "r2_flat": "R², flat"}


PAGES = {
    "baselines": ("mlp", "graph-network", "e3nn", "alignn", "matformer", "gatgnn"),
    "mat2spec": ("mat2spec",),
    "xtal2dos": ("xtal2dos", "e3nn2dos"),
}
"""Page -> models of the catalog; their variants (NAME-...) are there too."""


def models_of(page: str) -> list[str]:
    """Models of the catalog that a page is about, in its order."""
    return [
        name
        for name in CATALOG
        if any(name == known or name.startswith(f"{known}-") for known in PAGES[page])
    ]


def table(page: str, measured: dict[str, dict], n_materials: int, dataset: str) -> str:
    """Sizes and test numbers; ``measured`` is what the package ships for ``vanhove models``."""
    about = (
        f"Test part of `{dataset}`, {n_materials} crystals: MSE, MAE and R² of each material, then "
        "the mean; *flat*: over all points. Mean over seeds, ± their spread. Sizes are of our "
        "settings and of the published ones."
    )
    rows = []
    for name in models_of(page):
        known = measured[name]
        sizes = [f"{known['n_parameters'][size]:,}" for size in ("compact", "published")]
        if "mean" in known:
            spread = known["std"] or {}
            numbers = [str(len(known["seeds"]))]
            numbers += [number(known["mean"][key], spread.get(key), 3) for key in METRICS]
        else:
            numbers = ["-"] * (1 + len(METRICS))
        rows.append([f"`{name}`", _pair(name), *sizes, *numbers])
    header = ["model", "encoder, decoder", "parameters", "published", "seeds", *METRICS.values()]
    return f"{about}\n\n{page_parts.table(header, rows)}"


def _pair(name: str) -> str:
    model = run_config(name).model
    return f"`{model.encoder.name}`, `{model.decoder.name}`"
