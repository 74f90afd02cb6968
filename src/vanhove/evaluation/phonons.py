"""Whole phonons of a model against DFPT: bands, thermodynamics, splitting, stability."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from vanhove.crystal.crystal import Crystal
from vanhove.crystal.graph import GraphSettings, build_graph
from vanhove.crystal.kpath import reciprocal_lattice
from vanhove.datasets import load_dataset
from vanhove.datasets.crystal_phonons import CrystalPhonons
from vanhove.errors import ConfigError
from vanhove.models.ensemble import Ensemble
from vanhove.models.model import SpectrumModel
from vanhove.models.phonons import has_phonons, members_of, predict_phonons
from vanhove.progress import track
from vanhove.results import Json, Result, write_result
from vanhove.runs.checkpoint import load_model, recorded
from vanhove.spectra.phonons import Phonons
from vanhove.version import circumstances
from vanhove.weights import find_weights

DATASET = "phonon_petretto_full"
HIGH = 1000.0
"""1/cm: where the papers' window ends."""
TEMPERATURE = 300.0
NOISE, NOISE_SEED = 0.003, 0


@dataclass(frozen=True)
class PhononErrors:
    """Of one crystal; NaN where it does not apply.

    Attributes:
        n_atoms: of the primitive cell.
        highest: the highest frequency of DFPT along the path, 1/cm.
        bands: mean absolute error of frequencies along the path, 1/cm.
        lowest_bands: the same of the three lowest branches.
        highest_error: of the highest frequency, predicted less DFPT, 1/cm.
        longitudinal_error: of the highest mode at Gamma, approached along the path, 1/cm; of polar
            crystals.
        heat_capacity_error, entropy_error: at 300 K, J/(K mol of atoms); of stable crystals.
        softest: the lowest predicted frequency, 1/cm.
        is_unstable: according to DFPT, 1 or 0.
        charge_error: mean absolute error of the Born charges, e.
        dielectric_error: of a third of the trace, relative.
        noise: change of the mean frequency when atoms move at random by `NOISE` angstrom, 1/cm.
        seconds: of the prediction, its densities and bands.
    """

    n_atoms: float
    highest: float
    bands: float
    lowest_bands: float
    highest_error: float
    longitudinal_error: float
    heat_capacity_error: float
    entropy_error: float
    softest: float
    is_unstable: float
    charge_error: float
    dielectric_error: float
    noise: float
    seconds: float


CONVENTIONS = {
    "bands": "bands, MAE of each crystal over its path, mean over crystals, 1/cm",
    "bands_median": "the same, median over crystals",
    "bands_low": "bands of crystals whose spectrum ends below 1000 1/cm",
    "bands_high": "bands of crystals whose spectrum goes on above 1000 1/cm",
    "lowest_bands": "bands, the three lowest branches",
    "highest": "highest frequency, MAE, 1/cm",
    "longitudinal_median": "highest mode at Gamma of polar crystals, median absolute error, 1/cm",
    "longitudinal_bias": "the same, median error",
    "heat_capacity_300K": "C_V(300 K), MAE, J/(K mol of atoms), stable crystals",
    "heat_capacity_300K_high": "the same of those that go on above 1000 1/cm",
    "entropy_300K": "S(300 K), MAE, J/(K mol of atoms), stable crystals",
    "balanced_accuracy": "stable or not, mean of sensitivity and specificity",
    "charges": "Born charges, MAE, e",
    "dielectric": "electronic dielectric constant, mean relative error",
    "noise": "mean frequency after noise of 0.003 angstrom, mean absolute change, 1/cm",
    "seconds": "seconds of a crystal: force constants, density, thermodynamics, bands",
}


@dataclass(frozen=True)
class PhononEvaluation(Result):
    """The phonons of a model beside those of DFPT.

    Attributes:
        model: name of the run.
        split: ``"test"``, ``"valid"`` or ``"train"``.
        n_materials: measured.
        dataset: name, hash and hash of the split.
        seeds: of the run, or of the members.
        stability_threshold_cm1: a crystal whose softest mode lies below is called unstable, 1/cm.
        conventions: what each number is, with its unit.
        mean: the numbers of `CONVENTIONS`; None where none applies.
        standard_error: of these over materials (bootstrap).
        members: ``mean`` of each member alone; frequencies along the path only.
        materials: id and the fields of `PhononErrors` of each, None where one does not apply.
        config: the settings of the run.
        versions: of vanhove, torch and Python.
        machine: processor, and whether a GPU was there.
    """

    model: str
    split: str
    n_materials: int
    dataset: dict[str, str]
    seeds: list[int]
    stability_threshold_cm1: float
    conventions: dict[str, str]
    mean: dict[str, float | None]
    standard_error: dict[str, float | None]
    members: list[dict[str, float | None]]
    materials: dict[str, list[Any]]
    config: Json
    versions: dict[str, str]
    machine: str

    def __str__(self) -> str:
        """A line for each number, with the standard error over crystals."""
        lines = []
        for name, text in self.conventions.items():
            value, error = self.mean[name], self.standard_error[name]
            if value is not None:
                lines.append(f"{value:10.3f} +- {error or 0:8.3f}  {text}")
        return "\n".join(lines)


def evaluate_phonons(
    checkpoint: str | PathLike[str],
    split: str = "test",
    *,
    threshold: float | None = None,
    output: str | PathLike[str] | None = None,
    limit: int | None = None,
    members: bool = True,
    quiet: bool = False,
) -> PhononEvaluation:
    """Compare a model's phonons with those of `phonon_petretto_full`.

    Args:
        checkpoint: shipped weights, a checkpoint file or a run folder.
        split: ``"test"``, ``"valid"`` or ``"train"``.
        threshold: a crystal whose softest mode lies below it is called unstable, 1/cm; chosen on
            the validation split by default.
        output: write the result to this JSON file.
        limit: the first crystals only.
        members: bands of each member of an ensemble as well.
        quiet: no progress.

    Raises:
        CheckpointError: no such checkpoint.
        ConfigError: a model without force constants.
        DataError: the data cannot be used.
    """
    model, info = load_model(find_weights(checkpoint))
    if not has_phonons(model):
        raise ConfigError(f"{checkpoint} knows no force constants: it has no phonons to evaluate")
    graph = info.graph
    dataset = load_dataset(DATASET)
    assert dataset.phonons is not None
    phonons = dataset.phonons

    def measured(part: str, of: SpectrumModel | Ensemble, bands_only: bool) -> list[PhononErrors]:
        rows = dataset.split(part)[:limit].tolist()
        return [
            phonon_errors(of, dataset.crystals[row], phonons[row], graph, bands_only)
            for row in track(rows, f"phonons of {part}", quiet)
        ]

    if threshold is None:
        threshold = best_threshold(measured("valid", model, bands_only=True))
    found = measured(split, model, bands_only=False)
    own = members_of(model) if members and isinstance(model, Ensemble) else []
    alone = [summary(measured(split, member, bands_only=True), threshold) for member in own]
    result = PhononEvaluation(
        model=info.name,
        split=split,
        n_materials=len(found),
        dataset={
            "name": dataset.name,
            "hash": dataset.data_hash,
            "split_hash": dataset.split_hash,
        },
        seeds=info.seeds,
        stability_threshold_cm1=threshold,
        conventions=CONVENTIONS,
        mean=summary(found, threshold),
        standard_error=standard_errors(found, threshold),
        members=alone,
        materials={
            "id": [dataset.ids[row] for row in dataset.split(split)[:limit]],
            **{
                field.name: [_number(getattr(error, field.name)) for error in found]
                for field in fields(PhononErrors)
            },
        },
        config=recorded(checkpoint, info),
        **circumstances(),
    )
    if output is not None:
        write_result(result.to_json(), Path(output))
    return result


def phonon_errors(
    model: SpectrumModel | Ensemble,
    crystal: Crystal,
    truth: CrystalPhonons,
    graph: GraphSettings,
    bands_only: bool = False,
) -> PhononErrors:
    """The errors of one crystal, in the cell of the data set.

    Args:
        model: with force constants.
        crystal, truth: of `phonon_petretto_full`.
        graph: settings of the model's graphs.
        bands_only: leave out noise and thermodynamics.
    """
    as_given = graph.model_copy(update={"primitive": False})
    start = time.perf_counter()
    phonons = predict_phonons(model, build_graph(crystal, as_given), crystal)
    phonons = replace(phonons, members=())  # their votes on stability take three times as long
    to_fractional = np.linalg.inv(reciprocal_lattice(crystal.lattice))
    bands = phonons.frequencies(truth.kpoints @ to_fractional, truth.directions @ to_fractional)
    softest = phonons.stability.frequency
    heat_capacity = entropy = np.nan
    if not (bands_only or truth.is_unstable):
        at = int(np.argmin(np.abs(truth.temperatures - TEMPERATURE)))
        thermal = phonons.thermal_properties([truth.temperatures[at]])
        heat_capacity = thermal.heat_capacity[0] - truth.heat_capacity[at]
        entropy = thermal.entropy[0] - truth.entropy[at]
    seconds = time.perf_counter() - start
    error = np.abs(bands - truth.frequencies)
    at_gamma = np.abs(truth.directions).max(axis=1) > 0
    longitudinal = np.nan
    if truth.is_polar and at_gamma.any():
        longitudinal = (bands - truth.frequencies)[at_gamma, -1].mean()
    known = phonons.born_charges is not None and np.isfinite(truth.charges).all()
    return PhononErrors(
        n_atoms=crystal.n_atoms,
        highest=truth.frequencies.max(),
        bands=error.mean(),
        lowest_bands=error[:, :3].mean(),
        highest_error=bands.max() - truth.frequencies.max(),
        longitudinal_error=longitudinal,
        heat_capacity_error=heat_capacity,
        entropy_error=entropy,
        softest=softest,
        is_unstable=float(truth.is_unstable),
        charge_error=np.abs(phonons.born_charges - truth.charges).mean() if known else np.nan,
        dielectric_error=_dielectric_error(phonons, truth) if known else np.nan,
        noise=np.nan if bands_only else _noise(model, crystal, phonons, as_given),
        seconds=seconds,
    )


def _dielectric_error(phonons: Phonons, truth: CrystalPhonons) -> float:
    assert phonons.dielectric_tensor is not None
    return abs(np.trace(phonons.dielectric_tensor) / np.trace(truth.dielectric) - 1)


def _noise(
    model: SpectrumModel | Ensemble, crystal: Crystal, phonons: Phonons, graph: GraphSettings
) -> float:
    """Change of the mean frequency over a few general wave vectors."""
    generator = np.random.default_rng(NOISE_SEED)
    moves = generator.normal(scale=NOISE, size=(crystal.n_atoms, 3))
    moved = Crystal(
        crystal.lattice,
        crystal.fractional_coordinates + moves @ np.linalg.inv(crystal.lattice),
        crystal.atomic_numbers,
        crystal.name,
    )
    points = generator.random((8, 3)) - 0.5
    other = predict_phonons(model, build_graph(moved, graph), moved)
    change = other.frequencies(points) - phonons.frequencies(points)
    return float(abs(change.mean()))


def best_threshold(found: Sequence[PhononErrors]) -> float:
    """The frequency below which crystals are best called unstable, 1/cm."""
    candidates = np.unique(np.round([error.softest for error in found]))
    candidates = np.append(candidates[candidates < 0], -0.5)
    scores = [balanced_accuracy(found, at) for at in candidates]
    return float(candidates[int(np.argmax(scores))])


def balanced_accuracy(found: Sequence[PhononErrors], threshold: float) -> float:
    """Mean of the shares of unstable and of stable crystals that are called so."""
    truth = np.array([error.is_unstable for error in found]) > 0
    called = np.array([error.softest for error in found]) < threshold
    shares = [(called[truth]).mean() if truth.any() else np.nan]
    shares.append((~called[~truth]).mean() if (~truth).any() else np.nan)
    return float(np.mean(shares))


def summary(found: Sequence[PhononErrors], threshold: float) -> dict[str, float | None]:
    """The numbers of `CONVENTIONS` over some crystals; None where none applies."""
    column = {
        field.name: np.array([getattr(error, field.name) for error in found])
        for field in fields(PhononErrors)
    }
    high = column["highest"] > HIGH
    heat = np.abs(column["heat_capacity_error"])
    values = {
        "bands": column["bands"].mean(),
        "bands_median": np.median(column["bands"]),
        "bands_low": _mean(column["bands"][~high]),
        "bands_high": _mean(column["bands"][high]),
        "lowest_bands": column["lowest_bands"].mean(),
        "highest": np.abs(column["highest_error"]).mean(),
        "longitudinal_median": _median(np.abs(column["longitudinal_error"])),
        "longitudinal_bias": _median(column["longitudinal_error"]),
        "heat_capacity_300K": _mean(heat),
        "heat_capacity_300K_high": _mean(heat[high]),
        "entropy_300K": _mean(np.abs(column["entropy_error"])),
        "balanced_accuracy": balanced_accuracy(found, threshold),
        "charges": _mean(column["charge_error"]),
        "dielectric": _mean(column["dielectric_error"]),
        "noise": _mean(column["noise"]),
        "seconds": column["seconds"].mean(),
    }
    return {name: _number(value) for name, value in values.items()}


def standard_errors(
    found: Sequence[PhononErrors], threshold: float, n_draws: int = 200
) -> dict[str, float | None]:
    """Standard deviations of `summary` over crystals drawn anew with replacement (bootstrap)."""
    generator = np.random.default_rng(0)
    draws = [
        summary([found[i] for i in generator.integers(len(found), size=len(found))], threshold)
        for _ in range(n_draws)
    ]
    result: dict[str, float | None] = {}
    for name in draws[0]:
        values = [value for draw in draws if (value := draw[name]) is not None]
        result[name] = float(np.std(values)) if values else None
    return result


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _mean(values: np.ndarray) -> float:
    values = values[np.isfinite(values)]
    return float(values.mean()) if len(values) else np.nan


def _median(values: np.ndarray) -> float:
    values = values[np.isfinite(values)]
    return float(np.median(values)) if len(values) else np.nan
