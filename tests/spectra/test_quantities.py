"""Kinds of spectrum: one record for each, and nobody else who knows their names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import vanhove
from vanhove.errors import ConfigError
from vanhove.spectra.quantities import (
    QUANTITIES,
    Quantity,
    density_in,
    quantity,
    register_quantity,
)

SOURCE = Path(vanhove.__file__).parent


def test_no_module_but_the_records_compares_names_of_quantities():
    names = "|".join(QUANTITIES)
    found = []
    for path in SOURCE.rglob("*.py"):
        text = re.sub(r'"""(?:.|\n)*?"""|``.*?``', "", path.read_text(encoding="utf-8"))
        if path.name != "quantities.py":
            found += [f"{path.name}: {hit}" for hit in re.findall(rf"[\"'](?:{names})[\"']", text)]
    assert not found


def test_what_a_record_refuses():
    for unit, normalisation, reason in [
        ("eV", "max", "unit 'eV' of phonon_dos; allowed: cm-1"),
        ("cm-1", "states/eV/cell", "allowed: max, sum, min-max, 3N"),
    ]:
        with pytest.raises(ConfigError, match=reason):
            quantity("phonon_dos").check(unit, normalisation)
    with pytest.raises(ConfigError, match="'gap'; allowed: phonon_dos, electron_dos"):
        quantity("gap")
    with pytest.raises(ConfigError, match="'phonon_dos'; allowed: phonon_bands, electron_bands"):
        quantity("phonon_dos", "bands")
    with pytest.raises(ConfigError, match="unit 'Ry'; allowed: cm-1, eV"):
        Quantity("loss", "loss", "Ry", "energy")
    with pytest.raises(ConfigError, match="at least one normalisation"):
        Quantity("loss", "loss", "eV", "energy", normalisations={})


def test_a_name_is_registered_once():
    record = quantity("phonon_dos")
    assert register_quantity(record) is record
    with pytest.raises(ConfigError, match="another quantity is called 'phonon_dos'"):
        register_quantity(Quantity("phonon_dos", "other", "cm-1", "frequency"))


def test_every_record_is_whole():
    for record in QUANTITIES.values():
        assert record.axis_label.endswith(f"({record.axis_unit.label})")
        assert record.zero
        assert record.metrics
        assert record.counted in (None, *record.normalisations)
        if record.is_bands:
            assert quantity(str(record.density), "density").unit == record.unit
    assert density_in("eV").name == "electron_dos"
    asked = [record.asked_as for record in QUANTITIES.values()]
    assert len(set(asked)) == len(asked)
