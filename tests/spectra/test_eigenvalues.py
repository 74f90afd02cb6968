import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from vanhove.crystal.crystal import Crystal
from vanhove.errors import ConfigError, DataError
from vanhove.spectra import BandEdges, Eigenvalues, SampledDos, band_edges, tetrahedra_of
from vanhove.spectra.eigenvalues import mean_density

CUBE = Crystal(np.eye(3) * 4.0, [[0, 0, 0]], [11])
LOW = Crystal([[3.0, 0, 0], [0.4, 4, 0], [0.3, 0.7, 5]], [[0, 0, 0], [0.3, 0.1, 0.2]], [11, 17])
SHAPE = (4, 3, 2)


def full_mesh(*shape):
    return np.indices(shape).reshape(3, -1).T / np.array(shape)


LOW_MESH = full_mesh(*SHAPE)
LOW_TETRAHEDRA = tetrahedra_of(LOW, LOW_MESH, 24)


def on_low_mesh(energies, n_electrons=2, width=None):
    """Bands on a mesh of 24 points without symmetry, but that of time reversal."""
    minus = [np.abs((LOW_MESH + k) % 1 % 1).sum(1).argmin() for k in LOW_MESH]
    energies = (energies + energies[minus]) / 2
    return Eigenvalues(energies, np.full(24, 1 / 24), n_electrons, width, LOW_TETRAHEDRA)


random_bands = arrays(np.float64, (24, 3), elements=st.floats(-5, 5))


@settings(max_examples=25, deadline=None)
@given(random_bands, st.sampled_from([None, 0.05, 0.5]), st.integers(2, 40))
def test_every_state_is_counted_on_any_grid(energies, width, n_points):
    states = on_low_mesh(energies, width=width)
    grid = np.linspace(-9, 9, n_points)
    # Past the last band as well: here nothing lies above it.
    values = np.diff(states.number_of_states(np.r_[-9, (grid[1:] + grid[:-1]) / 2, 9]))
    assert values.sum() == pytest.approx(6, abs=1e-6)
    assert (values >= -1e-9).all()


@settings(max_examples=25, deadline=None)
@given(random_bands, st.sampled_from([None, 0.2]))
def test_trapezoid_integral_is_the_number_of_states_on_the_grid(energies, width):
    states = on_low_mesh(energies, width=width)
    high = states.known_range[1]
    for n_points in (2, 7, 100):
        grid = np.linspace(high - 3, high, n_points)
        low_count, high_count = states.number_of_states(grid[[0, -1]])
        integral = np.trapezoid(states.dos(grid), grid)
        assert integral == pytest.approx(high_count - low_count, abs=1e-9)


@settings(max_examples=25, deadline=None)
@given(random_bands)
def test_tetrahedra_weigh_corners_as_a_plain_sum_does(energies):
    # The mean energy of a full band is the plain mean over the mesh in the linear method.
    states = on_low_mesh(energies)
    edges = np.linspace(-6, 6, 6001)
    counts = np.diff(states.number_of_states(edges))
    mean = (counts @ (edges[1:] + edges[:-1]) / 2) / counts.sum()
    assert mean == pytest.approx(states.energies.mean(), abs=2e-3)


def test_a_single_level_is_a_gaussian_of_the_stated_width():
    level = Eigenvalues(np.array([[1.0, 30.0]]), [1.0], 1, width=0.1)
    grid = np.linspace(0, 2, 2001)
    values = level.dos(grid)
    assert np.trapezoid(values, grid) == pytest.approx(2)
    assert np.trapezoid(values * grid, grid) / 2 == pytest.approx(1)
    assert np.trapezoid(values * (grid - 1) ** 2, grid) / 2 == pytest.approx(0.01, rel=1e-3)
    assert values.max() == pytest.approx(2 / (0.1 * np.sqrt(2 * np.pi)), rel=1e-4)


def test_flat_bands_do_not_break_tetrahedra():
    states = on_low_mesh(np.tile([0.0, 0.0, 9.0], (24, 1)))
    assert states.number_of_states(np.array([-0.1, 0.1])) == pytest.approx([0, 4])


@pytest.mark.parametrize(("n", "width", "tolerance"), [(24, None, 0.01), (24, 0.1, 0.04)])
def test_free_electrons(n, width, tolerance):
    # E = hbar^2 k^2 / 2m, so the density is V / (2 pi^2) (2m / hbar^2)^(3/2) sqrt(E).
    half_hbar2_m = 3.80998  # eV angstrom^2
    steps = full_mesh(n, n, n)
    irreducible = np.unique(np.sort(np.minimum(steps, 1 - steps), axis=1).round(9), axis=0)
    folded = np.sort(np.minimum(steps, 1 - steps), axis=1).round(9)
    _, counts = np.unique(folded, axis=0, return_counts=True)
    images = full_mesh(3, 3, 3) * 3 - 1
    k = 2 * np.pi / 4.0 * (irreducible[:, None] + images)
    energies = np.sort(half_hbar2_m * (k**2).sum(axis=-1), axis=1)[:, :8]
    states = Eigenvalues(
        energies,
        counts / counts.sum(),
        1,
        width,
        tetrahedra_of(CUBE, irreducible, n**3, counts / counts.sum()),
    )
    grid = np.linspace(0.5, 2.0, 16)
    expected = 64 / (2 * np.pi**2) / half_hbar2_m**1.5 * np.sqrt(grid)
    inside = slice(1, -1)
    np.testing.assert_allclose(states.dos(grid)[inside], expected[inside], rtol=5 * tolerance)
    assert np.trapezoid(states.dos(grid), grid) == pytest.approx(
        np.trapezoid(expected, grid), rel=tolerance
    )
    # One electron: E_F = hbar^2 / 2m (3 pi^2 / V)^(2/3).
    edges = band_edges(states)
    assert edges.is_metal
    assert edges.gap == 0
    assert edges.vbm == edges.cbm == edges.fermi_level
    assert edges.fermi_level == pytest.approx(
        half_hbar2_m * (3 * np.pi**2 / 64) ** (2 / 3), rel=0.02
    )


def test_mesh_is_unfolded_with_the_weights_of_the_code():
    tetrahedra = tetrahedra_of(CUBE, [[0, 0, 0], [0, 0, 0.5], [0, 0.5, 0.5], [0.5, 0.5, 0.5]], 8)
    assert tetrahedra.weights.sum() == pytest.approx(1)
    corners = np.bincount(tetrahedra.corners.ravel(), np.repeat(tetrahedra.weights, 4)) / 4
    np.testing.assert_allclose(corners, [1 / 8, 3 / 8, 3 / 8, 1 / 8])


@pytest.mark.parametrize(
    ("kpoints", "n_full", "weights", "message"),
    [
        ([[0, 0, 0], [1 / 233, 0, 0]], 8, None, "no mesh, not a Gamma-centred"),
        ([[0, 0, 0], [0.5, 0, 0]], 8, None, "2x1x1, not a Gamma-centred mesh of 8"),
        ([[0, 0, 0], [0.5, 0.5, 0.5]], 8, None, "6 of 8 points"),
        ([[0, 0, 0]], 1, [0.5], "weights"),
    ],
)
def test_tetrahedra_refuse_another_mesh(kpoints, n_full, weights, message):
    with pytest.raises(DataError, match=message):
        tetrahedra_of(CUBE, kpoints, n_full, weights)


def test_band_edges_of_an_insulator_and_of_a_path_that_knows_more():
    states = Eigenvalues([[-3.0, 1.0], [-2.0, 2.0]], [0.5, 0.5], 2, width=0.1)
    assert band_edges(states) == BandEdges(-2, 1, -0.5, is_metal=False)
    more = band_edges(states, path=np.array([[-1.5, 0.5, 7.0]]))
    assert more == BandEdges(-1.5, 0.5, -0.5, is_metal=False)
    assert more.gap == 2
    with pytest.raises(DataError, match="too few bands along the path"):
        band_edges(states, path=np.array([[-1.5]]))


@pytest.mark.parametrize(
    ("energies", "n_electrons"),
    [
        ([[-3.0, 1.0], [0.0, 2.0]], 3),  # an odd number
        ([[-3.0, 1.0, 3.0], [1.5, 2.0, 4.0]], 2),  # overlap
        ([[-3.0, 1.0, 3.0], [1.0 - 1e-6, 2.0, 4.0]], 2),  # they touch
    ],
)
def test_metals(energies, n_electrons):
    states = Eigenvalues(energies, [0.5, 0.5], n_electrons, width=0.1)
    edges = band_edges(states)
    assert edges.is_metal
    assert edges.gap == 0
    filled = states.number_of_states(np.array([edges.fermi_level]))
    assert filled == pytest.approx([n_electrons], abs=1e-9)


GOOD = {"energies": [[0.0, 1.0]], "weights": [1.0], "n_electrons": 2, "width": 0.1}


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"energies": np.zeros((2, 1, 2))}, DataError, "spin-polarised"),
        ({"energies": [0.0, 1.0]}, DataError, "n_kpoints, n_bands"),
        ({"energies": [[0.0, np.nan]]}, DataError, "NaN"),
        ({"weights": [0.5, 0.5]}, DataError, "as many positive weights"),
        ({"weights": [0.9]}, DataError, "add up to 1, got 0.9"),
        ({"n_electrons": 1.5}, DataError, "whole number of at least 1, got 1.5"),
        ({"n_electrons": 0}, DataError, "at least 1"),
        ({"n_electrons": 4}, DataError, "too few bands: 2 leave no empty state above 4"),
        ({"width": None}, ConfigError, "Gaussian width in eV, or the tetrahedra"),
        ({"width": -0.1}, ConfigError, "width"),
    ],
)
def test_bad_eigenvalues_are_refused(changes, error, message):
    Eigenvalues(**GOOD)
    with pytest.raises(error, match=message) as caught:
        Eigenvalues(**(GOOD | changes))
    assert "\n" not in str(caught.value)


def test_a_window_that_bands_do_not_cover_is_refused():
    states = Eigenvalues([[0.0, 1.0], [0.0, 3.0]], [0.5, 0.5], 2, width=0.01)
    states.dos(np.linspace(-5, 0.9, 11))
    with pytest.raises(DataError, match=r"-5.000 to 1.000 eV is not covered: .* to 0.960"):
        states.dos(np.linspace(-5, 1, 11))


def test_sampled_density():
    energies = np.array([-1.0, 0.0, 0.5, 2.0])
    sampled = SampledDos(energies, [0.0, 2.0, 1.0, 1.0])
    at = np.array([-1.0, -0.5, 0.0, 0.25, 2.0])
    np.testing.assert_allclose(
        sampled.number_of_states(at), [0, 0.25, 1.0, 1 + (2 + 1.5) / 8, 1 + 0.75 + 1.5]
    )
    np.testing.assert_allclose(mean_density(sampled, np.array([1.0, 1.5, 2.0])), 1)
    with pytest.raises(DataError, match="not covered"):
        mean_density(sampled, np.array([1.0, 2.1]))


@pytest.mark.parametrize(
    ("densities", "message"),
    [
        ([[1.0, 1.0], [1.0, 1.0]], "spin-polarised"),
        ([1.0, -0.5], "not negative"),
        ([1.0, np.nan], "NaN"),
    ],
)
def test_bad_sampled_densities_are_refused(densities, message):
    with pytest.raises(DataError, match=message):
        SampledDos([0.0, 1.0], densities)
