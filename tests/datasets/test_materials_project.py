"""The Materials Project download against a client that answers in the documented format.

No network: `Server` stands in for ``mp_api.client.MPRester`` with ``use_document_model=False``. The
form of its answers follows mp-api 0.46 and emmet-core 0.87 (`SummaryDoc` as a dict, DOS as
pymatgen's ``Dos``), messages of errors those of its ``MPRestError``.
"""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import types

import numpy as np
import pytest
from pymatgen.analysis.magnetism import Ordering

from tests.datasets.dos_files import DENSITIES, SILICON, complete_dos, dos
from vanhove.datasets import materials_project
from vanhove.datasets.electron_folder import load_electron_folder
from vanhove.datasets.materials_project import fetch_materials_project
from vanhove.errors import DataError, MissingExtraError

SUMMARY = {
    "formula_pretty": "Si",
    "band_gap": 0.61,
    "is_metal": False,
    "efermi": 1.5,
    "fields_not_requested": ["task_ids"],
}


class MPRestError(Exception):
    pass


def refused(status: int, detail: str) -> MPRestError:
    return MPRestError(
        f"REST query returned with error status code {status} on URL "
        f"https://api.materialsproject.org/materials/summary/?_limit=1 with message:\n{detail}"
    )


BUSY = refused(429, "API rate limit exceeded")
DOWN = refused(503, "Service Unavailable")
RETRIES = MPRestError(
    "HTTPSConnectionPool(host='api.materialsproject.org', port=443): Max retries exceeded with "
    "url: /materials/summary/ (Caused by ResponseError('too many 502 error responses'))"
)
NO_DOS = MPRestError("No density of states data found for mp-3")


class Server:
    """Materials mp-1 to mp-n. ``trouble`` gives the errors raised before an answer, by material
    (or "list", "summaries"); ``[error, ...]`` raises it for ever."""

    def __init__(self, n: int = 5, **trouble):
        self.ids = [f"mp-{k}" for k in range(n, 0, -1)]
        self.trouble = {key.replace("_", "-"): list(errors) for key, errors in trouble.items()}
        self.calls: list[str] = []
        self.waits: list[float] = []
        self.queries: list[dict] = []
        self.materials = types.SimpleNamespace(summary=types.SimpleNamespace(search=self._search))

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)

    def _raise(self, key: str) -> None:
        self.calls.append(key)
        errors = self.trouble.get(key, [])
        if len(errors) == 2 and errors[1] is ...:
            raise errors[0]
        if errors:
            raise errors.pop(0)

    def _search(self, **query) -> list[dict]:
        self.queries.append(query)
        if "material_ids" not in query:
            self._raise("list")
            return [{"material_id": material} for material in self.ids]
        self._raise("summaries")
        return [
            {"material_id": material, "structure": SILICON.as_dict(), **SUMMARY}
            for material in query["material_ids"]
            if material in self.ids
        ]

    def get_dos_by_material_id(self, material_id: str, load_projections: bool = False):
        self._raise(material_id)
        return complete_dos() if load_projections else dos()


def fetch(folder, server, **options):
    options = {"quiet": True, "requests_per_second": 1e9} | options
    return fetch_materials_project(folder, client=server, sleep=server.sleep, **options)


def manifest(folder) -> dict:
    return json.loads((folder / "manifest.json").read_text())


def test_folder_is_read_unchanged(tmp_path):
    server = Server()
    result = fetch(tmp_path / "mp", server, chunk_size=2)
    assert (result.listed, result.wanted, result.present, result.fetched) == (5, 5, 5, 5)
    assert server.queries[0] == {
        "magnetic_ordering": Ordering.NM,
        "deprecated": False,
        "has_props": ["dos"],
        "fields": ["material_id"],
    }
    assert [query["material_ids"] for query in server.queries[1:]] == [
        ["mp-1", "mp-2"],
        ["mp-3", "mp-4"],
        ["mp-5"],
    ]
    found, report = load_electron_folder(tmp_path / "mp", window=(-4, 4), quiet=True)
    assert [item.id for item in found] == ["mp-1", "mp-2", "mp-3", "mp-4", "mp-5"]
    assert not report.failed
    np.testing.assert_array_equal(found[0].densities, DENSITIES)
    assert found[0].crystal.formula == "Si"
    entry = json.loads(gzip.decompress((tmp_path / "mp" / "mp-1.json.gz").read_bytes()))
    assert entry["structure_from"] == "summary"
    assert entry["summary"]["band_gap"] == 0.61


def test_structure_of_the_dos_calculation_wins(tmp_path):
    fetch(tmp_path, Server(1), projections=True)
    entry = json.loads(gzip.decompress((tmp_path / "mp-1.json.gz").read_bytes()))
    assert entry["structure_from"] == "dos"


def test_limit_grows_without_fetching_again(tmp_path):
    assert fetch(tmp_path, Server(), limit=2).present == 2
    server = Server()
    result = fetch(tmp_path, server, limit=4)
    assert (result.present, result.fetched) == (4, 2)
    assert server.calls == ["summaries", "mp-3", "mp-4"]


def test_busy_server_is_asked_again_and_later(tmp_path):
    server = Server(3, mp_2=[BUSY, DOWN, RETRIES, ConnectionError("reset")], list=[BUSY])
    assert fetch(tmp_path, server).present == 3
    assert server.calls.count("mp-2") == 5
    assert [wait for wait in server.waits if wait >= 1] == [2, 2, 4, 8, 16]


def test_rate_limit(tmp_path, monkeypatch):
    """Each request waits for the rest of its share of a second."""
    now = [0.0]
    server = Server(3)
    monkeypatch.setattr(materials_project.time, "monotonic", lambda: now[0])

    def sleep(seconds):
        now[0] += seconds

    fetch_materials_project(tmp_path, client=server, sleep=sleep, requests_per_second=2, quiet=True)
    assert len(server.calls) == 5
    assert now[0] == pytest.approx(2.0)


def test_failures_are_kept_with_reasons(tmp_path):
    server = Server(5, mp_3=[NO_DOS, ...], mp_4=[DOWN, ...])
    server.get_dos_by_material_id = _without(server, "mp-5")
    result = fetch(tmp_path, server)
    assert result.present == 2
    assert set(result.failed) == {"mp-3", "mp-4", "mp-5"}
    assert "No density of states data" in result.failed["mp-3"]
    assert "status code 503" in result.failed["mp-4"]
    assert result.failed["mp-5"] == "it has no DOS"
    assert manifest(tmp_path)["counts"] == {"listed": 5, "files": 2, "failed": 3}
    _, report = load_electron_folder(tmp_path, quiet=True)
    assert {item.id for item in report.failed} == {"mp-3", "mp-4", "mp-5"}
    # Again: only what the server did not answer; with retry_failed, all three.
    again = Server(5)
    result = fetch(tmp_path, again)
    assert again.calls == ["summaries", "mp-4"]
    assert set(result.failed) == {"mp-3", "mp-5"}
    assert fetch(tmp_path, Server(5), retry_failed=True).failed == {}


def _without(server, missing):
    answer = server.get_dos_by_material_id
    return lambda material: None if material == missing else answer(material)


def test_server_that_is_down_stops_the_download(tmp_path):
    server = Server(6, **{f"mp_{k}": [DOWN, ...] for k in range(2, 7)})
    with pytest.raises(DataError, match=r"does not answer .*503.*same command again"):
        fetch(tmp_path, server)
    assert "mp-5" not in server.calls
    assert manifest(tmp_path)["counts"] == {"listed": 6, "files": 1, "failed": 3}
    assert fetch(tmp_path, Server(6)).present == 6
    with pytest.raises(DataError, match="does not list its materials"):
        fetch(tmp_path / "new", Server(list=[DOWN, ...]))


def test_client_that_does_not_fit_is_no_lack_of_dos(tmp_path):
    """An error of the client's own code ends the download and marks nothing as without a DOS."""
    broken = TypeError("got an unexpected keyword argument 'load_projections'")
    with pytest.raises(DataError, match=r"unexpected keyword.*update mp-api"):
        fetch(tmp_path, Server(4, **{f"mp_{k}": [broken, ...] for k in range(1, 5)}))
    assert not any(item["permanent"] for item in manifest(tmp_path)["failed"].values())
    assert fetch(tmp_path, Server(4)).present == 4


def test_interrupt_writes_the_manifest(tmp_path):
    server = Server(5, mp_2=[NO_DOS], mp_3=[KeyboardInterrupt()])
    with pytest.raises(KeyboardInterrupt):
        fetch(tmp_path, server)
    assert manifest(tmp_path)["counts"] == {"listed": 5, "files": 1, "failed": 1}
    again = Server(5)
    assert fetch(tmp_path, again).present == 4
    assert again.calls == ["summaries", "mp-3", "mp-4", "mp-5"]


KILLED = """
import os, sys
sys.path.insert(0, {root!r})
from pathlib import Path
from tests.datasets.test_materials_project import Server, fetch
server = Server(5)
replace = os.replace
def dies(part, path):
    if Path(path).name == "mp-3.json.gz":
        os._exit(9)
    replace(part, path)
os.replace = dies
fetch(Path({folder!r}), server)
"""


def test_kill_in_the_middle_of_a_file(tmp_path, request):
    """The process dies while it writes mp-3: no half file, and the next call takes up there."""
    root = str(request.config.rootpath)
    code = KILLED.format(root=root, folder=str(tmp_path))
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 9
    names = sorted(file.name for file in tmp_path.iterdir() if not file.name.startswith("."))
    assert names == ["manifest.json", "mp-1.json.gz", "mp-2.json.gz"]
    assert [file for file in tmp_path.iterdir() if file.name.startswith(".part-")]
    server = Server(5)
    assert fetch(tmp_path, server).present == 5
    assert server.calls == ["summaries", "mp-3", "mp-4", "mp-5"]
    assert not [file for file in tmp_path.iterdir() if file.name.startswith(".")]


def test_folder_of_something_else(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(DataError, match=r"holds other files and no manifest\.json"):
        fetch(tmp_path, Server())
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(DataError, match="no manifest of a download"):
        fetch(tmp_path, Server())
    (tmp_path / "manifest.json").write_text(
        json.dumps({"source": "another", "query": {}, "materials": [], "failed": {}})
    )
    with pytest.raises(DataError, match="of another download"):
        fetch(tmp_path, Server())


def test_key(tmp_path, monkeypatch):
    for name in ("MP_API_KEY", "PMG_MAPI_KEY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(DataError, match="no key of the Materials Project; set MP_API_KEY"):
        fetch_materials_project(tmp_path)
    monkeypatch.setenv("PMG_MAPI_KEY", "k" * 32)
    monkeypatch.setitem(sys.modules, "mp_api.client", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'vanhove\[mp\]'"):
        fetch_materials_project(tmp_path)
    seen = {}
    client = types.ModuleType("mp_api.client")
    client.MPRester = lambda **options: seen.update(options) or Server(1)
    monkeypatch.setitem(sys.modules, "mp_api.client", client)
    assert fetch_materials_project(tmp_path, quiet=True, requests_per_second=1e9).present == 1
    assert seen["api_key"] == "k" * 32
    with pytest.raises(DataError, match="refuses the key"):
        fetch(tmp_path / "new", Server(list=[refused(403, "Forbidden")]))
    assert not [f for f in tmp_path.rglob("*") if f.is_file() and b"kkkk" in f.read_bytes()]


def test_options_that_make_no_sense(tmp_path):
    for options in ({"limit": 0}, {"chunk_size": 0}, {"requests_per_second": 0}):
        with pytest.raises(DataError, match=r"1 or more|above 0"):
            fetch(tmp_path, Server(), **options)


def test_command(tmp_path, monkeypatch, capsys):
    from vanhove import cli

    client = types.ModuleType("mp_api.client")
    client.MPRester = lambda **_: Server(3)
    monkeypatch.setitem(sys.modules, "mp_api.client", client)
    monkeypatch.setenv("MP_API_KEY", "k" * 32)
    arguments = ["vanhove", "data", "fetch-mp", "-o", str(tmp_path / "mp"), "--limit", "2", "-q"]
    monkeypatch.setattr(sys, "argv", [*arguments, "--requests-per-second", "1000"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert not ended.value.code
    assert "2 of 2 materials, 2 of them new; 0 failed" in capsys.readouterr().out
