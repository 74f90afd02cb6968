"""The process that reads uploads and predicts; it may die alone.

It gets a JSON order and the bytes of an upload, and answers with a status and JSON: no pickle
crosses in either direction. It opens no file once its models are loaded.
"""

from __future__ import annotations

import signal
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
import torch
from ase.data import covalent_radii
from ase.data.colors import jmol_colors
from pydantic import BaseModel
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

from vanhove.crystal.crystal import Crystal
from vanhove.crystal.elements import SYMBOLS
from vanhove.datasets.tiny import load_tiny
from vanhove.errors import ConfigError, DataError, StructureError, VanhoveError
from vanhove.models.band_calibration import BandCalibration
from vanhove.models.calibration import Calibration
from vanhove.prediction.definitions import CRYSTAL_PROPERTIES, ROOM, THERMAL, thermal_property
from vanhove.prediction.loading import AnyPredictor, load
from vanhove.prediction.properties import Properties
from vanhove.prediction.property import Property
from vanhove.server import answers, uploads
from vanhove.server.orders import ORDER, Order, PredictOrder, TableOrder
from vanhove.server.settings import ServerSettings
from vanhove.spectra.bands import BandStructure
from vanhove.spectra.quantities import quantity
from vanhove.spectra.spectrum import Spectrum
from vanhove.spectra.thermodynamics import entropy, heat_capacity
from vanhove.version import __version__
from vanhove.weights import HAMILTONIANS, shipped_weights

EXAMPLES = ("NaCl", "Si", "MgO", "GaAs", "CaF2", "SrTiO3", "ZnO", "TiO2", "BaTiO3", "SiC")
"""Crystals of the tiny data set."""
TEMPERATURES = np.arange(0.0, 1001.0, 20.0)


def work(connection: Connection, settings: ServerSettings) -> None:
    """Load the models, say what there is, then answer orders until the connection closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server, which stops us
    torch.set_num_threads(1)
    try:
        worker = ModelWorker(settings)
    except VanhoveError as error:
        _send(connection, 500, answers.Problem(detail=str(error)))
        return
    _limit_memory(settings.memory_gigabytes)
    _send(connection, 200, worker.catalog())
    while True:
        try:
            order = ORDER.validate_json(connection.recv_bytes())
            content = connection.recv_bytes()
        except EOFError:
            return
        _send(connection, *worker.answer(order, content))


def _send(connection: Connection, status: int, answer: BaseModel) -> None:
    connection.send_bytes(b"%d" % status)
    connection.send_bytes(answer.model_dump_json().encode())


def _limit_memory(gigabytes: float) -> None:
    """A structure that would fill the memory gets a MemoryError instead; where there are limits."""
    try:
        import resource
    except ImportError:
        return
    limit = int(gigabytes * 1e9)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


class ModelWorker:
    """The models of a server and what is asked of them.

    Args:
        settings: which models, and the limits.
    """

    def __init__(self, settings: ServerSettings):
        self.settings = settings
        self.predictors: dict[str, AnyPredictor] = {}
        for name in (*shipped_weights(), *HAMILTONIANS, *settings.models):
            predictor = load(name)
            if predictor.name in self.predictors:
                raise ConfigError(f"two models are called {predictor.name!r}: rename a file")
            self.predictors[predictor.name] = predictor

    def answer(self, order: Order, content: bytes) -> tuple[int, BaseModel]:
        """Status and answer of an order."""
        try:
            return 200, self._done(order, content)
        except VanhoveError as error:
            return 422, answers.Problem(detail=str(error))
        except MemoryError:
            return 422, answers.Problem(detail="needs more memory than is allowed")

    def _done(self, order: Order, content: bytes) -> BaseModel:
        if isinstance(order, PredictOrder):
            return self.predict(content, order.name, order.models)
        if isinstance(order, TableOrder):
            return self.table(content, order.name, order.model)
        return self.reference(content, order.name, order.normalisation)

    def catalog(self) -> answers.Catalog:
        """Models, examples, limits."""
        settings = self.settings
        return answers.Catalog(
            version=__version__,
            models=[_model_answer(predictor) for predictor in self.predictors.values()],
            examples=_examples(),
            limits=answers.Limits(
                max_bytes=settings.max_bytes,
                max_atoms=settings.max_atoms,
                max_batch_bytes=settings.max_batch_bytes,
                max_batch_structures=settings.max_batch_structures,
                seconds=settings.seconds,
            ),
        )

    def _predictor(self, name: str) -> AnyPredictor:
        if name not in self.predictors:
            raise ConfigError(
                f"model {uploads.label_of(name)!r}; allowed: {', '.join(self.predictors)}"
            )
        return self.predictors[name]

    def predict(self, content: bytes, name: str, models: list[str]) -> answers.PredictAnswer:
        """One structure with several models."""
        predictors = [self._predictor(model) for model in dict.fromkeys(models)]
        (crystal,) = uploads.read_upload(content, name, self.settings)
        outcomes: list[tuple[AnyPredictor, Any]] = []
        problems: list[StructureError] = []
        failed = []
        for predictor in predictors:
            try:
                outcomes.append((predictor, predictor.predict(crystal)))
            except StructureError as error:
                problems.append(error)
                failed.append(answers.ModelProblem(model=predictor.name, detail=error.reason))
        if not outcomes:
            raise problems[0]
        return answers.PredictAnswer(
            vanhove=__version__,
            structure=_drawn(crystal, outcomes[0][1]),
            predictions=[_prediction(predictor, outcome) for predictor, outcome in outcomes],
            problems=failed,
        )

    def table(self, content: bytes, name: str, model: str) -> answers.FileAnswer:
        """Properties of all structures of a file."""
        predictor = self._predictor(model)
        crystals = uploads.read_upload(content, name, self.settings, several=True)

        def sized(crystal: Crystal) -> Crystal | StructureError:
            try:
                uploads.check_size(crystal, self.settings)
            except StructureError as error:
                return error
            return crystal

        rows: list[answers.Row] = []
        columns: dict[str, str] = {}
        for crystal, outcome in zip(
            crystals, predictor.stream([sized(crystal) for crystal in crystals]), strict=True
        ):
            if isinstance(outcome, StructureError):
                rows.append(answers.Row(name=crystal.name, error=outcome.reason))
                continue
            found = [*_crystal_properties(outcome), *_properties(predictor, outcome)]
            columns |= {item.name: item.unit for item in found}
            values = {item.name: item.value for item in found}
            if "familiarity" in outcome.metadata:
                columns["familiarity"] = ""
                values["familiarity"] = outcome.metadata["familiarity"]
            rows.append(answers.Row(name=outcome.name, values=values))
        return answers.FileAnswer(columns=columns, rows=rows)

    def reference(self, content: bytes, name: str, normalisation: str) -> answers.ReferenceAnswer:
        """An uploaded spectrum."""
        spectrum = uploads.read_reference(content, name, normalisation, self.settings)
        return answers.ReferenceAnswer(
            name=uploads.label_of(name) or "reference",
            quantity=spectrum.quantity,
            unit=spectrum.unit,
            normalisation=spectrum.normalisation,
            spectrum=answers.SpectrumAnswer(
                grid=spectrum.grid.tolist(), values=spectrum.values.tolist()
            ),
        )


def _model_answer(predictor: AnyPredictor) -> answers.ModelAnswer:
    info = predictor.info
    return answers.ModelAnswer(
        name=predictor.name,
        property=quantity(info.quantity).asked_as,
        quantity=info.quantity,
        unit=info.unit,
        normalisation=info.normalisation,
        dataset=info.trained.dataset.name,
        n_train=info.trained.dataset.n_train,
        has_error_bars=predictor.calibration is not None,
        shipped=predictor.name in (*shipped_weights(), *HAMILTONIANS),
        elements=[SYMBOLS[z] for z in sorted(info.elements)],
    )


def _examples() -> list[answers.ExampleAnswer]:
    tiny = load_tiny()
    crystals = dict(zip(tiny.ids, tiny.crystals, strict=True))
    found = []
    for name in EXAMPLES:
        analyzer = SpacegroupAnalyzer(crystals[name].to_structure())
        cell = analyzer.get_conventional_standard_structure()
        text = cell.to(fmt="cif")
        found.append(answers.ExampleAnswer(name=name, file_name=f"{name}.cif", text=text))
    return found


def _drawn(crystal: Crystal, outcome: Spectrum | BandStructure) -> answers.DrawnStructure:
    meta = outcome.metadata
    assert outcome.crystal is not None
    elements = np.unique(crystal.atomic_numbers)
    return answers.DrawnStructure(
        name=outcome.name,
        formula=meta["formula"],
        crystal_system=meta["crystal_system"],
        space_group_symbol=meta["space_group_symbol"],
        space_group_number=meta["space_group_number"],
        n_atoms_primitive=outcome.crystal.n_atoms,
        lattice=crystal.lattice.tolist(),
        fractional_coordinates=crystal.fractional_coordinates.tolist(),
        symbols=[SYMBOLS[z] for z in crystal.atomic_numbers],
        colours={SYMBOLS[z]: _hex(jmol_colors[z]) for z in elements},
        radii={SYMBOLS[z]: float(covalent_radii[z]) for z in elements},
        cif=crystal.to_structure().to(fmt="cif"),
        cif_primitive=outcome.crystal.to_structure().to(fmt="cif"),
    )


def _hex(colour: np.ndarray) -> str:
    return "#" + "".join(f"{round(255 * float(part)):02x}" for part in colour)


def _prediction(predictor: AnyPredictor, outcome: Any) -> answers.PredictionAnswer:
    is_bands, kind = isinstance(outcome, BandStructure), outcome.kind
    return answers.PredictionAnswer(
        model=predictor.name,
        quantity=outcome.quantity,
        title=kind.heading,
        axis=f"{kind.axis}, {kind.axis_unit.text}",
        unit=outcome.unit,
        normalisation="" if is_bands else outcome.normalisation,
        scale="" if is_bands else kind.normalisations[outcome.normalisation].label,
        familiarity=outcome.metadata.get("familiarity"),
        spectrum=None if is_bands else _spectrum(outcome),
        bands=_bands(outcome) if is_bands else None,
        properties=[*_crystal_properties(outcome), *_properties(predictor, outcome)],
        thermal=_thermal(outcome, predictor.calibration) if outcome.kind.thermal else None,
        csv=outcome.to_csv(),
    )


def _spectrum(spectrum: Spectrum) -> answers.SpectrumAnswer:
    lower, upper = (None, None) if spectrum.std is None else spectrum.interval(0.9)
    return answers.SpectrumAnswer(
        grid=spectrum.grid.tolist(),
        values=spectrum.values.tolist(),
        lower_90=None if lower is None else lower.tolist(),
        upper_90=None if upper is None else upper.tolist(),
    )


def _bands(bands: BandStructure) -> answers.BandsAnswer:
    lower, upper = (None, None) if bands.std is None else bands.interval(0.9)
    return answers.BandsAnswer(
        distances=bands.kpoints.distances.tolist(),
        labels=list(bands.kpoints.labels),
        energies=bands.energies.tolist(),
        lower_90=None if lower is None else lower.tolist(),
        upper_90=None if upper is None else upper.tolist(),
    )


def _thermal(
    spectrum: Spectrum, calibration: Calibration | BandCalibration | None
) -> answers.ThermalCurves | None:
    """C_V and entropy from 0 to 1000 K; None for a density of states without any weight."""
    grid = spectrum.grid
    functions = {"heat_capacity": heat_capacity, "entropy": entropy}
    try:
        curves = {name: of(grid, spectrum.values, TEMPERATURES) for name, of in functions.items()}
    except DataError:
        return None

    def widths(name: str) -> list[float] | None:
        found = [
            thermal_property(name, kelvin).half_width(spectrum, calibration)
            for kelvin in TEMPERATURES.tolist()
        ]
        return [half for half in found if half is not None] or None

    return answers.ThermalCurves(
        temperature_K=TEMPERATURES.tolist(),
        heat_capacity=curves["heat_capacity"].tolist(),
        entropy=curves["entropy"].tolist(),
        heat_capacity_half_width_90=widths("heat_capacity"),
        entropy_half_width_90=widths("entropy"),
    )


def _crystal_properties(outcome: Spectrum | BandStructure) -> list[answers.PropertyAnswer]:
    """What follows from the structure alone; `Property.of` asks for nothing that bands lack."""
    return [_property(item, item.of(outcome)) for item in CRYSTAL_PROPERTIES]  # type: ignore[arg-type]


def _property(
    item: Property, value: Any, half_width: float | None = None
) -> answers.PropertyAnswer:
    return answers.PropertyAnswer(
        name=item.name,
        description=item.description,
        value=value,
        unit=item.unit,
        half_width_90=half_width,
    )


def _properties(predictor: AnyPredictor, outcome: Any) -> list[answers.PropertyAnswer]:
    known = Properties(predictor.info)
    names = [name for name in known.own if name != "familiarity"]  # which has its own field
    if outcome.kind.thermal:
        names += [f"{name}_{ROOM:g}K" for name in THERMAL]
    found = [
        _property(item, item.of(outcome), item.half_width(outcome, predictor.calibration))
        for item in map(known.__getitem__, names)
    ]
    return [answer for answer in found if answer.value is not None]
