"""Trained models by name, and predictions in one call; a type checker knows what they give."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args, overload

import numpy as np
import torch

from vanhove.crystal.kpath import PathConvention
from vanhove.errors import ConfigError
from vanhove.models.inference import Precision
from vanhove.prediction.electron_predictor import (
    ELECTRON_PROPERTIES,
    ElectronPredictor,
    electron_weights,
    load_electrons,
)
from vanhove.prediction.predictor import Predictor
from vanhove.prediction.structures import StructureLike, Structures
from vanhove.runs.checkpoint import load_model
from vanhove.runs.other_grid import answer_on
from vanhove.spectra.bands import BandStructure
from vanhove.spectra.phonons import Phonons
from vanhove.spectra.quantities import PHONON_BANDS
from vanhove.spectra.spectrum import Spectrum
from vanhove.weights import DEFAULT_WEIGHTS, default_weights, find_weights

Grid: TypeAlias = "np.ndarray | Sequence[float] | Literal['training'] | None"
"""None: the whole spectrum of each crystal where the model knows it, else as ``"training"``, the
grid that the model was trained on."""
Densities: TypeAlias = Literal["phonon-dos", "electron-dos"]
Bands: TypeAlias = Literal["phonon-bands", "bands"]
ShippedDensities: TypeAlias = Literal[
    "dostransformer-electron",
    "dostransformer-phonon",
    "vanhove-phonon",
    "vanhove-phonon-fast",
]
"""Shipped weights that predict densities."""
AnyPredictor: TypeAlias = Predictor[Any] | ElectronPredictor[Any]
"""What `load` gives: both have `predict`, `stream`, `info`, `name`, `grid` and `gives_bands`."""


@overload
def load(
    name_or_path: Literal["vanhove-electron"],
    *,
    device: str | torch.device = "cpu",
    path: PathConvention = "setyawan_curtarolo",
    precision: Precision = "auto",
    grid: Grid = None,
    phonon_bands: Literal[False] = False,
) -> ElectronPredictor[Spectrum]: ...
@overload
def load(
    name_or_path: ShippedDensities = "vanhove-phonon",
    *,
    device: str | torch.device = "cpu",
    path: PathConvention = "setyawan_curtarolo",
    precision: Precision = "auto",
    grid: Grid = None,
    phonon_bands: Literal[False] = False,
) -> Predictor[Spectrum]: ...
@overload
def load(
    name_or_path: Literal["bandformer-electron"],
    *,
    device: str | torch.device = "cpu",
    path: PathConvention = "setyawan_curtarolo",
    precision: Precision = "auto",
    grid: Grid = None,
    phonon_bands: Literal[False] = False,
) -> Predictor[BandStructure]: ...
@overload
def load(
    name_or_path: str | PathLike[str] = "vanhove-phonon",
    *,
    device: str | torch.device = "cpu",
    path: PathConvention = "setyawan_curtarolo",
    precision: Precision = "auto",
    grid: Grid = None,
    phonon_bands: Literal[True],
) -> Predictor[BandStructure]: ...
@overload
def load(
    name_or_path: str | PathLike[str],
    *,
    device: str | torch.device = "cpu",
    path: PathConvention = "setyawan_curtarolo",
    precision: Precision = "auto",
    grid: Grid = None,
    phonon_bands: bool = False,
) -> AnyPredictor: ...
def load(
    name_or_path: str | PathLike[str] = DEFAULT_WEIGHTS,
    *,
    device: str | torch.device = "cpu",
    path: PathConvention = "setyawan_curtarolo",
    precision: Precision = "auto",
    grid: Grid = None,
    phonon_bands: bool = False,
) -> AnyPredictor:
    """Load a trained model.

    Args:
        name_or_path: shipped weights (``vanhove models`` lists them), a checkpoint file, or the
            folder of a run.
        device: where to run, ``"cpu"`` or ``"cuda"``.
        path: of bands, ``"setyawan_curtarolo"``, ``"latimer_munro"`` or ``"hinuma"``.
        precision: ``"auto"`` gives the numbers of ``"float32"``; ``"bfloat16"`` and, on CPUs,
            ``"int8"`` are faster on processors that have such instructions, and less exact, see
            docs/performance.md.
        grid: by default densities of phonons are those of the whole spectrum of each crystal, in
            steps of 2 1/cm, where the model knows whole phonons (``"vanhove-phonon"``).
            ``"training"``: the points that the model was trained on, the same for all crystals.
            Or frequencies or energies, ``[n_points]``, increasing, inside these and in their unit,
            for models whose energies are not learned one by one, see docs/grids.md.
        phonon_bands: predict phonon bands with a model of force constants.

    Returns:
        `Predictor`; of tight-binding weights such as ``"vanhove-electron"``,
        `vanhove.prediction.electron_predictor.ElectronPredictor`.

    Raises:
        CheckpointError: no such weights, or a damaged file.
        ConfigError: an unknown precision, or a grid that the model cannot answer on.
        DataError: a grid that does not increase.
    """
    if electron_weights(name_or_path) is not None:
        return load_electrons(name_or_path, path=path, grid=_points(grid))
    file = find_weights(name_or_path)
    model, info = load_model(file)
    if precision not in get_args(Precision):
        allowed = ", ".join(map(repr, get_args(Precision)))
        raise ConfigError(f"precision {precision!r}; allowed: {allowed}")
    on_cpu = torch.device(device).type == "cpu"
    if precision == "int8" and not on_cpu:
        raise ConfigError(f"precision 'int8' on {device}; allowed on the CPU alone")
    # Weights packed for this processor are no use to a GPU.
    if on_cpu or precision not in ("auto", "float32"):
        model.prepare_inference(precision)
    points = _points(grid)
    if points is not None:
        info = answer_on(model, info, points)
    whole = grid is None
    return Predictor(model.to(device), info, model_name(file), path, phonon_bands, whole)


def _points(grid: Grid) -> np.ndarray | None:
    if isinstance(grid, str):
        if grid != "training":
            raise ConfigError(f"grid {grid!r}; allowed: 'training', or numbers")
        return None
    return None if grid is None else np.asarray(grid, dtype=np.float64)


def model_name(path: Path) -> str:
    """What results call a checkpoint: its file, or the folder of its run."""
    return path.parent.name if path.stem == "best" else path.stem


def load_for(
    property: str,
    model: str | PathLike[str] | None = None,
    *,
    grid: Grid = None,
    precision: Precision = "auto",
) -> AnyPredictor:
    """The predictor that `predict` takes; its arguments are those of `predict`."""
    if model is None and property in ELECTRON_PROPERTIES:
        return load_electrons(property=property, grid=_points(grid))
    if model is None:
        model = default_weights(property)
    wants_bands = property == PHONON_BANDS.asked_as
    return load(model, grid=grid, precision=precision, phonon_bands=wants_bands)


@overload
def predict(  # type: ignore[overload-overlap]
    structures: StructureLike,
    model: None = None,
    *,
    property: Densities = "phonon-dos",
    primitive: bool = True,
    grid: Grid = None,
    precision: Precision = "auto",
) -> Spectrum: ...
@overload
def predict(
    structures: Iterable[StructureLike],
    model: None = None,
    *,
    property: Densities = "phonon-dos",
    primitive: bool = True,
    grid: Grid = None,
    precision: Precision = "auto",
) -> list[Spectrum]: ...
@overload
def predict(  # type: ignore[overload-overlap]
    structures: StructureLike,
    model: str | PathLike[str] | None = None,
    *,
    property: Bands,
    primitive: bool = True,
    grid: Grid = None,
    precision: Precision = "auto",
) -> BandStructure: ...
@overload
def predict(
    structures: Iterable[StructureLike],
    model: str | PathLike[str] | None = None,
    *,
    property: Bands,
    primitive: bool = True,
    grid: Grid = None,
    precision: Precision = "auto",
) -> list[BandStructure]: ...
@overload
def predict(
    structures: StructureLike | Iterable[StructureLike],
    model: str | PathLike[str] | None = None,
    *,
    property: str = "phonon-dos",
    primitive: bool = True,
    grid: Grid = None,
    precision: Precision = "auto",
) -> Any: ...
def predict(
    structures: StructureLike | Iterable[StructureLike],
    model: str | PathLike[str] | None = None,
    *,
    property: str = "phonon-dos",
    primitive: bool = True,
    grid: Grid = None,
    precision: Precision = "auto",
) -> Any:
    """Shortcut for ``load(model, ...).predict(structures)``; see `Predictor.predict`.

    Args:
        structures: see there.
        model: as `load`; the shipped weights for ``property`` by default.
        property: ``"phonon-dos"``, ``"phonon-bands"``, ``"electron-dos"`` or ``"bands"``; with a
            model only ``"phonon-bands"`` counts.
        primitive: see there.
        grid: as `load`.
        precision: as `load`.
    """
    predictor = load_for(property, model, grid=grid, precision=precision)
    return predictor.predict(structures, primitive=primitive)


@overload
def phonons(  # type: ignore[overload-overlap]
    structures: StructureLike,
    model: str | PathLike[str] = DEFAULT_WEIGHTS,
    *,
    primitive: bool = False,
) -> Phonons: ...
@overload
def phonons(
    structures: Iterable[StructureLike],
    model: str | PathLike[str] = DEFAULT_WEIGHTS,
    *,
    primitive: bool = False,
) -> list[Phonons]: ...
def phonons(
    structures: Structures, model: str | PathLike[str] = DEFAULT_WEIGHTS, *, primitive: bool = False
) -> Phonons | list[Phonons]:
    """Shortcut for ``load(model).phonons(structures)``; see `Predictor.phonons`.

    Raises:
        ConfigError: a model without force constants.
    """
    predictor = load(model, precision="float32")
    if isinstance(predictor, ElectronPredictor):
        raise ConfigError(f"{predictor.name} knows no force constants: take {DEFAULT_WEIGHTS}")
    return predictor.phonons(structures, primitive=primitive)
