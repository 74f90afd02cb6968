"""Figures of docs/phonons.md: bands and densities of vanhove-phonon beside those of DFPT.

python scripts/phonon_figures.py
"""

from pathlib import Path

import numpy as np

import vanhove
from vanhove.crystal.crystal import Crystal
from vanhove.crystal.kpath import GAMMA, KPoints, reciprocal_lattice
from vanhove.datasets import load_dataset
from vanhove.datasets.crystal_phonons import CrystalPhonons
from vanhove.spectra.bands import BandStructure
from vanhove.spectra.phonon_plotting import figure
from vanhove.spectra.plotting import save
from vanhove.spectra.quantities import PHONON_BANDS, PHONON_DOS
from vanhove.spectra.spectrum import Spectrum

FOLDER = Path(__file__).parents[1] / "docs" / "figures"
CRYSTALS = {
    "diamond": "mp-66",
    "boron-nitride": "mp-1639",
    "barium-titanate": "mp-5020",
    "strontium-titanate": "mp-4651",
    "potassium-hydroxide": "mp-626785",
    "magnesium-ruthenium-hydride": "mp-697030",
}
_JUMP = 3.0
"""A step so many times the median one is a jump."""


def path_of(truth: CrystalPhonons, crystal: Crystal) -> KPoints:
    """The path of DFPT, with Gamma labelled."""
    basis = reciprocal_lattice(crystal.lattice)
    fractional = truth.kpoints @ np.linalg.inv(basis)
    step = np.diff(fractional, axis=0)
    length = np.linalg.norm((step - np.rint(step)) @ basis, axis=1)
    length[length > _JUMP * np.median(length)] = 0
    at_gamma = np.abs(fractional).max(axis=1) < 1e-6
    return KPoints(
        fractional=fractional,
        lattice=crystal.lattice,
        distances=np.concatenate([[0.0], np.cumsum(length)]),
        labels=tuple(GAMMA if own else "" for own in at_gamma),
    )


def draw(name: str, material: str) -> str:
    """Write one figure; what part of the data it belongs to."""
    dataset = load_dataset("phonon_petretto_full")
    assert dataset.phonons is not None
    row = dataset.ids.index(material)
    crystal, truth = dataset.crystals[row], dataset.phonons[row]
    phonons = vanhove.load("vanhove-phonon", precision="float32").phonons(crystal)
    path = path_of(truth, crystal)
    reference = BandStructure(path, truth.frequencies, None, PHONON_BANDS.name, crystal)
    density = Spectrum(
        grid=truth.dos_frequency,
        values=truth.dos,
        unit="cm-1",
        normalisation="3N",
        quantity=PHONON_DOS.name,
        crystal=crystal,
    )
    bands = phonons.bands(path)
    smooth = phonons.dos(broadening=5.0)
    drawing = figure(bands, smooth, None, reference, density)
    save(drawing, FOLDER / f"phonons-{name}.png")
    part = next(part for part in dataset.splits if row in dataset.split(part))
    error = np.abs(bands.energies - truth.frequencies).mean()
    return f"{name}: {material}, {part} part, mean error of the bands {error:.1f} 1/cm"


if __name__ == "__main__":
    for name, material in CRYSTALS.items():
        print(draw(name, material), flush=True)
