"""Joining runs that differ in their seed into an ensemble with calibrated error bars."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path

import numpy as np

from vanhove.errors import CheckpointError
from vanhove.evaluation.measures import measure, validation_keys
from vanhove.evaluation.uncertainty import member_predictions
from vanhove.models.band_calibration import BandCalibration, fit_band_calibration
from vanhove.models.calibration import Calibration, fit_calibration
from vanhove.models.ensemble import Ensemble
from vanhove.models.familiarity import Familiarity
from vanhove.models.model import SpectrumModel
from vanhove.models.phonons import has_phonons
from vanhove.runs.checkpoint import load_model, save_model
from vanhove.runs.compatibility import check_alike
from vanhove.runs.description import EnsembleInfo
from vanhove.runs.prepared import prepare
from vanhove.spectra.quantities import quantity
from vanhove.training.phonon_calibration import fit_phonon_calibration
from vanhove.weights import find_weights


def make_ensemble(
    checkpoints: Sequence[str | PathLike[str]],
    output: str | PathLike[str],
    *,
    name: str | None = None,
    half: bool = True,
    quiet: bool = False,
) -> dict[str, float]:
    """Write an ensemble: its members, error bars fitted on validation, and the familiarity.

    Args:
        checkpoints: runs, files or shipped weights that differ in their seed alone, or also in
            epochs, learning rate, weight decay and weights of the loss; one is enough for error
            bars without a spread of members.
        output: the file to write, ``NAME.safetensors``.
        name: in results; that of the first run by default.
        half: store the weights in float16.
        quiet: no progress.

    Returns:
        Validation metrics of the ensemble.

    Raises:
        CheckpointError: the runs differ in more than that, or one of them is an ensemble.
        DataError: their data cannot be loaded.
    """
    loaded = [load_model(find_weights(checkpoint)) for checkpoint in checkpoints]
    infos = [info for _, info in loaded]
    check_alike(checkpoints, infos, however_trained=True)
    members = []
    for checkpoint, (model, _) in zip(checkpoints, loaded, strict=True):
        if not isinstance(model, SpectrumModel):
            raise CheckpointError(f"{checkpoint} is an ensemble; join single runs")
        members.append(model)
    info = infos[0]
    data = prepare(info.run_config(), ("train", "valid"), quiet)
    train, valid = data.rows("train"), data.rows("valid")
    values, states = member_predictions(members, data, valid)
    target = data.targets[valid].numpy()
    calibration: Calibration | BandCalibration
    if quantity(info.quantity).is_bands:
        calibration = fit_band_calibration(values, target, info.quantity)
    else:
        calibration = fit_calibration(values, target, data.dataset.grid, info.quantity)
    familiarity = Familiarity(len(train), len(valid), states.shape[1])
    graphs = [data.graph(int(row)) for row in train]
    familiarity.fit(member_predictions(members[:1], data, train)[1], graphs, states)
    metrics = measure(target, values.mean(axis=0), data.dataset)
    shown = {key: float(metrics[key]) for key in validation_keys(data.dataset)}
    validation = {key: value for key, value in shown.items() if np.isfinite(value)}
    trained = info.trained.model_copy(update={"validation": validation})
    joined = Ensemble(members, familiarity, calibration)
    phonons = None
    if data.dataset.phonons is not None and has_phonons(joined):
        phonons = fit_phonon_calibration(joined.eval(), data.dataset, info.graph, quiet)
    ensemble = EnsembleInfo(
        seeds=[own.trained.seed for own in infos],
        calibration=calibration,
        phonons=phonons,
        n_train=len(train),
        n_valid=len(valid),
    )
    Path(output).parent.mkdir(parents=True, exist_ok=True)
    save_model(
        output,
        joined.state_dict(),
        info.model_copy(
            update={"name": name or info.name, "trained": trained, "ensemble": ensemble}
        ),
        half=half,
    )
    return validation
