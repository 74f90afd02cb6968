"""The files of a reproduced table: NAME.json, NAME.csv and the figures."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vanhove.evaluation.measurement import PER_MATERIAL
from vanhove.experiments.comparison import MeasuredRow
from vanhove.papers.table import Experiment


def write_result(
    result: dict[str, Any],
    experiment: Experiment,
    measured: Sequence[MeasuredRow],
    output: Path,
    figures: Path,
) -> None:
    """Write all files; the names of the figures are added to ``result``."""
    from vanhove.experiments.figures import FIGURES
    from vanhove.spectra import plotting

    stem = result["stem"]
    figures.mkdir(parents=True, exist_ok=True)
    result["figures"] = []
    for name in experiment.figures:
        drawing = FIGURES[name](result, {entry.row.key: entry.runs for entry in measured})
        if drawing is not None:
            file = f"{stem}-{name.replace('_', '-')}.png"
            (figures / file).write_bytes(plotting.png(drawing))
            result["figures"].append(file)
    write_json(result, output / f"{stem}.json")
    with (output / f"{stem}.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(
            ["row", "run", "seeds", "metric", "mean", "std", "published", "published_std"]
        )
        for row in result["rows"]:
            published = row["published"] or {"values": {}, "spread": {}}
            for key in row["mean"] or published["values"]:
                numbers = [
                    (row["mean"] or {}).get(key, ""),
                    (row["std"] or {}).get(key, ""),
                    published["values"].get(key, ""),
                    published["spread"].get(key, ""),
                ]
                seeds = " ".join(map(str, row["seeds"]))
                writer.writerow([row["label"], row["run"], seeds, key, *numbers])


ONE_LINE = ("ids", "config", "metrics", "validation", "mean", "std", *PER_MATERIAL)
"""Keys of NAME.json whose values stand on one line: readable, and small."""


def write_json(content: dict[str, Any], path: Path) -> None:
    """`to_json` as a file; its folder is made if missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(to_json(content) + "\n", encoding="utf-8")


def to_json(value: Any, key: str = "", indent: str = "") -> str:
    """JSON, indented but for the values of `ONE_LINE`."""
    if key in ONE_LINE or not value or not isinstance(value, dict | list):
        return json.dumps(value)
    inner = indent + " "
    if isinstance(value, dict):
        parts = [f"{json.dumps(k)}: {to_json(v, k, inner)}" for k, v in value.items()]
        opening, closing = "{}"
    else:
        parts = [to_json(v, "", inner) for v in value]
        opening, closing = "[]"
    return f"{opening}\n{inner}" + f",\n{inner}".join(parts) + f"\n{indent}{closing}"
