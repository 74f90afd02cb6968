"""Errors of predicted electron states."""

from __future__ import annotations

import numpy as np
import pytest

from vanhove.datasets.electron_pbe import load_electron_states
from vanhove.evaluation.electron_states import Prediction, measure


@pytest.fixture(scope="module")
def state():
    """A metal."""
    return next(s for s in load_electron_states().values() if s.edges.is_metal)


def test_the_calculation_itself_has_no_error_whatever_its_zero(state):
    same = Prediction(state.mesh_energies + 3.0, state.path_energies + 3.0, state.n_electrons)
    error = measure(state, same)
    names = ("window", "six_bands", "six_bands_by_count", "gap_error", "dos_mse")
    for name in names:
        assert error[name] == pytest.approx(0, abs=1e-4), name
    assert error["metal_right"] == 1


def test_bands_are_compared_by_the_electrons_that_fill_them(state):
    """A shell more, with its electrons, changes nothing; without them, other bands are compared."""

    def with_a_shell(n_electrons):
        mesh, path = (
            np.concatenate([np.full((len(e), 1), e.min() - 50.0), e], axis=1)
            for e in (state.mesh_energies, state.path_energies)
        )
        return measure(state, Prediction(mesh, path, n_electrons))

    right = with_a_shell(state.n_electrons + 2)
    assert right["six_bands_by_count"] == pytest.approx(0, abs=1e-4)
    assert right["window"] == pytest.approx(0, abs=1e-4)
    assert with_a_shell(state.n_electrons)["six_bands_by_count"] > 0.1
