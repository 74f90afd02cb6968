"""``vanhove predict --property transport`` with the shipped weights."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import vanhove
from vanhove.cli import app
from vanhove.errors import ConfigError

MAGNESIA = "examples/structures/MgO.cif"


def transport(*options):
    return CliRunner().invoke(app, ["predict", "-p", "transport", *map(str, options)])


def test_one_insulator(tmp_path):
    asked = (
        "--temperature",
        500,
        "--concentration",
        1e19,
        "--csv",
        "--json",
        tmp_path / "all.json",
    )
    result = transport(MAGNESIA, *asked, "-o", tmp_path)
    assert result.exit_code == 0, result.output
    assert "500 K, 1e+19 carriers in a cm^3" in result.output
    (found,) = json.loads((tmp_path / "all.json").read_text())["results"]
    expected = vanhove.electrons(MAGNESIA).carriers(500, 1e19)
    for kind, sign in (("holes", 1), ("electrons", -1)):
        assert found[kind]["mass"] == pytest.approx(expected[kind].mass, rel=0.05)
        assert sign * np.trace(found[kind]["seebeck_uV_per_K"]) > 0
    table = pd.read_csv(tmp_path / "MgO-transport.csv", index_col="carriers")
    assert table.index.tolist() == ["holes", "electrons"]
    assert table["mass [electron masses]"]["holes"] == pytest.approx(
        found["holes"]["mass"], rel=1e-4
    )
    assert np.shape(found["lattice_angstrom"]) == (3, 3)


def test_a_metal_beside_an_insulator(tmp_path):
    (tmp_path / "Al.vasp").write_text("Al\n4.05\n0 .5 .5\n.5 0 .5\n.5 .5 0\nAl\n1\nDirect\n0 0 0\n")
    result = transport(tmp_path / "Al.vasp", MAGNESIA, "--csv", "-o", tmp_path)
    assert result.exit_code == 0, result.output
    table = pd.read_csv(tmp_path / "summary.csv", index_col=0)
    masses = table["electrons: mass(300 K) [electron masses]"]
    assert np.isnan(masses["Al.vasp"])
    assert 0.2 < masses["MgO.cif"] < 0.5


def test_what_it_refuses(tmp_path):
    result = transport(MAGNESIA, "--plot")
    assert isinstance(result.exception, ConfigError)
    assert "--json or --csv writes them" in str(result.exception) + result.output
    result = transport(MAGNESIA, "--concentration", 1e24)
    assert result.exit_code == 1
    assert "ask for fewer" in result.output
    result = transport(MAGNESIA, "--model", "vanhove-phonon")
    assert "knows no Hamiltonian" in str(result.exception) + result.output
