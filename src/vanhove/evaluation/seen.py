"""Which materials of another data set a model was trained on."""

from __future__ import annotations

import numpy as np

from vanhove.crystal.crystal import Crystal
from vanhove.crystal.domain import Domain, material_hash
from vanhove.crystal.symmetry import NEAR_SYMMETRY, standardize
from vanhove.datasets.dataset import SpectrumDataset
from vanhove.datasets.graph_store import domain_of, load_symmetry
from vanhove.errors import StructureError, VanhoveError
from vanhove.runs.checkpoint import ModelInfo
from vanhove.runs.prepared import load_run_data


def seen_rows(dataset: SpectrumDataset, rows: np.ndarray, info: ModelInfo) -> np.ndarray | None:
    """For each row, whether the model was trained on a material like it.

    Materials are alike where their `vanhove.crystal.symmetry.StandardizedCrystal.fingerprint` is
    the same; of a noisy copy, that of the crystal without noise.

    Args:
        dataset: that the model is measured on.
        rows: of it.
        info: of the model.

    Returns:
        ``[n_rows]`` booleans; None where nobody knows: a checkpoint of an older version whose data
        are not here.
    """
    domain = info.trained.domain or domain_of_data(info)
    if domain is None:
        return None
    materials = load_symmetry(dataset.crystals, quiet=True).material
    return np.array(
        [
            domain.knows(int(materials[row])) or _is_noisy_copy(dataset.crystals[row], domain)
            for row in rows
        ],
        dtype=bool,
    )


def domain_of_data(info: ModelInfo) -> Domain | None:
    """What a model was trained on, by its data and split; None where these are not here."""
    try:
        trained = load_run_data(info.run_config())
    except (VanhoveError, KeyError):
        return None
    known = info.trained.dataset
    if (trained.data_hash, trained.split_hash) != (known.hash, known.split_hash):
        return None
    return domain_of(trained.crystals, trained.split("train").tolist(), quiet=True)


def _is_noisy_copy(crystal: Crystal, domain: Domain) -> bool:
    try:
        standard = standardize(crystal, near=NEAR_SYMMETRY)
    except StructureError:
        return False
    return domain.knows(material_hash(standard))
