"""The test predictions of a finished run, kept in its folder, and what is measured on them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from vanhove.atomic import replacing, write_text
from vanhove.crystal.symmetry import CRYSTAL_SYSTEMS
from vanhove.evaluation.conditions import AS_THEY_ARE, Conditions
from vanhove.evaluation.evaluate import METRIC_CONVENTIONS
from vanhove.results import Json
from vanhove.runs.checkpoint import load_model, run_settings
from vanhove.runs.compatibility import check_data, unseen_note
from vanhove.runs.config import RunConfig
from vanhove.runs.folder import BEST, STATE
from vanhove.runs.other_grid import answering_on
from vanhove.runs.prepared import PreparedData, predict_rows, prepare, prepare_rows
from vanhove.runs.state import read_state
from vanhove.spectra.electrons import detection_scores, has_gap_near_edge
from vanhove.spectra.grids import MAT2SPEC_ELECTRON_GRID
from vanhove.spectra.metrics import (
    mae_per_material,
    mse_per_material,
    r2_per_material,
    spectrum_metrics,
)
from vanhove.spectra.thermodynamics import heat_capacity, mean_frequency

DESCRIPTION, ARRAYS = "test.json", "test.npz"
_ARRAYS = ("n_atoms", "n_species", "crystal_system", "grid", "target", "prediction")

SPECIES = ("unary", "binary", "ternary", "quaternary", "quinary", "senary")
"""Names of crystals by how many elements they hold."""
_GROUP_METRICS = {
    "mse_x10": lambda target, prediction: 10 * mse_per_material(target, prediction),
    "mae": mae_per_material,
    "r2": r2_per_material,
}

CONVENTIONS = (
    METRIC_CONVENTIONS
    | {
        "mse": "MSE, mean over materials",
        "valence_gap_f1": "gap in the valence bands (Mat2Spec's criterion), F1",
        "valence_gap_precision": "gap in the valence bands, precision",
        "valence_gap_recall": "gap in the valence bands, recall",
        "valence_gap_n_true": "gap in the valence bands, crystals that have it",
        "band_gap_mse": "band gap from the predicted DOS, MSE, eV^2",
        "band_gap_mae_eV": "band gap from the predicted DOS, MAE, eV",
        "fermi_energy_mse": "Fermi energy from the predicted DOS, MSE, eV^2",
        "fermi_energy_mae_eV": "Fermi energy from the predicted DOS, MAE, eV",
        "mae_ratio": "MAE divided by that of the reference row of the same seed",
        "heat_capacity_300K_cell_mae": "C_V(300 K), MAE, J/(K mol of primitive cells)",
        "heat_capacity_300K_cell_mse": "C_V(300 K), MSE, (J/(K mol of primitive cells))^2",
        "mean_neighbors": "neighbours of an atom within the cutoff, mean",
        "bulk_modulus_mse": "bulk modulus from the predicted DOS, standardised logarithm, MSE",
        "bulk_modulus_mae_GPa": "bulk modulus from the predicted DOS, MAE, GPa",
    }
    | {
        f"{metric}[{group}]": f"{METRIC_CONVENTIONS[metric]}; {group} crystals"
        for group in (*SPECIES, *CRYSTAL_SYSTEMS)
        for metric in _GROUP_METRICS
    }
)
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
    """A finished run on the test split.

    Attributes:
        description: seed, epoch, parameters, validation metrics, settings, data, notes; plain JSON.
        ids: of the materials, length ``n_materials``.
        n_atoms: in the primitive cell, ``[n_materials]``.
        n_species: different elements, ``[n_materials]``.
        crystal_system: index into ``CRYSTAL_SYSTEMS``, ``[n_materials]``.
        grid: in ``unit``, ``[n_points]``.
        target: ``[n_materials, n_points]``.
        prediction: ``[n_materials, n_points]``, clipped at zero, on the scale of the data.
    """

    description: Json
    ids: list[str]
    n_atoms: np.ndarray
    n_species: np.ndarray
    crystal_system: np.ndarray
    grid: np.ndarray
    target: np.ndarray
    prediction: np.ndarray

    @property
    def unit(self) -> str:
        return self.description["unit"]

    def full(self) -> np.ndarray:
        """Which materials have a prediction with any weight, ``[n_materials]`` bool."""
        return (self.target.max(axis=1) > 0) & (self.prediction.max(axis=1) > 0)

    def capacities(self) -> tuple[np.ndarray, np.ndarray]:
        """True and predicted C_V(300 K), J/(K mol of cells); of the materials of `full`.

        Empty for electrons, as `frequencies`.
        """
        full = self.full()
        if self.unit != "cm-1" or not full.any():
            return np.empty(0), np.empty(0)
        true, ours = (
            heat_capacity(self.grid, values[full], 300.0) * self.n_atoms[full]
            for values in (self.target, self.prediction)
        )
        return true, ours

    def frequencies(self) -> tuple[np.ndarray, np.ndarray]:
        """True and predicted mean frequency, 1/cm; of the materials of `full`."""
        full = self.full()
        if self.unit != "cm-1" or not full.any():
            return np.empty(0), np.empty(0)
        true, ours = (
            mean_frequency(self.grid, values[full]) for values in (self.target, self.prediction)
        )
        return true, ours

    def metrics(self) -> dict[str, float]:
        """All of `spectrum_metrics`, and what follows from the spectra.

        C_V per mole of primitive cells from phonons; how well gaps in the valence bands are found,
        from electrons on Mat2Spec's grid in states/eV; how many neighbours an atom had.
        """
        metrics = spectrum_metrics(self.target, self.prediction, self.grid, self.unit)
        metrics["mean_neighbors"] = self.description["mean_neighbors"]
        true, ours = self.capacities()
        if len(true):
            metrics["heat_capacity_300K_cell_mae"] = float(np.abs(ours - true).mean())
            metrics["heat_capacity_300K_cell_mse"] = float(((ours - true) ** 2).mean())
        if self.description["normalisation"] == "states/eV/cell" and np.array_equal(
            self.grid, MAT2SPEC_ELECTRON_GRID
        ):
            scores = detection_scores(
                has_gap_near_edge(self.grid, self.target),
                has_gap_near_edge(self.grid, self.prediction),
            )
            metrics |= {
                f"valence_gap_{key}": scores[key] for key in ("f1", "precision", "recall", "n_true")
            }
        return metrics

    def group_metrics(self) -> dict[str, float]:
        """``mse_x10[cubic]``, ``mae[binary]``, ...: means over the materials of each group."""
        groups = {
            CRYSTAL_SYSTEMS[index]: self.crystal_system == index
            for index in np.unique(self.crystal_system)
        } | {
            SPECIES[number - 1]: self.n_species == number
            for number in np.unique(self.n_species)
            if number <= len(SPECIES)
        }
        return {
            f"{metric}[{group}]": float(np.nanmean(errors[members]))
            for metric, function in _GROUP_METRICS.items()
            for errors in [function(self.target, self.prediction)]
            for group, members in groups.items()
        }

    def restricted(self, ids: Sequence[str]) -> Measurement:
        """The same measurement on some of its materials, in the order of ``ids``."""
        place = {material: row for row, material in enumerate(self.ids)}
        rows = [place[material] for material in ids]
        arrays = {name: getattr(self, name)[rows] for name in _PER_MATERIAL_ARRAYS}
        return replace(self, ids=list(ids), **arrays)

    def scaled_as(self, other: Measurement) -> Measurement:
        """The shapes of these spectra with the sums of another model's, against its targets.

        Mat2Spec, eDOS: SumNorm models give shapes; the sum is that of the Standard model. A
        spectrum without weight stays so.
        """
        other = other.restricted(self.ids)
        own = self.prediction.sum(axis=1, keepdims=True)
        sums = other.prediction.sum(axis=1, keepdims=True)
        return replace(
            self,
            description=self.description
            | {"normalisation": other.description["normalisation"]}
            | {"dataset": other.description["dataset"]},
            target=other.target,
            prediction=self.prediction / np.where(own > 0, own, 1) * sums,
        )

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
                if len(correct):
                    every[name][full] = np.abs(predicted - correct)
        return every


_PER_MATERIAL_ARRAYS = ("n_atoms", "n_species", "crystal_system", "target", "prediction")


class Measurer:
    """Measures run folders; graphs of the test split are built once for runs that share them."""

    def __init__(self, quiet: bool = False):
        self.quiet = quiet
        self._prepared: dict[str, PreparedData] = {}

    def measure(self, folder: Path, conditions: Conditions = AS_THEY_ARE) -> Measurement:
        """The run's test predictions: those kept in its folder, unless its weights have changed.

        Args:
            folder: of the run.
            conditions: to measure under; what is kept is measured under none.

        Raises:
            CheckpointError: no readable checkpoint.
            DataError: the data are not those of the run.
            ConfigError: a model that does not answer on the grid of the conditions.
        """
        weights = hashlib.sha256((folder / BEST).read_bytes()).hexdigest()
        if conditions != AS_THEY_ARE:
            return self._predict(folder, weights, conditions)
        found = _kept(folder, weights)
        if found is None:
            found = self._predict(folder, weights, conditions)
            _keep(folder, found)
        return found

    def _data(self, config: RunConfig) -> PreparedData:
        key = config.data.model_dump_json() + config.graph.model_dump_json() + config.model.output
        if key not in self._prepared:
            self._prepared[key] = prepare(config, ("test",), self.quiet)
        return self._prepared[key]

    def _predict(self, folder: Path, weights: str, conditions: Conditions) -> Measurement:
        model, info = load_model(folder / BEST)
        config = run_settings(folder)
        data = self._data(config)
        rows = data.rows("test")
        check_data(data.dataset, info, own=True)
        grid = None
        if conditions.grid_points is not None:
            section = config.data.model_copy(update={"grid_points": conditions.grid_points})
            data = self._data(config.model_copy(update={"data": section}))
            grid = data.dataset.grid
        relaxed = data
        if conditions.changes_structures:
            data = _changed_data(data, rows, config, conditions, self.quiet)
        if torch.cuda.is_available():
            model = model.cuda()
        with answering_on(model, info, grid) as there:
            check_data(relaxed.dataset, there, own=grid is None)
            prediction = predict_rows(model, data, rows).numpy()
        crystals = [data.dataset.crystals[row] for row in rows.tolist()]
        return Measurement(
            {
                "weights": weights,
                "seed": info.seeds[0],
                "epoch": info.trained.epoch,
                "n_parameters": sum(p.numel() for p in model.parameters()),
                "training_seconds": _training_seconds(folder),
                "validation": info.trained.validation,
                "dataset": info.trained.dataset.model_dump(),
                "unit": info.unit,
                "normalisation": info.normalisation,
                "mean_neighbors": _mean_neighbors(data, rows),
                "notes": [*data.dataset.notes, *unseen_note(data.dataset, info, rows.tolist())],
                "config": config.model_dump(mode="json"),
            },
            [data.dataset.ids[row] for row in rows.tolist()],
            np.array([data.graph(row).n_atoms for row in rows.tolist()]),
            np.array([len(np.unique(crystal.atomic_numbers)) for crystal in crystals]),
            # Groups are those of the relaxed structures.
            np.array([relaxed.graph(row).crystal_system for row in rows.tolist()]),
            data.dataset.grid,
            data.targets[rows].numpy(),
            prediction,
        )


def _changed_data(
    data: PreparedData, rows: torch.Tensor, config: RunConfig, conditions: Conditions, quiet: bool
) -> PreparedData:
    """The same spectra with other structures in the given rows."""
    named = [
        replace(crystal, name=name)
        for crystal, name in zip(data.dataset.crystals, data.dataset.ids, strict=True)
    ]
    crystals = list(named)
    for row in rows.tolist():
        crystals[row] = conditions.applied(named[row], named)
    dataset = replace(data.dataset, crystals=crystals)
    return prepare_rows(dataset, rows.numpy(), config, quiet)


def _mean_neighbors(data: PreparedData, rows: torch.Tensor) -> float:
    """Per atom, mean over all atoms of the materials."""
    graphs = [data.graph(row) for row in rows.tolist()]
    n_edges = sum(graph.edge_index.shape[1] for graph in graphs)
    return n_edges / sum(graph.n_atoms for graph in graphs)


def _kept(folder: Path, weights: str) -> Measurement | None:
    description, arrays = folder / DESCRIPTION, folder / ARRAYS
    if not (description.exists() and arrays.exists()):
        return None
    content = json.loads(description.read_text(encoding="utf-8"))
    if content["weights"] != weights:
        return None
    with np.load(arrays, allow_pickle=False) as archive:
        if "mean_neighbors" not in content or "n_species" not in archive.files:
            return None  # kept by an older version
        ids = archive["ids"].tolist()
        return Measurement(content, ids, *(archive[name] for name in _ARRAYS))


def _keep(folder: Path, measurement: Measurement) -> None:
    # The arrays first: a kill between the two leaves no description that fits.
    (folder / DESCRIPTION).unlink(missing_ok=True)
    with replacing(folder / ARRAYS) as part, part.open("wb") as stream:
        np.savez_compressed(
            stream,
            ids=np.array(measurement.ids),
            **{name: getattr(measurement, name) for name in _ARRAYS},
        )
    content = measurement.description | {"metrics": measurement.metrics()}
    write_text(folder / DESCRIPTION, json.dumps(content, indent=1) + "\n")


def _training_seconds(folder: Path) -> float | None:
    if not (folder / STATE).exists():
        return None
    return float(read_state(folder / STATE, tensors=False)[1].progress["seconds"])
