"""JARVIS spectra to learn from before Petretto's: its grid, none of what it validates or tests."""

from __future__ import annotations

import numpy as np

from vanhove.datasets.dataset import SpectrumDataset
from vanhove.datasets.jarvis import read_phonon_jarvis
from vanhove.datasets.petretto import load_phonon_petretto
from vanhove.datasets.registry import register_dataset
from vanhove.spectra.quantities import PHONON_DOS

IMAGINARY_FRACTION = 0.05
"""Crystals with at least this weight below zero frequency are left out."""


@register_dataset("petretto_pretraining")
def load_petretto_pretraining() -> SpectrumDataset:
    """Phonon DOS of JARVIS on the 51 points of `phonon_petretto`, maximum 1.

    Left out are crystals with 5 % or more of their weight at imaginary frequencies, and every
    material and every reduced formula of Petretto's validation and test splits. The validation
    split is that of JARVIS; its train and test splits are trained on together.

    Values between the points of JARVIS are interpolated linearly: of 613 materials in both training
    parts this agrees best with Petretto's smoothing (MSE x 10 0.219; monotone cubic 0.233, cubic
    spline 0.256).

    Raises:
        DataError: one of the two files is not there, or is another one.
    """
    petretto = load_phonon_petretto()
    held_out = np.concatenate([petretto.split("valid"), petretto.split("test")]).tolist()
    formulas = {petretto.crystals[row].formula for row in held_out}
    materials = {petretto.ids[row] for row in held_out}
    jarvis, columns = read_phonon_jarvis("petretto_pretraining")
    kept = [
        row
        for row in np.flatnonzero(columns["imaginary_fraction"] < IMAGINARY_FRACTION).tolist()
        if columns["in_petretto"][row] not in ("valid", "test")
        and columns["mp_id"][row] not in materials
        and jarvis.crystals[row].formula not in formulas
    ]
    values = np.stack(
        [np.interp(petretto.grid, jarvis.grid, spectrum) for spectrum in jarvis.values[kept]]
    )
    has_weight = values.max(axis=1) > 0
    kept, values = np.array(kept)[has_weight].tolist(), values[has_weight]
    is_valid = np.isin(kept, jarvis.split("valid"))
    return SpectrumDataset(
        name=jarvis.name,
        ids=[jarvis.ids[row] for row in kept],
        crystals=[jarvis.crystals[row] for row in kept],
        grid=petretto.grid,
        unit="cm-1",
        normalisation="max",
        quantity=PHONON_DOS.name,
        values=values / values.max(axis=1, keepdims=True),
        splits={"train": np.flatnonzero(~is_valid), "valid": np.flatnonzero(is_valid)},
        split_name="that of JARVIS, train and test together",
        notes=[
            *jarvis.notes,
            "For pre-training: without the materials and formulas of Petretto's validation and "
            "test parts.",
        ],
    )
