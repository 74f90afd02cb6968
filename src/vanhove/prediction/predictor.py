"""From structures to spectra with a trained model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, overload

import numpy as np
import torch
from typing_extensions import TypeVar

from vanhove.crystal.crystal import Crystal
from vanhove.crystal.elements import symbols_of
from vanhove.crystal.graph import (
    CrystalGraph,
    GraphSettings,
    graph_of_cell,
    graph_of_standardized,
)
from vanhove.crystal.kpath import KPoints, PathConvention, high_symmetry_path
from vanhove.crystal.reading import read_crystal
from vanhove.crystal.symmetry import (
    NEAR_SYMMETRY,
    SYMMETRY_TOLERANCE,
    StandardizedCrystal,
    standardize,
)
from vanhove.errors import ConfigError, DataError, StructureError
from vanhove.memory import require_memory
from vanhove.models.band_calibration import BandCalibration
from vanhove.models.calibration import Calibration
from vanhove.models.ensemble import Ensemble
from vanhove.models.model import SpectrumModel
from vanhove.models.phonons import has_phonons, has_whole_phonons, phonons_of, predict_phonons
from vanhove.models.wave_vectors import mesh_size
from vanhove.physics.harmonic import HarmonicCrystal
from vanhove.prediction.error_bars import with_error_bars
from vanhove.prediction.structures import StructureLike, Structures, listed
from vanhove.prediction.warnings import structure_warnings, with_warnings
from vanhove.runs.description import ModelInfo
from vanhove.spectra.bands import BandStructure
from vanhove.spectra.phonons import Phonons
from vanhove.spectra.quantities import PHONON_BANDS, quantity
from vanhove.spectra.spectrum import Spectrum
from vanhove.spectra.whole_density import whole_density

Made = TypeVar("Made", default=Any)
"""What a predictor makes of a structure: `Spectrum` or `BandStructure`."""

ATOMS_PER_BATCH = {"cpu": 512, "cuda": 16384}
"""A batch is closed before it would hold more atoms; a larger crystal is a batch of its own.

Where the memory of a GPU does not suffice, it is halved until it does.
"""
BANDS_COST = 8
"""A batch of bands holds so many times fewer: each atom is seen from every k-point."""
BYTES_PER_NUMBER = 160
"""Of the dynamical matrix of whole phonons, in double precision with what is computed beside it."""
BYTES_PER_PAIR = 600
"""Memory of a prediction for each pair of edges at an atom, measured with vanhove-phonon."""
MOST_ATOMS_WHOLE = 200
"""Of larger cells densities end where the model's grid does: all their modes would take minutes."""
STRUCTURES_PER_ROUND = 256
"""Structures read before any is predicted: bounds the memory, whatever their number."""


class Predictor(Generic[Made]):
    """A trained model that takes structures.

    Args:
        model: in evaluation mode.
        info: its description, from the checkpoint.
        name: shown in results.
        path: of bands, the convention of the path, see `vanhove.crystal.kpath.high_symmetry_path`.
        phonon_bands: `predict` gives phonon bands, of a model with force constants.
        whole: densities of phonons are those of the whole spectrum, where the model knows whole
            phonons with their error bars (`has_whole_phonons`); else they end where its grid does.

    Raises:
        ConfigError: ``phonon_bands`` of a model without force constants.
    """

    def __init__(
        self,
        model: SpectrumModel | Ensemble,
        info: ModelInfo,
        name: str,
        path: PathConvention = "setyawan_curtarolo",
        phonon_bands: bool = False,
        whole: bool = False,
    ):
        if phonon_bands and not has_phonons(model):
            raise ConfigError(f"{name} knows no force constants: take vanhove-phonon for bands")
        self.model = model
        self.phonon_bands = phonon_bands
        self.whole = whole and has_whole_phonons(model)
        given = {"quantity": PHONON_BANDS.name} if phonon_bands else {}
        self.info = info.model_copy(update=given)
        self.name = name
        self.grid = np.asarray(info.grid, dtype=np.float64)
        self.path = path
        self.has_meshes = has_phonons(model)
        self.has_bands = quantity(info.quantity).is_bands
        most = ATOMS_PER_BATCH.get(next(model.parameters()).device.type, ATOMS_PER_BATCH["cpu"])
        self.atoms_per_batch = most // (BANDS_COST if self.has_bands else 1)

    @property
    def calibration(self) -> Calibration | BandCalibration | None:
        """Of the error bars, if the model has any."""
        return self.model.calibration if isinstance(self.model, Ensemble) else None

    @property
    def gives_bands(self) -> bool:
        return self.has_bands or self.phonon_bands

    def __repr__(self) -> str:
        points = "whole spectra" if self.whole else f"{len(self.grid)} points"
        return f"Predictor({self.name!r}, {self.info.quantity}, {points})"

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        from vanhove.spectra.display import predictor_html

        return predictor_html(self.name, self.info)

    @overload
    def predict(  # type: ignore[overload-overlap]
        self, structures: StructureLike, *, primitive: bool = True
    ) -> Made: ...
    @overload
    def predict(
        self, structures: Iterable[StructureLike], *, primitive: bool = True
    ) -> list[Made]: ...
    def predict(self, structures: Structures, *, primitive: bool = True) -> Made | list[Made]:
        """Predict one spectrum or several.

        Args:
            structures: a path, pymatgen ``Structure``, ASE ``Atoms`` or `Crystal` gives one
                `Spectrum`; an iterable of these or a folder gives a list, in order.
            primitive: reduce to the primitive cell first, as in training; False keeps the given
                cell. Bands are always those of the primitive cell.

        Returns:
            `Spectrum` or ``list[Spectrum]``: values ``[n_points]``, none negative, on ``info.grid``
            or, of ``whole`` spectra, on a grid that ends where the crystal's spectrum does. Of a
            model of bands, `BandStructure` with as many points.

        Raises:
            StructureError: the first structure that cannot be used; `stream` goes on instead.
        """
        items, is_many = listed(structures)
        found = usable(self.stream(items, primitive=primitive))
        return found if is_many else found[0]

    @overload
    def phonons(  # type: ignore[overload-overlap]
        self, structures: StructureLike, *, primitive: bool = False
    ) -> Phonons: ...
    @overload
    def phonons(
        self, structures: Iterable[StructureLike], *, primitive: bool = False
    ) -> list[Phonons]: ...
    def phonons(
        self, structures: Structures, *, primitive: bool = False
    ) -> Phonons | list[Phonons]:
        """The whole phonons of one structure or several.

        Args:
            structures: as `predict`.
            primitive: reduce to the primitive cell first; by default wave vectors and modes are
                those of the given cell.

        Returns:
            `vanhove.spectra.phonons.Phonons`, or a list of them.

        Raises:
            ConfigError: a model without force constants.
            StructureError: the first structure that cannot be used.
        """
        items, is_many = listed(structures)
        prepared = [self._prepare(structure, primitive) for structure in items]
        found = [self._phonons(item) for item in prepared]
        return found if is_many else found[0]

    def _phonons(self, item: _Prepared) -> Phonons:
        require_memory(
            BYTES_PER_NUMBER * (3 * item.graph.n_atoms) ** 2,
            item.graph.n_atoms,
            item.given.name or None,
            ", or ask for the density of states alone",
        )
        phonons = predict_phonons(self.model, item.graph, item.cell, rotations=item.rotations)
        name = item.given.name or item.given.formula
        return replace(phonons, name=name, metadata=self._metadata(item))

    def stream(
        self, structures: Iterable[StructureLike | StructureError], *, primitive: bool = True
    ) -> Iterator[Made | StructureError]:
        """One outcome per structure, in order: a spectrum, or why there is none.

        An error among the structures (one that could not even be read) is its own outcome. Works
        through rounds of structures, so memory does not grow with their number.
        """
        pending: list[_Prepared | StructureError] = []
        for structure in structures:
            try:
                if isinstance(structure, StructureError):
                    raise structure
                pending.append(self._prepare(structure, primitive))
            except StructureError as error:
                pending.append(error)
            if len(pending) == STRUCTURES_PER_ROUND:
                yield from self._finish(pending)
                pending = []
        yield from self._finish(pending)

    def _prepare(self, structure: StructureLike, primitive: bool) -> _Prepared:
        crystal = read_crystal(structure)
        unseen = set(crystal.atomic_numbers.tolist()) - set(self.info.elements)
        if unseen:
            raise StructureError(
                f"unsupported element {symbols_of(sorted(unseen))}: not in the training data of "
                f"{self.name}",
                crystal.name,
            )
        settings = self.info.graph.model_copy(update={"primitive": primitive})
        standard = standardize(crystal, settings.symmetry_tolerance, near=NEAR_SYMMETRY)
        said = structure_warnings(
            crystal, standard, settings.symmetry_tolerance, self.info.trained.domain
        )
        if self.has_bands:
            return self._prepare_bands(crystal, standard, settings, said)
        graph = graph_of_standardized(standard, crystal, settings)
        if primitive and self.has_meshes and mesh_size(graph.n_atoms) > 1:  # else Gamma alone
            graph = replace(graph, rotations=standard.exact_rotations)
        pairs = torch.bincount(graph.edge_index[1]).square().sum()
        require_memory(BYTES_PER_PAIR * int(pairs), graph.n_atoms, crystal.name or None)
        return _Prepared(
            crystal, standard, graph, standard.primitive if primitive else crystal, said
        )

    def _prepare_bands(
        self,
        crystal: Crystal,
        standard: StandardizedCrystal,
        settings: GraphSettings,
        said: list[str],
    ) -> _Prepared:
        """Of bands: in the standard primitive cell of the path, whatever cell was given."""
        path = high_symmetry_path(crystal, self.path, standard.tolerance).continuous()
        cell = graph_of_cell(path.crystal, standard.crystal_system, settings)
        kpoints = path.sample(len(self.grid))
        graph = replace(cell, kpoints=torch.from_numpy(kpoints.cartesian.astype(np.float32)))
        return _Prepared(crystal, standard, graph, path.crystal, said, kpoints)

    def _finish(self, pending: list[_Prepared | StructureError]) -> list[Any]:
        outcomes: list[Any] = [
            item if isinstance(item, StructureError) else None for item in pending
        ]
        ready = [(i, item) for i, item in enumerate(pending) if isinstance(item, _Prepared)]
        # Crystals of like size share a batch, so that little of it is padding.
        ready.sort(key=lambda pair: pair[1].graph.n_atoms)
        while ready:
            size = 1
            largest = self.atoms_per_batch
            while size < len(ready) and (size + 1) * ready[size][1].graph.n_atoms <= largest:
                size += 1
            places, items = zip(*ready[:size], strict=True)
            try:
                found = self._predict_batch(items)
            except torch.OutOfMemoryError:
                torch.cuda.empty_cache()
                if size > 1:
                    self.atoms_per_batch = sum(item.graph.n_atoms for item in items) // 2
                    continue
                (item,) = items
                found = [
                    StructureError(
                        f"too large for the memory of the GPU: {item.graph.n_atoms} atoms; "
                        "predict it on the CPU",
                        item.given.name,
                    )
                ]
            for place, outcome in zip(places, found, strict=True):
                outcomes[place] = outcome
            ready = ready[size:]
        return outcomes

    def _predict_batch(self, items: Sequence[_Prepared]) -> list[Any]:
        if self.phonon_bands:
            return [self._phonons(item).bands(self.path) for item in items]
        graphs = [item.graph for item in items]
        make: Any = self._bands if self.has_bands else self._spectrum
        sets: list[HarmonicCrystal] = []
        if isinstance(self.model, Ensemble):
            calibration = self.model.calibration
            if self.whole:
                prediction, sets = self.model.predict_whole(graphs)
            else:
                prediction = self.model.predict_with_errors(graphs)
            found = [
                with_error_bars(make(item, mean), calibration, prediction, row)
                for row, (item, mean) in enumerate(zip(items, prediction.mean, strict=True))
            ]
        else:
            values = self.model.predict(graphs).numpy()
            found = [make(item, own) for item, own in zip(items, values, strict=True)]
        if sets:
            found = [self._whole(*each) for each in zip(items, found, sets, strict=True)]
        return [with_warnings(own) for own in found]

    def _whole(self, item: _Prepared, window: Spectrum, sets: HarmonicCrystal) -> Spectrum:
        if item.graph.n_atoms > MOST_ATOMS_WHOLE:
            return window
        assert isinstance(self.model, Ensemble)
        phonons = phonons_of(sets, item.cell, self.model.phonons, rotations=item.rotations)
        try:
            return whole_density(window, phonons)
        except DataError:  # no real modes: no crystal
            return window

    def _metadata(self, item: _Prepared) -> dict[str, Any]:
        return {
            "model": self.name,
            "formula": item.given.formula,
            "crystal_system": item.standard.crystal_system,
            "space_group_symbol": item.standard.space_group_symbol,
            "space_group_number": item.standard.space_group_number,
        } | ({"warnings": item.warnings} if item.warnings else {})

    def _bands(self, item: _Prepared, values: np.ndarray) -> BandStructure:
        assert item.kpoints is not None
        return BandStructure(
            kpoints=item.kpoints,
            energies=values,
            fermi_level=0.0 if quantity(self.info.quantity).fermi_level else None,
            quantity=self.info.quantity,
            crystal=item.cell,
            name=item.given.name or item.given.formula,
            metadata=self._metadata(item) | {"path": self.path},
        )

    def _spectrum(self, item: _Prepared, values: np.ndarray) -> Spectrum:
        return Spectrum(
            grid=self.grid,
            values=values,
            unit=self.info.unit,
            normalisation=self.info.normalisation,
            quantity=self.info.quantity,
            crystal=item.cell,
            name=item.given.name or item.given.formula,
            metadata=self._metadata(item),
        )


@dataclass(frozen=True)
class _Prepared:
    """A structure that is ready to be predicted: as given, and the cell that the graph is of."""

    given: Crystal
    standard: StandardizedCrystal
    graph: CrystalGraph
    cell: Crystal
    warnings: list[str]
    kpoints: KPoints | None = None

    @property
    def rotations(self) -> np.ndarray | None:
        """Of the symmetry of the cell, where a search as that of meshes has found it already."""
        standard = self.standard
        if standard.operations is None or standard.tolerance != SYMMETRY_TOLERANCE:
            return None
        return standard.operations[0] if self.cell is standard.primitive else None


def usable(outcomes: Iterable[Made | StructureError]) -> list[Made]:
    """The outcomes; the first error among them is raised."""
    found: list[Made] = []
    for outcome in outcomes:
        if isinstance(outcome, StructureError):
            raise outcome
        found.append(outcome)
    return found
