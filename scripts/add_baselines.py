"""Rows without a model into results of `vanhove reproduce` that lack them.

Usage: python scripts/add_baselines.py [results/PAGE/NAME.json ...]   (all results by default)

A table that is reproduced anew gets these rows by itself. A result of fewer labels than today's
`electron_pbe` gets those of its own training crystals, where they can be told: labels are only ever
added at the end of the set.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from vanhove.datasets.dataset import SpectrumDataset
from vanhove.experiments.baseline_rows import baselines_of, unbeaten
from vanhove.experiments.results import BaselineRow, ComparedRow
from vanhove.papers.definitions import EXPERIMENTS
from vanhove.papers.table import Column
from vanhove.results import Json, read_result, write_result
from vanhove.runs.prepared import load_run_data

RESULTS = Path(__file__).parents[1] / "results"


def main(paths: list[Path]) -> None:
    loaded: dict[str, SpectrumDataset] = {}
    for path in paths:
        experiment = EXPERIMENTS[path.stem]
        config = experiment.rows[0].config()
        data = config.data.model_copy(update={"train_fraction": None})
        key = data.model_dump_json()
        if key not in loaded:
            loaded[key] = load_run_data(config.model_copy(update={"data": data}))
        content = read_result(path)
        dataset = as_it_was(loaded[key], content["dataset"])
        if dataset is None:
            print(f"{path}: its training crystals cannot be told")
            continue
        columns = [Column(**column) for column in content["columns"]]
        baselines = baselines_of(dataset, content["ids"], columns, [])
        content |= with_baselines(content, columns, baselines)
        write_result(content, path)
        print(f"{path}: {len(baselines)} rows, {len(content['unbeaten'])} columns unbeaten")


def as_it_was(dataset: SpectrumDataset, then: Mapping[str, object]) -> SpectrumDataset | None:
    """The data set with as many training crystals as a result had: the first ones."""
    train, n_train = dataset.split("train"), then["n_train"]
    if len(train) == n_train:
        return dataset
    for n_labels in range(n_train, len(dataset.ids) + 1):
        first = train[train < n_labels]
        if len(first) == n_train and len(dataset.ids) > n_labels:
            return replace(dataset, splits={**dataset.splits, "train": first})
    return None


def with_baselines(content: Json, columns: list[Column], baselines: list[BaselineRow]) -> Json:
    rows = [
        ComparedRow(
            label=row["label"],
            model=row["model"],
            run=row["run"],
            seeds=row["seeds"],
            n_parameters=None,
            mean=row["mean"],
            std=None,
            published=None,
            distance={},
            runs=[],
            config={},
        )
        for row in content["rows"]
    ]
    return {
        "baselines": [row.to_json() for row in baselines],
        "unbeaten": unbeaten(columns, rows, baselines),
    }


def lacking() -> list[Path]:
    """Results of runs on the test part without such rows."""
    named = (RESULTS / one.page / f"{name}.json" for name, one in EXPERIMENTS.items())
    there = [path for path in named if path.exists()]
    return [
        path
        for path in there
        if EXPERIMENTS[path.stem].kind == "metrics" and "baselines" not in read_result(path)
    ]


if __name__ == "__main__":
    main([Path(argument) for argument in sys.argv[1:]] or lacking())
