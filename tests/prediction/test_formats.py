"""Tables of whole phonons and electrons, and the files of ``--format``."""

from __future__ import annotations

import csv
import json
import re

import numpy as np
import pandas as pd
import pytest
from monty.json import MontyDecoder
from typer.testing import CliRunner

import vanhove
from tests.conftest import STRUCTURES
from vanhove.cli import app
from vanhove.spectra.phonons import Phonons

SALT, SILICON = STRUCTURES / "NaCl.cif", STRUCTURES / "Si.cif"


def predict(*arguments):
    return CliRunner().invoke(app, ["predict", *map(str, arguments)])


@pytest.fixture(scope="module", params=["phonons", "electrons"])
def states(request):
    make = {"phonons": vanhove.phonons, "electrons": vanhove.electrons}[request.param]
    return make(SALT, primitive=True)


def test_tables_of_everything_are_those_of_the_parts(states):
    frames = states.to_pandas()
    bands, dos, parts = states.bands(), states.dos(), states.projected_dos()
    pd.testing.assert_frame_equal(frames["bands"], bands.to_pandas())
    pd.testing.assert_frame_equal(frames["dos"], dos.to_pandas())
    assert set(frames["projected_dos"]) == {"Na", "Cl"} == set(parts)
    np.testing.assert_allclose(frames["projected_dos"]["Na"], parts["Na"].values, atol=1e-9)
    dataset = states.to_xarray()
    np.testing.assert_allclose(dataset["energies"], bands.energies)
    np.testing.assert_allclose(dataset["dos"], dos.values)
    np.testing.assert_allclose(dataset["projected_dos"].sel(element="Cl"), parts["Cl"].values)
    assert dataset["energies"].attrs["units"] == bands.unit
    has_heat = "heat_capacity" in dataset
    assert has_heat == ("thermal_properties" in frames) == isinstance(states, Phonons)
    if has_heat:
        thermal = states.thermal_properties()
        np.testing.assert_allclose(dataset["heat_capacity"], thermal.heat_capacity)
        pd.testing.assert_frame_equal(frames["thermal_properties"], thermal.to_pandas())


def test_files_of_whole_phonons(tmp_path):
    formats = "csv,json,parquet,pymatgen,phonopy"
    result = predict(SALT, "-p", "phonons", "--format", formats, "--no-plot", "-o", tmp_path)
    assert result.exit_code == 0, result.output
    phonons = vanhove.phonons(SALT, primitive=True)
    base = tmp_path / "NaCl-phonons"
    names = ("bands", "dos", "projected-dos", "thermal-properties")
    for name in names:
        table = pd.read_parquet(f"{base}-{name}.parquet")
        read = pd.read_csv(f"{base}-{name}.csv")
        assert len(read) == len(table)
    assert read["heat_capacity_J_per_K_mol_atoms"].iloc[-1] == pytest.approx(24.85, abs=0.1)
    assert json.loads(base.with_suffix(".json").read_text())["n_modes"] == 6
    theirs = MontyDecoder().decode((tmp_path / "NaCl-phonons-bands.pymatgen.json").read_text())
    assert theirs.nb_bands == 6
    phonopy = pytest.importorskip("phonopy", reason="needs the extra test")
    again = phonopy.load(f"{base}.phonopy.yaml", log_level=0)
    point = [0.5, 0.5, 0.5]
    expected = phonons.frequencies([point])[0] * 0.0299792458
    np.testing.assert_allclose(again.get_frequencies(point), expected, atol=0.1)
    read = vanhove.spectra.ThermalProperties.from_phonopy(f"{base}.thermal_properties.yaml")
    expected = phonons.thermal_properties(read.temperatures).heat_capacity
    np.testing.assert_allclose(read.heat_capacity, expected, atol=1e-3)


def test_files_of_thermodynamics_at_the_temperatures_that_are_asked_for(tmp_path):
    asked = ("--format", "csv,phonopy", "--temperatures", "100:300:100", "-o", tmp_path)
    result = predict(SALT, "-p", "thermodynamics", *asked)
    assert result.exit_code == 0, result.output
    table = pd.read_csv(tmp_path / "NaCl-thermodynamics.csv", index_col=0)
    assert table.index.tolist() == [100, 200, 300]
    assert "thermal_properties" in (tmp_path / "NaCl-thermodynamics.yaml").read_text()
    alone = tmp_path / "alone"
    asked = ("--temperatures", "100:300:100", "-o", alone)
    assert predict(SALT, "-p", "thermodynamics", *asked).exit_code == 0
    assert pd.read_csv(alone / "NaCl-thermodynamics.csv", index_col=0).equals(table)


def test_the_hamiltonian_as_files_of_wannier90(tmp_path):
    asked = ("--format", "wannier90,bxsf", "--no-plot", "-o", tmp_path)
    result = predict(SILICON, "-p", "bands", *asked)
    assert result.exit_code == 0, result.output
    assert "Si_hr.dat" in result.output
    assert not (tmp_path / "Si.bxsf").exists()  # an insulator has no Fermi surface
    size = int((tmp_path / "Si_hr.dat").read_text().splitlines()[1])
    assert size == vanhove.electrons(SILICON, primitive=True).hamiltonian()[1].shape[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-p", "electron-dos", "--format", "phonopy"], "--format phonopy; allowed here: csv"),
        (["-p", "thermodynamics", "--format", "pymatgen"], "--format pymatgen; allowed here"),
        (["--format", "csv,nothing"], "--format nothing; allowed here"),
        (["-p", "phonon-dos", "-m", "vanhove-electron"], "predicts electron-dos and bands"),
        (["-p", "bands", "-m", "dostransformer-phonon"], "predicts phonon-dos, not bands"),
        (["-m", "nothing"], "vanhove-electron"),
        (["--grid", "0", "1e9", "1e-3"], "allowed: up to 1,000,000"),
        (["--temperatures", "0:1e9:1e-3"], "allowed: up to 100,000 steps"),
        (["--temperature", "1e300"], "less than or equal to"),
    ],
)
def test_what_cannot_be_is_said_before_any_work(arguments, message, tmp_path):
    result = predict(SALT, *arguments, "-o", tmp_path)
    said = f"{result.output} {result.exception}"
    assert result.exit_code != 0
    assert message in " ".join(said.replace("│", " ").split())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["phonons", "thermodynamics"])
def test_many_phonons_give_a_table_with_units_and_intervals(tmp_path, kind):
    bad = tmp_path / "bad.cif"
    bad.write_text("data_x\n")
    result = predict(SALT, bad, SILICON, "-p", kind, "--format", "json", "--csv", "-o", tmp_path)
    assert result.exit_code == 1
    head, units, salt, *_ = result.stdout.splitlines()
    assert "C_V(300 K)" in head
    assert "J/(K mol of atoms)" in units
    assert "Fm-3m" in salt
    assert "±" in salt
    assert ("probability of being stable" in head) == (kind == "phonons")
    rows = list(csv.DictReader((tmp_path / "summary.csv").open()))
    assert [row["name"] for row in rows] == ["NaCl.cif", "bad.cif", "Si.cif"]
    assert rows[1]["error"]
    found = json.loads((tmp_path / f"NaCl-{kind}.json").read_text())
    at = found["thermodynamics"]["temperatures"].index(300)
    expected = found["thermodynamics"]["heat_capacity"][at]
    assert float(rows[0]["C_V(300 K) [J/(K mol of atoms)]"]) == pytest.approx(expected)
    assert float(rows[0]["familiarity"]) > 0.5
    assert found["thermodynamics"]["half_widths_90"]["entropy"][0] == 0  # at 0 K


def test_metals_and_insulators_are_told_what_concerns_them(tmp_path):
    sodium = tmp_path / "Na.cif"
    half = 2.14
    lattice = half * np.array([[-1, 1, 1], [1, -1, 1], [1, 1, -1]])
    vanhove.Crystal(lattice, np.zeros((1, 3)), np.array([11])).to_structure().to(str(sodium))
    said = predict(sodium, "-p", "electron-dos", "--no-plot", "-o", tmp_path).stdout
    assert re.search(r"energy 0 +Fermi level\n", said)
    assert "DOS at energy 0" in said
    assert "gap inside" not in said
    said = predict(SALT, "-p", "electron-dos", "--no-plot", "-o", tmp_path).stdout
    assert "valence band maximum" in said
    assert "DOS at energy 0" not in said
    assert "from the valence band maximum (eV)" in said
    assert len(said.splitlines()) < 100
    said = predict(SALT, "-p", "bands", "--no-plot", "-o", tmp_path).stdout
    assert "Γ-X-W-K-Γ-L-U-W-L-K|U-X" in said  # the order of the convention, not another walk
    assert "electron masses" in said
    assert "-2." not in next(line for line in said.splitlines() if line.startswith("hole"))
