"""Several models of the same settings that predict together, with error bars."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from vanhove.crystal.graph import CrystalGraph, collate
from vanhove.models.band_calibration import BandCalibration
from vanhove.models.calibration import Calibration
from vanhove.models.decoders.lattice_dynamics import LatticeDynamicsDecoder
from vanhove.models.familiarity import Familiarity
from vanhove.models.inference import Precision
from vanhove.models.model import SpectrumModel
from vanhove.models.output import rescale
from vanhove.models.stacked import stacked
from vanhove.physics.harmonic import HarmonicCrystal
from vanhove.spectra.grids import interpolate_rows
from vanhove.spectra.phonon_errors import PhononCalibration

MOST_TOGETHER = 600
"""Atoms: of more, the members predict one after the other, in a third of the memory."""


@dataclass(frozen=True)
class EnsemblePrediction:
    """What an `Ensemble` says of some crystals.

    Attributes:
        members: ``[n_members, n_crystals, n_points]``; here and below, of bands with n_bands as one
            more dimension.
        std: error bars, ``[n_crystals, n_points]``.
        familiarity: ``[n_crystals]``, see `Familiarity`.
    """

    members: np.ndarray
    std: np.ndarray
    familiarity: np.ndarray

    @property
    def mean(self) -> np.ndarray:
        """The prediction, ``[n_crystals, n_points]``."""
        return self.members.mean(axis=0)


class Ensemble(nn.Module):
    """The mean of its members (Lakshminarayanan et al., NeurIPS 2017), which differ in their seed.

    A single member is allowed: then the error bars come from the shape of its prediction alone.

    Args:
        members: alike but for their weights.
        familiarity: fitted on the states of the first member.
        calibration: of the error bars.
        phonons: the same of whole phonons, of models with force constants.
    """

    def __init__(
        self,
        members: Sequence[SpectrumModel],
        familiarity: Familiarity,
        calibration: Calibration | BandCalibration,
        phonons: PhononCalibration | None = None,
    ):
        super().__init__()
        self.members = nn.ModuleList(members)
        self.familiarity = familiarity
        self.calibration = calibration
        self.phonons = phonons
        self.places: Tensor | None = None
        self.stacked: SpectrumModel | None = None

    @property
    def models(self) -> list[SpectrumModel]:
        """The members."""
        return cast("list[SpectrumModel]", list(self.members))

    def prepare_inference(self, precision: Precision = "auto") -> None:
        """As `SpectrumModel.prepare_inference`, of every member, or of all as one network."""
        if precision in ("auto", "float32"):
            self.stacked = stacked(self.models)
        if self.stacked is not None:
            return
        for member in self.models:
            member.prepare_inference(precision)

    def set_places(self, places: Tensor | None) -> None:
        """As `SpectrumModel.set_places`, of every member.

        Error bars are calibrated on the training grid and interpolated from there.
        """
        for member in [*self.models, *([] if self.stacked is None else [self.stacked])]:
            member.set_places(places)
        self.places = places

    def predict(self, graphs: Sequence[CrystalGraph]) -> Tensor:
        """The mean of the members, as `SpectrumModel.predict`."""
        return self.predict_each(graphs)[0].mean(dim=0)

    def predict_with_errors(self, graphs: Sequence[CrystalGraph]) -> EnsemblePrediction:
        """The members' predictions, error bars and familiarity."""
        members, states = self.predict_each(graphs)
        return self.assess(members.double().numpy(), states, graphs)

    def predict_whole(
        self, graphs: Sequence[CrystalGraph]
    ) -> tuple[EnsemblePrediction, list[HarmonicCrystal]]:
        """`predict_with_errors`, and the force constants it rests on: a set for each member.

        Only of members whose decoder has them (`vanhove.models.phonons.has_phonons`).
        """
        members, states, crystals = predict_with_crystals(self._members_for(graphs), graphs)
        return self.assess(members.double().numpy(), states, graphs), crystals

    def predict_each(self, graphs: Sequence[CrystalGraph]) -> tuple[Tensor, Tensor]:
        """As `predict_members`."""
        return predict_members(self._members_for(graphs), graphs)

    def _members_for(
        self, graphs: Sequence[CrystalGraph]
    ) -> Sequence[SpectrumModel] | SpectrumModel:
        together = sum(graph.n_atoms for graph in graphs) <= MOST_TOGETHER
        return self.stacked if self.stacked is not None and together else self.models

    def assess(
        self, members: np.ndarray, states: Tensor, graphs: Sequence[CrystalGraph]
    ) -> EnsemblePrediction:
        """Error bars and familiarity for what `predict_members` gave."""
        familiarity = self.familiarity(states.to(self.familiarity.mean.device), graphs)
        return EnsemblePrediction(
            members=members,
            std=self._std(members, graphs),
            familiarity=familiarity.cpu().numpy(),
        )

    def _std(self, members: np.ndarray, graphs: Sequence[CrystalGraph]) -> np.ndarray:
        if self.places is None:
            return self.calibration.std(members)
        places = self.places.numpy()
        chunks = [graphs[start : start + 32] for start in range(0, len(graphs), 32)]
        with at_places(self, None):
            own = torch.cat([self.predict_each(chunk)[0] for chunk in chunks], dim=1)
        std = self.calibration.std(own.double().numpy())
        return interpolate_rows(np.linspace(0, 1, std.shape[-1]), std, places)


@contextmanager
def at_places(model: SpectrumModel | Ensemble, places: Tensor | None) -> Iterator[None]:
    """`SpectrumModel.set_places` for a while; afterwards, also after an error, as before."""
    before = model.places
    try:
        model.set_places(places)
        yield
    finally:
        model.set_places(before)


def predict_members(
    members: Sequence[SpectrumModel] | SpectrumModel, graphs: Sequence[CrystalGraph]
) -> tuple[Tensor, Tensor]:
    """Predictions of each member, and the states of the crystals in the first one.

    Args:
        members: in evaluation mode; or all as one, see `vanhove.models.stacked`.
        graphs: of the crystals.

    Returns:
        ``[n_members, n_graphs, n_points]`` as `SpectrumModel.predict` gives them, and the mean atom
        states ``[n_graphs, d]``; both float32 on the CPU.
    """
    values, states, _ = _predicted(members, graphs, with_crystals=False)
    return values, states


def predict_with_crystals(
    members: Sequence[SpectrumModel] | SpectrumModel, graphs: Sequence[CrystalGraph]
) -> tuple[Tensor, Tensor, list[HarmonicCrystal]]:
    """As `predict_members`, with the force constants of each graph: a set for each member."""
    return _predicted(members, graphs, with_crystals=True)


@torch.inference_mode()
def _predicted(
    members: Sequence[SpectrumModel] | SpectrumModel,
    graphs: Sequence[CrystalGraph],
    with_crystals: bool,
) -> tuple[Tensor, Tensor, list[HarmonicCrystal]]:
    is_stacked = isinstance(members, SpectrumModel)
    models = [members] if isinstance(members, SpectrumModel) else members
    buffer = models[0].atom_features.table
    batch = collate(graphs).to(buffer.device, buffer.dtype)
    values, crystals, states = [], [], None
    for model in models:
        known = {}
        with model.own_precision():
            atoms, system = model.encode(batch)
            if with_crystals:
                assert isinstance(model.decoder, LatticeDynamicsDecoder)
                known["crystals"] = model.decoder.crystals(atoms, batch)
                crystals.append(known["crystals"])
            found = model.decode(atoms, system, batch, **known)
            values.append(rescale(found, model.settings.output))
        if states is None:
            first = atoms[0] if is_stacked else atoms
            states = batch.sum_over_atoms(first.float()) / batch.n_atoms[:, None]
    assert states is not None
    each = values[0] if is_stacked else torch.stack(values)
    of_each = zip(*crystals, strict=True)
    joined = [own[0] if is_stacked else HarmonicCrystal.joined(own) for own in of_each]
    return each.float().cpu(), states.float().cpu(), joined
