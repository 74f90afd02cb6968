"""The service, over HTTP: what it answers, what it refuses, and that it lives on."""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import zipfile
from dataclasses import replace

import numpy as np
import pytest

import vanhove
from tests.conftest import STRUCTURES
from tests.crystal.broken_files import cif, write_broken_files
from tests.server.conftest import LIMITS, PHONONS
from vanhove.spectra import heat_capacity

SILICON = (STRUCTURES / "Si.cif").read_text()


def predict(server, text=SILICON, models=(PHONONS,), **fields):
    return server.client.post("/api/predict", json={"text": text, "models": models, **fields})


def upload(server, name, content, **fields):
    return server.client.post(
        "/api/predict/file", files={"file": (name, content)}, data={"models": [PHONONS], **fields}
    )


def prediction(answer, model=PHONONS):
    assert answer.status_code == 200, answer.text
    (found,) = [p for p in answer.json()["predictions"] if p["model"] == model]
    return found


def test_the_catalog_names_models_and_examples(server):
    catalog = server.client.get("/api/catalog").json()
    models = {model["name"]: model for model in catalog["models"]}
    assert models[PHONONS]["property"] == "phonon-dos"
    assert models["pair"]["has_error_bars"]
    assert not models["pair"]["shipped"]
    properties = {model["property"] for model in models.values()}
    assert properties == {"phonon-dos", "electron-dos", "bands"}
    assert catalog["limits"]["max_atoms"] == LIMITS["max_atoms"]
    for example in catalog["examples"]:
        predicted = predict(server, example["text"], name=example["file_name"])
        if predicted.status_code == 422:  # the training data of the shipped model
            assert "unsupported element" in predicted.json()["detail"]
        else:
            assert predicted.json()["structure"]["formula"] == example["name"]


def test_a_prediction_is_that_of_the_library(server):
    ours = vanhove.predict(STRUCTURES / "Si.cif", PHONONS)
    found = prediction(predict(server, name="Si.cif"))
    assert found["spectrum"]["grid"] == ours.grid.tolist()
    np.testing.assert_allclose(found["spectrum"]["values"], ours.values, atol=1e-5)
    np.testing.assert_allclose(
        found["thermal"]["heat_capacity"],
        heat_capacity(ours.grid, ours.values, np.array(found["thermal"]["temperature_K"])),
        rtol=1e-4,
    )
    values = {item["name"]: item for item in found["properties"]}
    assert values["mean_frequency"]["unit"] == "1/cm"
    assert values["crystal_system"]["value"] == "cubic"
    assert values["n_atoms"]["value"] == 2
    again = vanhove.Spectrum.from_csv(found["csv"])
    np.testing.assert_allclose(again.values, ours.values, atol=1e-5)


def test_several_models_on_one_structure(server):
    answer = predict(server, models=[PHONONS, "pair", "dostransformer-electron"]).json()
    assert [p["quantity"] for p in answer["predictions"]] == [
        "phonon_dos",
        "phonon_dos",
        "electron_dos",
    ]
    structure = answer["structure"]
    assert structure["crystal_system"] == "cubic"
    assert structure["symbols"] == ["Si"] * len(structure["fractional_coordinates"])
    assert vanhove.crystal.reading.parse_crystals(structure["cif"].encode(), "a.cif")


def test_an_ensemble_has_error_bars_and_familiarity(server):
    found = prediction(predict(server, models=["pair"]), "pair")
    spectrum = found["spectrum"]
    assert 0 <= found["familiarity"] <= 1
    assert (np.array(spectrum["lower_90"]) <= spectrum["values"]).all()
    assert (np.array(spectrum["upper_90"]) > spectrum["values"]).all()
    widths = {p["name"]: p["half_width_90"] for p in found["properties"]}
    assert widths["mean_frequency"] > 0
    assert widths["heat_capacity_300K"] > 0
    assert max(found["thermal"]["heat_capacity_half_width_90"]) > 0


def test_bands(server):
    found = prediction(predict(server, models=["bandformer-electron"]), "bandformer-electron")
    bands = found["bands"]
    assert np.shape(bands["energies"]) == (len(bands["distances"]), 6)
    assert len(bands["labels"]) == len(bands["distances"])
    assert "Γ" in bands["labels"]
    assert "is_metal" in {item["name"] for item in found["properties"]}
    assert 0 <= found["familiarity"] <= 1
    assert (np.array(bands["lower_90"]) < bands["energies"]).all()
    assert (np.array(bands["upper_90"]) > bands["energies"]).all()
    assert found["csv"].startswith("distance_per_angstrom,label")


@pytest.mark.parametrize("name", ["Si.cif", "", "structure.txt", "../../Si", "C:\\a\\Si.cif"])
def test_formats_are_guessed(server, name):
    assert prediction(predict(server, name=name))
    crystal = vanhove.read_crystal(STRUCTURES / "Si.cif")
    for text in (
        crystal.to_structure().to(fmt="poscar"),
        crystal.to_structure().to(fmt="json"),
        _extxyz(crystal),
    ):
        label = name if not name.endswith(".cif") else ""
        assert prediction(predict(server, text, name=label))


def _extxyz(crystal) -> str:
    stream = io.StringIO()
    from ase.io.extxyz import write_xyz

    write_xyz(stream, [crystal.to_atoms()])
    return stream.getvalue()


def test_broken_files_are_refused_for_their_reason(server, tmp_path):
    reasons = write_broken_files(tmp_path)
    for name in sorted(reasons):
        answer = upload(server, name, (tmp_path / name).read_bytes())
        assert answer.status_code == 422, (name, answer.text)
        if not name.endswith("noext"):
            assert re.search(reasons[name], answer.json()["detail"]), (name, answer.text)


def _zip_bomb() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("Si.cif", b"0" * 50_000_000)
    return stream.getvalue()


def _places(n: int) -> tuple[np.ndarray, str]:
    """So many places on a simple cubic lattice, and the edge of the cell."""
    side = round(n ** (1 / 3)) + 1
    places = np.stack(np.meshgrid(*[np.arange(side) / side] * 3), -1).reshape(-1, 3)[:n]
    return places, f"{2.7 * side:.3f}"


def _large_cell(n: int) -> str:
    places, edge = _places(n)
    sites = tuple(("Si", "Si", *(f"{x:.4f}" for x in place), "1") for place in places)
    return cif(sites, _cell_length_a=edge, _cell_length_b=edge, _cell_length_c=edge)


def _shifts(n: int) -> str:
    operations = "".join(f" 'x+{i / n:.4f},y,z'\n" for i in range(n))
    return f"loop_\n_space_group_symop_operation_xyz\n{operations}"


def _poscar(n: int) -> bytes:
    places, edge = _places(n)
    rows = "\n".join(" ".join(f"{x:.4f}" for x in place) for place in places)
    cell = f"{edge} 0 0\n0 {edge} 0\n0 0 {edge}"
    return f"x\n1\n{cell}\nSi\n{n}\nDirect\n{rows}\n".encode()


def _gadget() -> str:
    structure = vanhove.read_crystal(STRUCTURES / "Si.cif").to_structure().as_dict()
    for site in structure["sites"]:
        site["properties"] = {"x": {"@module": "no.such.module.at.all", "@class": "Y"}}
    return json.dumps(structure)


HOSTILE = {
    "zip bomb": ("Si.cif", _zip_bomb(), 422, "is binary"),
    "gzip bomb": ("Si.cif.gz", gzip.compress(b"0" * 50_000_000), 422, "is binary"),
    "million lines": ("m.cif", b"data_x\n" + b"#\n" * 100_000, 422, "lines; allowed"),
    "million long lines": ("m.cif", b"C1 C 0.0 0.0 0.0 1\n" * 1_000_000, 413, "larger than"),
    "10,000 atoms": (
        "large.cif",
        _large_cell(10_000).encode(),
        422,
        "lists 10000 atoms; allowed: 60",
    ),
    "10,000 atoms by symmetry": (
        "s.cif",
        _large_cell(59).replace("loop_", _shifts(200) + "loop_", 1).encode(),
        422,
        "took longer|atoms; allowed: 60|angstrom apart|occupancy|cannot be read",
    ),
    "10,000 atoms in a POSCAR": ("POSCAR", _poscar(10_000), 422, "10000 atoms; allowed: 60"),
    "control characters": ("c.cif", SILICON.replace("Si", "S\x01i").encode(), 422, "is binary"),
    "path-like name": ("../../../etc/passwd", b"root:x:0:0\n", 422, "^passwd.vasp: is cut off"),
    "device": ("/dev/zero", b"\n", 422, "^zero.vasp: is empty"),
    "truncated UTF-8": ("t.cif", "data_é".encode()[:-1], 422, "is not CIF|fract_x is missing"),
    "nested JSON": ("n.json", b"[" * 200_000, 422, "cannot be read"),
    "huge counts": (
        "POSCAR",
        b"x\n1\n4 0 0\n0 4 0\n0 0 4\nSi\n999999999999\nDirect\n0 0 0\n",
        422,
        "cannot be read|declares",
    ),
    "NaN": (
        "POSCAR",
        b"x\n1\nnan 0 0\n0 4 0\n0 0 4\nSi\n1\nDirect\n0 0 0\n",
        422,
        "lattice vector",
    ),
    "CIF that includes": ("i.cif", b"data_x\nloop_\n_a\n_atom_site_fract_x\n;/etc/passwd", 422, ""),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_uploads_are_refused_and_the_service_lives_on(server, kind):
    name, content, status, reason = HOSTILE[kind]
    answer = upload(server, name, content)
    assert answer.status_code == status, answer.text
    detail = answer.json()["detail"]
    assert re.search(reason, detail), detail
    assert len(detail) < 500
    assert detail.isprintable()
    assert "/tmp" not in detail
    assert predict(server).status_code == 200


def test_modules_named_in_json_are_not_imported(server):
    assert prediction(upload(server, "g.json", _gadget()))


def test_a_worker_that_dies_or_is_late_is_replaced(server, monkeypatch):
    (process,) = server.pool.workers
    process.process.kill()
    process.process.join()
    assert predict(server).status_code == 200
    n_starts = process.n_starts

    monkeypatch.setattr(process, "settings", replace(process.settings, seconds=0.01))
    answer = predict(server, _large_cell(50))
    monkeypatch.undo()
    assert answer.status_code == 422
    assert "took longer than 0.01 s" in answer.json()["detail"]
    assert predict(server).status_code == 200
    assert process.n_starts == n_starts + 1


def test_a_worker_that_dies_over_an_upload_dies_alone(server):
    (process,) = server.pool.workers
    assert predict(server).status_code == 200  # it runs
    pid = process.process.pid
    os.kill(pid, signal.SIGSTOP)
    answers = []
    asking = threading.Thread(target=lambda: answers.append(predict(server)))
    asking.start()
    time.sleep(0.3)
    os.kill(pid, signal.SIGKILL)
    asking.join(20)
    assert answers[0].status_code == 422
    assert "the process that read this ended" in answers[0].json()["detail"]
    assert predict(server).status_code == 200


def test_a_full_queue_is_answered_429(server):
    answers = []

    def ask():
        answers.append(predict(server, models=["bandformer-electron"]))

    threads = [threading.Thread(target=ask) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    statuses = {answer.status_code for answer in answers}
    assert statuses == {200, 429}
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert int(refused.headers["retry-after"]) > 0


def test_bodies(server):
    post = server.client.post
    assert post("/api/predict", content=b"x" * 700_000).status_code == 413
    streamed = post("/api/predict", content=(b"x" * 100_000 for _ in range(10)))
    assert streamed.status_code == 413
    packed = {"content-encoding": "gzip"}
    assert post("/api/predict", content=b"x", headers=packed).status_code == 415
    assert post("/api/predict", content=b"{").status_code == 422
    assert predict(server, models=["nothing"]).status_code == 422
    assert predict(server, text="").json()["detail"].startswith("body.text: ")
    assert post("/api/predict/file", data={"models": [PHONONS]}).status_code == 422


def test_a_body_that_does_not_arrive_is_given_up(server):
    host, port = server.address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        head = f"POST /api/predict HTTP/1.1\r\nHost: {host}\r\nContent-Length: 100\r\n\r\n{{"
        connection.sendall(head.encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 408")


def test_foreign_hosts_and_origins_are_refused(server):
    get = server.client.get
    assert get("/", headers={"host": "evil.example"}).status_code == 421
    assert get("/api/catalog", headers={"origin": "https://evil.example"}).status_code == 403
    assert get("/api/catalog", headers={"origin": server.address}).status_code == 200


def test_files_outside_the_page_are_not_served(server):
    for path in ("/app.py", "/../app.py", "/..%2fapp.py", "/%2e%2e/%2e%2e/etc/passwd", "/page"):
        assert server.client.get(path).status_code == 404
    page = server.client.get("/")
    assert page.status_code == 200
    policy = page.headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "default-src 'none'" in policy
    unchanged = server.client.get("/", headers={"if-none-match": page.headers["etag"]})
    assert unchanged.status_code == 304


def test_references(server):
    spectrum = vanhove.predict(STRUCTURES / "Si.cif")

    def post(content, name="r.csv", normalisation="max"):
        return server.client.post(
            "/api/reference",
            files={"files": (name, content)},
            data={"normalisation": normalisation},
        )

    for content in (spectrum.to_csv(), spectrum.to_json()):
        found = post(content).json()
        assert found["quantity"] == "phonon_dos"
        assert max(found["spectrum"]["values"]) == pytest.approx(1)
    assert sum(post(spectrum.to_csv(), normalisation="sum").json()["spectrum"]["values"]) == (
        pytest.approx(1)
    )
    assert "no scaling" in post(spectrum.to_csv(), normalisation="states/eV/cell").json()["detail"]
    for content in ("/etc/passwd", "a,b\n1,2\n", "{", "{}", '{"results": [1]}', b"\xff\xfe\n"):
        answer = post(content)
        assert answer.status_code == 422, content
        assert "root" not in answer.text


def wait_for(server, id_):
    for _ in range(300):
        batch = server.client.get(f"/api/batches/{id_}").json()
        if batch["state"] != "running":
            return batch
        time.sleep(0.05)
    raise AssertionError("the batch does not end")


def start_batch(server, files, model=PHONONS):
    return server.client.post(
        "/api/batches", files=[("files", file) for file in files], data={"model": model}
    )


def test_a_batch(server):
    crystal = vanhove.read_crystal(STRUCTURES / "Si.cif")
    files = [
        ("Si.cif", SILICON),
        ("=bad.cif", "nothing"),
        ("two.xyz", _extxyz(crystal) * 2),
        ("MgO.cif", (STRUCTURES / "MgO.cif").read_text()),
        ("large.cif", "#" * 500_001),
    ]
    started = start_batch(server, files)
    assert started.status_code == 202
    batch = wait_for(server, started.json()["id"])
    assert batch["state"] == "done"
    assert batch["n_files_done"] == 5
    assert [row["name"] for row in batch["rows"]] == [
        "Si.cif",
        "=bad.cif",
        "two.xyz[0]",
        "two.xyz[1]",
        "MgO.cif",
        "large.cif",
    ]
    assert "500,001 bytes; allowed" in batch["rows"][5]["error"]
    assert "is no CIF" in batch["rows"][1]["error"]
    assert batch["rows"][4]["values"]["formula"] == "MgO"
    assert batch["columns"]["mean_frequency"] == "1/cm"
    rest = server.client.get(f"/api/batches/{batch['id']}?first_row=4").json()
    assert len(rest["rows"]) == 2
    table = server.client.get(f"/api/batches/{batch['id']}/table.csv").text.splitlines()
    assert "mean_frequency [1/cm]" in table[0]
    assert len(table) == 7
    assert table[2].startswith("'=bad.cif")


def test_a_batch_is_cancelled(server):
    id_ = start_batch(server, [(f"{i}.cif", SILICON) for i in range(40)]).json()["id"]
    cancelled = server.client.delete(f"/api/batches/{id_}").json()
    assert cancelled["state"] == "cancelled"
    assert cancelled["n_files_done"] < 40
    time.sleep(0.3)
    assert wait_for(server, id_)["n_files_done"] == cancelled["n_files_done"]


def test_limits_of_batches(server):
    many = start_batch(server, [(f"{i}.cif", "x") for i in range(41)])
    assert many.status_code == 413
    assert start_batch(server, [("Si.cif", SILICON)], model="none").status_code == 422
    crystal = vanhove.read_crystal(STRUCTURES / "Si.cif")
    ids = []
    for _ in range(3):
        ids.append(start_batch(server, [("a.xyz", _extxyz(crystal) * 41)]).json()["id"])
        last = wait_for(server, ids[-1])
    assert "41 structures; allowed: 40" in last["rows"][0]["error"]
    assert server.client.get(f"/api/batches/{ids[0]}").status_code == 404  # made room
    assert server.client.delete("/api/batches/nothing").status_code == 404
    large = start_batch(server, [("a.cif", "x" * 1_200_000)])
    assert large.status_code == 413


def test_the_api_is_described(server):
    document = server.client.get("/openapi.json").json()
    names = ("catalog", "predict", "predict/file", "reference", "search")
    of_batch = ("batches", "batches/{id}", "batches/{id}/table.csv")
    of_result = ("results/{id}", "results/{id}/modes/{model}", "results/{id}/files/{model}/{name}")
    every = {f"/api/{name}" for name in (*names, *of_batch, *of_result, "structures/{id}")}
    assert set(document["paths"]) == every
    for path in document["paths"].values():
        for operation in path.values():
            assert operation["description"]
            assert "403" in operation["responses"]


def test_the_server_itself_loads_no_model():
    code = (
        "import sys, vanhove.server.app; "
        "sys.exit(bool({'torch', 'pymatgen', 'numpy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
