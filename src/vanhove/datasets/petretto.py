"""The phonon benchmark of E3NN, Mat2Spec, Xtal2DoS and DOSTransformer.

1,521 crystals, DFPT phonon DOS (PBEsol) of Petretto et al., Sci. Data 5, 180065 (2018), smoothed
and resampled to 51 points by Chen et al. (E3NN), Adv. Sci. 8, 2004214 (2021), who published the
files (MIT licence) and the split.
"""

from __future__ import annotations

import ast
import csv
import io
import os
from pathlib import Path

import numpy as np

from vanhove.crystal.crystal import Crystal
from vanhove.datasets.cache import RemoteFile, data_file, read_content
from vanhove.datasets.dataset import PARTS, SpectrumDataset
from vanhove.datasets.registry import register_dataset
from vanhove.errors import DataError
from vanhove.spectra.quantities import PHONON_DOS

_REPOSITORY = "https://raw.githubusercontent.com/ninarina12/phononDoS_tutorial"

# The urls could not be tried where this was written (no network); the hashes are of copies of
# these files, so a wrong url fails loudly. The index files moved between commits: each is named
# where it is known to stand.
DATA = RemoteFile(
    f"{_REPOSITORY}/a5f27ff/data.csv",
    "fe19bbabc4d49f13a3fb336ee6adff9d70d66e20375cabf56fbfa31cf4da1754",
    "phonon_petretto/data.csv",
)
SPLIT = {
    "train": RemoteFile(
        f"{_REPOSITORY}/e1911bb556e091a42b3df478def93bd9674fabe3/data/idx_train.txt",
        "3a5699c21a80c21075769f26de976fbb738278dc7b7ff8d535e055f7edeff3f6",
        "phonon_petretto/idx_train.txt",
    ),
    "valid": RemoteFile(
        f"{_REPOSITORY}/e1911bb556e091a42b3df478def93bd9674fabe3/data/idx_valid.txt",
        "23bd0d8aaa5a3879b9cf4bce395da730a54d5d190c98d0ff4b79c01d8ee2f6b6",
        "phonon_petretto/idx_valid.txt",
    ),
    "test": RemoteFile(
        f"{_REPOSITORY}/da43695d510b76932705e2ac72283a1525d49b75/idx_test.txt",
        "a8c8065828316f375805ca675f3ec0da9045cfa02797d8d0aa52d4c2abf1bcaa",
        "phonon_petretto/idx_test.txt",
    ),
}

BULK_MODULI = "phonon_petretto/phonon_petretto.npz"

NOTES = (
    "The published index files name rows of a 1,522-row file; its last row (train) is not in the "
    "1,521-row file used here and is left out.",
    "That the rows of the two files agree is inferred, not proven: re-running the published split "
    "code reproduces 182 of 189 test and 133 of 141 valid rows.",
)


@register_dataset("phonon_petretto")
def load_phonon_petretto() -> SpectrumDataset:
    """Phonon DOS on 0 to 1000 1/cm in steps of 20, maximum 1; split 1191 / 141 / 189.

    Source: Petretto et al. (2018), Chen et al. (2021), as in the module's docstring.

    Raises:
        DataError: a file cannot be downloaded, or is not the one that was published.
    """
    text = read_content(data_file(DATA)).decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    grids = {row["phfreq"] for row in rows}
    if len(grids) != 1:
        raise DataError(f"{DATA.relative_path}: {len(grids)} frequency grids; one is expected")
    return SpectrumDataset(
        name="phonon_petretto",
        ids=[row["mp_id"] for row in rows],
        crystals=[_crystal(row["mp_id"], row["structure"]) for row in rows],
        grid=np.array(ast.literal_eval(grids.pop())),
        unit="cm-1",
        normalisation="max",
        quantity=PHONON_DOS.name,
        values=np.array([ast.literal_eval(row["phdos"]) for row in rows], dtype=np.float32),
        splits={part: _rows(part, len(rows)) for part in PARTS},
        split_name="published",
        notes=list(NOTES),
    )


def load_bulk_moduli(ids: list[str]) -> np.ndarray:
    """Bulk moduli of materials of this data set, GPa, ``[n_materials]``; NaN where unknown.

    996 of the 1,521 materials have one (train 793, valid 87, test 116): 82 are K_VRH of the
    Materials Project, the rest K_V of JARVIS-DFT. They come with no public file of their own, so
    they are read from ``phonon_petretto.npz`` in the folder that ``VANHOVE_DATA`` names.

    Raises:
        DataError: the file is not there.
    """
    path = Path(os.environ.get("VANHOVE_DATA", "")).expanduser() / BULK_MODULI
    if not os.environ.get("VANHOVE_DATA") or not path.is_file():
        raise DataError(
            f"the bulk moduli are not there: set VANHOVE_DATA to a folder that holds {BULK_MODULI}"
        )
    with np.load(path, allow_pickle=False) as archive:
        known = dict(zip(archive["ids"].tolist(), archive["bulk_modulus_GPa"], strict=True))
    return np.array([known.get(material, np.nan) for material in ids], dtype=np.float64)


def _crystal(name: str, literal: str) -> Crystal:
    structure = ast.literal_eval(literal)
    lattice = np.array(structure["cell"])
    fractional = np.linalg.solve(lattice.T, np.array(structure["positions"]).T).T
    return Crystal(lattice, fractional, np.array(structure["numbers"]), name)


def _rows(part: str, n_rows: int) -> np.ndarray:
    indices = np.array(read_content(data_file(SPLIT[part])).split(), dtype=np.int64)
    return indices[indices < n_rows]
