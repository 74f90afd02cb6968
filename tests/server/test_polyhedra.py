"""Polyhedra around cations, and models that are given up when the time is over."""

from __future__ import annotations

import contextlib
import time

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from tests.conftest import STRUCTURES
from vanhove.crystal.reading import read_crystal
from vanhove.server.deadline import TooLate, deadline
from vanhove.server.polyhedra import polyhedra

CO2 = Structure.from_spacegroup(
    "Pa-3", Lattice.cubic(5.624), ["C", "O"], [[0, 0, 0], [0.1185, 0.1185, 0.1185]]
)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("NaCl", {"Na": (6, 8)}),
        ("AlN", {"Al": (4, 4)}),
        ("CaF2", {"Ca": (8, 12)}),
        ("SrTiO3", {"Sr": (12, 20), "Ti": (6, 8)}),
        ("TiO2_rutile", {"Ti": (6, 8)}),
        ("Si", {}),
    ],
)
def test_shapes(name, expected):
    found = polyhedra(read_crystal(STRUCTURES / f"{name}.cif"))
    assert {one.symbol: (len(one.corners), len(one.faces)) for one in found} == expected


def test_molecules_and_single_atoms_have_none():
    assert polyhedra(read_crystal(CO2)) == []
    assert polyhedra(read_crystal(Structure(Lattice.cubic(3), ["He"], [[0, 0, 0]]))) == []


def test_corners_are_atoms():
    crystal = read_crystal(STRUCTURES / "TiO2_rutile.cif")
    for one in polyhedra(crystal):
        places = crystal.cartesian_coordinates[one.site] + np.array(one.corners)
        fractional = places @ np.linalg.inv(crystal.lattice)
        away = fractional[:, None] - crystal.fractional_coordinates[None]
        assert (np.abs(away - np.rint(away)).max(axis=-1).min(axis=1) < 1e-6).all()


def _for_ever(end):
    with deadline(end):
        while True:
            with contextlib.suppress(Exception):
                sum(range(1000))


def test_what_takes_too_long_is_ended_and_nothing_catches_it():
    begin = time.monotonic()
    with pytest.raises(TooLate):
        _for_ever(begin + 0.2)
    assert time.monotonic() < begin + 10
    with pytest.raises(TooLate):
        _for_ever(begin)  # over already
    with deadline(time.monotonic() + 0.05):
        pass
    time.sleep(0.1)  # the alarm is off
