"""What a server offers and the limits it keeps."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ServerSettings:
    """Settings of `vanhove.server.app.create_app`.

    Attributes:
        models: checkpoints and run folders besides the shipped weights.
        structures: file or folder to search, as `vanhove screen` reads them; by default crystals
            of the shipped electron data.
        workers: processes that read and predict.
        queue: requests that may wait; more are answered 429.
        seconds: for one request in a worker.
        upload_seconds: for the body of a request to arrive.
        max_bytes: of a structure or a spectrum.
        max_lines: of a structure or a spectrum; ten times as many where there may be several.
        max_atoms: of the cell that is given.
        memory_gigabytes: of data in one worker.
        max_batch_bytes: of all files of a batch.
        max_batch_structures: of a batch, and of a file in it; at most 1000 files.
        max_batches: kept at a time; ended ones make room.
        batch_seconds: that an ended batch is kept.
        max_results: kept for links to them, the last ones asked for.
        max_result_bytes: of all that are kept.
        result_seconds: that a result is kept.
    """

    models: tuple[str, ...] = ()
    structures: str | None = None
    workers: int = 1
    queue: int = 64
    seconds: float = 60.0
    upload_seconds: float = 30.0
    max_bytes: int = 2_000_000
    max_lines: int = 20_000
    max_atoms: int = 500
    memory_gigabytes: float = 4.0
    max_batch_bytes: int = 50_000_000
    max_batch_structures: int = 1000
    max_batches: int = 8
    batch_seconds: float = 3600.0
    max_results: int = 500
    max_result_bytes: int = 200_000_000
    result_seconds: float = 7 * 86400.0
