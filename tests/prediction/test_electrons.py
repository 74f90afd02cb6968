import numpy as np
import pytest
from pymatgen.electronic_structure.core import OrbitalType, Spin

from vanhove.crystal.crystal import Crystal
from vanhove.errors import ConfigError
from vanhove.models.tight_binding.error_bars import HalfWidths
from vanhove.prediction.electron_predictor import load_electrons
from vanhove.prediction.electrons import Electrons

FCC = np.array([[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
SILICON = Crystal(5.43 * FCC, np.array([[0, 0, 0], [0.25] * 3]), np.array([14, 14]), "silicon")
SODIUM = Crystal(
    4.2 * np.array([[-0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0.5, 0.5, -0.5]]),
    np.zeros((1, 3)),
    np.array([11]),
    "sodium",
)
HYDRIDE = Crystal(4.1 * FCC, np.array([[0, 0, 0], [0.5] * 3]), np.array([3, 1]), "LiH")


@pytest.fixture(scope="module")
def models():
    return load_electrons().models


@pytest.fixture(scope="module")
def silicon(models):
    return Electrons(models, SILICON, "untrained")


def test_edges_are_consistent(silicon):
    assert not silicon.is_metal
    gap = silicon.gap
    assert gap.vbm == pytest.approx(0, abs=1e-3)
    assert gap.energy == pytest.approx(silicon.band_gap, abs=0.05)
    assert silicon.fermi_level == pytest.approx(silicon.band_gap / 2)
    bands = silicon.bands(n_points=100)
    assert bands.energies[:, :4].max() <= 1e-3
    assert bands.energies[:, 4].min() == pytest.approx(silicon.band_gap, abs=0.02)
    gamma = silicon.energies([[0, 0, 0]])[0]
    at = bands.kpoints.labels.index("Γ")
    np.testing.assert_allclose(bands.energies[at], gamma[: bands.n_bands], atol=1e-4)
    assert set(silicon.effective_masses) == {"holes", "electrons"}


def test_density_counts_the_electrons(silicon):
    grid = np.arange(-1500, 201) * 0.02
    dos = silicon.dos(grid)
    below = np.trapezoid(dos.values[grid <= 1e-9], grid[grid <= 1e-9])
    assert below == pytest.approx(silicon.n_electrons, abs=0.05)
    broadened = silicon.dos(grid, broadening=0.1)
    assert np.trapezoid(broadened.values[:-200]) == pytest.approx(
        np.trapezoid(dos.values[:-200]), rel=0.02
    )
    in_gap = (grid > 0.02) & (grid < silicon.band_gap - 0.02)
    assert dos.values[in_gap].max() < 1e-6


@pytest.mark.parametrize("by", ["element", "site", "shell"])
def test_projections_add_up(models, by):
    electrons = Electrons(models, HYDRIDE)
    grid = np.linspace(-12, 4, 161)
    parts = electrons.projected_dos(grid, by)
    names = {
        "element": ["Li", "H"],
        "site": ["Li1", "H2"],
        "shell": ["Li s", "Li p", "Li d", "H s", "H p"],
    }
    assert sorted(parts) == sorted(names[by])
    total = sum(part.values for part in parts.values())
    np.testing.assert_allclose(total, electrons.dos(grid).values, atol=1e-3)


def test_a_metal(models):
    sodium = Electrons(models, SODIUM)
    assert sodium.is_metal
    assert (sodium.band_gap, sodium.fermi_level) == (0, 0)
    assert sodium.gap is None
    assert sodium.is_direct is None
    assert sodium.effective_masses == {}
    assert sodium.fermi_level_density() > 0.05


def test_real_space_gives_the_bands_back(silicon):
    vectors, matrices = silicon.hamiltonian()
    k = np.random.default_rng(0).uniform(-1, 1, (5, 3))
    phase = np.exp(2j * np.pi * k @ vectors.T)
    found = np.linalg.eigvalsh(np.einsum("kr,rij->kij", phase, matrices))
    np.testing.assert_allclose(found, silicon.energies(k), atol=2e-4)
    opposite = {tuple(v): m for v, m in zip(vectors, matrices, strict=True)}
    for vector, matrix in opposite.items():
        np.testing.assert_allclose(opposite[tuple(-np.array(vector))], matrix.T, atol=1e-4)


def test_wannier90_files_as_pythtb_reads_them(models, tmp_path):
    pythtb = pytest.importorskip("pythtb")
    hydride = Electrons(models, HYDRIDE)
    # pythtb compares each hopping with all others: a file of all of them takes it a minute.
    path = hydride.to_wannier90(tmp_path / "LiH", cutoff_eV=1e-2)
    assert path.name == "LiH_hr.dat"
    model = pythtb.w90(str(tmp_path), "LiH").model()
    k = np.random.default_rng(1).uniform(-0.5, 0.5, (3, 3))
    found = np.asarray(model.solve_all(k)).T
    np.testing.assert_allclose(np.sort(found, axis=1), hydride.energies(k), atol=0.05)


def test_fermi_surface_file(models, silicon, tmp_path):
    sodium = Electrons(models, SODIUM)
    path = sodium.to_bxsf(tmp_path / "na.bxsf", divisions=np.full(3, 4))
    lines = path.read_text().split("\n")
    start = lines.index("BEGIN_BANDGRID_3D_vanhove")
    n_bands = int(lines[start + 1])
    shape = tuple(map(int, lines[start + 2].split()))
    assert shape == (5, 5, 5)
    basis = np.array([line.split() for line in lines[start + 4 : start + 7]], dtype=float)
    np.testing.assert_allclose(basis @ SODIUM.lattice.T, 2 * np.pi * np.eye(3), atol=1e-6)
    headers = [i for i, line in enumerate(lines) if line.startswith("BAND:")]
    assert len(headers) == n_bands >= 1
    values = np.array(" ".join(lines[headers[0] + 1 : headers[0] + 26]).split(), dtype=float)
    band = int(lines[headers[0]].split()[1]) - 1
    grid = values.reshape(shape)
    np.testing.assert_allclose(grid[0], grid[4], atol=1e-4)  # periodic
    expected = sodium.energies([[0.25, 0.5, 0.75]])[0, band]
    assert grid[1, 2, 3] == pytest.approx(expected, abs=1e-4)
    with pytest.raises(ConfigError, match="no Fermi surface"):
        silicon.to_bxsf(tmp_path / "si.bxsf", divisions=np.array([2, 2, 2]))


def test_a_supercell_is_the_same_crystal(models, silicon):
    one = np.array([1, 0, 0])
    doubled = Crystal(
        SILICON.lattice * [[2], [1], [1]],
        np.concatenate([SILICON.fractional_coordinates, SILICON.fractional_coordinates + one])
        / [2, 1, 1],
        np.tile(SILICON.atomic_numbers, 2),
    )
    larger = Electrons(models, doubled)
    assert larger.band_gap == pytest.approx(silicon.band_gap, abs=1e-3)
    grid = np.linspace(-12, 5, 100)
    ratio = np.trapezoid(larger.dos(grid).values) / np.trapezoid(silicon.dos(grid).values)
    assert ratio == pytest.approx(2, rel=0.01)


def test_wrong_questions(silicon):
    with pytest.raises(ConfigError, match=r"fractional ones \[n_k, 3\]"):
        silicon.energies(np.zeros(3))
    with pytest.raises(ConfigError, match="allowed: element, site, shell"):
        silicon.projected_dos(by="orbital")
    with pytest.raises(ConfigError, match="path 'mine'"):
        silicon.bands("mine")


def test_error_bars_in_words(models, silicon):
    def with_gap_bars(factor):
        half = {"gap": HalfWidths(0.1, {"0.9": factor}, 9)}
        return Electrons(models, silicon.crystal, half_widths=half)

    sure, unsure = with_gap_bars(0.0), with_gap_bars(1e3)
    assert silicon.band_gap > 0
    assert sure.warnings == silicon.warnings == []
    assert "may be a metal" in unsure.warnings[0]
    assert list(unsure.bands().warnings) == list(unsure.dos().warnings) == unsure.warnings
    assert unsure.dos().metadata["band_gap_half_width_90"] == unsure.gap_half_width()


def test_error_bars_of_densities_follow_how_networks_differ(models, silicon):
    grid = np.arange(-6, 4, 0.1)
    half = {"density of insulators": HalfWidths(0.05, {"0.9": 2.0}, 9)}
    many = Electrons(models, silicon.crystal, half_widths=half)
    one = Electrons(models[:1], silicon.crystal, half_widths=half)
    assert np.ptp(one.dos_half_widths(grid)) < 1e-9  # the floor alone
    assert many.dos_half_widths(grid).shape == grid.shape
    assert (many.dos_half_widths(grid) > 0).all()
    assert np.ptp(many.dos_half_widths(grid)) > 0
    with pytest.raises(ConfigError, match="not calibrated"):
        silicon.dos_half_widths(grid)


def test_complete_dos_of_pymatgen(models):
    electrons = Electrons(models, HYDRIDE)
    grid = np.arange(-6, 8, 0.05)
    dos = electrons.to_complete_dos(grid)
    total = dos.densities[Spin.up]
    np.testing.assert_allclose(total, electrons.dos(grid).values)
    by_element = dos.get_element_dos()
    summed = sum(part.densities[Spin.up] for part in by_element.values())
    np.testing.assert_allclose(summed, total, atol=1e-4 * total.max())
    shells = electrons.projected_dos(grid, "shell")
    found = dos.get_element_spd_dos("Li")[OrbitalType.p].densities[Spin.up]
    np.testing.assert_allclose(found, shells["Li p"].values, atol=1e-9)
    assert dos.efermi == electrons.fermi_level


def test_equal_sites_have_equal_densities(silicon):
    parts = silicon.projected_dos(by="site")
    np.testing.assert_allclose(parts["Si1"].values, parts["Si2"].values, atol=1e-9)


def test_the_fermi_surface_of_sodium_is_nearly_a_sphere(models, silicon, tmp_path):
    electrons = Electrons(models, SODIUM)
    surface = electrons.fermi_surface(np.array([16, 16, 16]))
    volume = abs(np.linalg.det(SODIUM.lattice))
    radius = np.cbrt(3 * np.pi**2 / volume)
    assert surface.area == pytest.approx(4 * np.pi * radius**2, rel=0.1)
    (corners,) = surface.triangles.values()
    assert np.ptp(np.linalg.norm(corners, axis=2)) < 0.35 * radius
    surface.plot(tmp_path / "na.png")
    assert (tmp_path / "na.png").stat().st_size > 5000
    with pytest.raises(ConfigError, match="no Fermi surface"):
        silicon.fermi_surface([4, 4, 4])


def test_a_long_calculation_is_told_before_it_begins(monkeypatch, recwarn):
    predictor = load_electrons()
    predictor.electrons(SILICON)
    assert not recwarn
    monkeypatch.setattr("vanhove.prediction.electron_predictor._LONG", 1e-6)
    with pytest.warns(UserWarning, match="2 atoms.* minutes on one core"):
        predictor.electrons(HYDRIDE)
