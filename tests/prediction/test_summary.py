"""`vanhove predict` of many structures: the table, its file, formats, temperatures."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from monty.json import MontyDecoder
from typer.testing import CliRunner

import vanhove
from tests.conftest import STRUCTURES
from vanhove.cli import app
from vanhove.errors import ConfigError, StructureError
from vanhove.prediction.report import _table
from vanhove.spectra.thermal_table import temperature_range


def predict(*arguments):
    return CliRunner().invoke(app, ["predict", *map(str, arguments)])


def test_many_give_a_table_and_a_file(tmp_path):
    bad = tmp_path / "bad.cif"
    bad.write_text("data_x\n")
    files = [STRUCTURES / "Si.cif", bad, STRUCTURES / "MgO.cif"]
    result = predict(*files, "-o", tmp_path, "--csv", "--temperatures", "100:1000:450")
    assert result.exit_code == 1
    head, units, *lines = result.stdout.splitlines()
    assert head.split()[:3] == ["structure", "formula", "group"]
    assert "mean frequency" in head
    assert "J/(K mol of atoms)" in units
    assert lines[0].split()[:3] == ["Si.cif", "Si", "Fd-3m"]

    with (tmp_path / "summary.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [row["name"] for row in rows] == ["Si.cif", "bad.cif", "MgO.cif"]
    assert rows[1]["error"]
    assert rows[1]["formula"] == ""
    spectrum = vanhove.predict(STRUCTURES / "Si.cif")
    mean = vanhove.spectra.mean_frequency(spectrum.modes.grid, spectrum.modes.values)
    assert float(rows[0]["mean frequency [1/cm]"]) == pytest.approx(mean, rel=1e-4)
    half = float(rows[0]["mean frequency, half width of the 90 % interval [1/cm]"])
    assert f"± {half:.1f}" in lines[0]

    thermal = pd.read_csv(tmp_path / "Si-phonon-dos-thermodynamics.csv", index_col=0)
    assert thermal.index.tolist() == [100, 550, 1000]
    expected = spectrum.thermal_properties([100, 550, 1000]).entropy
    np.testing.assert_allclose(thermal["entropy_J_per_K_mol_atoms"], expected, rtol=1e-4)


@pytest.mark.parametrize("kind", ["bands", "electron-dos"])
def test_the_main_numbers_are_those_of_the_kind(tmp_path, kind):
    files = [STRUCTURES / "Si.cif", STRUCTURES / "MgO.cif"]
    result = predict(*files, "--property", kind, "-o", tmp_path)
    assert result.exit_code == 0
    assert "band gap" in result.stdout.splitlines()[0]
    gap = vanhove.electrons(STRUCTURES / "MgO.cif").band_gap
    shown = re.search(r"\d+\.\d\d", result.stdout.splitlines()[3])[0]
    assert float(shown) == pytest.approx(gap, abs=0.03)


def test_formats(tmp_path):
    wanted = [
        part for name in ("json", "pymatgen", "phonopy", "parquet") for part in ("--format", name)
    ]
    assert predict(STRUCTURES / "Si.cif", *wanted, "--no-plot", "-o", tmp_path).exit_code == 0
    spectrum = vanhove.predict(STRUCTURES / "Si.cif")
    stem = tmp_path / "Si-phonon-dos"
    again = vanhove.Spectrum.from_json(f"{stem}.json")
    np.testing.assert_allclose(again.values, spectrum.values, atol=1e-6)
    pymatgen = MontyDecoder().decode(stem.with_suffix(".pymatgen.json").read_text())
    assert pymatgen.densities.shape == spectrum.values.shape
    assert len(np.loadtxt(stem.with_suffix(".total_dos.dat"))) == len(spectrum.grid)
    assert len(pd.read_parquet(stem.with_suffix(".parquet"))) == len(spectrum.grid)
    refused = predict(STRUCTURES / "Si.cif", "--format", "xml", "-o", tmp_path)
    assert isinstance(refused.exception, ConfigError)
    assert "allowed here: csv, json" in str(refused.exception)
    of_electrons = ("--property", "electron-dos", "--temperatures", "0:100:10")
    refused = predict(STRUCTURES / "Si.cif", *of_electrons, "-o", tmp_path)
    assert "are of phonons" in str(refused.exception)


def test_json_of_many_is_all_that_a_pipe_gets(tmp_path):
    files = [STRUCTURES / "Si.cif", STRUCTURES / "MgO.cif"]
    result = predict(*files, "--json", "-", "-o", tmp_path)
    assert len(json.loads(result.stdout)["results"]) == 2


@given(st.integers(0, 500), st.integers(1, 60), st.integers(1, 40))
def test_temperatures_reach_from_the_first_to_the_last(start, step, n):
    found = temperature_range(f"{start}:{start + step * n}:{step}")
    np.testing.assert_allclose(found, start + step * np.arange(n + 1))


@pytest.mark.parametrize(
    "text", ["", "300", "0:9", "a:b:c", "9:0:1", "0:9:0", "-1:5:1", "0:inf:1", "0:1e9:1"]
)
def test_other_temperatures_are_refused(text):
    with pytest.raises(ConfigError, match="temperatures"):
        temperature_range(text)


def test_what_is_passed_by_mistake_is_refused_with_a_sentence():
    text = (STRUCTURES / "Si.cif").read_text()
    for structures in (text, text.encode(), None, 3, [1, 2]):
        with pytest.raises(StructureError, match=r"no path|is no crystal structure"):
            vanhove.predict(structures)
    structure = vanhove.read_crystal(STRUCTURES / "Si.cif").to_structure()
    with pytest.raises(ConfigError, match="is no source"):
        vanhove.screen([structure], "nowhere")


def test_dictionaries_phonopy_and_generators_are_structures():
    phonopy = pytest.importorskip("phonopy.structure.atoms")
    crystal = vanhove.read_crystal(STRUCTURES / "MgO.cif")
    atoms = phonopy.PhonopyAtoms(
        numbers=crystal.atomic_numbers,
        cell=crystal.lattice,
        scaled_positions=crystal.fractional_coordinates,
    )
    structure = crystal.to_structure()
    expected = vanhove.predict(crystal).values
    given_ones = (item for item in (atoms, structure.as_dict(), crystal.to_dict()))
    for spectrum in vanhove.predict(given_ones):
        np.testing.assert_allclose(spectrum.values, expected, atol=1e-4)
    np.testing.assert_allclose(vanhove.predict(atoms).values, expected, atol=1e-4)
    np.testing.assert_allclose(vanhove.predict(structure.as_dict()).values, expected, atol=1e-4)


def test_the_doctor_names_what_is_there():
    result = CliRunner().invoke(app, ["doctor", "--json"])
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert found["vanhove"]["version"] == vanhove.__version__
    assert "vanhove-phonon" in found["weights"]
    assert found["problems"] == []
    assert "All is well." in CliRunner().invoke(app, ["doctor"]).stdout


def test_a_density_that_is_zero_to_all_digits_has_a_table():
    spectrum = vanhove.predict(STRUCTURES / "Si.cif", "dostransformer-phonon")
    assert "zeros left out" in _table(replace(spectrum, values=1e-6 * spectrum.values), [], [])
