"""Which materials of another data set a model was trained on."""

from __future__ import annotations

import numpy as np

from vanhove.crystal.crystal import Crystal
from vanhove.crystal.symmetry import fingerprint
from vanhove.datasets.dataset import SpectrumDataset
from vanhove.errors import StructureError, VanhoveError
from vanhove.runs.checkpoint import ModelInfo
from vanhove.runs.prepared import load_run_data


def seen_rows(dataset: SpectrumDataset, rows: np.ndarray, info: ModelInfo) -> np.ndarray | None:
    """For each row, whether a material like it is in the training split of the model.

    Materials are alike where their `vanhove.crystal.symmetry.fingerprint` is the same.

    Args:
        dataset: that the model is measured on.
        rows: of it.
        info: of the model.

    Returns:
        ``[n_rows]`` booleans; None where the data that the model was trained on are not here.
    """
    try:
        trained = load_run_data(info.run_config())
        train = trained.split("train")
    except (VanhoveError, KeyError):
        return None
    formulas = {dataset.crystals[row].formula for row in rows}
    among = [trained.crystals[row] for row in train if trained.crystals[row].formula in formulas]
    known = {_fingerprint(crystal) for crystal in among} - {None}
    return np.array([_fingerprint(dataset.crystals[row]) in known for row in rows], dtype=bool)


def _fingerprint(crystal: Crystal) -> str | None:
    try:
        return fingerprint(crystal)
    except StructureError:
        return None
