"""Discovery (Kong et al., 2022): crystals without labels screened for gaps in the valence bands."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vanhove.crystal.crystal import Crystal
from vanhove.errors import ConfigError, DataError, VanhoveError
from vanhove.evaluation.measures import mean_and_std
from vanhove.experiments.comparison import published_numbers
from vanhove.experiments.options import TableOptions
from vanhove.experiments.results import ComparedRow
from vanhove.experiments.trained_runs import has_run, say
from vanhove.papers.table import Experiment, Row
from vanhove.prediction.electron_predictor import ElectronPredictor, load_electrons
from vanhove.prediction.loading import load
from vanhove.results import Json
from vanhove.runs.checkpoint import read_info
from vanhove.runs.description import DatasetInfo
from vanhove.runs.folder import BEST
from vanhove.runs.prepared import load_run_data
from vanhove.spectra.electrons import detection_scores, has_gap_near_edge
from vanhove.spectra.grids import MAT2SPEC_ELECTRON_GRID

CANDIDATES = "electron_candidates/electron_candidates.npz"
"""Under ``VANHOVE_DATA``: structures without labels."""
N_CANDIDATES = 400
"""Of them, evenly spread over the file."""
KEPT = 6
"""Densities that the result holds: of candidates that most runs name."""

CONVENTIONS = {
    "discovery_precision": "part of the candidates named by the model that the checker confirms",
    "discovery_recall": "part of the candidates that the checker finds, named by the model",
    "discovery_n_predicted": "candidates named by the model",
    "discovery_n_found": "of them, confirmed",
}


@dataclass(frozen=True)
class Densities:
    """On Mat2Spec's grid, states/eV/cell, ``[n_crystals, 128]``."""

    values: np.ndarray

    @property
    def have_gap(self) -> np.ndarray:
        return has_gap_near_edge(MAT2SPEC_ELECTRON_GRID, self.values)


def read_candidates(n_wanted: int, seen: Sequence[str], elements: Sequence[int]) -> list[Crystal]:
    """Structures to screen: evenly spread over the file, none that was trained on.

    Args:
        n_wanted: how many; fewer where the file has fewer.
        seen: ids to leave out.
        elements: atomic numbers that may occur.

    Raises:
        DataError: the file is not there.
    """
    path = Path(os.environ.get("VANHOVE_DATA", "")).expanduser() / CANDIDATES
    if not os.environ.get("VANHOVE_DATA") or not path.is_file():
        raise DataError(
            "discovery screens structures without labels: set VANHOVE_DATA to a folder that holds "
            f"{CANDIDATES} (arrays ids, lattice, natoms, Z, frac)"
        )
    with np.load(path, allow_pickle=False) as archive:
        ids, lattices, n_atoms = (archive[name] for name in ("ids", "lattice", "natoms"))
        ends = np.cumsum(n_atoms)
        numbers, fractional = (np.split(archive[name], ends[:-1]) for name in ("Z", "frac"))
    left_out = set(seen)
    usable = [
        row
        for row in range(len(ids))
        if str(ids[row]) not in left_out and np.isin(numbers[row], elements).all()
    ]
    chosen = np.unique(np.linspace(0, len(usable) - 1, min(n_wanted, len(usable))).astype(int))
    return [
        Crystal(lattices[row], fractional[row], numbers[row].astype(int), name=str(ids[row]))
        for row in (usable[place] for place in chosen)
    ]


def discovered_rows(experiment: Experiment, chosen: list[Row], options: TableOptions) -> Json:
    """What `TableResult` holds of a table of discovery: rows are trained, then screen.

    The checker is ``vanhove-electron``; how often it agrees with the labels is measured on the
    validation and test parts.

    Raises:
        ConfigError: a quick run, for which there is no checker.
        DataError: no candidates.
    """
    if options.quick:
        raise ConfigError(f"{options.name} has no --quick form: its candidates are real crystals")
    for row in chosen:
        for seed in options.seeds_of(row.run):
            for needed in (row.scale, row):
                if needed is not None:
                    config, folder = options.config(needed, seed), options.folder(needed, seed)
                    only = options.measured_only
                    has_run(config, folder, measured_only=only, quiet=options.quiet)
    dataset = load_run_data(options.config(experiment.rows[0], 0))
    trained = dataset.split("train")
    elements = np.unique(np.concatenate([dataset.crystals[r].atomic_numbers for r in trained]))
    candidates = read_candidates(N_CANDIDATES, dataset.ids, elements.tolist())
    say(f"checking {len(candidates)} candidates with vanhove-electron", options.quiet)
    checker = load_electrons()
    truth, candidates = checked(checker, candidates)
    held = np.concatenate([dataset.split(part) for part in ("valid", "test")])
    again, known = checked(checker, [_named(dataset.crystals[r], dataset.ids[r]) for r in held])
    place = {name: row for row, name in enumerate(dataset.ids)}
    labels = Densities(dataset.values[[place[crystal.name] for crystal in known]])
    rows: list[ComparedRow] = []
    named: dict[str, Densities] = {}
    for row in experiment.rows:
        seeds = _finished(row, options) if row in chosen else []
        runs = {seed: screened(row, seed, candidates, options) for seed in seeds}
        rows.append(_row(row, runs, truth, experiment, options))
        named |= {f"{row.run}, seed {seed}": found for seed, found in runs.items()}
    return {
        "notes": list(experiment.notes),
        "conventions": CONVENTIONS,
        "columns": list(experiment.columns),
        "rows": rows,
        "properties": {},
        "dataset": DatasetInfo.of(dataset).model_dump(),
        "discovery": {
            "n_candidates": len(candidates),
            "n_true": int(truth.have_gap.sum()),
            "checker": "vanhove-electron",
            "checker_on_labels": _plain(detection_scores(labels.have_gap, again.have_gap)),
            "candidates": _listed(candidates, truth, named),
        },
    }


def checked(
    checker: ElectronPredictor, crystals: Sequence[Crystal]
) -> tuple[Densities, list[Crystal]]:
    """Densities by the learned Hamiltonian, and the crystals that it took."""
    values, taken = [], []
    for crystal in crystals:
        try:
            electrons = checker.electrons(crystal)
        except VanhoveError:
            continue
        # The gap is cut out: the second half of the grid counts from the CBM.
        half = len(MAT2SPEC_ELECTRON_GRID) // 2
        below, above = MAT2SPEC_ELECTRON_GRID[:half], MAT2SPEC_ELECTRON_GRID[half:]
        parts = (electrons.dos(below), electrons.dos(above + electrons.band_gap))
        values.append(np.concatenate([part.values for part in parts]))
        taken.append(crystal)
    return Densities(np.array(values)), taken


def screened(
    row: Row, seed: int, candidates: Sequence[Crystal], options: TableOptions
) -> Densities:
    """The densities that a run predicts; shapes with the sum that its scale row predicts."""
    values, scale = (
        None if one is None else _predicted(options.folder(one, seed), candidates)
        for one in (row, row.scale)
    )
    assert values is not None
    if scale is not None:
        own = values.sum(axis=1, keepdims=True)
        values = values / np.where(own > 0, own, 1) * scale.sum(axis=1, keepdims=True)
    return Densities(values)


def _predicted(folder: Path, candidates: Sequence[Crystal]) -> np.ndarray:
    spectra = load(str(folder / BEST)).predict(list(candidates))
    return np.array([spectrum.values for spectrum in spectra])


def _finished(row: Row, options: TableOptions) -> list[int]:
    needed = [one for one in (row.scale, row) if one is not None]
    return [
        seed
        for seed in options.seeds_of(row.run)
        if all((options.folder(one, seed) / BEST).exists() for one in needed)
    ]


def _row(
    row: Row,
    runs: Mapping[int, Densities],
    truth: Densities,
    experiment: Experiment,
    options: TableOptions,
) -> ComparedRow:
    found = []
    for densities in runs.values():
        scores = _plain(detection_scores(truth.have_gap, densities.have_gap))
        found.append({f"discovery_{key}": scores[key] for key in _KEYS})
    mean, std = mean_and_std(found, CONVENTIONS) if found else (None, None)
    first = next(iter(runs), None)
    info = None if first is None else read_info(options.folder(row, first) / BEST)
    return ComparedRow(
        label=row.label,
        model=row.model,
        run=row.run,
        seeds=list(runs),
        n_parameters=None,
        mean=mean,
        std=std,
        published=published_numbers(row, list(experiment.columns)),
        distance={},
        runs=[],
        config={} if info is None else info.run_config().model_dump(mode="json"),
        not_run=row.not_run or None,
    )


_KEYS = ("precision", "recall", "n_predicted", "n_found")


def _listed(
    candidates: Sequence[Crystal], truth: Densities, named: Mapping[str, Densities]
) -> list[Json]:
    """The candidates that the checker or a run finds, those with most runs first."""
    by_run = {run: densities.have_gap for run, densities in named.items()}
    listed: list[Json] = []
    for place, crystal in enumerate(candidates):
        runs = [run for run, gaps in by_run.items() if gaps[place]]
        if runs or truth.have_gap[place]:
            confirmed = bool(truth.have_gap[place])
            entry: Json = {"id": crystal.name, "formula": crystal.formula, "named_by": runs}
            listed.append(entry | {"confirmed": confirmed, "place": place})
    listed.sort(key=lambda entry: (-len(entry["named_by"]), not entry["confirmed"]))
    for rank, entry in enumerate(listed):
        place = entry.pop("place")
        if rank < KEPT:
            own = {run: named[run].values[place].tolist() for run in entry["named_by"][:1]}
            entry["densities"] = {"vanhove-electron": truth.values[place].tolist()} | own
    return listed


def _plain(scores: Mapping[str, float]) -> Json:
    return {key: float(value) if np.isfinite(value) else None for key, value in scores.items()}


def _named(crystal: Crystal, name: str) -> Crystal:
    return Crystal(
        crystal.lattice, crystal.fractional_coordinates, crystal.atomic_numbers, name=name
    )
