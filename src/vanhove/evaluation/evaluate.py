"""Measuring checkpoints on a split, in every convention, as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vanhove.crystal.symmetry import CRYSTAL_SYSTEMS
from vanhove.datasets.dataset import SpectrumDataset
from vanhove.evaluation.measures import material_errors, mean_and_std, measure
from vanhove.evaluation.seen import seen_rows
from vanhove.evaluation.uncertainty import (
    Uncertainty,
    predict_rows_with_errors,
    uncertainty_metrics,
)
from vanhove.models.ensemble import Ensemble
from vanhove.models.model import SpectrumModel
from vanhove.results import Json, Result, write_result
from vanhove.runs.checkpoint import ModelInfo, load_model, recorded
from vanhove.runs.compatibility import check_alike, check_data, unseen_note
from vanhove.runs.config import DataSettings, RunConfig
from vanhove.runs.other_grid import answering_on
from vanhove.runs.prepared import (
    PreparedData,
    fit_scale,
    load_run_data,
    predict_rows,
    prepare,
)
from vanhove.version import circumstances
from vanhove.weights import find_weights

METRIC_CONVENTIONS = {
    "mse_x10": "MSE x 10, mean over materials",
    "mae": "MAE, mean over materials",
    "rmse": "RMSE of each material, mean over materials",
    "r2": "R2 of each material, mean over materials",
    "r2_median": "R2 of each material, median over materials",
    "r2_flat": "R2 over all points of all materials",
    "r2_per_bin": "R2 of each energy over materials, variance-weighted",
    "wasserstein_cm1": "Wasserstein distance of sum-normalised spectra, 1/cm",
    "wasserstein_eV": "Wasserstein distance of sum-normalised spectra, eV",
    "sum_mse": "MSE of sum-normalised spectra, mean over materials",
    "sum_mae": "MAE of sum-normalised spectra, mean over materials",
    "sum_r2": "R2 of each sum-normalised spectrum, mean over materials",
    "sum_r2_per_bin": "R2 of each energy over sum-normalised spectra, variance-weighted",
    "mean_frequency_mae_cm1": "mean frequency, MAE, 1/cm",
    "mean_frequency_mse_cm2": "mean frequency, MSE, 1/cm^2",
    "heat_capacity_300K_mae": "C_V(300 K), MAE, J/(K mol of atoms)",
    "centre_mae": "band centre, MAE",
    "centre_mae_nonmetal": "band centre, MAE, non-metals",
    "centre_mae_metal": "band centre, MAE, metals",
    "dispersion_mae": "band dispersion, MAE",
    "dispersion_mae_nonmetal": "band dispersion, MAE, non-metals",
    "dispersion_mae_metal": "band dispersion, MAE, metals",
    "energy_mae": "band energy, MAE",
    "energy_mae_nonmetal": "band energy, MAE, non-metals",
    "energy_mae_metal": "band energy, MAE, metals",
    "gap_mae": "band gap of non-metals, MAE",
    "metal_accuracy": "metal or not, share told right",
}
"""What each number of an evaluation means."""


@dataclass(frozen=True, kw_only=True)
class MeasuredRun(Result):
    """One checkpoint on a split.

    Attributes:
        seed: of the run; of an ensemble, of its first member.
        seeds: of an ensemble, those of its members.
        uncertainty: of an ensemble, how its error bars hold.
        epoch: of the checkpoint, from 0.
        validation: its metrics on the validation split when it was trained.
        n_parameters: of all members.
        metrics: as `METRIC_CONVENTIONS` says; None where one is not defined.
    """

    seed: int
    seeds: list[int] | None = None
    uncertainty: Uncertainty | None = None
    epoch: int
    validation: dict[str, float]
    n_parameters: int
    metrics: dict[str, float | None]


@dataclass(frozen=True)
class Seen(Result):
    """Materials that the model was trained on, measured apart.

    Attributes:
        n_materials: how many.
        mean: metrics, means over the runs.
    """

    n_materials: int
    mean: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Evaluation(Result):
    """Runs of one model on a split.

    Attributes:
        model: name of the run.
        split: ``"test"``, ``"valid"`` or ``"train"``.
        n_materials: measured.
        dataset: of these materials, name and hash; of the model's own data all of `DatasetInfo`.
        notes: what a reader has to know of the data, in sentences.
        trained_on: the data of the training, `DatasetInfo`.
        normalisation: of the spectra that are compared.
        conventions: what each metric is, see `METRIC_CONVENTIONS`.
        seeds: of the runs.
        mean: metrics that all runs have, means over the runs.
        std: their sample standard deviations; None for a single run.
        groups: errors by crystal system and by number of species, see `groups_of`.
        runs: one by one.
        config: the settings of the run.
        versions: of vanhove, torch and Python.
        machine: processor, and whether a GPU was used.
        seen: of other data, the materials that the model was trained on; not in the numbers above.
    """

    model: str
    split: str
    n_materials: int
    dataset: Json
    notes: list[str]
    trained_on: Json
    normalisation: str
    conventions: dict[str, str]
    seeds: list[int]
    mean: dict[str, float]
    std: dict[str, float] | None
    groups: dict[str, dict[str, dict[str, float]]]
    runs: list[MeasuredRun]
    config: Json
    versions: dict[str, str]
    machine: str
    seen: Seen | None = None


def evaluate(
    checkpoints: str | PathLike[str] | Sequence[str | PathLike[str]],
    split: str = "test",
    *,
    data: str | None = None,
    grid_points: int | None = None,
    output: str | PathLike[str] | None = None,
    quiet: bool = False,
) -> Evaluation:
    """Measure one checkpoint, or several that differ in their seed alone.

    Args:
        checkpoints: shipped names, files or run folders.
        split: ``"test"``, ``"valid"`` or ``"train"``.
        data: another data set (name or folder) with the model's grid, unit and normalisation; the
            model's own by default. Materials like some that the model was trained on (see
            `vanhove.evaluation.seen`) are measured apart, as ``"seen"``, where not all are.
        grid_points: measure on the spectra interpolated to so many points, as ``data.grid_points``
            does; the model is asked for these.
        output: a JSON file to write the result to.
        quiet: no progress.

    Returns:
        What was measured; ``output`` gets its `to_json`.

    Raises:
        CheckpointError: the checkpoints differ in more than their seed, or saw other data.
        ConfigError: a model that knows its own grid alone, see `answering_on`.
        DataError: the data cannot be used.
    """
    if isinstance(checkpoints, str | PathLike):
        checkpoints = [checkpoints]
    loaded = [load_model(find_weights(checkpoint)) for checkpoint in checkpoints]
    info = loaded[0][1]
    check_alike(checkpoints, [own for _, own in loaded])
    config = _config(info, data, grid_points)
    prepared = prepare(config, (split,), quiet)
    dataset, own_data = prepared.dataset, data is None and grid_points is None
    rows, seen = _unseen_first(dataset, prepared.rows(split), info, data)
    runs, predictions, of_seen = [], [], []
    for model, own in loaded:
        with answering_on(model, own, None if grid_points is None else dataset.grid) as there:
            check_data(dataset, there, own=own_data)
            run, prediction = _measured(model, own, prepared, rows)
            if seen is not None:
                of_seen.append(_measured(model, own, prepared, seen)[0].metrics)
        runs.append(run)
        predictions.append(prediction)
    mean, std = mean_and_std([run.metrics for run in runs], METRIC_CONVENTIONS)
    result = Evaluation(
        model=config.name,
        split=split,
        n_materials=len(rows),
        dataset=info.trained.dataset.model_dump()
        if data is None
        else {"name": dataset.name, "hash": dataset.data_hash},
        notes=[
            *dataset.notes,
            *unseen_note(dataset, info, rows.tolist()),
            *([] if seen is None else [_seen_note(len(seen), len(rows))]),
        ],
        trained_on=info.trained.dataset.model_dump(),
        normalisation=info.normalisation,
        conventions={key: METRIC_CONVENTIONS[key] for key in mean},
        seeds=[run.seed for run in runs],
        mean=mean,
        std=std,
        groups=groups_of(prepared, rows, prepared.targets[rows].numpy(), predictions),
        runs=runs,
        config=recorded(checkpoints[0], info) | {"data": config.data.model_dump(mode="json")},
        **circumstances(),
        seen=None if seen is None else Seen(len(seen), mean_and_std(of_seen, mean)[0]),
    )
    if output is not None:
        write_result(result.to_json(), Path(output))
    return result


def _config(info: ModelInfo, data: str | None, grid_points: int | None) -> RunConfig:
    """The settings of a run, with those of the data to measure on."""
    config = info.run_config()
    if data is not None:
        config = config.model_copy(update={"data": DataSettings(dataset=data)})
    if grid_points is not None:
        if data is None:
            check_data(fit_scale(config, load_run_data(config)), info, own=True)
        section = config.data.model_copy(update={"grid_points": grid_points})
        config = config.model_copy(update={"data": section})
    return config


def _measured(
    model: SpectrumModel | Ensemble, info: ModelInfo, prepared: PreparedData, rows: Tensor
) -> tuple[MeasuredRun, np.ndarray]:
    """What a result says of a run, and the run's predictions."""
    target = prepared.targets[rows].numpy()
    if torch.cuda.is_available():
        model = model.cuda()
    uncertainty = None
    if isinstance(model, Ensemble):
        ensemble = predict_rows_with_errors(model, prepared, rows)
        prediction = ensemble.mean.astype(np.float32)
        uncertainty = uncertainty_metrics(model, ensemble, target, prepared)
    else:
        prediction = predict_rows(model, prepared, rows).numpy()
    metrics = measure(target, prediction, prepared.dataset)
    run = MeasuredRun(
        seed=info.trained.seed,
        seeds=None if info.ensemble is None else info.ensemble.seeds,
        uncertainty=uncertainty,
        epoch=info.trained.epoch,
        validation=info.trained.validation,
        n_parameters=sum(p.numel() for p in model.parameters()),
        metrics={key: value if np.isfinite(value) else None for key, value in metrics.items()},
    )
    return run, prediction


def _unseen_first(
    dataset: SpectrumDataset, rows: Tensor, info: ModelInfo, data: str | None
) -> tuple[Tensor, Tensor | None]:
    """Rows to measure, and those apart that the model was trained on; all, where none is left."""
    if data is None:
        return rows, None
    known = seen_rows(dataset, rows.numpy(), info)
    if known is None or known.all() or not known.any():
        return rows, None
    mask = torch.from_numpy(known)
    return rows[~mask], rows[mask]


def _seen_note(n_seen: int, n_others: int) -> str:
    return (
        f"{n_seen} of {n_others + n_seen} materials are like some that the model was "
        "trained on: they are measured apart (seen), the numbers are those of the others"
    )


def groups_of(
    data: PreparedData, rows: Tensor, target: np.ndarray, predictions: Sequence[np.ndarray]
) -> dict[str, dict[str, dict[str, float]]]:
    """Errors by crystal system and by number of species, means over materials and runs.

    Returns:
        ``{"crystal_system": {"cubic": {"n": ..., "mse_x10": ..., "mae": ..., "r2": ...}}, ...}``
        (of bands ``energy_mae`` and its parts); groups without a material are left out.
    """
    graphs = [data.graph(int(row)) for row in rows]
    kinds = {
        "crystal_system": [CRYSTAL_SYSTEMS[graph.crystal_system] for graph in graphs],
        "n_species": [str(len(graph.atomic_numbers.unique())) for graph in graphs],
    }
    every = [material_errors(target, prediction, data.dataset) for prediction in predictions]
    errors = {
        name: np.mean([one[name] for one in every], axis=0) for name in every[0] if name != "rmse"
    }
    found: dict[str, dict[str, dict[str, float]]] = {}
    for kind, names in kinds.items():
        order = CRYSTAL_SYSTEMS if kind == "crystal_system" else sorted(set(names), key=int)
        for name in order:
            chosen = np.array([own == name for own in names])
            if chosen.any():
                group = {key: float(np.nanmean(values[chosen])) for key, values in errors.items()}
                found.setdefault(kind, {})[name] = {"n": int(chosen.sum()), **group}
    return found
