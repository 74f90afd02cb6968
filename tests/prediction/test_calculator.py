"""`Calculator` and the jobflow maker: the same numbers as predictions and their properties."""

from __future__ import annotations

import json
import sys

import ase.io
import pytest
from monty.json import MontyDecoder, MontyEncoder

import vanhove
from vanhove.errors import ConfigError, MissingExtraError, StructureError
from vanhove.prediction.properties import Properties
from vanhove.prediction.workflow import PropertiesMaker

SALT, OXIDE = "examples/structures/NaCl.cif", "examples/structures/MgO.cif"
FAST = "vanhove-phonon-fast"


@pytest.fixture(scope="module")
def calculator():
    wanted = ["mean_frequency", "heat_capacity_450K", "space_group_symbol"]
    return vanhove.Calculator(properties=wanted, model=FAST)


def test_values_units_and_half_widths_are_those_of_the_registry(calculator):
    found = calculator.calculate(SALT)
    predictor = calculator.predictor
    outcome, known = predictor.predict(SALT), Properties(predictor.info)
    assert list(found.properties) == ["mean_frequency", "heat_capacity_450K", "space_group_symbol"]
    for name, one in found.properties.items():
        value, half = known[name].with_half_width(outcome, predictor.calibration)
        assert (one.value, one.unit, one.half_width_90) == (
            pytest.approx(value),
            known[name].unit,
            half if half is None else pytest.approx(half),
        )
    assert found["mean_frequency"].half_width_90 > 0
    assert found["heat_capacity_450K"].unit == "J/(K mol of atoms)"
    assert found["heat_capacity_450K"].value > outcome.thermal_properties([300]).heat_capacity[0]
    assert (found.formula, found.model, found.warnings) == ("NaCl", FAST, [])
    assert found.values["space_group_symbol"] == "Fm-3m"
    content = json.loads(json.dumps(found.to_json()))
    assert content["properties"]["mean_frequency"]["unit"] == "1/cm"


def test_several_structures_of_any_form(calculator):
    atoms = ase.io.read(OXIDE)
    found = calculator.calculate([SALT, atoms, vanhove.read_crystal(OXIDE)])
    assert [one.formula for one in found] == ["NaCl", "MgO", "MgO"]
    frequencies = [one["mean_frequency"].value for one in found]
    assert frequencies[1] == pytest.approx(frequencies[2], rel=1e-3)
    assert frequencies[1] > 1.5 * frequencies[0]
    assert calculator.get_property("mean_frequency", atoms) == pytest.approx(
        frequencies[1], rel=1e-3
    )
    assert calculator.get_property("entropy_300K", atoms) > 0
    assert {"entropy_300K", "peak_frequency"} <= set(calculator.implemented_properties)


def test_electrons_bring_the_half_width_of_their_gap():
    calculator = vanhove.Calculator("electron-dos", ["band_gap"])
    gap = calculator.calculate(SALT)["band_gap"]
    assert gap.unit == "eV"
    assert gap.value == pytest.approx(vanhove.electrons(SALT, primitive=True).band_gap, abs=0.05)
    assert gap.half_width_90 > 0


def test_what_cannot_be_is_refused(calculator):
    with pytest.raises(ConfigError, match="no property 'band_gap'"):
        vanhove.Calculator(properties=["band_gap"], model=FAST)
    with pytest.raises(ConfigError, match="no property 'sommerfeld'"):
        calculator.get_property("sommerfeld", SALT)
    with pytest.raises(StructureError):
        calculator.calculate("nowhere.cif")


def test_a_maker_without_jobflow_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "jobflow", None)
    with pytest.raises(MissingExtraError, match=r"vanhove\[jobflow\]"):
        PropertiesMaker().make(SALT)


def test_a_job_gives_what_the_calculator_gives(calculator):
    jobflow = pytest.importorskip("jobflow")
    from maggma import stores

    wanted = ["mean_frequency", "heat_capacity_450K", "space_group_symbol"]
    maker = PropertiesMaker.from_dict(PropertiesMaker(properties=wanted, model=FAST).as_dict())
    assert isinstance(maker, jobflow.Maker)
    structure = vanhove.read_crystal(SALT).to_structure()
    first = maker.make(structure)
    # Jobs are kept as JSON between their making and their run.
    first = json.loads(json.dumps(first, cls=MontyEncoder), cls=MontyDecoder)
    both = maker.make([structure, structure])
    answers = jobflow.run_locally(
        jobflow.Flow([first, both]),
        store=jobflow.JobStore(stores.MemoryStore()),
        log=False,
        ensure_success=True,
    )
    expected = calculator.calculate(structure).to_json()
    for name, output in answers[first.uuid][1].output["properties"].items():
        assert output["value"] == expected["properties"][name]["value"]
        assert output["unit"] == expected["properties"][name]["unit"]
    assert [one["formula"] for one in answers[both.uuid][1].output] == ["NaCl", "NaCl"]
