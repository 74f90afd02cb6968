"""`ElectronPredictor`: the shipped tight-binding model, as other predictors and as `Electrons`."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any, Generic, Literal, TypeAlias, get_args, overload

import numpy as np

from vanhove.crystal.crystal import Crystal
from vanhove.crystal.domain import Domain
from vanhove.crystal.elements import symbols_of
from vanhove.crystal.kpath import KPath, PathConvention, high_symmetry_path
from vanhove.crystal.reading import read_crystal
from vanhove.crystal.symmetry import (
    NEAR_SYMMETRY,
    SYMMETRY_TOLERANCE,
    StandardizedCrystal,
    standardize,
)
from vanhove.errors import CheckpointError, ConfigError, StructureError
from vanhove.memory import require_memory
from vanhove.models.tight_binding.atoms import atom_table
from vanhove.models.tight_binding.network import TightBinding
from vanhove.prediction.electron_mesh import MESH_DENSITY, default_grid
from vanhove.prediction.electrons import Electrons
from vanhove.prediction.predictor import Made, usable
from vanhove.prediction.structures import StructureLike, Structures, listed
from vanhove.prediction.warnings import structure_warnings, with_warnings
from vanhove.runs.description import ModelInfo
from vanhove.runs.hamiltonian import HamiltonianInfo, is_hamiltonian, load_hamiltonian
from vanhove.spectra.grids import check_grid
from vanhove.spectra.quantities import ELECTRON_BANDS, ELECTRON_DOS
from vanhove.weights import TIGHT_BINDING

NAME = "vanhove-electron"
FOLDER = TIGHT_BINDING
ElectronProperty = Literal["electron-dos", "bands"]
ELECTRON_PROPERTIES: tuple[str, ...] = get_args(ElectronProperty)
_QUANTITY = {kind.asked_as: kind.name for kind in (ELECTRON_DOS, ELECTRON_BANDS)}
_POINTS = 256
_SECONDS_PER_POINT = 7e-10
"""Of a k-point on one core, times the cube of the number of orbitals; measured with 72."""
_LONG = 60.0
"""s: what takes longer is said beforehand."""


@dataclass(frozen=True)
class TrainingData:
    """What the weights learned from."""

    n_train: int
    name: str = "electron_pbe"


@dataclass(frozen=True)
class Trained:
    """How the weights were made."""

    dataset: TrainingData
    domain: Domain | None = None


@dataclass(frozen=True)
class ElectronInfo:
    """What is known of the weights, under the names of `vanhove.runs.checkpoint.ModelInfo`.

    Attributes:
        elements: atomic numbers of those in the training data.
        has_familiarity: whether predictions bring it.
    """

    quantity: str
    grid: list[float]
    elements: list[int]
    trained: Trained
    unit: str = "eV"
    normalisation: str = str(ELECTRON_DOS.counted)
    ensemble: None = None
    has_familiarity: bool = False


AnyInfo: TypeAlias = ModelInfo | ElectronInfo
"""What a predictor says of its model: quantity, grid, unit, normalisation, elements, ..."""


BYTES_PER_NUMBER = 100
"""Memory of a prediction for each number of a Hamiltonian."""


class ElectronPredictor(Generic[Made]):
    """The tight-binding model with its weights.

    Args:
        models: networks, whose Hamiltonians are averaged.
        info: what is known of them.
        name: shown in results.
        property: what `predict` and `stream` give.
        path: of bands, the convention.
        grid: of densities, eV from the valence band maximum or Fermi level; by default -10 to 6
            every 0.05.
    """

    calibration = None

    def __init__(
        self,
        models: Sequence[TightBinding],
        info: HamiltonianInfo,
        name: str = NAME,
        property: ElectronProperty = "electron-dos",
        path: PathConvention = "setyawan_curtarolo",
        grid: np.ndarray | Sequence[float] | None = None,
    ):
        if property not in get_args(ElectronProperty):
            allowed = ", ".join(get_args(ElectronProperty))
            raise ConfigError(f"property {property!r} of {name}; allowed: {allowed}")
        self.models, self.name, self.path = models, name, path
        self._last: Electrons | None = None  # densities, bands and files are of one Hamiltonian
        self.half_widths = info.half_widths
        self.spreads = np.asarray(info.spreads)
        self.gives_bands = property == "bands"
        self.grid = default_grid() if grid is None else check_grid(np.asarray(grid))
        n_crystals = [member.history.get("pbe", {}).get("n_crystals", 0) for member in info.members]
        self.info = ElectronInfo(
            quantity=_QUANTITY[property],
            grid=self.grid.tolist(),
            elements=atom_table().known.tolist() if info.elements is None else info.elements,
            has_familiarity=bool(info.spreads),
            trained=Trained(TrainingData(max(n_crystals, default=0)), info.domain),
        )

    def __repr__(self) -> str:
        return f"ElectronPredictor({self.name!r}, {self.info.quantity}, {len(self.models)} members)"

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        from vanhove.spectra.display import predictor_html

        return predictor_html(self.name, self.info)

    @overload
    def electrons(  # type: ignore[overload-overlap]
        self, structures: StructureLike, *, primitive: bool = False, mesh_density: float = ...
    ) -> Electrons: ...
    @overload
    def electrons(
        self,
        structures: Iterable[StructureLike],
        *,
        primitive: bool = False,
        mesh_density: float = ...,
    ) -> list[Electrons]: ...
    def electrons(
        self,
        structures: Structures,
        *,
        primitive: bool = False,
        mesh_density: float = MESH_DENSITY,
    ) -> Electrons | list[Electrons]:
        """Electron states of one structure or several.

        Args:
            structures: as of `vanhove.prediction.predictor.Predictor.predict`; one gives one
                `Electrons`, several or a folder a list.
            primitive: reduce to the primitive cell first; by default k-points refer to the cell as
                given.
            mesh_density: k-points per 1/angstrom.

        Raises:
            StructureError: a structure that cannot be read, or an element without levels.
        """
        items, is_many = listed(structures)
        found = [self._electrons(item, primitive, mesh_density) for item in items]
        return found if is_many else found[0]

    @overload
    def predict(  # type: ignore[overload-overlap]
        self, structures: StructureLike, *, primitive: bool = True
    ) -> Made: ...
    @overload
    def predict(
        self, structures: Iterable[StructureLike], *, primitive: bool = True
    ) -> list[Made]: ...
    def predict(self, structures: Structures, *, primitive: bool = True) -> Made | list[Made]:
        """As `vanhove.prediction.predictor.Predictor.predict`: a spectrum or bands, or a list."""
        items, is_many = listed(structures)
        found = usable(self.stream(items, primitive=primitive))
        return found if is_many else found[0]

    def stream(
        self, structures: Iterable[StructureLike | StructureError], *, primitive: bool = True
    ) -> Iterator[Made | StructureError]:
        """One outcome per structure, in order: a spectrum or bands, or why there are none.

        Bands count from the Fermi level (mid-gap), as those of all predictors; densities from the
        valence band maximum or, for metals, the Fermi level.
        """
        for structure in structures:
            try:
                if isinstance(structure, StructureError):
                    raise structure
                crystal = read_crystal(structure)
                standard = standardize(crystal, near=NEAR_SYMMETRY)
                route = _route(standard) if primitive else None
                cell = standard.primitive if route is None else route.crystal
                electrons = self._electrons(cell if primitive else crystal, False, route=route)
                found: Any = (
                    electrons.bands(self.path, _POINTS).aligned()
                    if self.gives_bands
                    else electrons.dos(self.grid)
                )
            except StructureError as error:
                yield error
                continue
            facts: dict[str, Any] = {
                "formula": crystal.formula,
                "crystal_system": standard.crystal_system,
                "space_group_symbol": standard.space_group_symbol,
                "space_group_number": standard.space_group_number,
            }
            if len(self.spreads):
                facts["familiarity"] = self.familiarity(electrons)
            said = structure_warnings(
                crystal, standard, SYMMETRY_TOLERANCE, self.info.trained.domain
            )
            said = [*found.warnings, *said]
            yield with_warnings(
                replace(
                    found,
                    name=crystal.name or crystal.formula,
                    metadata={**found.metadata, **facts} | ({"warnings": said} if said else {}),
                )
            )

    def familiarity(self, electrons: Electrons) -> float:
        """0 to 1: the share of crystals not trained on where the networks differ more."""
        return float((self.spreads > electrons.solver.spread).mean())

    def _electrons(
        self,
        structure: Any,
        primitive: bool,
        mesh_density: float = MESH_DENSITY,
        route: KPath | None = None,
    ) -> Electrons:
        crystal: Crystal = read_crystal(structure)
        unseen = set(crystal.atomic_numbers.tolist()) - set(self.info.elements)
        if unseen:
            raise StructureError(
                f"unsupported element {symbols_of(sorted(unseen))}: not in the training data of "
                f"{self.name}",
                crystal.name or None,
            )
        if primitive:
            crystal = standardize(crystal).primitive
        last = self._last
        if last is not None and last.crystal is crystal and last.mesh_density == mesh_density:
            return last
        n_orbitals = 9 * crystal.n_atoms  # rows of a matrix, all of whose states are found
        require_memory(BYTES_PER_NUMBER * n_orbitals**2, crystal.n_atoms, crystal.name or None)
        seconds = _SECONDS_PER_POINT * n_orbitals**3 * _POINTS
        if seconds > _LONG:
            warnings.warn(
                f"{crystal.formula}, {crystal.n_atoms} atoms in the primitive cell: bands take "
                f"about {seconds / 60:.0f} minutes on one core, since all states are found",
                stacklevel=2,
            )
        found = Electrons(self.models, crystal, self.name, mesh_density, self.half_widths, route)
        self._last = found
        return found


def electron_weights(name_or_path: str | PathLike[str] = NAME) -> Path | None:
    """The file of tight-binding weights that is meant, or None if something else is."""
    if str(name_or_path) == NAME:
        return FOLDER / f"{NAME}.safetensors"
    path = Path(name_or_path)
    return path if path.is_file() and is_hamiltonian(path) else None


def load_electrons(name_or_path: str | PathLike[str] = NAME, **settings: Any) -> ElectronPredictor:
    """The model from shipped weights or a file; ``settings`` as of `ElectronPredictor`.

    Raises:
        CheckpointError: no such weights.
    """
    path = electron_weights(name_or_path)
    if path is None or not path.is_file():
        raise CheckpointError(f"no tight-binding weights {str(name_or_path)!r}")
    models, info = load_hamiltonian(path)
    return ElectronPredictor(models, info, path.stem, **settings)


@overload
def electrons(  # type: ignore[overload-overlap]
    structures: StructureLike,
    model: str | PathLike[str] = NAME,
    *,
    primitive: bool = False,
    mesh_density: float = MESH_DENSITY,
) -> Electrons: ...
@overload
def electrons(
    structures: Iterable[StructureLike],
    model: str | PathLike[str] = NAME,
    *,
    primitive: bool = False,
    mesh_density: float = MESH_DENSITY,
) -> list[Electrons]: ...
def electrons(
    structures: Structures,
    model: str | PathLike[str] = NAME,
    *,
    primitive: bool = False,
    mesh_density: float = MESH_DENSITY,
) -> Electrons | list[Electrons]:
    """Electron states of structures: bands, densities, gap, Hamiltonian.

    Args:
        structures: a path, pymatgen ``Structure``, ASE ``Atoms`` or `Crystal` gives one
            `Electrons`; an iterable of these or a folder gives a list, in order.
        model: the shipped weights, or a file of tight-binding weights.
        primitive: see `ElectronPredictor.electrons`.
        mesh_density: see `ElectronPredictor.electrons`.

    Raises:
        StructureError: a structure that cannot be read, or an element without levels.
        CheckpointError: no such weights.
    """
    return load_electrons(model).electrons(
        structures, primitive=primitive, mesh_density=mesh_density
    )


def _route(standard: StandardizedCrystal) -> KPath | None:
    """The path of high symmetry; its cell is that of meshes: of reduced cells of one crystal there
    are several, and with them tetrahedra that cut its mesh differently."""
    try:
        return high_symmetry_path(standard.primitive, tolerance=standard.tolerance)
    except StructureError:
        return None
