"""The test predictions of a finished run, kept in its folder, and what is measured on them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vanhove.spectra.metrics import mae_per_material, mse_per_material, spectrum_metrics
from vanhove.spectra.thermodynamics import heat_capacity, mean_frequency
from vanhove.training.checkpoint import load_model, read_safetensors
from vanhove.training.evaluation import METRIC_CONVENTIONS, check_data, unseen_note
from vanhove.training.loop import BEST, STATE
from vanhove.training.prepared import PreparedData, predict_rows, prepare

DESCRIPTION, ARRAYS = "test.json", "test.npz"

CONVENTIONS = METRIC_CONVENTIONS | {
    "mse": "MSE, mean over materials",
    "heat_capacity_300K_cell_mae": "C_V(300 K), MAE, J/(K mol of primitive cells)",
    "heat_capacity_300K_cell_mse": "C_V(300 K), MSE, (J/(K mol of primitive cells))^2",
    "bulk_modulus_mse": "bulk modulus from the predicted DOS, MSE of its standardised logarithm",
    "bulk_modulus_mae_GPa": "bulk modulus from the predicted DOS, MAE, GPa",
}
"""What each number of an experiment means."""

PER_MATERIAL = {
    "mse_x10": "MSE x 10 of each material",
    "mae": "MAE of each material",
    "sum_mae": "MAE of each sum-normalised spectrum",
    "heat_capacity_300K_cell_mae": "error of C_V(300 K), J/(K mol of primitive cells)",
    "mean_frequency_mae_cm1": "error of the mean frequency, 1/cm",
}
"""What is kept for each material; their means are the metrics of the same names."""


@dataclass(frozen=True)
class Measurement:
    """A finished run on the test part.

    Attributes:
        description: seed, epoch, parameters, validation metrics, settings, data, notes; plain JSON.
        ids: of the materials, length ``n_materials``.
        n_atoms: in the primitive cell, ``[n_materials]``.
        grid: 1/cm, ``[n_points]``.
        target: ``[n_materials, n_points]``.
        prediction: ``[n_materials, n_points]``, clipped at zero, on the scale of the data.
    """

    description: dict[str, Any]
    ids: list[str]
    n_atoms: np.ndarray
    grid: np.ndarray
    target: np.ndarray
    prediction: np.ndarray

    def full(self) -> np.ndarray:
        """Which materials have a prediction with any weight, ``[n_materials]`` bool."""
        return (self.target.max(axis=1) > 0) & (self.prediction.max(axis=1) > 0)

    def capacities(self) -> tuple[np.ndarray, np.ndarray]:
        """True and predicted C_V(300 K), J/(K mol of cells); of the materials of `full`."""
        full = self.full()
        if not full.any():
            return np.empty(0), np.empty(0)
        true, ours = (
            heat_capacity(self.grid, values[full], 300.0) * self.n_atoms[full]
            for values in (self.target, self.prediction)
        )
        return true, ours

    def frequencies(self) -> tuple[np.ndarray, np.ndarray]:
        """True and predicted mean frequency, 1/cm; of the materials of `full`."""
        full = self.full()
        if not full.any():
            return np.empty(0), np.empty(0)
        true, ours = (
            mean_frequency(self.grid, values[full]) for values in (self.target, self.prediction)
        )
        return true, ours

    def metrics(self) -> dict[str, float]:
        """All of `spectrum_metrics`, and C_V per mole of primitive cells."""
        metrics = spectrum_metrics(self.target, self.prediction, self.grid)
        true, ours = self.capacities()
        errors = ours - true if len(true) else np.array([np.nan])
        metrics["heat_capacity_300K_cell_mae"] = float(np.abs(errors).mean())
        metrics["heat_capacity_300K_cell_mse"] = float((errors**2).mean())
        return metrics

    def per_material(self) -> dict[str, np.ndarray]:
        """The metrics of `PER_MATERIAL`, each ``[n_materials]``; NaN where not defined."""
        full = self.full()
        every = {name: np.full(len(full), np.nan) for name in PER_MATERIAL}
        every["mse_x10"] = 10 * mse_per_material(self.target, self.prediction)
        every["mae"] = mae_per_material(self.target, self.prediction)
        if full.any():
            true, ours = self.target[full], self.prediction[full]
            sums = [values / values.sum(axis=1, keepdims=True) for values in (true, ours)]
            every["sum_mae"][full] = mae_per_material(*sums)
            for name, (correct, predicted) in (
                ("heat_capacity_300K_cell_mae", self.capacities()),
                ("mean_frequency_mae_cm1", self.frequencies()),
            ):
                every[name][full] = np.abs(predicted - correct)
        return every


class Measurer:
    """Measures run folders; graphs of the test part are built once for runs that share them."""

    def __init__(self, quiet: bool = False):
        self.quiet = quiet
        self._prepared: dict[str, PreparedData] = {}

    def measure(self, folder: Path) -> Measurement:
        """The run's test predictions: those kept in its folder, unless its weights have changed.

        Raises:
            CheckpointError: no readable checkpoint.
            DataError: the data are not those of the run.
        """
        weights = hashlib.sha256((folder / BEST).read_bytes()).hexdigest()
        return _kept(folder, weights) or self._predict(folder, weights)

    def _predict(self, folder: Path, weights: str) -> Measurement:
        model, info = load_model(folder / BEST)
        config = info.config
        key = config.data.model_dump_json() + config.graph.model_dump_json()
        if key not in self._prepared:
            self._prepared[key] = prepare(config, ("test",), self.quiet)
        data = self._prepared[key]
        rows = data.rows("test")
        check_data(data.dataset, info, own=True)
        if torch.cuda.is_available():
            model = model.cuda()
        measurement = Measurement(
            {
                "weights": weights,
                "seed": config.seed,
                "epoch": info.epoch,
                "n_parameters": sum(p.numel() for p in model.parameters()),
                "training_seconds": _training_seconds(folder),
                "validation": info.validation,
                "dataset": info.dataset.model_dump(),
                "notes": [*data.dataset.notes, *unseen_note(data.dataset, info, rows.tolist())],
                "config": config.model_dump(mode="json"),
            },
            [data.dataset.ids[row] for row in rows.tolist()],
            np.array([data.graph(row).n_atoms for row in rows.tolist()]),
            data.dataset.grid,
            data.targets[rows].numpy(),
            predict_rows(model, data, rows).numpy(),
        )
        _keep(folder, measurement)
        return measurement


def _kept(folder: Path, weights: str) -> Measurement | None:
    description, arrays = folder / DESCRIPTION, folder / ARRAYS
    if not (description.exists() and arrays.exists()):
        return None
    content = json.loads(description.read_text(encoding="utf-8"))
    if content["weights"] != weights:
        return None
    with np.load(arrays, allow_pickle=False) as archive:
        ids = archive["ids"].tolist()
        return Measurement(
            content,
            ids,
            *(archive[name] for name in ("n_atoms", "grid", "target", "prediction")),
        )


def _keep(folder: Path, measurement: Measurement) -> None:
    # The arrays first: a kill between the two leaves no description that fits.
    (folder / DESCRIPTION).unlink(missing_ok=True)
    np.savez_compressed(
        folder / ARRAYS,
        ids=np.array(measurement.ids),
        n_atoms=measurement.n_atoms,
        grid=measurement.grid,
        target=measurement.target,
        prediction=measurement.prediction,
    )
    content = measurement.description | {"metrics": measurement.metrics()}
    (folder / DESCRIPTION).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _training_seconds(folder: Path) -> float | None:
    if not (folder / STATE).exists():
        return None
    return json.loads(read_safetensors(folder / STATE, tensors=False)[1])["progress"]["seconds"]
