"""Numbers that papers print, to stand beside ours."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from importlib.resources import files


@dataclass(frozen=True)
class PublishedRow:
    """One row of a table: the model's metrics in our names (``mse_x10``, ``mae``, ``r2``)."""

    source: str
    model: str
    dataset: str
    metrics: dict[str, float]
    spread: dict[str, float]
    note: str


def published_rows(dataset: str, model: str | None = None) -> list[PublishedRow]:
    """Rows of ``published.csv`` for a data set, per-material convention, in the file's order."""
    with (files("vanhove.experiments") / "published.csv").open(encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if row["dataset"] == dataset]
    keys = ("mse_x10", "mae", "r2")
    return [
        PublishedRow(
            source=row["source"],
            model=row["model"],
            dataset=dataset,
            metrics={key: float(row[key]) for key in keys if row[key]},
            spread={key: float(row[f"{key}_std"]) for key in keys if row[f"{key}_std"]},
            note=row["note"],
        )
        for row in rows
        if model is None or row["model"] == model
    ]
