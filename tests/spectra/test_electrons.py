import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vanhove.crystal.crystal import Crystal
from vanhove.errors import ConfigError, DataError
from vanhove.spectra import (
    Eigenvalues,
    Spectrum,
    detection_scores,
    electronic_heat_capacity,
    fermi_level_density,
    has_gap_near_edge,
    read_gap,
    sommerfeld_coefficient,
)
from vanhove.spectra.grids import MAT2SPEC_ELECTRON_GRID

GRID = np.linspace(-5, 5, 201)
ALUMINIUM = Crystal(np.eye(3) * 4.05, [[0, 0, 0]] * 4, [13] * 4)


def electrons(values, grid=GRID, **changes):
    settings = {"unit": "eV", "normalisation": "states/eV/cell", "quantity": "electron_dos"}
    return Spectrum(grid, values, **(settings | changes))


@given(st.floats(0.06, 4.5), st.floats(-0.04, 0.04), st.sampled_from([0.01, 0.05]))
def test_gap_of_two_levels_is_read_to_a_grid_step(gap, shift, step):
    grid = np.arange(-5, 5 + step / 2, step)
    levels = Eigenvalues(np.array([[shift, gap + shift, 50]]), [1.0], 2, width=1e-6)
    reading = read_gap(electrons(levels.dos(grid), grid), zero=shift)
    assert reading.gap == pytest.approx(gap, abs=step * (1 + 1e-9)) or (
        reading.gap == 0 and gap < 2 * step
    )
    assert not reading.is_lower_bound


def test_gap_around_a_fermi_level_in_its_middle():
    reading = read_gap(electrons(np.where(np.abs(GRID) > 1.01, 1.0, 0.0)))
    assert (reading.lower, reading.upper) == pytest.approx((-1.05, 1.05))


def test_a_metal_has_no_gap_and_a_gap_elsewhere_is_not_taken():
    values = np.where((GRID > -3) & (GRID < -1), 0.0, 1.0)
    assert read_gap(electrons(values)).gap == 0
    assert read_gap(electrons(values), zero=-3.02).gap == pytest.approx(2.0)
    assert read_gap(electrons(values[::-1])).gap == 0
    assert read_gap(electrons(values[::-1]), reach=1.1).gap == pytest.approx(2.0)


def test_a_gap_past_the_end_of_the_grid_is_a_lower_bound():
    reading = read_gap(electrons(np.where(GRID <= 0, 1.0, 0.0)))
    assert reading.gap == 5
    assert reading.is_lower_bound


def test_threshold_decides_what_is_empty():
    values = np.where(GRID > 0.9, 1.0, 0.02) + (GRID < -0.9)
    assert read_gap(electrons(values)).gap == 0
    assert read_gap(electrons(values), threshold=0.05).gap == pytest.approx(1.9, abs=0.06)


def test_read_gap_refuses():
    phonons = Spectrum(GRID + 6, GRID + 6, "cm-1", "max")
    with pytest.raises(ConfigError, match="in eV"):
        read_gap(phonons)
    with pytest.raises(ConfigError, match="threshold"):
        read_gap(electrons(GRID + 6), threshold=0)
    with pytest.raises(DataError, match="outside the grid"):
        read_gap(electrons(GRID + 6), zero=7)


def with_hole(low, high):
    """Two states/eV, but none between."""
    grid = MAT2SPEC_ELECTRON_GRID
    return np.where((grid > low) & (grid < high), 0.5, 2.0)


@pytest.mark.parametrize(
    ("hole", "expected"),
    [
        ((-1.5, -0.5), True),
        ((-2.0, -1.0), True),  # the upper edge at its limits
        ((-1.25, -0.25), True),
        ((-2.25, -1.125), False),  # too deep
        ((-1.25, -0.125), False),  # too close
        ((-1.4375, -0.5), False),  # a bin too narrow
        ((-9, -0.5), True),  # to the end of the grid
        ((0.5, 2.0), False),  # in the conduction bands
        ((-1.5, 1.5), False),
    ],
)
def test_valence_gap_criterion(hole, expected):
    values = np.stack([with_hole(*hole), with_hole(0, 0)])
    assert has_gap_near_edge(MAT2SPEC_ELECTRON_GRID, values).tolist() == [expected, False]
    mirrored = has_gap_near_edge(MAT2SPEC_ELECTRON_GRID, values[:, ::-1], "conduction")
    assert mirrored.tolist() == [expected, False]


def test_valence_gap_parameters():
    grid, values = MAT2SPEC_ELECTRON_GRID, with_hole(-1.5, -0.75)[None]
    assert not has_gap_near_edge(grid, values)[0]
    assert has_gap_near_edge(grid, values, min_width=0.75)[0]
    assert not has_gap_near_edge(grid, values, min_width=0.75, threshold=0.4)[0]
    assert not has_gap_near_edge(grid, values, min_width=0.75, distance=(0.25, 0.5))[0]
    with pytest.raises(ConfigError, match="valence or conduction"):
        has_gap_near_edge(grid, values, "core")
    with pytest.raises(ConfigError, match="distance"):
        has_gap_near_edge(grid, values, distance=(1.0, 0.25))
    with pytest.raises(DataError, match="n_materials, n_points"):
        has_gap_near_edge(grid, values[0])


def test_detection_scores():
    target = np.array([True, True, True, False, False])
    scores = detection_scores(target, np.array([True, True, False, True, False]))
    assert scores["precision"] == pytest.approx(2 / 3)
    assert scores["recall"] == pytest.approx(2 / 3)
    assert scores["f1"] == pytest.approx(2 / 3)
    assert (scores["n_true"], scores["n_predicted"], scores["n_found"]) == (3, 3, 2)
    nothing = detection_scores(target, ~np.ones(5, dtype=bool))
    assert np.isnan(nothing["precision"])
    assert nothing["recall"] == nothing["f1"] == 0
    with pytest.raises(DataError, match="yes or no"):
        detection_scores(target.astype(int), target)
    with pytest.raises(DataError, match="shape"):
        detection_scores(target, target[:2])


def test_sommerfeld_of_free_electrons():
    # gamma = pi^2/2 N k_B R / E_F: Kittel's table gives 0.912 mJ/(mol K^2) for aluminium.
    half_hbar2_m, n_electrons, volume = 3.80998, 12, 4.05**3
    fermi = half_hbar2_m * (3 * np.pi**2 * n_electrons / volume) ** (2 / 3)
    grid = np.linspace(-10, 5, 1501)
    energy = (grid + fermi).clip(min=0)
    values = volume / (2 * np.pi**2) / half_hbar2_m**1.5 * np.sqrt(energy)
    dos = electrons(values, grid, crystal=ALUMINIUM)
    gamma = sommerfeld_coefficient(dos, per="atom")
    assert gamma == pytest.approx(0.912, rel=5e-3)
    kelvin_per_ev = 11604.518
    expected = np.pi**2 / 2 * 3 * 8314.462618 / (fermi * kelvin_per_ev)
    assert gamma == pytest.approx(expected, rel=1e-4)
    assert sommerfeld_coefficient(dos) == pytest.approx(4 * gamma)
    assert sommerfeld_coefficient(dos, window=0.2) == pytest.approx(4 * gamma, rel=1e-3)
    capacity = electronic_heat_capacity(dos, np.array([0.0, 4.2]), per="atom")
    np.testing.assert_allclose(capacity, [0, 4.2 * gamma])


def test_fermi_level_density():
    dos = electrons(GRID + 5)
    assert fermi_level_density(dos) == pytest.approx(5)
    assert fermi_level_density(dos, 0.333) == pytest.approx(5.333)
    assert fermi_level_density(dos, 1.0, window=0.52) == pytest.approx(6)
    with pytest.raises(ConfigError, match="lost the scale"):
        fermi_level_density(electrons(GRID + 5, normalisation="min-max"))
    with pytest.raises(DataError, match="not on the grid"):
        fermi_level_density(dos, 4.9, window=0.2)
    with pytest.raises(ConfigError, match="window"):
        fermi_level_density(dos, window=-1)
    with pytest.raises(ConfigError, match="set the crystal"):
        sommerfeld_coefficient(dos, per="atom")
    with pytest.raises(ConfigError, match="temperature"):
        electronic_heat_capacity(dos, -1.0)
