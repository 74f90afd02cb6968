import numpy as np
import pytest

from vanhove.errors import DataError
from vanhove.spectra import (
    BandEdges,
    Eigenvalues,
    SampledDos,
    dostransformer_electron_dos,
    mat2spec_electron_dos,
)
from vanhove.spectra.electron_dos import min_max
from vanhove.spectra.grids import DOSTRANSFORMER_ELECTRON_GRID, MAT2SPEC_ELECTRON_GRID

INSULATOR = BandEdges(vbm=3.0, cbm=6.0, fermi_level=4.5, is_metal=False)
METAL = BandEdges(vbm=3.0, cbm=3.0, fermi_level=3.0, is_metal=True)
FINE = np.linspace(-10, 20, 3001)


def box(low, high, height):
    return np.where((low - 1e-9 <= FINE) & (high + 1e-9 >= FINE), height, 0.0)


SAMPLED = SampledDos(FINE, box(1.0, 3.0, 2.0) + box(6.0, 20.0, 1.0))


def test_grids():
    assert DOSTRANSFORMER_ELECTRON_GRID[[0, 1, 100, 200]].tolist() == [-5, -4.95, 0, 5]
    assert MAT2SPEC_ELECTRON_GRID[[0, 63, 64, 127]].tolist() == [
        -3.96875,
        -0.03125,
        0.03125,
        3.96875,
    ]


def test_dostransformer_counts_from_the_vbm():
    values = dostransformer_electron_dos(SAMPLED, INSULATOR, smooth=False, scale=False)
    grid = DOSTRANSFORMER_ELECTRON_GRID
    np.testing.assert_allclose(values[(grid > -1.9) & (grid < -0.1)], 2)
    np.testing.assert_allclose(values[(grid > 0.1) & (grid < 2.9)], 0, atol=1e-12)
    np.testing.assert_allclose(values[(grid > 3.1)], 1)
    assert np.trapezoid(values, grid) == pytest.approx(4 + 2, abs=0.03)


def test_dostransformer_smooths_over_17_points_and_scales():
    raw = dostransformer_electron_dos(SAMPLED, INSULATOR, smooth=False, scale=False)
    smooth = dostransformer_electron_dos(SAMPLED, INSULATOR, scale=False)
    inner = np.convolve(raw, np.ones(17) / 17, mode="valid")
    np.testing.assert_allclose(smooth[8:-8], inner, atol=1e-12)
    assert smooth.min() >= 0
    scaled = dostransformer_electron_dos(SAMPLED, INSULATOR)
    assert (scaled.min(), scaled.max()) == (0, 1)
    assert scaled.shape == (201,)


def test_mat2spec_cuts_the_gap_out_and_keeps_states_per_ev():
    values = mat2spec_electron_dos(SAMPLED, INSULATOR)
    assert values.shape == (128,)
    # The box below ends at the VBM and is 2 eV = 32 bins wide; that above starts at the CBM.
    np.testing.assert_allclose(values[33:63], 2)
    np.testing.assert_allclose(values[65:], 1)
    np.testing.assert_allclose(values[:30], 0, atol=1e-12)
    assert values[:64].sum() / 16 == pytest.approx(4, abs=0.02)


def test_mat2spec_is_continuous_for_a_metal():
    values = mat2spec_electron_dos(SAMPLED, METAL)
    np.testing.assert_allclose(values[33:63], 2)
    np.testing.assert_allclose(values[66:111], 0, atol=1e-12)


def test_eigenvalues_and_their_fine_density_agree():
    energies = np.linspace(0, 1, 40)[:, None] * [2, 3, 1] + [1.0, 6.0, 12.0]
    states = Eigenvalues(energies, np.full(40, 1 / 40), 2, width=0.1)
    sampled = SampledDos(FINE[FINE < 11.5], states.dos(FINE[FINE < 11.5]))
    for make in (dostransformer_electron_dos, mat2spec_electron_dos):
        np.testing.assert_allclose(make(states, INSULATOR), make(sampled, INSULATOR), atol=2e-3)


def test_a_window_that_is_not_covered_is_refused():
    short = SampledDos(FINE[FINE < 7.5], SAMPLED.densities[FINE < 7.5])
    for make in (dostransformer_electron_dos, mat2spec_electron_dos):
        with pytest.raises(DataError, match="is not covered"):
            make(short, INSULATOR)


def test_a_constant_cannot_be_scaled():
    with pytest.raises(DataError, match="cannot be scaled"):
        min_max(np.zeros(4))
