import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from tests.spectra.test_conversions import bands, electrons, phonons
from vanhove.spectra.bands import BandStructure
from vanhove.spectra.display import LINE_COLOUR
from vanhove.spectra.plotting import COLOUR, TEXT_COLOUR

SHOWN = {
    "phonons": phonons(metadata={"model": "a <b>&", "familiarity": 0.5}),
    "phonons of nothing": phonons(values=np.zeros(51), std=None, crystal=None),
    "electrons": electrons(),
    "bands": bands(),
    "phonon bands": bands("phonon_bands"),
}


@pytest.mark.parametrize("shown", SHOWN.values(), ids=SHOWN)
def test_notebooks_show_a_table_and_a_plot(shown):
    text = shown._repr_html_()
    tree = ElementTree.fromstring(text)  # every tag is closed, every name escaped
    assert [child.tag.split("}")[-1] for child in tree] == ["table", "svg"]
    assert len(text) < 40_000
    # Nothing that runs, is fetched, or changes the rest of the page.
    assert not re.search(r"<script|<style|<link|@import|(?:href|src)=\"(?!#)", text)


@pytest.mark.parametrize("shown", SHOWN.values(), ids=SHOWN)
def test_they_read_on_light_and_dark(shown):
    text = shown._repr_html_()
    assert "currentColor" in text
    for fixed in (TEXT_COLOUR, COLOUR, "#000000", "#ffffff"):
        assert fixed not in text
    luminance = _luminance(LINE_COLOUR)
    assert 1.05 / (luminance + 0.05) > 4
    assert (luminance + 0.05) / 0.05 > 4


def _luminance(colour: str) -> float:
    parts = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def test_what_the_table_says():
    text = SHOWN["phonons"]._repr_html_()
    for said in ("NaCl, 2 atoms in the cell", "a &lt;b&gt;&amp;", "0.50", "J/(K mol of atoms)"):
        assert said in text
    assert "C_V" not in SHOWN["phonons of nothing"]._repr_html_()
    assert "eV, direct" in bands()._repr_html_()
    metal = bands()
    crossing = BandStructure(metal.kpoints, metal.energies, -0.5)
    assert "none: a metal" in crossing._repr_html_()
    one_side = BandStructure(metal.kpoints, metal.energies, 9.0 + metal.energies.max())
    assert "not known" in one_side._repr_html_()
