"""From structures to `Phonons` with a trained model of lattice dynamics."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from vanhove.crystal.crystal import Crystal
from vanhove.crystal.graph import CrystalGraph, collate
from vanhove.errors import ConfigError
from vanhove.models.decoders.lattice_dynamics import LatticeDynamicsDecoder
from vanhove.models.ensemble import Ensemble
from vanhove.models.model import SpectrumModel
from vanhove.physics.harmonic import HarmonicCrystal, balanced
from vanhove.spectra.phonon_errors import PhononCalibration
from vanhove.spectra.phonons import Phonons

_ACCURACY = 3.6
"""Of the sum over dipoles, see `Dipoles`: here exact, in training fast."""


def has_phonons(model: SpectrumModel | Ensemble) -> bool:
    """Whether a model knows force constants."""
    return all(isinstance(own.decoder, LatticeDynamicsDecoder) for own in members_of(model))


def has_whole_phonons(model: SpectrumModel | Ensemble) -> bool:
    """Whether a model was trained on whole phonons, so that it has error bars of these."""
    return isinstance(model, Ensemble) and model.phonons is not None


def members_of(model: SpectrumModel | Ensemble) -> list[SpectrumModel]:
    """The members of an ensemble, or the one model."""
    return model.models if isinstance(model, Ensemble) else [model]


@torch.inference_mode()
def predict_phonons(
    model: SpectrumModel | Ensemble,
    graph: CrystalGraph,
    crystal: Crystal,
    name: str = "",
    rotations: np.ndarray | None = None,
) -> Phonons:
    """The phonons of one crystal in its cell: the mean of the members' force constants.

    Args:
        model: in evaluation mode, with a decoder of lattice dynamics.
        graph: of ``crystal`` in this very cell.
        crystal: the cell.
        name: of the result.
        rotations: as `phonons_of`.

    Raises:
        ConfigError: a model without force constants.
    """
    if not has_phonons(model):
        raise ConfigError(
            "this model knows densities alone: phonons need one with the decoder lattice_dynamics, "
            "such as vanhove-phonon"
        )
    if isinstance(model, Ensemble) and model.stacked is not None:
        found = _force_constants(model.stacked, graph)
    else:
        own = [_force_constants(member, graph) for member in members_of(model)]
        found = HarmonicCrystal.joined(own)
    calibration = model.phonons if isinstance(model, Ensemble) else None
    return phonons_of(found, crystal, calibration, name, rotations)


def phonons_of(
    sets: HarmonicCrystal,
    crystal: Crystal,
    calibration: PhononCalibration | None = None,
    name: str = "",
    rotations: np.ndarray | None = None,
) -> Phonons:
    """The phonons of one crystal from the force constants of the members of a model.

    Args:
        sets: one for each member, as a network gives them.
        crystal: the cell they are of.
        calibration: of error bars and stability.
        name: of the result.
        rotations: of the crystal's symmetry, where all are known, see `PhononModes`.
    """
    found = _exact(sets, crystal)
    with torch.inference_mode(False):
        members = _cloned(found)
        is_one = len(members.springs) == 1
        harmonic, *others = balanced(_with_mean(members)).sets()
        return Phonons(
            crystal=crystal,
            harmonic=harmonic,
            members=None if is_one else HarmonicCrystal.joined(others),
            calibration=calibration,
            name=name or crystal.name or crystal.formula,
            rotations=rotations,
        )


def _force_constants(model: SpectrumModel, graph: CrystalGraph) -> HarmonicCrystal:
    batch = collate([graph]).to(model.atom_features.table.device)
    with model.own_precision():
        atoms, _ = model.encode(batch)
        assert isinstance(model.decoder, LatticeDynamicsDecoder)
        (found,) = model.decoder.crystals(atoms, batch)
    return found


def _exact(own: HarmonicCrystal, crystal: Crystal) -> HarmonicCrystal:
    """In float64, with the places of the crystal instead of their roundings."""
    positions = torch.from_numpy(crystal.cartesian_coordinates.copy())
    lattice = torch.from_numpy(crystal.lattice.copy())
    source, target = own.source.cpu(), own.target.cpu()
    between = positions[source] - positions[target]
    cells = (own.vector.cpu().double() - between) @ torch.linalg.inv(lattice)
    return replace(
        own,
        masses=own.masses.cpu().double(),
        lattice=lattice,
        positions=positions,
        source=source,
        target=target,
        vector=between + torch.round(cells) @ lattice,
        springs=own.springs.cpu().double(),
        charges=None if own.charges is None else own.charges.cpu().double(),
        dielectric=None if own.dielectric is None else own.dielectric.cpu().double(),
        accuracy=_ACCURACY,
    )


def _cloned(own: HarmonicCrystal) -> HarmonicCrystal:
    """Tensors that were made in inference mode cannot be used outside it; copies can."""
    tensors = {name: x.clone() for name, x in vars(own).items() if isinstance(x, Tensor)}
    return replace(own, **tensors)  # type: ignore[arg-type]


def _with_mean(own: HarmonicCrystal) -> HarmonicCrystal:
    """Several sets of force constants and, before them, their mean; one set as it is."""
    if len(own.springs) == 1:
        return own

    def added(values: Tensor) -> Tensor:
        return torch.cat([values.mean(dim=0, keepdim=True), values])

    return replace(
        own,
        springs=added(own.springs),
        charges=None if own.charges is None else added(own.charges),
        dielectric=None if own.dielectric is None else added(own.dielectric),
    )
