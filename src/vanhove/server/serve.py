"""`vanhove.serve`: imports nothing heavy, so that a missing extra is told at once."""

from __future__ import annotations

from collections.abc import Sequence

from vanhove.errors import MissingExtraError
from vanhove.server.settings import ServerSettings


def serve(
    models: Sequence[str] = (),
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    workers: int = 1,
    queue: int = 64,
    max_atoms: int = 500,
    seconds: float = 60.0,
    structures: str | None = None,
    keep_hours: float = 168.0,
) -> None:
    """Serve the web page and the API until interrupted.

    Args:
        models: checkpoints and run folders besides the shipped weights.
        host: address to listen at.
        port: to listen at; 0 takes a free one.
        workers: processes that predict.
        queue: requests that may wait before 429.
        max_atoms: in the cell of a structure.
        seconds: for one prediction.
        structures: a file or folder to search on the page, as `vanhove.screen` reads them; by
            default the crystals of the shipped electron data.
        keep_hours: that links to results work.

    Raises:
        MissingExtraError: the extra ``serve`` is not installed.
        ConfigError: the models cannot be loaded, or the port is taken.
    """
    try:
        from vanhove.server.app import run_server
    except ModuleNotFoundError as error:
        raise MissingExtraError(str(error.name), "serve", "vanhove serve") from None
    settings = ServerSettings(
        models=tuple(models),
        workers=workers,
        queue=queue,
        max_atoms=max_atoms,
        seconds=seconds,
        structures=structures,
        result_seconds=3600.0 * keep_hours,
    )
    run_server(settings, host, port)
