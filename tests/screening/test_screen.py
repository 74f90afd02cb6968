"""A screening: what it writes, what it refuses, and that a kill changes nothing."""

from __future__ import annotations

import base64
import csv
import json
import os
import re
import signal
import time
from multiprocessing import active_children, get_context
from pathlib import Path

import numpy as np
import pytest

import vanhove
from tests.screening.conftest import N_STRUCTURES, OPTIONS, content
from vanhove.errors import ConfigError, ScreeningError
from vanhove.prediction.properties import Properties
from vanhove.runs.checkpoint import load_model, save_model
from vanhove.screening import screen
from vanhove.screening.local_engine import run_local
from vanhove.screening.partition import Job, PartitionWorker
from vanhove.screening.source import ArraySource, open_source
from vanhove.screening.writer import Tables
from vanhove.spectra import heat_capacity, mean_frequency

pq = pytest.importorskip("pyarrow.parquet", reason="needs the extra screen")


def test_every_structure_is_in_one_table_once(unbroken, structures, small_run):
    properties = pq.read_table(unbroken / "properties").to_pylist()
    failures = pq.read_table(unbroken / "failures").to_pylist()
    spectra = pq.read_table(unbroken / "spectra").to_pylist()
    found = sorted(row["index"] for row in properties + failures)
    assert found == list(range(N_STRUCTURES))
    assert all(row["id"] == f"id-{row['index']}" for row in properties + failures + spectra)

    reasons = {row["index"]: row["reason"] for row in failures}
    assert {i for i in range(N_STRUCTURES) if i % 37 == 5 or i % 53 == 7} == set(reasons)
    assert reasons[5].startswith("unsupported element Pu: not in the training data")
    assert "angstrom apart" in reasons[7] or "cell volume" in reasons[7]

    selected = [row["index"] for row in properties if row["selected"]]
    expected = [
        row["index"]
        for row in properties
        if (row["mean_frequency"] or 0) > 150 and "F" not in row["elements"]
    ]
    assert selected == expected == [row["index"] for row in spectra]
    assert 0 < len(selected) < len(properties)
    assert any(row["mean_frequency"] is None for row in properties), "no row without a spectrum"


def test_the_numbers_are_those_of_predict(unbroken, structures, small_run):
    source = open_source(structures)
    (chunk,) = source.chunks(N_STRUCTURES)
    rows = {row["index"]: row for row in pq.read_table(unbroken / "properties").to_pylist()}
    spectra = {row["index"]: row for row in pq.read_table(unbroken / "spectra").to_pylist()}
    predictor = vanhove.load(small_run)
    for index in list(spectra)[::20]:
        (crystal,) = source.read(chunk.records[index])
        spectrum = predictor.predict(crystal)
        np.testing.assert_allclose(spectra[index]["values"], spectrum.values, atol=1e-5)
        row = rows[index]
        dos = spectrum.grid, spectrum.values
        assert row["mean_frequency"] == pytest.approx(mean_frequency(*dos), rel=1e-4)
        assert row["heat_capacity_300K"] == pytest.approx(heat_capacity(*dos, 300), rel=1e-4)
        assert row["n_atoms"] == spectrum.crystal.n_atoms


def test_files_say_what_they_hold(unbroken):
    schema = pq.read_schema(unbroken / "properties" / "part-000000.parquet")
    assert schema.field("mean_frequency").metadata[b"unit"] == b"1/cm"
    assert schema.field("heat_capacity_300K").metadata[b"unit"] == b"J/(K mol of atoms)"
    schema = pq.read_schema(unbroken / "spectra" / "part-000000.parquet")
    about = json.loads(schema.metadata[b"vanhove"])
    assert about["grid"] == list(range(0, 1001, 20))
    assert (about["grid_unit"], about["normalisation"], about["quantity"]) == (
        "cm-1",
        "max",
        "phonon_dos",
    )
    assert schema.field("values").type.list_size == 51


def test_the_best_come_first(unbroken):
    rows = pq.read_table(unbroken / "properties").to_pylist()
    selected = [row for row in rows if row["selected"]]
    selected.sort(key=lambda row: -row["mean_frequency"])
    assert len(selected) > 5
    with (unbroken / "top.csv").open() as stream:
        best = list(csv.DictReader(stream))
    assert [row["id"] for row in best] == [row["id"] for row in selected[:5]]
    assert float(best[0]["mean_frequency (1/cm)"]) == selected[0]["mean_frequency"]


def test_the_report_needs_no_network(unbroken):
    page = (unbroken / "report.html").read_text()
    assert not re.search(r"(src|href)\s*=\s*\"(?!data:)", page)
    assert "http" not in re.sub(r"base64,[^\"]*", "", page)
    pictures = re.findall(r"data:image/png;base64,([^\"]+)", page)
    assert len(pictures) == 3 + 5  # histograms of three numbers, spectra of five candidates
    assert all(base64.b64decode(p).startswith(b"\x89PNG") for p in pictures)
    assert "mean_frequency &gt; 150" in page
    assert "unsupported element Pu" in page


def test_killed_twice_it_gives_the_same_bytes(unbroken, structures, small_run, tmp_path):
    """The whole group of processes at once, or the parent alone, at random moments."""
    out = tmp_path / "out"
    random = np.random.default_rng()
    context = get_context("forkserver")  # torch is imported once for both
    context.set_forkserver_preload(["vanhove.screening.partition", "vanhove.screening.screening"])
    for kill in range(2):
        before = len(list((out / "properties").glob("part-*")))
        process = context.Process(target=screen_in_own_group, args=(structures, out, small_run))
        process.start()
        while len(list((out / "properties").glob("part-*"))) == before:
            assert process.is_alive(), "it ended before it could be killed"
            time.sleep(0.002)
        time.sleep(random.uniform(0, 0.1))
        if kill == 1:
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
        process.join()
        wait_for_the_end_of(process.pid)
        assert not (out / "report.html").exists(), "it was finished before it was killed"
    result = screen(structures, out, model=small_run, workers=1, **OPTIONS)
    assert 0 < result.n_new_partitions < N_STRUCTURES // 12
    assert content(out) == content(unbroken)


def test_the_number_of_workers_changes_nothing(unbroken, structures, small_run, tmp_path):
    screen(structures, tmp_path / "three", model=small_run, workers=3, **OPTIONS)
    assert content(tmp_path / "three") == content(unbroken)


def test_nor_does_it_with_the_members_of_the_shipped_model(structures, tmp_path):
    options = {"model": "vanhove-phonon", "partition_size": 6, "limit": 24}
    for workers in (1, 3):
        screen(structures, tmp_path / str(workers), workers=workers, **options)
    assert content(tmp_path / "1") == content(tmp_path / "3")
    assert len([name for name in content(tmp_path / "3") if name.endswith(".parquet")]) > 8


def screen_in_own_group(structures, out, small_run) -> None:
    os.setsid()
    screen(structures, out, model=small_run, workers=1, **OPTIONS)


def wait_for_the_end_of(group: int) -> None:
    """Workers whose parent is gone end by themselves, soon."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        time.sleep(0.01)
    pytest.fail("orphaned workers live on")


def start(structures, out, small_run) -> tuple[Job, Tables]:
    """What the engines need, as `screen` makes it."""
    predictor = vanhove.load(small_run)
    columns = Properties(predictor.info).choose(OPTIONS["properties"])
    out.mkdir()
    tables = Tables(out, columns, predictor.info, predictor.name)
    tables.prepare()
    names = tuple(item.name for item in columns)
    job = Job(out, str(small_run), ArraySource, names, OPTIONS["where"], True, "float32")
    return job, tables


def parts(out: Path) -> dict[str, bytes]:
    return {name: data for name, data in content(out).items() if name.endswith(".parquet")}


def test_a_killed_worker_is_replaced(unbroken, structures, small_run, tmp_path):
    job, _ = start(structures, tmp_path / "out", small_run)
    done = run_local(job, open_source(structures).chunks(12), 1)
    numbers = [next(done)]
    (worker,) = active_children()
    worker.kill()
    numbers += done
    assert sorted(numbers) == list(range(N_STRUCTURES // 12))
    assert parts(tmp_path / "out") == parts(unbroken)


def test_a_worker_killed_while_it_writes_leaves_nothing(
    structures, small_run, tmp_path, monkeypatch
):
    out = tmp_path / "out"
    chunks_of = ArraySource.chunks

    def torn(self, size, limit=None):
        for chunk in chunks_of(self, size, limit):
            (out / "spectra" / ".part-000000.parquet.part").write_bytes(b"PAR1")
            yield chunk

    monkeypatch.setattr(ArraySource, "chunks", torn)
    screen(structures, out, model=small_run, workers=1, **{**OPTIONS, "limit": 12})
    assert not [name for name in content(out) if name.endswith(".part")]


def test_the_same_in_this_process_and_after_a_surprise(
    unbroken, structures, small_run, tmp_path, monkeypatch
):
    """An error that nobody foresaw costs one row; the numbers do not depend on the process."""
    job, tables = start(structures, tmp_path / "out", small_run)
    worker = PartitionWorker(job)
    chunk, other, *_ = open_source(structures).chunks(12)
    worker.run(chunk)
    name = "properties/part-000000.parquet"
    assert content(tmp_path / "out")[name] == content(unbroken)[name]

    prepare = type(worker.predictor)._prepare

    def surprising(self, crystal, primitive):
        if crystal.name == "id-15":
            raise ZeroDivisionError("nobody foresaw this")
        return prepare(self, crystal, primitive)

    monkeypatch.setattr(type(worker.predictor), "_prepare", surprising)
    partition = worker.predict(other)
    (failure,) = (row for row in partition.failures if row["index"] == 15)
    assert failure["reason"] == "cannot be predicted: ZeroDivisionError: nobody foresaw this"
    assert len(partition.properties) + len(partition.failures) == 12
    assert tables.is_finished(0)
    assert not tables.is_finished(1)


def test_the_same_command_continues_and_another_is_refused(
    unbroken, structures, small_run, tmp_path
):
    again = screen(structures, unbroken, model=small_run, workers=1, **OPTIONS)
    assert again.n_new_partitions == 0
    before = content(unbroken)
    changes = [
        ({"where": "n_atoms > 2"}, "with where mean_frequency > 150"),
        ({"properties": ("n_atoms",)}, "with properties"),
        ({"partition_size": 30}, "with partition_size 12, this one has 30"),
        ({"limit": 10}, "with limit None, this one has 10"),
        ({"primitive": False}, "with primitive True"),
        ({"precision": "bfloat16"}, "with precision float32, this one has bfloat16"),
        ({"model": "dostransformer-phonon"}, "with model"),
    ]
    for change, reason in changes:
        with pytest.raises(ConfigError, match=reason):
            screen(structures, unbroken, **{"model": small_run, **OPTIONS, **change})
    other = tmp_path / "other.npz"
    with np.load(structures) as archive:
        np.savez(other, **{**archive, "lattice": archive["lattice"] * 1.001})
    with pytest.raises(ConfigError, match="with source"):
        screen(other, unbroken, model=small_run, **OPTIONS)
    assert content(unbroken) == before
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("")
    with pytest.raises(ConfigError, match=r"holds other files and no plan\.json"):
        screen(structures, tmp_path / "mine", model=small_run)


def test_lower_precision_is_close(structures, small_run, tmp_path):
    options = {**OPTIONS, "where": None, "limit": 24, "model": small_run, "workers": 1}
    for precision in ("float32", "bfloat16"):
        screen(structures, tmp_path / precision, precision=precision, **options)
    exact, low = (
        np.array(pq.read_table(tmp_path / precision / "spectra")["values"].to_pylist())
        for precision in ("float32", "bfloat16")
    )
    assert len(exact) > 10
    assert 0 < np.abs(low - exact).max() < 0.05


def test_another_order_only_writes_the_report_again(unbroken, structures, small_run):
    before = content(unbroken)
    options = {**OPTIONS, "sort": "heat_capacity_300K / mean_frequency", "top": 3}
    assert screen(structures, unbroken, model=small_run, **options).n_new_partitions == 0
    with (unbroken / "top.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 3
    screen(structures, unbroken, model=small_run, **OPTIONS)
    assert content(unbroken) == before


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (
            {"properties": ("gap",)},
            "no property 'band_gap' with this model; allowed: formula, n_atoms",
        ),
        ({"where": "mean_frequncy > 3"}, "no property 'mean_frequncy'"),
        ({"where": "mean_frequency"}, "gives a number; needed: true or false"),
        ({"sort": "crystal_system"}, "gives a text; needed: a number"),
        ({"properties": ("electron-dos",)}, "predicts phonon_dos, not electron-dos"),
        ({"properties": ("electron-dos", "phonon-dos")}, "predicts one of them"),
        ({"workers": 0}, "workers 0; allowed: 1 or more"),
        ({"engine": "spark"}, "engine 'spark'; allowed: local, ray"),
    ],
)
def test_wrong_options_end_before_the_work(options, reason, structures, small_run, tmp_path):
    with pytest.raises(ConfigError, match=reason):
        screen(structures, tmp_path / "out", model=small_run, **options)
    assert not (tmp_path / "out").exists()


def test_electron_properties(small_run, structures, tmp_path):
    """A model that calls its output electron states: gaps and the Fermi level by name."""
    model, info = load_model(small_run / "best.safetensors")
    changes = {"quantity": "electron_dos", "unit": "eV", "normalisation": "states/eV/cell"}
    grid = np.linspace(-5, 5, 51).tolist()
    electrons = info.model_copy(update={**changes, "grid": grid})
    path = tmp_path / "electrons.safetensors"
    save_model(path, dict(model.named_parameters()), electrons)
    known = Properties(electrons)
    names = tuple(item.name for item in known.choose((*known.defaults, "band_gap", "sommerfeld")))
    assert set(names) >= {"band_gap", "valence_band_gap", "fermi_density", "sommerfeld"}
    job = Job(
        tmp_path,
        str(path),
        ArraySource,
        names,
        "fermi_density > 0.05 or band_gap > 0.5",
        True,
        "float32",
    )
    chunk = next(open_source(structures).chunks(12))
    rows = PartitionWorker(job).predict(chunk).properties
    assert len(rows) == 10
    for row in rows:
        assert row["selected"] == (row["fermi_density"] > 0.05 or row["band_gap"] > 0.5)
        assert row["band_gap"] >= 0
        assert row["valence_band_gap"] in (True, False)
        assert row["sommerfeld"] == pytest.approx(
            2.357 * row["fermi_density"] / row["n_atoms"], rel=1e-3
        )

    lost = Properties(electrons.model_copy(update={"normalisation": "min-max"}))
    assert lost.defaults == ("n_atoms", "crystal_system", "dos_at_zero_over_peak", "warnings")
    for name in ("fermi_density", "band_gap"):
        with pytest.raises(ConfigError, match=f"no property '{name}'"):
            lost[name]


def test_a_chunk_that_kills_its_workers_is_named(structures, small_run, tmp_path, monkeypatch):
    monkeypatch.setattr("vanhove.screening.local_engine._work", _die)
    job, _ = start(structures, tmp_path / "out", small_run)
    with pytest.raises(ScreeningError, match=r"partition 0 \(id-0 to id-11\) ended its worker 3"):
        list(run_local(job, open_source(structures).chunks(12), 1))


def _die(pipe, job):
    """A worker whose library crashes."""
    pipe.send("ready")
    pipe.recv()
    os._exit(11)


def test_models_with_error_bars_tell_how_familiar_a_crystal_is(structures, small_ensemble):
    names = ("familiarity", "mean_std")
    known = Properties(load_model(small_ensemble)[1])
    assert known.defaults[2:4] == ("mean_frequency", "mean_frequency_half_width_90")
    assert known.defaults[-2:] == ("familiarity", "warnings")
    names += ("mean_frequency", "mean_frequency_half_width_90", "warnings")
    job = Job(Path(), str(small_ensemble), ArraySource, names, "familiarity >= 0", True, "float32")
    rows = PartitionWorker(job).predict(next(open_source(structures).chunks(4))).properties
    assert rows
    for row in rows:
        assert 0 <= row["familiarity"] <= 1
        assert row["mean_std"] > 0
        assert 0 < row["mean_frequency_half_width_90"] < row["mean_frequency"]
        assert row["warnings"] is None or row["familiarity"] < 0.05 or "rare" in row["warnings"]


def test_old_names_are_understood_with_a_warning(structures, small_run, tmp_path):
    where = "mean_frequency_cm1 > 150 and heat_capacity_J_per_K_mol_atoms > 0"
    with pytest.warns(FutureWarning, match="'mean_frequency_cm1' is now called 'mean_frequency'"):
        screen(structures, tmp_path, model=small_run, where=where, limit=12, workers=1, quiet=True)
    plan = json.loads((tmp_path / "plan.json").read_text())
    assert plan["where"] == "mean_frequency > 150 and heat_capacity_300K > 0"
