"""The service: routes, and nothing that reads structures."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, Literal

import uvicorn
from fastapi import FastAPI, File, Form, HTTPException, Query, Request, Response, UploadFile
from fastapi import Path as FromPath
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field

from vanhove.errors import ConfigError
from vanhove.server import answers
from vanhove.server.batches import Batches, FileBatch
from vanhove.server.guard import MULTIPART_ROOM, Guard
from vanhove.server.orders import (
    FileOrder,
    ModeOrder,
    PredictOrder,
    ReferenceOrder,
    SearchOrder,
    StructureOrder,
)
from vanhove.server.page_files import PageFile, page_files
from vanhove.server.pool import Answer, Busy, Pool
from vanhove.server.results import Result, Results, result_id
from vanhove.server.settings import ServerSettings
from vanhove.version import __version__

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
RETRY_AFTER = "2"
"""Seconds."""
MOST_MODELS = 10
MOST_REFERENCE_FILES = 40
NAME_LENGTH = 255
DESCRIPTION = """Predict the spectra of crystals from the structure alone.

Structures are CIF, POSCAR, extxyz or JSON text. Answers other than 200 and 202 hold a `detail`, one
line that says what was got and what is allowed. A full queue is answered 429 with `Retry-After`.
"""
ModelName = Annotated[str, Field(min_length=1, max_length=100)]
BatchId = Annotated[str, FromPath(max_length=64)]
FileName = Annotated[str, Field(max_length=NAME_LENGTH)]


class PredictRequest(BaseModel):
    """A structure as text."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field(min_length=1, description="CIF, POSCAR, extxyz or JSON")
    name: FileName = Field("", description="a file name; tells the format, else it is guessed")
    models: list[ModelName] = Field(
        min_length=1, max_length=MOST_MODELS, description="names as in /api/catalog"
    )


def _problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The documented errors of a route."""
    described = {
        400: "Not a form or no JSON",
        404: "Nothing of that id, or no longer",
        413: "The body is too large",
        422: "The structure, or another field, cannot be used",
        429: "Too many requests wait; come back after Retry-After seconds",
        503: "The workers cannot be started",
    }
    common = {
        403: "A page of another origin asks",
        408: "The body did not arrive in time",
        415: "The body is compressed",
        421: "Another host was meant",
    }
    chosen = {status: described[status] for status in statuses} | common
    return {
        status: {"model": answers.Problem, "description": text} for status, text in chosen.items()
    }


ASKING = _problems(400, 413, 422, 429, 503)


def create_app(
    settings: ServerSettings | None = None, *, pool: Pool | None = None, hosts: tuple[str, ...] = ()
) -> FastAPI:
    """The application, for any ASGI server.

    Args:
        settings: models and limits.
        pool: of workers, perhaps started; by default one is started with the application.
        hosts: names by which the server may be called; empty: any.

    Raises:
        MissingExtraError: plotly is not installed.
    """
    settings = settings or ServerSettings()
    workers = pool or Pool(settings)
    batches = Batches(workers, settings)
    results = Results(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        if not workers.catalog:
            await workers.start()
        yield
        batches.stop()
        workers.stop()

    app = FastAPI(
        title="vanhove",
        version=__version__,
        description=DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,  # these pages would load scripts from elsewhere
        redoc_url=None,
    )
    app.add_middleware(
        Guard,  # type: ignore[arg-type]
        hosts=hosts,
        body_limit=lambda path: (
            MULTIPART_ROOM
            + (settings.max_batch_bytes if path == "/api/batches" else settings.max_bytes)
        ),
        seconds=settings.upload_seconds,
    )

    @app.exception_handler(RequestValidationError)
    async def refuse(_: Request, error: RequestValidationError) -> JSONResponse:
        return JSONResponse({"detail": _first(error)}, 422)

    @app.exception_handler(Busy)
    async def busy(_: Request, __: Busy) -> JSONResponse:
        detail = f"too many requests wait; try again in {RETRY_AFTER} s"
        return JSONResponse({"detail": detail}, 429, {"Retry-After": RETRY_AFTER})

    @app.exception_handler(405)
    async def wrong_method(request: Request, _: HTTPException) -> JSONResponse:
        allowed = {
            method
            for route in app.routes
            if isinstance(route, APIRoute) and route.path_regex.match(request.url.path)
            for method in route.methods or ()
        }
        headers = {"Allow": ", ".join(sorted(allowed))}
        return JSONResponse({"detail": "Method Not Allowed"}, 405, headers)

    _add_predictions(app, workers, results, settings)
    _add_references(app, workers, settings)
    _add_results(app, workers, results)
    _add_archive(app, workers)
    _add_batches(app, batches, settings)
    for name, file in page_files().items():
        _add_file(app, name, file)
    return app


def _add_predictions(
    app: FastAPI, workers: Pool, results: Results, settings: ServerSettings
) -> None:
    async def predicted(content: bytes, name: str, models: list[str]) -> Response:
        content = _sized(content, settings)
        id_ = result_id(content, name, models)
        order = PredictOrder(id=id_, name=name, models=models)
        answer = await workers.ask(order, content)
        if answer.status == 200:
            results.keep(id_, content, name, answer.body)
        return _response(answer)

    @app.get("/api/catalog", response_model=answers.Catalog, responses=_problems())
    async def catalog() -> Response:
        """Models, examples and limits."""
        return Response(workers.catalog, media_type="application/json")

    @app.post("/api/predict", response_model=answers.PredictAnswer, responses=ASKING)
    async def predict(request: PredictRequest) -> Response:
        """Predict a structure that is given as text, with one or several models."""
        content = request.text.encode("utf-8", "replace")
        return await predicted(content, request.name, request.models)

    @app.post("/api/predict/file", response_model=answers.PredictAnswer, responses=ASKING)
    async def predict_file(
        file: Annotated[UploadFile, File(description="CIF, POSCAR, extxyz or JSON")],
        models: Annotated[
            list[ModelName], Form(min_length=1, max_length=MOST_MODELS, description="names")
        ],
    ) -> Response:
        """Predict a structure file, with one or several models."""
        return await predicted(await file.read(), _name(file), models)


def _add_references(app: FastAPI, workers: Pool, settings: ServerSettings) -> None:
    @app.post("/api/reference", response_model=answers.ReferenceAnswer, responses=ASKING)
    async def reference(
        files: Annotated[
            list[UploadFile],
            File(
                min_length=1,
                max_length=MOST_REFERENCE_FILES,
                description="JSON or CSV of vanhove, or the files of one calculation",
            ),
        ],
        normalisation: Annotated[
            Literal["max", "sum", "3N", "states/eV/cell", "min-max"],
            Form(description="that the density is brought to"),
        ] = "max",
        formula: Annotated[str, Form(max_length=100, description="of the prediction")] = "",
        n_atoms: Annotated[
            int | None, Form(ge=1, le=10**6, description="in the cell of the prediction")
        ] = None,
        entry: Annotated[FileName, Form(description="name of one of several entries")] = "",
        model: Annotated[
            str, Form(max_length=100, description="predicts bands on the path of the reference")
        ] = "",
    ) -> Response:
        """Read a calculated or measured spectrum, to lay it over a predicted one."""
        contents = [await file.read() for file in files]
        order = ReferenceOrder(
            sizes=[(_name(f), len(c)) for f, c in zip(files, contents, strict=True)],
            normalisation=normalisation,
            formula=formula,
            n_atoms=n_atoms,
            entry=entry,
            model=model,
        )
        return _response(await workers.ask(order, _sized(b"".join(contents), settings)))


def _add_results(app: FastAPI, workers: Pool, results: Results) -> None:
    def known(id_: str) -> Result:
        found = results.get(id_)
        if found is None:
            raise HTTPException(404, "no such result; they are kept for a while only")
        return found

    @app.get("/api/results/{id}", response_model=answers.PredictAnswer, responses=_problems(404))
    async def result(id: BatchId) -> Response:
        """A prediction that was asked for before: what a link to it shows."""
        return Response(known(id).body, media_type="application/json")

    @app.get(
        "/api/results/{id}/modes/{model}",
        response_model=answers.ModeAnswer,
        responses=_problems(404, 422, 429, 503),
    )
    async def mode(
        id: BatchId,
        model: Annotated[str, FromPath(max_length=100)],
        point: Annotated[int, Query(ge=0, le=10**6, description="of the path, from 0")],
        band: Annotated[int, Query(ge=0, le=10**6, description="from 0")],
    ) -> Response:
        """How the atoms move in a vibration."""
        found = known(id)
        order = ModeOrder(name=found.name, model=model, point=point, band=band)
        return _response(await workers.ask(order, found.content))

    @app.get(
        "/api/results/{id}/files/{model}/{name}",
        response_class=Response,
        responses=_problems(404, 422, 429, 503) | {200: {"content": {"text/plain": {}}}},
    )
    async def file(
        id: BatchId,
        model: Annotated[str, FromPath(max_length=100)],
        name: Annotated[str, FromPath(max_length=100)],
    ) -> Response:
        """A prediction as a file: one of its `downloads`."""
        found = known(id)
        order = FileOrder(name=found.name, model=model, file=name)
        answer = await workers.ask(order, found.content)
        if answer.status != 200:
            return _response(answer)
        disposition = {"Content-Disposition": f'attachment; filename="{name}"'}
        text = json.loads(answer.body)["text"]
        return Response(text, media_type="text/plain; charset=utf-8", headers=disposition)


def _add_archive(app: FastAPI, workers: Pool) -> None:
    @app.get("/api/search", response_model=answers.SearchAnswer, responses=ASKING)
    async def search(
        text: Annotated[str, Query(min_length=1, max_length=60, description="TiO2, Ti-O, mp-149")],
    ) -> Response:
        """Find structures of the archive by formula, elements or id."""
        return _response(await workers.ask(SearchOrder(text=text), b""))

    @app.get("/api/structures/{id}", response_model=answers.StoredStructure, responses=ASKING)
    async def structure(id: Annotated[str, FromPath(max_length=100)]) -> Response:
        """A structure of the archive, as CIF."""
        return _response(await workers.ask(StructureOrder(id=id), b""))


def _add_batches(app: FastAPI, batches: Batches, settings: ServerSettings) -> None:
    def known(id_: str) -> FileBatch:
        batch = batches.get(id_)
        if batch is None:
            raise HTTPException(404, "no such batch; ended ones are dropped after a while")
        return batch

    @app.post("/api/batches", status_code=202, response_model=answers.BatchAnswer, responses=ASKING)
    async def start_batch(
        files: Annotated[list[UploadFile], File(min_length=1, description="structure files")],
        model: Annotated[ModelName, Form(description="name")],
    ) -> answers.BatchAnswer:
        """Predict many structure files, each of which may hold several structures."""
        if len(files) > settings.max_batch_structures:
            raise HTTPException(
                413, f"{len(files)} files; allowed: {settings.max_batch_structures}"
            )
        if model not in batches.pool.models:
            known_models = ", ".join(batches.pool.models)
            raise HTTPException(422, f"no model of that name; allowed: {known_models}")
        contents = [(_name(file), await file.read()) for file in files]
        return batches.start(model, contents).answer()

    @app.get(
        "/api/batches/{id}",
        response_model=answers.BatchAnswer,
        responses=_problems(404, 422),
    )
    async def batch(
        id: BatchId,
        first_row: Annotated[int, Query(ge=0, le=10**9, description="leave out these")] = 0,
    ) -> answers.BatchAnswer:
        """Progress and rows."""
        return known(id).answer(first_row)

    @app.delete(
        "/api/batches/{id}",
        response_model=answers.BatchAnswer,
        responses=_problems(404, 422),
    )
    async def cancel_batch(id: BatchId) -> answers.BatchAnswer:
        """Stop a batch; the rows that are there stay."""
        found = known(id)
        found.cancel()
        return found.answer()

    @app.get(
        "/api/batches/{id}/table.csv",
        response_class=Response,
        responses=_problems(404, 422) | {200: {"content": {"text/csv": {}}}},
    )
    async def table(id: BatchId) -> Response:
        """The rows as a CSV file."""
        disposition = {"Content-Disposition": 'attachment; filename="vanhove-batch.csv"'}
        return Response(known(id).to_csv(), media_type="text/csv", headers=disposition)


def _add_file(app: FastAPI, name: str, file: PageFile) -> None:
    headers = {"ETag": file.tag, "Cache-Control": "no-cache", "Vary": "Accept-Encoding"}

    @app.get(f"/{name}", include_in_schema=False)
    async def page(request: Request) -> Response:
        if request.headers.get("if-none-match") == file.tag:
            return Response(status_code=304, headers=headers)
        if "gzip" in request.headers.get("accept-encoding", ""):
            packed = headers | {"Content-Encoding": "gzip"}
            return Response(file.compressed, media_type=file.media_type, headers=packed)
        return Response(file.content, media_type=file.media_type, headers=headers)


def _response(answer: Answer) -> Response:
    return Response(answer.body, answer.status, media_type="application/json")


def _name(file: UploadFile) -> str:
    return (file.filename or "")[-NAME_LENGTH:]


def _sized(content: bytes, settings: ServerSettings) -> bytes:
    if len(content) > settings.max_bytes:
        raise HTTPException(
            413, f"{len(content):,} bytes; allowed for one file: {settings.max_bytes:,}"
        )
    return content


def _first(error: RequestValidationError) -> str:
    """One line of a validation error."""
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    return f"{place}: {first['msg']}".encode("utf-8", "replace").decode()


def run_server(settings: ServerSettings, host: str = "127.0.0.1", port: int = 8000) -> None:
    """Run the server until it is interrupted.

    Args:
        settings: models and limits.
        host: address to listen at; on a loopback address requests must name a loopback host.
        port: to listen at; 0 takes a free one.

    Raises:
        ConfigError: the models cannot be loaded, or the port is taken.
        MissingExtraError: plotly is not installed.
    """
    asyncio.run(_serve(settings, host, port))


async def _serve(settings: ServerSettings, host: str, port: int) -> None:
    is_local = host in LOOPBACK or host == "::1"
    pool = Pool(settings)
    app = create_app(settings, pool=pool, hosts=LOOPBACK if is_local else ())
    with _listen(host, port) as listening:
        config = uvicorn.Config(
            app, log_level="warning", server_header=False, timeout_keep_alive=10
        )
        await pool.start()
        shown = f"[{host}]" if ":" in host else host
        print(f"http://{shown}:{listening.getsockname()[1]}  (Ctrl-C ends it)", flush=True)
        try:
            await uvicorn.Server(config).serve(sockets=[listening])
        finally:
            pool.stop()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=1024)
    except OSError as error:
        raise ConfigError(
            f"cannot listen at {host}, port {port}: {error.strerror}; choose another --port"
        ) from None
