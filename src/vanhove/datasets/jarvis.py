"""Phonon DOS of JARVIS-DFT: ten times the crystals of Petretto, with a public leaderboard.

11,651 crystals, finite differences with OptB88vdW; labels of the JARVIS leaderboard benchmark
AI-Spectra-ph_dos-edos_pdos-test-multimae (14,243 ids; those without a structure are left out),
structures of JARVIS dft_3d and of the Materials Project.
"""

from __future__ import annotations

import io

import numpy as np

from vanhove.crystal.crystal import Crystal
from vanhove.datasets.cache import RemoteFile, data_file, read_content
from vanhove.datasets.dataset import PARTS, SpectrumDataset
from vanhove.datasets.registry import register_dataset
from vanhove.spectra.quantities import PHONON_DOS

DATA = RemoteFile(
    None,
    "731a52fb3b7f4b4b389613a25a35f6508a8bae30dc22f1e2fef69d4961be2ff8",
    "phonon_jarvis/phonon_jarvis.npz",
)
CLEAN_IMAGINARY_FRACTION = 0.01
"""Crystals with less than this weight below zero frequency are called clean."""

_PARTS = {"train": "train", "val": "valid", "test": "test"}
_NOTES = (
    "Labels: JARVIS leaderboard, AI-Spectra-ph_dos-edos_pdos-test-multimae; 2,592 of its 14,243 "
    "materials have no structure here and are left out, so its published numbers are of more "
    "crystals.",
    "Frequencies are bin centres from -290 to 1010 1/cm, inferred from the agreement with the "
    "spectra of Petretto et al.; weight below zero is that of imaginary modes.",
)


@register_dataset("phonon_jarvis")
def load_phonon_jarvis() -> SpectrumDataset:
    """Phonon DOS of 11,651 crystals, -290 to 1010 1/cm in steps of 20, maximum 1; published split.

    Raises:
        DataError: the file is not there, or is another one.
    """
    return _load("phonon_jarvis", clean=False)


@register_dataset("phonon_jarvis_clean")
def load_phonon_jarvis_clean() -> SpectrumDataset:
    """The 8,180 crystals of phonon_jarvis with less than 1 % of the weight below zero frequency.

    Raises:
        DataError: the file is not there, or is another one.
    """
    return _load("phonon_jarvis_clean", clean=True)


def _load(name: str, *, clean: bool) -> SpectrumDataset:
    dataset, columns = read_phonon_jarvis(name)
    if not clean:
        return dataset
    return dataset.subset(np.flatnonzero(columns["imaginary_fraction"] < CLEAN_IMAGINARY_FRACTION))


def read_phonon_jarvis(name: str) -> tuple[SpectrumDataset, dict[str, np.ndarray]]:
    """All crystals as a data set of that name, and the columns of the file, one value per crystal.

    Raises:
        DataError: the file is not there, or is another one.
    """
    with np.load(io.BytesIO(read_content(data_file(DATA))), allow_pickle=False) as archive:
        data = {key: archive[key] for key in archive.files}
    ends = np.cumsum(data["natoms"])[:-1]
    numbers = np.split(data["Z"].astype(np.int64), ends)
    coordinates = np.split(data["frac"], ends)
    ids = data["ids"].tolist()
    dataset = SpectrumDataset(
        name=name,
        ids=ids,
        crystals=[
            Crystal(lattice, coordinates[row], numbers[row], ids[row])
            for row, lattice in enumerate(data["lattice"])
        ],
        grid=data["freq_cm1"],
        unit="cm-1",
        normalisation="max",
        quantity=PHONON_DOS.name,
        values=data["phdos"],
        splits={part: np.flatnonzero(data["split"] == key) for key, part in _PARTS.items()},
        split_name="published",
        notes=list(_NOTES),
    )
    assert set(dataset.splits) == set(PARTS)
    return dataset, data
