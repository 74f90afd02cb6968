"""Download electron DOS or bands of the Materials Project with the user's key, through mp-api.

One file per material, so that a download that was stopped continues where it was. The folder is
read by `vanhove.datasets.electron_folder.load_electron_folder`, of bands by
`vanhove.datasets.band_folder.load_band_folder`.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar
from uuid import uuid4

from vanhove.datasets.electron_folder import MANIFEST
from vanhove.errors import DataError, MissingExtraError
from vanhove.progress import track

KEY_VARIABLES = ("MP_API_KEY", "PMG_MAPI_KEY")
QUERY = {"magnetic_ordering": "NM", "deprecated": False, "has_props": ["dos"]}
"""What is asked for: non-magnetic, not deprecated, with a DOS."""
QUERIES = {"dos": QUERY, "bands": QUERY | {"has_props": ["bandstructure"]}}
FIELDS = ("material_id", "structure", "formula_pretty", "band_gap", "is_metal", "efermi")
_SOURCES = {
    "dos": "Materials Project, electron DOS",
    "bands": "Materials Project, electron bands",
}
_ATTEMPTS = 6
_FIRST_WAIT, _LONGEST_WAIT = 2.0, 120.0
_GIVE_UP_AFTER = 3
"""Materials in a row that the server did not answer for."""
_STATUS = re.compile(r"(?:status code|too many) (\d{3})")
_NO_ANSWER = re.compile(
    r"time(?:d )?[ -]?out|connection|max retries|failed to retrieve object|name resolution",
    re.IGNORECASE,
)

T = TypeVar("T")


class _NoAnswer(Exception):
    """The server did not answer, or answered 429 or 5xx, in every attempt; or the client failed."""


class _Unavailable(Exception):
    """The server answered, and this material is not to be had."""


@dataclass
class FetchResult:
    """What a call of `fetch_materials_project` did.

    Attributes:
        listed: materials that the query finds.
        wanted: how many of them were asked for.
        present: how many of these lie in the folder now.
        fetched: how many of these came in this call.
        failed: id -> reason of those that could not be had.
    """

    listed: int
    wanted: int
    present: int = 0
    fetched: int = 0
    failed: dict[str, str] = field(default_factory=dict)


def fetch_materials_project(
    folder: str | Path,
    *,
    limit: int | None = None,
    chunk_size: int = 100,
    requests_per_second: float = 5.0,
    projections: bool = False,
    retry_failed: bool = False,
    what: Literal["dos", "bands"] = "dos",
    quiet: bool = False,
    client: Any = None,
    sleep: Callable[[float], None] = time.sleep,
) -> FetchResult:
    """Fetch electron DOS of non-magnetic, not deprecated materials into a folder.

    A file ``mp-149.json.gz`` for each material holds its id, structure, DOS (pymatgen's ``Dos``,
    both spins where there are two) and the summary's gap, metal flag and Fermi level.
    ``manifest.json`` holds what was asked for, the ids found, counts, and failures with reasons;
    it is written after each chunk and whenever the download stops. The same call continues: what
    is there is not fetched again; what the server did not answer is asked for again.

    Materials come in the order of their numbers, so that a larger ``limit`` adds to a smaller one.

    The structure is that of the DOS calculation where the client gives it (mp-api before 0.46, or
    ``projections``), else that of the material's summary; ``structure_from`` in each file says
    which.

    Args:
        folder: is made if need be.
        limit: how many materials; None for all.
        chunk_size: materials per summary request.
        requests_per_second: at most; for a DOS, mp-api makes two requests of its own.
        projections: also fetch the projected DOS (large), to get the structure of its calculation.
        retry_failed: ask again for materials that failed for good, such as those without a DOS.
        what: ``"bands"`` fetches band structures along lines instead.
        quiet: no progress bar.
        client: in place of ``mp_api.client.MPRester``.
        sleep: waits that many seconds.

    Raises:
        MissingExtraError: mp-api is not installed.
        DataError: no key, the key is refused, the server does not answer, or the folder holds
            something else. What was fetched until then stays.
    """
    if limit is not None and limit < 1:
        raise DataError(f"limit {limit}; allowed: 1 or more, or None for all")
    if chunk_size < 1 or requests_per_second <= 0:
        raise DataError(
            f"chunk_size {chunk_size}, requests_per_second {requests_per_second}; both must be "
            "above 0"
        )
    target = Path(folder)
    if client is None:
        client = _client()
    manifest = _Manifest.open(target, what)
    ask = _Asker(1 / requests_per_second, sleep)
    if not manifest.materials:
        manifest.materials = _list_materials(client, ask, QUERIES[what])
        manifest.write()
    wanted = manifest.materials[:limit]
    result = FetchResult(len(manifest.materials), len(wanted))
    missing = [
        material
        for material in wanted
        if not _file(target, material).is_file()
        and (retry_failed or not manifest.failed.get(material, {}).get("permanent"))
    ]
    unanswered = 0
    try:
        for k, material in enumerate(track(missing, f"fetching electron {what}", quiet)):
            if k % chunk_size == 0:
                manifest.write()
                summaries = _summaries(client, ask, missing[k : k + chunk_size])
            try:
                summary = summaries.get(material)
                if what == "bands":
                    entry = _bands_entry(client, ask, material, summary)
                else:
                    entry = _entry(client, ask, material, summary, projections)
            except _NoAnswer as error:
                manifest.failed[material] = {"reason": str(error), "permanent": False}
                unanswered += 1
                if unanswered == _GIVE_UP_AFTER:
                    raise
                continue
            except _Unavailable as error:
                manifest.failed[material] = {"reason": str(error), "permanent": True}
            else:
                _write(_file(target, material), gzip.compress(json.dumps(entry).encode(), mtime=0))
                manifest.failed.pop(material, None)
                result.fetched += 1
            unanswered = 0
    except _NoAnswer as error:
        raise DataError(
            f"the Materials Project does not answer ({error}); give the same command again later, "
            "or update mp-api"
        ) from error
    finally:
        manifest.write()
    result.present = sum(_file(target, material).is_file() for material in wanted)
    result.failed = {m: manifest.failed[m]["reason"] for m in wanted if m in manifest.failed}
    return result


def _client() -> Any:
    keys = [os.environ[name] for name in KEY_VARIABLES if os.environ.get(name)]
    if not keys:
        raise DataError(
            f"no key of the Materials Project; set {KEY_VARIABLES[0]} to yours (free, from "
            "https://next-gen.materialsproject.org/api)"
        )
    try:
        from mp_api.client import MPRester
    except ImportError as error:
        raise MissingExtraError("mp-api", "mp", "the Materials Project download") from error
    try:
        return MPRester(api_key=keys[0], use_document_model=False, mute_progress_bars=True)
    except Exception as error:
        raise DataError(
            f"the Materials Project cannot be reached: {_words(error)}; check "
            f"{KEY_VARIABLES[0]} and the network"
        ) from error


class _Asker:
    """Calls the client, not too often, and again where the server is busy."""

    def __init__(self, interval: float, sleep: Callable[[float], None]):
        self.interval = interval
        self.sleep = sleep
        self.last = float("-inf")

    def __call__(self, request: Callable[..., T], *args: Any, **options: Any) -> T:
        wait = _FIRST_WAIT
        for attempt in range(1, _ATTEMPTS + 1):
            pause = self.last + self.interval - time.monotonic()
            if pause > 0:
                self.sleep(pause)
            self.last = time.monotonic()
            try:
                return request(*args, **options)
            except Exception as error:
                reason = _words(error)
                status = _STATUS.search(str(error))
                code = int(status[1]) if status else 0
                if code in (401, 403):
                    raise DataError(
                        f"the Materials Project refuses the key ({reason}); check "
                        f"{KEY_VARIABLES[0]}"
                    ) from error
                busy = code == 429 or 500 <= code <= 599
                again = busy or (not code and _no_answer(error))
                if not again and type(error).__name__ == "MPRestError":
                    raise _Unavailable(reason) from error
                if not again or attempt == _ATTEMPTS:
                    raise _NoAnswer(f"{type(error).__name__}: {reason}") from error
            self.sleep(min(wait, _LONGEST_WAIT))
            wait *= 2
        raise AssertionError("unreachable")


def _no_answer(error: Exception) -> bool:
    # requests' and deltalake's errors of the network are OSErrors.
    return isinstance(error, OSError) or bool(_NO_ANSWER.search(str(error)))


def _list_materials(client: Any, ask: _Asker, asked: dict[str, Any]) -> list[str]:
    """All ids that the query finds, by number."""
    from pymatgen.analysis.magnetism import Ordering

    query = asked | {"magnetic_ordering": Ordering(asked["magnetic_ordering"])}
    try:
        found = ask(client.materials.summary.search, **query, fields=["material_id"])
    except (_NoAnswer, _Unavailable) as error:
        raise DataError(
            f"the Materials Project does not list its materials ({error}); try again later, or "
            "update mp-api"
        ) from error
    ids = {str(_get(item, "material_id")) for item in found}
    if not ids:
        raise DataError("the Materials Project lists no material; update mp-api")
    return sorted(ids, key=_number_of)


def _number_of(material: str) -> tuple[str, int, str]:
    prefix, _, number = material.partition("-")
    return (prefix, int(number), "") if number.isdecimal() else (prefix, 0, number)


def _summaries(client: Any, ask: _Asker, materials: list[str]) -> dict[str, Any]:
    try:
        found = ask(client.materials.summary.search, material_ids=materials, fields=list(FIELDS))
    except _Unavailable as error:
        raise DataError(
            f"the Materials Project gives no summaries ({error}); update mp-api"
        ) from error
    return {str(_get(item, "material_id")): item for item in found}


def _entry(
    client: Any, ask: _Asker, material: str, summary: Any, projections: bool
) -> dict[str, Any]:
    """What is written for a material."""
    if summary is None:
        raise _Unavailable("it has no summary; it may have been removed since the list was made")
    options = {"load_projections": True} if projections else {}
    dos = ask(client.get_dos_by_material_id, material, **options)
    if dos is None:
        raise _Unavailable("it has no DOS")
    own = getattr(dos, "structure", None)
    structure = own or _get(summary, "structure")
    if structure is None:
        raise _Unavailable("it has no structure")
    try:
        return {
            "material_id": material,
            "structure": structure if isinstance(structure, dict) else structure.as_dict(),
            "structure_from": "dos" if own else "summary",
            "dos": {
                "@class": "Dos",
                "efermi": float(dos.efermi),
                "energies": [float(x) for x in dos.energies],
                "densities": {
                    str(int(spin)): [float(x) for x in values]
                    for spin, values in dos.densities.items()
                },
            },
            "summary": {name: _plain(_get(summary, name)) for name in FIELDS[2:]},
        }
    except (AttributeError, TypeError, ValueError) as error:
        raise _Unavailable(f"its DOS has another form ({_words(error)})") from error


def _bands_entry(client: Any, ask: _Asker, material: str, summary: Any) -> dict[str, Any]:
    """The same of bands, along the Setyawan-Curtarolo path that the client gives by default."""
    if summary is None:
        raise _Unavailable("it has no summary; it may have been removed since the list was made")
    bands = ask(client.get_bandstructure_by_material_id, material)
    if bands is None:
        raise _Unavailable("it has no bands along lines")
    structure = getattr(bands, "structure", None) or _get(summary, "structure")
    if structure is None:
        raise _Unavailable("it has no structure")
    try:
        return {
            "material_id": material,
            "structure": structure if isinstance(structure, dict) else structure.as_dict(),
            "bands": bands.as_dict(),
            "summary": {name: _plain(_get(summary, name)) for name in FIELDS[2:]},
        }
    except (AttributeError, TypeError, ValueError) as error:
        raise _Unavailable(f"its bands have another form ({_words(error)})") from error


@dataclass
class _Manifest:
    """What was asked for and what came of it."""

    path: Path
    what: str = "dos"
    materials: list[str] = field(default_factory=list)
    failed: dict[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def open(cls, folder: Path, what: str = "dos") -> _Manifest:
        path = folder / MANIFEST
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataError(
                f"cannot make {folder}: {error.strerror}; choose another folder"
            ) from error
        for part in folder.glob(".part-*"):
            part.unlink(missing_ok=True)
        if not path.exists():
            if any(not file.name.startswith(".") for file in folder.iterdir()):
                raise DataError(
                    f"{folder} holds other files and no {MANIFEST}; choose an empty folder"
                )
            return cls(path, what)
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            source, query = content["source"], content["query"]
            materials, failed = list(content["materials"]), dict(content["failed"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"{path}: no manifest of a download ({_words(error)}); choose a new folder"
            ) from error
        if (source, query) != (_SOURCES[what], QUERIES[what]):
            raise DataError(f"{path}: of another download, {source} {query}; choose a new folder")
        return cls(path, what, materials, failed)

    def write(self) -> None:
        content = {
            "source": _SOURCES[self.what],
            "query": QUERIES[self.what],
            "counts": {
                "listed": len(self.materials),
                "files": sum(1 for _ in self.path.parent.glob("*.json.gz")),
                "failed": len(self.failed),
            },
            "failed": self.failed,
            "materials": self.materials,
        }
        _write(self.path, json.dumps(content, indent=1).encode())


def _file(folder: Path, material: str) -> Path:
    return folder / f"{material}.json.gz"


def _write(path: Path, content: bytes) -> None:
    """All of the file or nothing, also where the process is killed."""
    part = path.with_name(f".part-{uuid4().hex}")
    try:
        part.write_bytes(content)
        os.replace(part, path)
    except OSError as error:
        raise DataError(
            f"cannot write {path}: {error.strerror}; make room, then give the same command again"
        ) from error
    finally:
        part.unlink(missing_ok=True)


def _get(item: Any, name: str) -> Any:
    """Of a document, which is a dict or an object by the client's settings."""
    return item.get(name) if isinstance(item, dict) else getattr(item, name, None)


def _plain(value: Any) -> Any:
    return value if isinstance(value, (bool, int, float, str, type(None))) else str(value)


def _words(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
