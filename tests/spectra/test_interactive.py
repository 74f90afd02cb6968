"""What a notebook shows: rich tables and plots, and plotly figures by one argument."""

from __future__ import annotations

import numpy as np
import pytest

import vanhove
from tests.conftest import STRUCTURES

pytest.importorskip("plotly")


@pytest.fixture(scope="module")
def magnesia():
    return vanhove.phonons(STRUCTURES / "MgO.cif", primitive=True)


def test_bands_stand_beside_the_density_and_its_shares(magnesia):
    figure = magnesia.plot(interactive=True)
    by_name = {trace.name: trace for trace in figure.data}
    assert list(by_name) == ["bands", "total", "Mg", "O"]
    total = np.array(by_name["total"].x)
    shares = np.array(by_name["Mg"].x) + np.array(by_name["O"].x)
    np.testing.assert_allclose(shares, total, atol=1e-3 * total.max())
    highest = max(y for y in by_name["bands"].y if y is not None)
    assert highest == pytest.approx(magnesia.bands().energies.max())
    assert "Γ" in figure.layout.xaxis.ticktext


def test_electrons_too(magnesia):
    electrons = vanhove.electrons(STRUCTURES / "MgO.cif", primitive=True)
    names = [trace.name for trace in electrons.plot(interactive=True).data]
    assert names == ["bands", "total", "Mg", "O"]
    assert electrons.plot().axes
    assert f"{electrons.gap.energy:.2f} eV" in electrons._repr_html_()


def test_a_spectrum_has_its_interval():
    spectrum = vanhove.predict(STRUCTURES / "MgO.cif")
    names = [trace.name for trace in spectrum.plot(interactive=True).data]
    assert names == ["90 % interval", "vanhove-phonon"]
    bands = vanhove.predict(STRUCTURES / "MgO.cif", property="bands")
    assert bands.plot(interactive=True).data[0].name == "bands"


def test_a_notebook_shows_everything_as_a_table(magnesia):
    shown = magnesia._repr_html_()
    assert "<svg" in shown
    assert "6, up to" in shown
    thermal = magnesia.thermal_properties()._repr_html_()
    assert "heat_capacity_J_per_K_mol_atoms" in thermal
    assert thermal.count("<tr") < 30
    for name in ("vanhove-phonon", "vanhove-electron"):
        of_model = vanhove.load(name)._repr_html_()
        assert "<script" not in of_model
        assert "trained on" in of_model
