"""Measuring checkpoints on a split, in every convention, as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vanhove.crystal.symmetry import CRYSTAL_SYSTEMS
from vanhove.datasets.dataset import SpectrumDataset
from vanhove.evaluation.measures import material_errors, measure
from vanhove.evaluation.seen import seen_rows
from vanhove.evaluation.uncertainty import predict_rows_with_errors, uncertainty_metrics
from vanhove.models.ensemble import Ensemble
from vanhove.models.model import SpectrumModel
from vanhove.results import write_result
from vanhove.runs.checkpoint import ModelInfo, load_model, recorded
from vanhove.runs.compatibility import check_alike, check_data, unseen_note
from vanhove.runs.config import DataSettings
from vanhove.runs.other_grid import answer_on
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


def evaluate(
    checkpoints: str | PathLike[str] | Sequence[str | PathLike[str]],
    split: str = "test",
    *,
    data: str | None = None,
    grid_points: int | None = None,
    output: str | PathLike[str] | None = None,
    quiet: bool = False,
) -> dict[str, Any]:
    """Measure one checkpoint, or several that differ in their seed alone.

    Args:
        checkpoints: shipped names, files or run folders.
        split: ``"test"``, ``"valid"`` or ``"train"``.
        data: another data set (name or folder) with the model's grid, unit and normalisation; the
            model's own by default. Materials like some of the training split (`fingerprint`) are
            measured apart, as ``"seen"``, where those data are here and not all are seen.
        grid_points: measure on the spectra interpolated to so many points, as ``data.grid_points``
            does; the model is asked for these.
        output: a JSON file to write the result to.
        quiet: no progress.

    Returns:
        ``{"runs": [...], "mean": {...}, "std": {...}, ...}``; ``std`` is the sample standard
        deviation over the runs (None for a single run).

    Raises:
        CheckpointError: the checkpoints differ in more than their seed, or saw other data.
        ConfigError: a model that knows its own grid alone, see `answer_on`.
        DataError: the data cannot be used.
    """
    if isinstance(checkpoints, str | PathLike):
        checkpoints = [checkpoints]
    loaded = [load_model(find_weights(checkpoint)) for checkpoint in checkpoints]
    infos = [info for _, info in loaded]
    check_alike(checkpoints, infos)
    config = infos[0].run_config()
    if data is not None:
        elsewhere = DataSettings(dataset=data)
        config = config.model_copy(update={"data": elsewhere})
    info = infos[0]
    if grid_points is not None:
        if data is None:
            check_data(fit_scale(config, load_run_data(config)), info, own=True)
        section = config.data.model_copy(update={"grid_points": grid_points})
        config = config.model_copy(update={"data": section})
    prepared = prepare(config, (split,), quiet)
    dataset = prepared.dataset
    rows = prepared.rows(split)
    if grid_points is not None:
        for model, own in loaded:
            info = answer_on(model, own, dataset.grid)
    check_data(dataset, info, own=data is None and grid_points is None)
    rows, seen = _unseen_first(dataset, rows, info, data)
    measured = [_measured(model, own, prepared, rows) for model, own in loaded]
    runs, predictions = [run for run, _ in measured], [prediction for _, prediction in measured]
    keys = [key for key in METRIC_CONVENTIONS if key in runs[0]["metrics"]]
    keys = [key for key in keys if all(run["metrics"][key] is not None for run in runs)]
    table = np.array([[run["metrics"][key] for key in keys] for run in runs])
    result: dict[str, Any] = {
        "model": config.name,
        "split": split,
        "n_materials": len(rows),
        "dataset": infos[0].trained.dataset.model_dump()
        if data is None
        else {"name": dataset.name, "hash": dataset.data_hash},
        "notes": [*dataset.notes, *unseen_note(dataset, infos[0], rows.tolist())],
        "trained_on": infos[0].trained.dataset.model_dump(),
        "normalisation": infos[0].normalisation,
        "conventions": {key: METRIC_CONVENTIONS[key] for key in keys},
        "seeds": [run["seed"] for run in runs],
        "mean": dict(zip(keys, table.mean(axis=0).tolist(), strict=True)),
        "std": dict(zip(keys, table.std(axis=0, ddof=1).tolist(), strict=True))
        if len(runs) > 1
        else None,
        "groups": groups_of(prepared, rows, prepared.targets[rows].numpy(), predictions),
        "runs": runs,
        "config": recorded(checkpoints[0], infos[0])
        | {"data": config.data.model_dump(mode="json")},
        **circumstances(),
    }
    if seen is not None:
        result["seen"] = _seen(loaded, prepared, seen, keys)
        result["notes"].append(
            f"{len(seen)} of {len(rows) + len(seen)} materials are like some that the model was "
            "trained on: they are measured apart (seen), the numbers are those of the others"
        )
    if output is not None:
        write_result(result, Path(output))
    return result


def _measured(
    model: SpectrumModel | Ensemble, info: ModelInfo, prepared: PreparedData, rows: Tensor
) -> tuple[dict[str, Any], np.ndarray]:
    """What a result says of a run, and the run's predictions."""
    target = prepared.targets[rows].numpy()
    if torch.cuda.is_available():
        model = model.cuda()
    uncertainty = {}
    if isinstance(model, Ensemble):
        ensemble = predict_rows_with_errors(model, prepared, rows)
        prediction = ensemble.mean.astype(np.float32)
        uncertainty = {"uncertainty": uncertainty_metrics(model, ensemble, target, prepared)}
    else:
        prediction = predict_rows(model, prepared, rows).numpy()
    metrics = measure(target, prediction, prepared.dataset)
    run = {
        "seed": info.trained.seed,
        **({} if info.ensemble is None else {"seeds": info.ensemble.seeds}),
        **uncertainty,
        "epoch": info.trained.epoch,
        "validation": info.trained.validation,
        "n_parameters": sum(p.numel() for p in model.parameters()),
        "metrics": {key: value if np.isfinite(value) else None for key, value in metrics.items()},
    }
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


def _seen(loaded: list, prepared: PreparedData, rows: Tensor, keys: list[str]) -> dict[str, Any]:
    """Metrics of materials that the model was trained on, the mean over the runs."""
    found = [_measured(model, own, prepared, rows)[0]["metrics"] for model, own in loaded]
    means = {key: float(np.mean([metrics[key] for metrics in found])) for key in keys}
    return {"n_materials": len(rows), "mean": means}


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
