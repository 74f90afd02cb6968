"""What CONTRIBUTING.md adds works, as it stands there, from a package of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_docs import ROOT, blocks

PACKAGE = "my_spectra"
IN_A_ROOM = """
import sys
from importlib import import_module
import_module(f"vanhove.{sys.argv[1]}").__path__.append(sys.argv[2])
from vanhove.models.registry import DECODERS, ENCODERS
print(*ENCODERS, *DECODERS)
"""
COMMANDS = """
import json, sys
from vanhove.cli import main
for arguments in json.loads(sys.argv[1]):
    sys.argv = ["vanhove", *arguments]
    try:
        main()
    except SystemExit as end:
        assert not end.code, arguments
"""
ABSORPTION = """
import json, sys
from pathlib import Path
import numpy as np
from vanhove import load, train
from vanhove.datasets import load_dataset, load_tiny
from vanhove.server.orders import PredictOrder
from vanhove.server.settings import ServerSettings
from vanhove.server.worker import ModelWorker
from vanhove.spectra.spectrum import Spectrum

tiny = load_tiny()
names = tiny.ids[:12]
for name, crystal in zip(names, tiny.crystals):
    crystal.to_structure().to(f"absorption/{name}.cif")
grid = np.linspace(0, 10, 21)
lines = ["# quantity: optical_absorption", "# unit: eV", "# normalisation: max"]
lines.append(",".join(["id", *map(str, grid)]))
for number, name in enumerate(names):
    values = np.exp(-((grid - 2 - number / 4) ** 2))
    lines.append(",".join([name, *map(str, values / values.max())]))
Path("absorption/spectra.csv").write_text(chr(10).join(lines) + chr(10))
data = load_dataset("absorption")
assert (data.quantity, data.unit, len(data)) == ("optical_absorption", "eV", 12), data

settings = {"data.dataset": "absorption", "training.epochs": 2}
run = train("my-linear", "run", settings=settings, quiet=True).folder
spectrum = load(run).predict("absorption/" + names[0] + ".cif")
Path("spectrum.json").write_text(spectrum.to_json())
again = Spectrum.from_json(Path("spectrum.json").read_text())
assert again.quantity == "optical_absorption" and again.kind.axis == "photon energy"
assert np.array_equal(again.values, spectrum.values) and np.array_equal(again.grid, grid)
assert again.kind.axis_label == "photon energy (eV)"

worker = ModelWorker(ServerSettings(models=(str(run),)))
(model,) = [m for m in worker.catalog().models if m.quantity == "optical_absorption"]
order = PredictOrder(id="1", name="a.cif", models=[model.name])
status, answer = worker.answer(order, Path("absorption/" + names[0] + ".cif").read_bytes())
assert status == 200, answer
(said,) = answer.predictions
print(said.title, "|", said.axis, "|", said.scale, "|", model.property, "|", said.thermal)
print(len(said.spectrum.values), said.csv.splitlines()[0], [p.name for p in said.properties])
"""
BROKEN = "raise ImportError('numpy 7 is needed')"


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """A folder of packages with that of CONTRIBUTING.md and its entry point."""
    folder = tmp_path_factory.mktemp("packages")
    for block in blocks(ROOT / "CONTRIBUTING.md"):
        if block.order.startswith("file "):
            path = folder / block.order.removeprefix("file ")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.code, encoding="utf-8")
    announce(folder, PACKAGE)
    return folder


def announce(folder: Path, package: str) -> None:
    """What pip writes for an installed package with an entry point."""
    described = folder / f"{package}-0.1.dist-info"
    described.mkdir()
    (described / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 0.1\n")
    (described / "entry_points.txt").write_text(f"[vanhove.extensions]\n{package} = {package}\n")


def python(*arguments: str, packages: Path, cwd: Path | None = None) -> str:
    """What a fresh Python with these packages prints."""
    paths = [str(packages), str(ROOT / "src"), str(ROOT), os.environ.get("PYTHONPATH", "")]
    done = subprocess.run(
        [sys.executable, *arguments],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))},
        cwd=cwd or packages,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def vanhove(*commands: list[str], packages: Path) -> str:
    """What the commands print, all in one process."""
    return python("-c", COMMANDS, json.dumps(commands), packages=packages)


def test_they_are_listed_trained_and_used(installed, tmp_path):
    commands = [["models"], ["models", "my-linear", "--size", "published"], ["data", "list"]]
    for data in ("tiny", "two_solids"):
        run = str(tmp_path / data)
        settings = ["--set", f"data.dataset={data}", "--set", "training.epochs=1"]
        structure = str(ROOT / "examples" / "structures" / "Si.cif")
        commands += [
            ["train", "my-linear", "-o", run, "-q", *settings],
            ["predict", structure, "--model", run],
        ]
    said = vanhove(*commands, packages=installed)
    assert "none, an example (MIT)" in said
    assert "hidden_dim: 256" in said
    assert "two_solids           Two made-up spectra, of silicon and diamond." in said
    assert said.count("mean frequency") == 2


def test_they_conform(installed):
    pairs = "graph_network-linear or atom_table-pooled or atom_table-linear or say and linear"
    said = python(
        *("-m", "pytest", "tests/models/test_pairs.py", "-q", "-p", "no:cacheprovider"),
        *("-k", pairs),
        packages=installed,
        cwd=ROOT,
    )
    assert " passed" in said or "100%" in said


def test_a_kind_of_spectrum_is_known_everywhere(installed, tmp_path):
    """A folder, training, prediction, JSON and the page's answer."""
    (tmp_path / "absorption").mkdir()
    said = python("-W", "ignore", "-c", ABSORPTION, packages=installed, cwd=tmp_path)
    assert (
        "Optical absorption | photon energy, eV | maximum = 1 | optical-absorption | None" in said
    )
    assert "heat_capacity" not in said
    assert "gap" not in said


@pytest.mark.parametrize(
    ("room", "name"), [("models.encoders", "atom_table"), ("models.decoders", "linear")]
)
def test_a_file_in_the_room_is_enough(installed, tmp_path, room, name):
    (tmp_path / f"{name}.py").write_text((installed / PACKAGE / f"{name}.py").read_text())
    found = python("-c", IN_A_ROOM, room, str(tmp_path), packages=tmp_path).split()
    assert name in found
    assert "pooled" in found


def test_a_broken_extension_is_left_out_and_said(tmp_path):
    (tmp_path / "broken.py").write_text(BROKEN)
    announce(tmp_path, "broken")
    said = vanhove(["data", "list"], packages=tmp_path)
    assert "broken, an extension of vanhove, is left out: ImportError: numpy 7 is needed" in said
    assert "tiny" in said
