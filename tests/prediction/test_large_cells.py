"""Supercells: perfect ones are their primitive cells, those with a vacancy are not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

import vanhove
from vanhove.crystal.crystal import Crystal


def rock_salt(repeats: int) -> Crystal:
    fcc = np.array([[0, 0, 0], [0, 1, 1], [1, 0, 1], [1, 1, 0]]) / 2
    cells = np.indices((repeats,) * 3).reshape(3, -1).T
    places = np.concatenate([(fcc[:, None] + shift + cells).reshape(-1, 3) for shift in (0, 0.5)])
    numbers = np.repeat([12, 8], len(places) // 2)
    return Crystal(4.21 * repeats * np.eye(3), places / repeats % 1, numbers, "MgO")


def test_a_supercell_is_its_primitive_cell_and_a_vacancy_is_seen():
    predictor = vanhove.load("vanhove-phonon-fast", grid=np.linspace(0, 1000, 51))
    perfect = rock_salt(2)
    missing = replace(
        perfect,
        fractional_coordinates=perfect.fractional_coordinates[:-1],
        atomic_numbers=perfect.atomic_numbers[:-1],
    )
    cell, supercell, vacancy = predictor.predict([rock_salt(1), perfect, missing])
    np.testing.assert_allclose(supercell.values, cell.values, atol=1e-4)
    assert vacancy.crystal.n_atoms == 63
    assert np.isfinite(vacancy.values).all()
    apart = np.abs(vacancy.values - supercell.values)
    assert 0.01 < apart.max() < 1
    similar = np.corrcoef(vacancy.values, supercell.values)[0, 1]
    assert similar > 0.6
