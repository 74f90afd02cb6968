"""A tiny data set of vanhove's own, for tests, examples and smoke tests. A toy model, not DFT.

`scripts/make_tiny_dataset.py` computes it: textbook crystals, springs between neighbours, harmonic
lattice dynamics. Its spectra have acoustic and optical branches and the right order of magnitude,
no more: never quote a number measured on it as a result.
"""

from __future__ import annotations

from importlib.resources import files

import numpy as np

from vanhove.crystal.crystal import Crystal
from vanhove.datasets.dataset import PARTS, SpectrumDataset
from vanhove.datasets.registry import register_dataset
from vanhove.spectra.quantities import PHONON_DOS


@register_dataset("tiny")
def load_tiny() -> SpectrumDataset:
    """48 small crystals of all seven crystal systems; split 32 / 8 / 8.

    Toy-model phonon DOS on 0 to 1000 1/cm in steps of 20, maximum 1.
    """
    resource = files("vanhove.datasets") / "data" / "tiny.npz"
    with resource.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
        data = dict(archive)
    ends = np.cumsum(data["n_atoms"])[:-1]
    ids = [str(i) for i in data["ids"]]
    return SpectrumDataset(
        name="tiny",
        ids=ids,
        crystals=[
            Crystal(*fields)
            for fields in zip(
                data["lattice"],
                np.split(data["fractional_coordinates"], ends),
                np.split(data["atomic_numbers"], ends),
                ids,
                strict=True,
            )
        ],
        grid=data["grid"],
        unit="cm-1",
        normalisation="max",
        quantity=PHONON_DOS.name,
        values=data["values"],
        splits={part: data[part] for part in PARTS},
        split_name="stored",
        notes=[
            "Computed with a toy model (springs between neighbours), not DFT: for tests and "
            "examples only."
        ],
    )
