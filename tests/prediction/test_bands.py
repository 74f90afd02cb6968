"""Band structures of the shipped weights, in Python and on the command line."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from pymatgen.electronic_structure.bandstructure import BandStructureSymmLine

import vanhove
from tests.conftest import STRUCTURES
from tests.crystal.transform import transformed
from vanhove.errors import ConfigError
from vanhove.prediction.report import PredictCommand
from vanhove.runs.config import DataSettings
from vanhove.spectra.bands import BandStructure

DEFAULTS = {
    "model": None,
    "json_path": None,
    "csv": False,
    "html": False,
    "plot": None,
    "path": "setyawan_curtarolo",
}


@pytest.fixture(scope="module")
def magnesia() -> BandStructure:
    return vanhove.predict(STRUCTURES / "MgO.cif", property="bands")


def command(tmp_path, *structures, **options) -> PredictCommand:
    return PredictCommand(
        structures=[STRUCTURES / name for name in structures],
        property_name="bands",
        output=tmp_path,
        primitive=True,
        temperature=300.0,
        every=False,
        quiet=True,
        **DEFAULTS | options,
    )


def test_an_insulator_and_a_metal(magnesia):
    assert magnesia.energies.shape[0] == 256
    assert magnesia.n_filled == 4
    assert magnesia.n_bands > 4
    assert magnesia.unit == "eV"
    assert magnesia.gap is not None
    assert magnesia.gap.energy > 2
    assert {"Γ", "X", "L", "K", "W"} <= set(magnesia.kpoints.labels)
    aluminium = vanhove.Crystal(2.025 * (np.ones((3, 3)) - np.eye(3)), [[0, 0, 0]], [13], "Al")
    assert vanhove.predict(aluminium, property="bands").is_metal


def test_the_choice_of_cell_does_not_matter(magnesia):
    other = vanhove.predict(
        transformed(vanhove.read_crystal(STRUCTURES / "MgO.cif"), 3), property="bands"
    )
    np.testing.assert_allclose(other.energies, magnesia.energies, atol=5e-4)


def test_pymatgen_agrees_about_the_gap(magnesia):
    line = magnesia.to_pymatgen()
    assert isinstance(line, BandStructureSymmLine)
    gap = line.get_band_gap()
    assert gap["energy"] == pytest.approx(magnesia.gap.energy)
    assert gap["direct"] == magnesia.gap.is_direct
    assert line.is_metal() == magnesia.is_metal


def test_the_dos_is_consistent_with_the_bands(magnesia):
    gap = magnesia.gap
    dos = magnesia.dos(np.linspace(-25, 25, 2001), width=0.02)
    below = dos.grid < gap.vbm + 0.5
    occupied = np.trapezoid(dos.values[below], dos.grid[below])
    assert occupied == pytest.approx(2 * 4, rel=0.01)
    inside = (dos.grid > gap.vbm + 0.2) & (dos.grid < gap.cbm - 0.2)
    assert dos.values[inside].max() < 1e-6


def test_table_json_csv_and_plot(tmp_path, capsys):
    json_path = tmp_path / "out.json"
    options = {"csv": True, "json_path": str(json_path), "model": "bandformer-electron"}
    assert command(tmp_path, "MgO.cif", **options).run() == 0
    text = capsys.readouterr().out
    for expected in (
        "path ",
        "kind             gap",
        "VBM",
        "CBM",
        "electron masses",
        "± of bands",
        "familiarity",
        "band 6",
    ):
        assert expected in text
    assert (tmp_path / "MgO-electron-bands.png").stat().st_size > 5000
    lines = list(csv.reader((tmp_path / "MgO-electron-bands.csv").open(encoding="utf-8")))
    assert len(lines) == 257
    assert len(lines[0]) == 5 + 2 * 6  # energies and error bars
    (result,) = json.loads(json_path.read_text())["results"]
    properties = result["properties"]
    bands = BandStructure.from_dict(result)
    assert properties["band_gap"] == pytest.approx(bands.gap.energy)
    assert properties["vbm"]["at"] == bands.where(bands.gap.vbm_at)
    assert len(properties["band_widths_eV"]) == 6
    half = np.mean(bands.interval(0.9)[1] - bands.energies, axis=0)
    np.testing.assert_allclose(properties["band_half_widths_90_eV"], half)


def test_the_table_of_many_bands_shows_those_at_the_gap(tmp_path, capsys):
    assert command(tmp_path, "Al2O3.cif", plot=False).run() == 0
    text = capsys.readouterr().out
    header = next(line for line in text.splitlines() if "band 2" in line)
    assert len(header.split()) == 2 * 10
    assert "vanhove-electron" in text


def test_several_give_a_line_each(tmp_path, capsys):
    assert command(tmp_path, "MgO.cif", "Si.cif", path="latimer_munro").run() == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 + 2
    assert "band gap" in lines[0]


def test_no_interactive_plot(tmp_path):
    with pytest.raises(ConfigError, match="--html draws spectra"):
        command(tmp_path, "MgO.cif", html=True).run()


def test_the_weights_know_their_data():
    info = vanhove.load("bandformer-electron").info
    assert info.quantity == "electron_bands"
    assert info.trained.data == DataSettings(dataset="electron_pbe_bands")
