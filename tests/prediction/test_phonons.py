"""From a structure to its phonons with the shipped weights."""

from __future__ import annotations

import json

import numpy as np
import pytest
from typer.testing import CliRunner

import vanhove
from vanhove.cli import app
from vanhove.crystal.kpath import reciprocal_lattice
from vanhove.crystal.symmetry import standardize
from vanhove.errors import ConfigError

SALT = "examples/structures/NaCl.cif"


def test_modes_belong_to_the_given_cell():
    crystal = vanhove.read_crystal(SALT)
    assert crystal.n_atoms == 8
    whole = vanhove.phonons(SALT)
    assert whole.frequencies([[0.1, 0.2, 0.3]]).shape == (1, 24)
    small = vanhove.phonons(SALT, primitive=True)
    assert small.n_modes == 6
    cartesian = np.array([[0.1, 0.2, 0.3]]) @ reciprocal_lattice(crystal.lattice)
    cell = standardize(crystal).primitive
    own = small.frequencies(cartesian @ np.linalg.inv(reciprocal_lattice(cell.lattice)))
    folded = whole.frequencies([[0.1, 0.2, 0.3]])[0]
    assert all(np.abs(folded - frequency).min() < 0.05 for frequency in own[0])


def test_several_structures_and_a_turned_one():
    first, second = vanhove.phonons([SALT, "examples/structures/Si.cif"])
    assert (first.crystal.formula, second.crystal.formula) == ("NaCl", "Si")
    assert first.stability.is_stable
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    crystal = second.crystal
    turned = vanhove.Crystal(
        crystal.lattice @ turn, crystal.fractional_coordinates, crystal.atomic_numbers
    )
    q = [[0.2, 0.1, 0.4], [0.5, 0, 0]]
    again = vanhove.phonons(turned).frequencies(q)
    np.testing.assert_allclose(again, second.frequencies(q), atol=0.05)


def test_the_command_gives_bands(tmp_path):
    path = tmp_path / "bands.json"
    arguments = ["predict", SALT, "--property", "phonon-bands", "--json", str(path)]
    result = CliRunner().invoke(app, [*arguments, "-o", str(tmp_path), "--no-plot"])
    assert result.exit_code == 0, result.output
    content = json.loads(path.read_text())
    assert content["quantity"] == "phonon_bands"
    bands = vanhove.BandStructure.from_dict(content["results"][0])
    assert bands.energies.shape == (200, 6)
    alone = vanhove.predict(SALT, property="phonon-bands")
    np.testing.assert_allclose(alone.energies, bands.energies, atol=0.05)


def test_models_without_force_constants_say_so():
    with pytest.raises(ConfigError, match="densities alone"):
        vanhove.phonons(SALT, "dostransformer-phonon")


def test_the_command_shows_the_whole_spectrum(tmp_path):
    places = [[0, 0, 0], [0.25, 0.25, 0.25]]
    lattice = 1.785 * np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]])
    diamond = vanhove.Crystal(lattice, np.array(places), np.array([6, 6]))
    file = tmp_path / "diamond.cif"
    diamond.to_structure().to(str(file))
    arguments = ["predict", str(file), "-o", str(tmp_path), "--no-plot"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    numbers = result.output.split("all by --csv)")[1].split("\n")
    assert float(numbers[-2].split()[0]) > 1200
    assert len(numbers) < 70
    phonons = vanhove.phonons(diamond, primitive=True).thermal_properties([300.0])
    assert f"{phonons.heat_capacity[0]:.2f} ±" in result.output


def test_the_command_tells_of_whole_phonons(tmp_path):
    path = tmp_path / "phonons.json"
    arguments = ["predict", SALT, "--property", "phonons", "--json", str(path)]
    result = CliRunner().invoke(app, [*arguments, "-o", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert "Born charges     Na" in result.output
    assert (tmp_path / "NaCl-phonons.png").stat().st_size > 10_000
    (content,) = json.loads(path.read_text())["results"]
    phonons = vanhove.phonons(SALT, primitive=True)
    assert content["n_modes"] == 6
    assert content["highest_frequency_cm1"] == pytest.approx(phonons.highest_frequency[0], abs=0.1)
    assert sum(np.trace(z) for z in content["born_charges_e"]) == pytest.approx(0, abs=1e-3)
    assert content["static_dielectric_tensor"][0][0] > content["dielectric_tensor"][0][0]


def test_the_command_tabulates_thermodynamics(tmp_path):
    arguments = ["predict", SALT, "examples/structures/Si.cif", "--property", "thermodynamics"]
    result = CliRunner().invoke(app, [*arguments, "--csv", "-o", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert "2 predicted, 0 failed" in result.output
    rows = (tmp_path / "Si-thermodynamics.csv").read_text().splitlines()
    assert rows[0].startswith("temperature_K,heat_capacity_J_per_K_mol_atoms")
    assert len(rows) == 102
    wrong = CliRunner().invoke(app, [*arguments, "--html"])
    assert wrong.exit_code != 0


def test_error_bars_and_odds_of_the_shipped_weights():
    phonons = vanhove.phonons(SALT, primitive=True)
    bands = phonons.bands(n_points=20)
    lower, upper = bands.interval(0.9)
    assert (upper - lower > 1).all()
    assert (upper - lower < 100).all()
    thermal = phonons.thermal_properties([100.0, 300.0])
    assert set(thermal.half_widths) == {"heat_capacity", "entropy", "free_energy"}
    assert (thermal.half_widths["heat_capacity"] > 0).all()
    top, half = phonons.highest_frequency
    assert half is not None
    assert 0 < half < top
    assert phonons.stability.is_stable
    assert 0.7 < phonons.stability.probability <= 1
