"""The command, as a user runs it."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout

import numpy as np
import pytest
import yaml

from tests.conftest import SMALL_RUN, STRUCTURES, SUPPORTED
from tests.crystal.broken_files import write_broken_files
from vanhove.cli import main
from vanhove.runs.config import RunConfig


def vanhove(*arguments: object) -> subprocess.CompletedProcess[str]:
    """The command in this process, which has imported already what it needs."""
    stdout, stderr, code = io.StringIO(), io.StringIO(), None
    with (
        pytest.MonkeyPatch.context() as patch,
        redirect_stdout(stdout),
        redirect_stderr(stderr),
    ):
        patch.setattr(sys, "argv", ["vanhove", *map(str, arguments)])
        try:
            main()
        except SystemExit as ended:
            code = ended.code
    return subprocess.CompletedProcess(sys.argv, code or 0, stdout.getvalue(), stderr.getvalue())


def vanhove_from_nothing(*arguments: object) -> subprocess.CompletedProcess[str]:
    """The command as a shell starts it."""
    return subprocess.run(
        [sys.executable, "-m", "vanhove", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def test_help_and_version():
    assert "vanhove predict crystal.cif" in vanhove("--help").stdout
    assert re.fullmatch(r"vanhove \d+\.\d+\.\d+\n", vanhove("--version").stdout)
    for command in ("predict", "screen", "train", "evaluate", "export", "models", "serve"):
        assert "Example: vanhove" in vanhove(command, "--help").stdout


def test_help_does_not_import_torch():
    code = "import sys, vanhove.cli; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_one_structure_gives_a_table_and_a_plot(small_run, tmp_path):
    structure = STRUCTURES / "NaCl.cif"
    done = vanhove_from_nothing("predict", structure, "-m", small_run, "-o", tmp_path, "--csv")
    assert done.returncode == 0, done.stderr
    assert "NaCl.cif" in done.stdout
    assert "cubic, Fm-3m (No. 225)" in done.stdout
    assert "J/(K mol of atoms)" in done.stdout
    assert (tmp_path / "NaCl-phonon-dos.png").read_bytes().startswith(b"\x89PNG")
    assert "frequency_cm1,values" in (tmp_path / "NaCl-phonon-dos.csv").read_text()


def test_two_hundred_files_ten_of_them_broken(small_run, tmp_path):
    """190 results, ten one-line errors with file names, exit status 1, JSON on stdout."""
    broken = tmp_path / "broken"
    broken.mkdir()
    reasons = write_broken_files(broken)
    chosen = sorted(name for name in reasons if name.endswith(".cif"))[:10]
    folder = tmp_path / "structures"
    folder.mkdir()
    for name in chosen:
        shutil.copy(broken / name, folder / f"bad-{name}")
    for i in range(190):
        shutil.copy(SUPPORTED[i % len(SUPPORTED)], folder / f"{i:03d}.cif")

    done = vanhove("predict", folder, "-m", small_run, "--json", "-")
    assert done.returncode == 1
    content = json.loads(done.stdout)
    assert [r["name"] for r in content["results"]] == [f"{i:03d}.cif" for i in range(190)]
    assert len(content["errors"]) == 10
    lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 10
    for name in chosen:
        (line,) = [line for line in lines if f"bad-{name}" in line]
        assert re.search(reasons[name], line), line
    assert done.stderr.splitlines()[-1] == "190 predicted, 10 failed"
    result = content["results"][0]
    assert len(result["grid"]) == len(result["values"]) == 51
    assert result["properties"]["heat_capacity_300K"] > 0


def test_lower_precision_is_an_option(small_run, tmp_path):
    spectra = []
    for options in ([], ["--precision", "bfloat16"]):
        done = vanhove("predict", STRUCTURES / "Si.cif", "-m", small_run, "--json", "-", *options)
        assert done.returncode == 0, done.stderr
        spectra.append(np.array(json.loads(done.stdout)["results"][0]["values"]))
    assert 0 < np.abs(spectra[0] - spectra[1]).max() < 0.05


def test_several_structures_in_one_file(small_run, tmp_path):
    both = tmp_path / "both.cif"
    both.write_text("".join((STRUCTURES / n).read_text() + "\n" for n in ("Si.cif", "MgO.cif")))
    assert vanhove("predict", both, "-m", small_run).returncode == 1
    done = vanhove("predict", both, "-m", small_run, "--all", "--json", tmp_path / "out.json")
    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "out.json").read_text())["results"]
    assert [r["metadata"]["formula"] for r in results] == ["Si", "MgO"]


def test_results_of_files_with_one_name_do_not_overwrite_each_other(small_run, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    shutil.copy(STRUCTURES / "MgO.cif", other / "Si.cif")
    done = vanhove(
        *("predict", STRUCTURES / "Si.cif", other / "Si.cif", "-m", small_run),
        *("-o", tmp_path, "--csv"),
    )
    assert done.returncode == 0, done.stderr
    assert sorted(p.name for p in tmp_path.glob("*.csv")) == [
        "Si-2-phonon-dos.csv",
        "Si-phonon-dos.csv",
        "summary.csv",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["predict", "none.cif"], r"error: none\.cif: "),
        (["predict", STRUCTURES / "Si.cif", "-m", "nothing"], "vanhove: no weights 'nothing'"),
        (["predict", STRUCTURES / "Si.cif", "--json", "no/folder.json"], "folder does not exist"),
        (["train", "none.yaml"], r"vanhove: none\.yaml: cannot read"),
        (["train", "x.yaml", "--size", "published"], "vanhove: --size is for named models"),
        (["models", "gpt"], "vanhove: model 'gpt'; allowed: mlp, "),
        (["data", "info", "nowhere"], "vanhove: data set 'nowhere'; allowed: "),
    ],
)
def test_mistakes_are_one_line(arguments, message):
    done = vanhove(*arguments)
    assert done.returncode in (1, 2)
    assert re.search(message, done.stderr), done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_train_resume_evaluate_export_predict(tmp_path):
    """The whole way on the tiny data set."""
    run_file = tmp_path / "run.yaml"
    run_file.write_text(RunConfig.parse(SMALL_RUN).to_yaml())
    runs = [tmp_path / f"seed{seed}" for seed in (0, 1)]
    for seed, run in enumerate(runs):
        done = vanhove("train", run_file, "-o", run, "--seed", seed)
        assert done.returncode == 0, done.stderr
        assert "epoch   3/3  train loss" in done.stderr
    again = vanhove("train", run_file, "-o", runs[0])
    assert again.returncode == 2
    assert "--resume" in again.stderr
    assert vanhove("train", run_file, "-o", runs[0], "--resume").returncode == 0

    done = vanhove("evaluate", *runs, "--split", "test", "-o", tmp_path / "result.json")
    assert done.returncode == 0, done.stderr
    assert "R2 of each material, mean over materials" in done.stdout
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["seeds"] == [0, 1]
    assert result["n_materials"] == result["dataset"]["n_test"] == 8
    values = [run["metrics"]["mae"] for run in result["runs"]]
    assert result["mean"]["mae"] == pytest.approx(sum(values) / 2)

    exported = tmp_path / "mine.safetensors"
    assert vanhove("export", runs[0], "--output", exported).returncode == 0
    assert exported.stat().st_size < 0.6 * (runs[0] / "best.safetensors").stat().st_size
    files = [
        vanhove("predict", STRUCTURES / "Si.cif", "-m", model, "--json", "-", "--no-plot")
        for model in (runs[0], exported)
    ]
    a, b = (json.loads(done.stdout)["results"][0]["values"] for done in files)
    assert a == pytest.approx(b, abs=5e-3)


def test_shipped_settings_can_be_trained_again(tmp_path):
    done = vanhove(
        *("train", "dostransformer-phonon", "-o", tmp_path / "run"),
        *("--set", "data.dataset=tiny", "--set", "training.epochs=1"),
    )
    assert done.returncode == 0, done.stderr
    settings = RunConfig.load(tmp_path / "run" / "config.yaml")
    assert settings.model.encoder.hidden_dim == 128
    assert settings.data.dataset == "tiny"


def test_the_catalog_lists_prints_and_trains(tmp_path):
    done = vanhove("models")
    assert done.returncode == 0, done.stderr
    assert re.search(r"^mlp-energy +[\d,]+ +[\d,]+ ", done.stdout, re.MULTILINE)
    assert "dostransformer-phonon" in done.stdout
    printed = yaml.safe_load(vanhove("models", "dostransformer", "--size", "published").stdout)
    assert printed["model"]["encoder"]["hidden_dim"] == 256
    done = vanhove(
        *("train", "mlp", "-o", tmp_path / "run", "--seed", 3, "-q"),
        *("--set", "data.dataset=tiny", "--set", "training.epochs=1"),
    )
    assert done.returncode == 0, done.stderr
    settings = RunConfig.load(tmp_path / "run" / "config.yaml")
    assert (settings.name, settings.seed) == ("mlp", 3)
    assert settings.model.decoder.name == "pooled"


def test_data_commands():
    assert "phonon_petretto" in vanhove("data", "list").stdout
    assert "materials" in vanhove("data", "info", "tiny").stdout


def test_files_of_one_name_are_told_apart_and_none_is_lost(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "Si.cif").write_bytes((STRUCTURES / "Si.cif").read_bytes())
        (tmp_path / name / "notes.txt").write_text("x")
    result = vanhove("predict", str(tmp_path / "a"), str(tmp_path / "b"), "--no-plot")
    rows = result.stdout.splitlines()[2:]
    assert [line.split()[0] for line in rows] == ["a/Si.cif", "b/Si.cif"]
    assert "1 left out, no structure files: notes.txt" in result.stderr
