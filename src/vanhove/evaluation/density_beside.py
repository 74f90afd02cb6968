"""The whole density of states of a model beside that of DFPT."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from vanhove.crystal.graph import CrystalGraph
from vanhove.datasets.crystal_phonons import CrystalPhonons
from vanhove.models.decoders.lattice_dynamics import LatticeDynamicsDecoder
from vanhove.models.ensemble import Ensemble, predict_members
from vanhove.models.model import SpectrumModel
from vanhove.models.phonons import members_of
from vanhove.spectra.phonons import Phonons
from vanhove.spectra.quantities import PHONON_DOS
from vanhove.spectra.spectrum import Spectrum
from vanhove.spectra.thermodynamics import mean_frequency
from vanhove.spectra.whole_density import broadened_on, density_terms, whole_density

WEIGHT = 0.02
"""Of the maximum: above it a density has weight."""


@dataclass(frozen=True)
class DensityBeside:
    """Of one crystal; densities in states per 1/cm and cell, on the grid of the prediction.

    Attributes:
        found: the prediction, without calibration.
        terms: of the scale of its errors, ``[n_points, n_terms]``.
        truth: of DFPT, broadened alike, ``[n_points]``.
        mean_error: of the mean frequency of all real modes, absolute, 1/cm.
    """

    found: Spectrum
    terms: np.ndarray
    truth: np.ndarray
    mean_error: float

    @classmethod
    def of(
        cls,
        model: SpectrumModel | Ensemble,
        graph: CrystalGraph,
        phonons: Phonons,
        truth: CrystalPhonons,
    ) -> Self:
        """Of a crystal in the cell of the data set.

        Args:
            model: with force constants, on the grid that it was trained on.
            graph: of the crystal.
            phonons: of ``model``.
            truth: of `phonon_petretto_full`.
        """
        models = members_of(model)
        decoder = models[0].decoder
        assert isinstance(decoder, LatticeDynamicsDecoder)
        members = predict_members(models, [graph])[0][:, 0].double().numpy()
        window = Spectrum(
            decoder.own_grid,
            members.mean(axis=0),
            "cm-1",
            "max",
            PHONON_DOS.name,
            crystal=phonons.crystal,
            samples=members,
        )
        found = whole_density(window, phonons)
        counted, real = found.normalise("3N"), truth.dos_frequency >= 0
        modes, scale = phonons.real_modes(), counted.values.max() / found.values.max()
        return cls(
            found=counted,
            terms=scale * density_terms(found, window, phonons.features.spread),
            truth=broadened_on(found.grid, truth.dos_frequency[real], truth.dos[real]),
            mean_error=abs(
                float(mean_frequency(modes.grid, modes.values))
                - float(mean_frequency(truth.dos_frequency[real], truth.dos[real]))
            ),
        )

    @property
    def errors(self) -> np.ndarray:
        """Absolute, ``[n_points]``."""
        return np.abs(self.found.values - self.truth)

    @property
    def has_weight(self) -> np.ndarray:
        """Points where either density has weight, ``[n_points]``."""
        found, truth = self.found.values, self.truth
        return (found > WEIGHT * found.max()) | (truth > WEIGHT * truth.max())

    @property
    def error(self) -> float:
        """The area between the two, as a share of all states."""
        assert self.found.crystal is not None
        return float(np.trapezoid(self.errors, self.found.grid) / self.found.crystal.n_atoms / 3)
