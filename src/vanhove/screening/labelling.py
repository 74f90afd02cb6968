"""Structures without spectra become a data set: a model says their spectra (distillation).

A small model that is trained on what a large one says of many structures comes nearer to it than by
the few spectra that were computed (Hinton, Vinyals & Dean, arXiv 1503.02531).
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np

from vanhove.atomic import whole_folder
from vanhove.crystal.crystal import Crystal
from vanhove.datasets import load_dataset
from vanhove.datasets.dataset import PARTS, SpectrumDataset
from vanhove.errors import ConfigError, StructureError
from vanhove.prediction.loading import AnyPredictor, load
from vanhove.progress import track
from vanhove.screening.source import Record, Source, open_source
from vanhove.spectra.quantities import quantity
from vanhove.spectra.spectrum import Spectrum
from vanhove.weights import DEFAULT_WEIGHTS


@dataclass(frozen=True)
class Labelled:
    """What `label` wrote.

    Attributes:
        folder: the data set.
        n_labelled: structures whose spectrum the model said.
        n_left_out: with a formula of the validation or test split of the other data set.
        n_failed: that cannot be read or predicted.
        n_computed: materials of the other data set.
    """

    folder: Path
    n_labelled: int
    n_left_out: int
    n_failed: int
    n_computed: int


def label(
    source: str | PathLike[str],
    folder: str | PathLike[str],
    *,
    model: str | PathLike[str] | None = None,
    together_with: str | None = None,
    limit: int | None = None,
    seed: int = 0,
    quiet: bool = True,
) -> Labelled:
    """Write a data set folder whose training split a model has labelled.

    Args:
        source: structures, see `vanhove.screening.source`.
        folder: to write, new or empty; ``vanhove train --set data.dataset=FOLDER`` takes it.
        model: shipped weights, a checkpoint file or a run folder; the default for phonon DOS.
        together_with: a data set with computed spectra on the grid of the model, such as the one it
            was trained on. Its parts are those of the new one, the labelled structures are added to
            the training split, without formulas of its validation and test splits.
        limit: take so many structures, drawn at random [all].
        seed: of the draw.
        quiet: no progress on stderr.

    Raises:
        ConfigError: the folder holds files, the model predicts bands, or the data set has another
            grid.
        DataError: the source or the data set cannot be read.
    """
    folder = Path(folder)
    if folder.exists() and any(folder.iterdir()):
        raise ConfigError(f"{folder}: holds files; give a new folder")
    with whole_folder(folder, "labelling") as part:
        predictor = load(DEFAULT_WEIGHTS if model is None else model, grid="training")
        if quantity(predictor.info.quantity).is_bands:
            raise ConfigError(f"{predictor.name} predicts bands; a model of densities is needed")
        others = None if together_with is None else _other_data(together_with, predictor)
        held_out = set() if others is None else _held_out_formulas(others)
        reader = open_source(Path(source))
        items = list(_items(reader, _drawn(reader, limit, seed)))
        kept = [
            item for item in items if not (isinstance(item, Crystal) and item.formula in held_out)
        ]
        rows = [
            _Row(f"labelled-{index:06d}", "train", crystal, values)
            for index, (crystal, values) in enumerate(_labelled(predictor, kept, quiet))
        ]
        n_labelled = len(rows)
        if others is not None:
            for name in PARTS:
                rows += [
                    _Row(others.ids[row], name, others.crystals[row], others.values[row])
                    for row in others.split(name)
                ]
        _write(part, rows, predictor)
        return Labelled(
            folder,
            n_labelled,
            n_left_out=len(items) - len(kept),
            n_failed=len(kept) - n_labelled,
            n_computed=len(rows) - n_labelled,
        )


@dataclass(frozen=True)
class _Row:
    """A material of the new data set."""

    id: str
    part: str
    crystal: Crystal
    values: np.ndarray


def _other_data(name: str, predictor: AnyPredictor) -> SpectrumDataset:
    dataset = load_dataset(name)
    grid = dataset.grid
    if len(grid) != len(predictor.grid) or not np.allclose(grid, predictor.grid):
        raise ConfigError(
            f"{name} has a grid of {len(grid)} points, {predictor.name} another one of "
            f"{len(predictor.grid)}; give a data set with the grid of the model"
        )
    return dataset


def _held_out_formulas(dataset: SpectrumDataset) -> set[str]:
    rows = np.concatenate([dataset.split("valid"), dataset.split("test")])
    return {dataset.crystals[row].formula for row in rows}


def _drawn(reader: Source, limit: int | None, seed: int) -> list[Record]:
    records = list(reader.records())
    if limit is None or limit >= len(records):
        return records
    places = np.random.default_rng(seed).choice(len(records), limit, replace=False)
    return [records[place] for place in sorted(places.tolist())]


def _items(reader: Source, records: list[Record]) -> Iterator[Crystal | StructureError]:
    for record in records:
        try:
            yield from reader.read(record)
        except StructureError as error:
            yield error


def _labelled(
    predictor: AnyPredictor, items: list[Crystal | StructureError], quiet: bool
) -> Iterator[tuple[Crystal, np.ndarray]]:
    outcomes = predictor.stream(track(items, "labelling", quiet))
    for item, outcome in zip(items, outcomes, strict=True):
        if isinstance(item, Crystal) and isinstance(outcome, Spectrum) and outcome.values.any():
            yield item, outcome.normalise(predictor.info.normalisation).values


def _write(folder: Path, rows: list[_Row], predictor: AnyPredictor) -> None:
    """As `vanhove.datasets.folder.load_folder` reads it."""
    with (folder / "spectra.csv").open("w", encoding="utf-8", newline="") as stream:
        stream.write(f"# unit: {predictor.info.unit}\n")
        stream.write(f"# normalisation: {predictor.info.normalisation}\n")
        writer = csv.writer(stream)
        writer.writerow(["id", "split", *(f"{x:g}" for x in predictor.grid)])
        for row in rows:
            writer.writerow([row.id, row.part, *(f"{value:.5g}" for value in row.values)])
            path = folder / f"{row.id}.json"
            path.write_text(json.dumps(row.crystal.to_dict()), encoding="utf-8")
