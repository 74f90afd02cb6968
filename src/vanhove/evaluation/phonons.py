"""Whole phonons of a model against DFPT: bands, thermodynamics, splitting, stability."""

from __future__ import annotations

import time
from dataclasses import dataclass, fields
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from vanhove.crystal.crystal import Crystal
from vanhove.crystal.graph import CrystalGraph, GraphSettings, build_graph
from vanhove.crystal.kpath import reciprocal_lattice
from vanhove.datasets import load_dataset
from vanhove.datasets.crystal_phonons import CrystalPhonons
from vanhove.errors import ConfigError
from vanhove.evaluation.density_beside import DensityBeside
from vanhove.evaluation.phonon_numbers import (
    CONVENTIONS,
    NEAR_GAMMA,
    PhononErrors,
    best_threshold,
    number,
    standard_errors,
    summary,
)
from vanhove.models.ensemble import Ensemble
from vanhove.models.model import SpectrumModel
from vanhove.models.phonons import has_phonons, members_of, predict_phonons
from vanhove.progress import track
from vanhove.results import Json, Result, write_result
from vanhove.runs.checkpoint import load_model, recorded
from vanhove.spectra.phonon_errors import THERMAL
from vanhove.spectra.phonons import Phonons
from vanhove.version import circumstances
from vanhove.weights import find_weights

DATASET = "phonon_petretto_full"
TEMPERATURE = 300.0
_UNKNOWN = (np.nan, np.nan)
NOISE, NOISE_SEED = 0.003, 0


@dataclass(frozen=True)
class PhononEvaluation(Result):
    """The phonons of a model beside those of DFPT.

    Attributes:
        model: name of the run.
        split: ``"test"``, ``"valid"`` or ``"train"``.
        n_materials: measured.
        dataset: name, hash and hash of the split.
        seeds: of the run, or of the members.
        stability_threshold_cm1: a crystal whose softest mode lies below is called unstable, 1/cm,
            where the model has no odds of its own.
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
                field.name: [number(getattr(error, field.name)) for error in found]
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
    own_graph = build_graph(crystal, as_given)
    phonons = predict_phonons(model, own_graph, crystal)
    to_fractional = np.linalg.inv(reciprocal_lattice(crystal.lattice))
    bands = phonons.frequencies(truth.kpoints @ to_fractional, truth.directions @ to_fractional)
    stability = phonons.stability
    thermal: dict[str, tuple[float, float]] = {}
    if not (bands_only or truth.is_unstable):
        thermal = _thermal_errors(phonons, truth)
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
        heat_capacity_error=thermal.get("heat_capacity", _UNKNOWN)[0],
        entropy_error=thermal.get("entropy", _UNKNOWN)[0],
        softest=stability.frequency,
        probability=np.nan if stability.probability is None else 1 - stability.probability,
        called_unstable=np.nan if stability.probability is None else float(not stability.is_stable),
        is_unstable=float(truth.is_unstable),
        softest_truth=float(truth.frequencies.min()),
        softest_truth_away=_softest_away(truth, crystal),
        charge_error=np.abs(phonons.born_charges - truth.charges).mean() if known else np.nan,
        dielectric_error=_dielectric_error(phonons, truth) if known else np.nan,
        **_coverage(phonons, bands, error, truth),
        **({} if bands_only else _density(model, own_graph, phonons, truth)),
        heat_capacity_covered=thermal.get("heat_capacity", _UNKNOWN)[1],
        entropy_covered=thermal.get("entropy", _UNKNOWN)[1],
        free_energy_covered=thermal.get("free_energy", _UNKNOWN)[1],
        has_hydrogen=float(1 in crystal.atomic_numbers),
        is_metal=float(not truth.is_polar),
        noise=np.nan if bands_only else _noise(model, crystal, phonons, as_given),
        seconds=seconds,
    )


def _thermal_errors(phonons: Phonons, truth: CrystalPhonons) -> dict[str, tuple[float, float]]:
    """Errors at `TEMPERATURE`, and whether the truth is in the interval (NaN without one)."""
    at = int(np.argmin(np.abs(truth.temperatures - TEMPERATURE)))
    found = phonons.thermal_properties([truth.temperatures[at]])
    result = {}
    for name in THERMAL:
        error = float(getattr(found, name)[0] - getattr(truth, name)[at])
        half = found.half_widths.get(name)
        result[name] = (error, np.nan if half is None else float(abs(error) <= half[0]))
    return result


def _coverage(
    phonons: Phonons, bands: np.ndarray, error: np.ndarray, truth: CrystalPhonons
) -> dict[str, float]:
    calibration = phonons.calibration
    if calibration is None:
        return {"bands_std": np.nan, "bands_covered": np.nan, "highest_covered": np.nan}
    features = phonons.features
    terms, scale = features.frequency_terms(bands), calibration.frequency
    top, half = phonons.highest_frequency
    assert half is not None
    return {
        "bands_std": float(scale.std(terms).mean()),
        "bands_covered": float((error <= scale.half_width(terms, features.kind)).mean()),
        "highest_covered": float(abs(top - truth.frequencies.max()) <= half),
    }


def _density(
    model: SpectrumModel | Ensemble, graph: CrystalGraph, phonons: Phonons, truth: CrystalPhonons
) -> dict[str, float]:
    beside = DensityBeside.of(model, graph, phonons, truth)
    found = {"density_error": beside.error, "mean_frequency_error": beside.mean_error}
    scale = None if phonons.calibration is None else phonons.calibration.density
    if scale is not None:
        half = scale.half_width(beside.terms, phonons.features.kind)
        found["density_covered"] = float((beside.errors <= half)[beside.has_weight].mean())
    return found


def _softest_away(truth: CrystalPhonons, crystal: Crystal) -> float:
    edge = 2 * np.pi / crystal.volume ** (1 / 3)
    away = np.linalg.norm(truth.kpoints, axis=1) > NEAR_GAMMA * edge
    return float(truth.frequencies[away].min()) if away.any() else np.nan


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
