"""Text tables of measured numbers beside published ones."""

from __future__ import annotations

import json
from typing import Any

from vanhove.experiments.published import published_rows

PAPER_NAMES = {"dostransformer": "DOSTransformer"}
"""Decoder name -> the model's name in the papers."""


def evaluation_table(result: dict[str, Any]) -> str:
    """A result of `vanhove.training.evaluation.evaluate` as text, published rows beside it."""
    seeds = result["seeds"]
    lines = [
        f"{result['model']}, {result['split']} split of {result['dataset']['name']}: "
        f"{result['n_materials']} materials, {len(seeds)} seed{'s' if len(seeds) > 1 else ''} "
        f"({', '.join(map(str, seeds))})",
        "",
    ]
    decoder = result["config"]["model"]["decoder"]["name"]
    published = (
        published_rows(result["dataset"]["name"], PAPER_NAMES.get(decoder, decoder))
        if result["split"] == "test"
        else []
    )
    header = f"{'':58s} {'ours':>18s}"
    for row in published:
        header += f"  {row.note[:22]:>22s}"
    lines.append(header)
    for key, convention in result["conventions"].items():
        spread = result["std"]
        shown = f"{result['mean'][key]:.4f}" + (f" +- {spread[key]:.4f}" if spread else "")
        line = f"{convention:58s} {shown:>18s}"
        for row in published:
            value = f"{row.metrics[key]:.4f}" if key in row.metrics else ""
            if key in row.spread:
                value += f" +- {row.spread[key]:.4f}"
            line += f"  {value:>22s}"
        lines.append(line.rstrip())
    lines += ["", *(f"note: {note}" for note in result["notes"])]
    if published:
        lines += ["", *(f"{row.note}: {row.source}" for row in published)]
    return "\n".join(lines)


def models_table() -> str:
    """Shipped weights with the test numbers that were measured on them."""
    from vanhove.training.checkpoint import read_info
    from vanhove.weights import DEFAULT_WEIGHTS, shipped_weights

    shipped = shipped_weights()
    if not shipped:
        return "no weights are shipped with this installation; train a model: vanhove train --help"
    lines = [
        f"{'name':28s} {'quantity':12s} {'trained on':18s} {'MSEx10':>7s} {'MAE':>7s} {'R2':>7s}"
    ]
    for name, path in shipped.items():
        info = read_info(path)
        measured = path.with_suffix(".json")
        metrics = json.loads(measured.read_text())["mean"] if measured.exists() else {}
        shown = [
            f"{metrics[key]:7.4f}" if key in metrics else "      -"
            for key in ("mse_x10", "mae", "r2")
        ]
        default = "  (default)" if name == DEFAULT_WEIGHTS else ""
        lines.append(
            f"{name:28s} {info.quantity:12s} {info.dataset.name:18s} {' '.join(shown)}{default}"
        )
    return "\n".join([*lines, "", "test split, per-material convention"])
