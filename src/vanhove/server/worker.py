"""The process that reads uploads and predicts; it may die alone.

It gets a JSON order and the bytes of an upload, and answers with a status and JSON: no pickle
crosses in either direction. It opens no file once its models are loaded, except those of a
calculation, in a temporary folder (`vanhove.server.references`).
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from multiprocessing.connection import Connection

import numpy as np
import torch
from pydantic import BaseModel
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

from vanhove.crystal.crystal import Crystal
from vanhove.crystal.elements import SYMBOLS
from vanhove.datasets.tiny import load_tiny
from vanhove.errors import ConfigError, StructureError, VanhoveError
from vanhove.prediction.electron_predictor import ElectronPredictor
from vanhove.prediction.loading import AnyPredictor, load
from vanhove.server import answers, uploads
from vanhove.server.archive import open_archive
from vanhove.server.deadline import TooLate, deadline
from vanhove.server.downloads import download
from vanhove.server.orders import (
    ORDER,
    FileOrder,
    ModeOrder,
    Order,
    PredictOrder,
    ReferenceOrder,
    SearchOrder,
    StructureOrder,
    TableOrder,
)
from vanhove.server.references import read_reference
from vanhove.server.settings import ServerSettings
from vanhove.server.views import View, cif_of, crystal_properties, drawn
from vanhove.spectra.bands import BandStructure
from vanhove.spectra.quantities import quantity
from vanhove.spectra.spectrum import Spectrum
from vanhove.version import __version__
from vanhove.weights import HAMILTONIANS, card_of, predicted_properties, shipped_weights

IN_TIME = 0.85
"""Share of the seconds of a request after which models are given up."""
SPARKS = 48
"""Points of a sparkline."""
EXAMPLES = ("NaCl", "Si", "MgO", "GaAs", "CaF2", "SrTiO3", "ZnO", "TiO2", "BaTiO3", "SiC")
"""Crystals of the tiny data set."""


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
        self.orders: dict[str, Callable[..., BaseModel]] = {
            "predict": self.predict,
            "table": self.table,
            "reference": self.reference,
            "mode": self.mode,
            "file": self.file,
            "search": self.search,
            "structure": self.structure,
        }
        self.archive = open_archive(settings.structures)

    def answer(self, order: Order, content: bytes) -> tuple[int, BaseModel]:
        """Status and answer of an order."""
        try:
            return 200, self.orders[order.what](content, order)
        except VanhoveError as error:
            return 422, answers.Problem(detail=str(error))
        except MemoryError:
            return 422, answers.Problem(detail="needs more memory than is allowed")

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
            n_archive=len(self.archive),
        )

    def _predictor(self, name: str) -> AnyPredictor:
        if name not in self.predictors:
            raise ConfigError(
                f"model {uploads.label_of(name)!r}; allowed: {', '.join(self.predictors)}"
            )
        return self.predictors[name]

    def predict(self, content: bytes, order: PredictOrder) -> answers.PredictAnswer:
        """One structure with several models."""
        predictors = [self._predictor(model) for model in dict.fromkeys(order.models)]
        (crystal,) = uploads.read_upload(content, order.name, self.settings)
        views: list[View] = []
        predictions: list[answers.PredictionAnswer] = []
        problems: list[StructureError] = []
        failed: list[answers.ModelProblem] = []
        end = time.monotonic() + IN_TIME * self.settings.seconds
        # The cheap models first: what is there when the time is over is answered.
        for predictor in sorted(predictors, key=lambda each: isinstance(each, ElectronPredictor)):
            try:
                with deadline(end):
                    view = View(predictor, crystal, predictor.predict(crystal))
                    predictions.append(view.answer())
                    views.append(view)
            except StructureError as error:
                problems.append(error)
            except TooLate:
                problems.append(StructureError(self._too_late(crystal), crystal.name or None))
            if len(problems) > len(failed):
                detail = problems[-1].reason
                failed.append(answers.ModelProblem(model=predictor.name, detail=detail))
        if not views:
            raise problems[0]
        asked = [predictor.name for predictor in predictors]
        return answers.PredictAnswer(
            vanhove=__version__,
            id=order.id,
            structure=drawn(crystal, views[0].outcome),
            predictions=sorted(predictions, key=lambda each: asked.index(each.model)),
            problems=failed,
        )

    def _too_late(self, crystal: Crystal) -> str:
        return (
            f"{crystal.n_atoms} atoms take longer than the {self.settings.seconds:g} s of this "
            "server; use vanhove predict, or start it with --seconds"
        )

    def _view(self, content: bytes, name: str, model: str) -> View:
        predictor = self._predictor(model)
        (crystal,) = uploads.read_upload(content, name, self.settings)
        return View(predictor, crystal, predictor.predict(crystal))

    def mode(self, content: bytes, order: ModeOrder) -> answers.ModeAnswer:
        """A vibration of an uploaded structure."""
        return self._view(content, order.name, order.model).mode(order.point, order.band)

    def file(self, content: bytes, order: FileOrder) -> answers.Download:
        """A prediction as a file of another program."""
        view = self._view(content, order.name, order.model)
        return answers.Download(text=download(view, order.file))

    def search(self, _: bytes, order: SearchOrder) -> answers.SearchAnswer:
        """Structures of the archive."""
        return self.archive.search(order.text)

    def structure(self, _: bytes, order: StructureOrder) -> answers.StoredStructure:
        """A structure of the archive."""
        text = cif_of(self.archive.crystal(order.id))
        return answers.StoredStructure(name=f"{order.id}.cif", text=text)

    def table(self, content: bytes, order: TableOrder) -> answers.FileAnswer:
        """Properties of all structures of a file."""
        predictor = self._predictor(order.model)
        crystals = uploads.read_upload(content, order.name, self.settings, several=True)

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
            view = View(predictor, crystal, outcome)
            found = [*crystal_properties(outcome), *view.outcome_properties()]
            columns |= {item.name: item.unit for item in found}
            values = {item.name: item.value for item in found}
            if "familiarity" in outcome.metadata:
                columns["familiarity"] = ""
                values["familiarity"] = outcome.metadata["familiarity"]
            rows.append(
                answers.Row(
                    name=outcome.name,
                    values=values,
                    warnings=list(outcome.warnings),
                    sparkline=_sparkline(outcome),
                    cif=cif_of(crystal),
                )
            )
        return answers.FileAnswer(columns=columns, rows=rows)

    def reference(self, content: bytes, order: ReferenceOrder) -> answers.ReferenceAnswer:
        """An uploaded calculation, beside a prediction of this server."""
        predictor = self._predictor(order.model) if order.model else None
        return read_reference(uploads.split(content, order), order, predictor, self.settings)


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
        is_default=predictor.name in predicted_properties().values(),
        card=card_of(predictor.name),
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


def _sparkline(outcome: Spectrum | BandStructure) -> list[float]:
    if isinstance(outcome, BandStructure):
        return []
    x = np.linspace(outcome.grid[0], outcome.grid[-1], SPARKS)
    values = np.interp(x, outcome.grid, outcome.values)
    return (values / max(values.max(), 1e-12)).round(3).tolist()
