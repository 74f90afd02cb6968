import json
from dataclasses import replace

import numpy as np
import pytest

from tests.conftest import STRUCTURES
from vanhove.crystal.kpath import KPoints, high_symmetry_path, reciprocal_lattice
from vanhove.crystal.reading import read_crystal
from vanhove.errors import ConfigError, DataError
from vanhove.spectra.bands import BandStructure
from vanhove.spectra.dispersion import HBAR2_OVER_ELECTRON_MASS

MASS_BELOW, MASS_ABOVE, GAP = 0.5, 0.2, 1.5


def chain(energies: np.ndarray, fermi_level: float | None = 0.0, **options) -> BandStructure:
    """Bands on Gamma-X-M, 1 and 1 per angstrom."""
    n = len(energies)
    x = np.linspace(0, 2, n)
    labels = [""] * n
    labels[0], labels[n // 2], labels[-1] = "Γ", "X", "M"
    fractional = np.stack([np.minimum(x, 1), np.maximum(x - 1, 0), 0 * x], axis=1) / (2 * np.pi)
    return BandStructure(
        KPoints(fractional, np.eye(3), x, tuple(labels)), energies, fermi_level, **options
    )


@pytest.fixture
def semiconductor() -> BandStructure:
    """VBM at Gamma with mass 0.5, CBM at X with mass 0.2; 3 more bands far away."""
    x = np.linspace(0, 2, 81)
    below = -GAP / 2 - HBAR2_OVER_ELECTRON_MASS / (2 * MASS_BELOW) * np.minimum(x, 0.6) ** 2
    above = GAP / 2 + HBAR2_OVER_ELECTRON_MASS / (2 * MASS_ABOVE) * (x - 1) ** 2
    far = np.tile([-30.0, -25.0, 40.0], (81, 1))
    return chain(np.column_stack([far, below, above]) + 3.0, fermi_level=3.2)


def test_gap(semiconductor):
    gap = semiconductor.gap
    assert gap.energy == pytest.approx(GAP)
    assert not gap.is_direct
    assert gap.direct > GAP
    assert semiconductor.where(gap.vbm_at) == "Γ"
    assert semiconductor.where(gap.cbm_at) == "X"
    assert semiconductor.where(gap.direct_at) in ("Γ-X", "X", "X-M")
    assert not semiconductor.is_metal
    assert semiconductor.n_filled == 3


def test_alignment_puts_the_fermi_level_in_mid_gap(semiconductor):
    aligned = semiconductor.aligned()
    assert aligned.fermi_level == 0
    assert aligned.gap.vbm == pytest.approx(-GAP / 2)
    assert aligned.gap.cbm == pytest.approx(GAP / 2)


def test_a_metal_keeps_its_fermi_level():
    metal = chain(np.linspace(1, 4, 21)[:, None], fermi_level=2.0)
    assert metal.is_metal
    assert metal.gap is None
    assert metal.aligned().energies.min() == pytest.approx(-1)


def test_touching_bands_are_a_metal():
    x = np.linspace(-1, 1, 41)
    assert chain(np.stack([-np.abs(x), np.abs(x)], axis=1)).is_metal


def test_no_band_below(semiconductor):
    with pytest.raises(DataError, match="more bands are needed"):
        chain(np.ones((9, 1)), fermi_level=0.0).gap  # noqa: B018


def test_effective_masses(semiconductor):
    gap = semiconductor.gap
    at_vbm = semiconductor.effective_mass(2, gap.vbm_at)
    at_cbm = semiconductor.effective_mass(3, gap.cbm_at)
    assert at_vbm == pytest.approx({"Γ-X": -MASS_BELOW}, rel=1e-6)
    assert at_cbm == pytest.approx({"X-Γ": MASS_ABOVE, "X-M": MASS_ABOVE}, rel=1e-6)
    inside = semiconductor.effective_mass(3, gap.cbm_at + 5)
    assert inside == pytest.approx({"X-M": MASS_ABOVE}, rel=1e-6)
    with pytest.raises(ConfigError, match="bands 0 to 4"):
        semiconductor.effective_mass(5, 0)


def test_centres_dispersions_widths(semiconductor):
    rebuilt = semiconductor.centres + semiconductor.dispersions
    np.testing.assert_allclose(rebuilt, semiconductor.energies)
    np.testing.assert_allclose(semiconductor.dispersions.mean(axis=0), 0, atol=1e-12)
    assert semiconductor.widths[0] == 0


def test_near_fermi_masks_what_is_not_there(semiconductor):
    near = semiconductor.near_fermi(6)
    np.testing.assert_allclose(near[:, :5], semiconductor.energies - 3.2)
    assert np.isnan(near[:, 5]).all()
    lithium = chain(np.tile([1.0, 5.0, 6.0], (9, 1)), fermi_level=2.0)
    assert np.isnan(lithium.near_fermi(4)[:, 0]).all()
    with pytest.raises(ConfigError, match="n_bands 5"):
        semiconductor.near_fermi(5)


def test_dos_holds_two_electrons_per_band(semiconductor):
    grid = np.linspace(-40, 60, 2001)
    dos = semiconductor.dos(grid, width=0.2)
    assert np.trapezoid(dos.values, grid) == pytest.approx(2 * 5, rel=1e-6)
    inside = np.abs(grid - 3.0) < GAP / 2 - 0.65
    assert dos.values[inside].max() < 1e-2
    assert dos.quantity == "electron_dos"


def test_phonons_have_no_gap():
    phonons = chain(
        100 * np.abs(np.sin(np.linspace(0, 3, 30)))[:, None], None, quantity="phonon_bands"
    )
    assert phonons.unit == "cm-1"
    with pytest.raises(ConfigError, match="no Fermi level"):
        phonons.gap  # noqa: B018
    grid = np.linspace(-50, 150, 401)
    assert np.trapezoid(phonons.dos(grid, 3.0).values, grid) == pytest.approx(1, rel=1e-4)


@pytest.fixture(scope="module")
def sampled() -> BandStructure:
    """Free electrons in the cell of MgO, on its path with a jump."""
    crystal = read_crystal(STRUCTURES / "MgO.cif")
    path = high_symmetry_path(crystal)
    points = path.sample(100)
    shifts = np.stack(np.meshgrid(*[np.arange(-2, 3)] * 3), axis=-1).reshape(-1, 3)
    basis = reciprocal_lattice(path.crystal.lattice)
    k = (points.fractional[:, None] + shifts) @ basis
    energies = np.sort(HBAR2_OVER_ELECTRON_MASS / 2 * (k**2).sum(-1), axis=1)[:, :8]
    return BandStructure(points, energies, 8.0, crystal=path.crystal, name="free")


def energies_by_k(bands: BandStructure) -> dict[tuple, np.ndarray]:
    return {
        tuple(np.round(k, 6)): e
        for k, e in zip(bands.kpoints.fractional, bands.energies, strict=True)
    }


def test_continuous_path_has_the_same_energies(sampled):
    walked = sampled.continuous()
    assert len(sampled.kpoints.jumps) == 1
    assert len(walked.kpoints.jumps) == 0
    before, after = energies_by_k(sampled), energies_by_k(walked)
    assert before.keys() == after.keys()
    for k, energies in after.items():
        np.testing.assert_array_equal(energies, before[k])
    steps = np.linalg.norm(np.diff(walked.kpoints.cartesian, axis=0), axis=1)
    np.testing.assert_allclose(np.diff(walked.kpoints.distances), steps, atol=1e-9)


@pytest.mark.parametrize("n_points", [40, 128, 256])
def test_resampling_keeps_labelled_points(sampled, n_points):
    for bands in (sampled, sampled.continuous()):
        other = bands.resampled(n_points)
        assert len(other.kpoints) == n_points
        labels = [label for label in bands.kpoints.labels if label]
        assert [label for label in other.kpoints.labels if label] == labels
        before, after = energies_by_k(bands), energies_by_k(other)
        for i in np.flatnonzero(other.kpoints.labels):
            k = tuple(np.round(other.kpoints.fractional[i], 6))
            np.testing.assert_allclose(after[k], before[k], atol=1e-9)


def test_smoothing(sampled):
    smooth = sampled.smoothed(0.05)
    assert 0 < np.abs(smooth.energies - sampled.energies).max() < 1
    flat = chain(np.ones((20, 1)))
    np.testing.assert_allclose(flat.smoothed(0.3).energies, 1)
    narrow = sampled.smoothed(1e-3)
    np.testing.assert_allclose(narrow.energies, sampled.energies, atol=1e-9)
    with pytest.raises(ConfigError, match="positive"):
        sampled.smoothed(0)


def test_json(sampled, tmp_path):
    text = sampled.to_json(tmp_path / "bands.json")
    assert BandStructure.from_json(text).to_dict() == sampled.to_dict()
    with pytest.raises(DataError, match="NaN"):
        replace(sampled, metadata={"x": float("nan")}).to_json()
    again = BandStructure.from_json(tmp_path / "bands.json")
    np.testing.assert_array_equal(again.energies, sampled.energies)
    assert again.kpoints.labels == sampled.kpoints.labels
    assert again.crystal.formula == "MgO"
    assert json.loads((tmp_path / "bands.json").read_text())["unit"] == "eV"
    (tmp_path / "bands.json").write_text("{}")
    with pytest.raises(DataError, match="no band structure"):
        BandStructure.from_json(tmp_path / "bands.json")


def test_pymatgen_sees_the_same_bands(semiconductor, sampled):
    theirs = semiconductor.to_pymatgen()
    assert theirs.get_band_gap()["energy"] == pytest.approx(GAP)
    assert not theirs.get_band_gap()["direct"]
    assert [branch["name"] for branch in theirs.branches] == ["Γ-X", "X-M"]
    assert sampled.to_pymatgen().is_metal()
    assert len(sampled.to_pymatgen().branches) == 10


def test_plot(semiconductor, sampled, tmp_path):
    drawing = semiconductor.plot(tmp_path / "bands.png")
    axes = drawing.axes[0]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["Γ", "X", "M"]
    assert "1.50 eV, indirect" in [text.get_text() for text in axes.texts]
    assert (tmp_path / "bands.png").stat().st_size > 1000
    ticks = [tick.get_text() for tick in sampled.plot().axes[0].get_xticklabels()]
    assert "K|U" in ticks


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"energies": np.zeros((4, 2))}, "n_kpoints"),
        ({"energies": np.full((9, 1), np.nan)}, "NaN"),
        ({"energies": np.zeros((9, 1)), "fermi_level": None}, "Fermi level"),
        (
            {"energies": np.zeros((9, 1)), "quantity": "bands"},
            "phonon_bands, electron_bands",
        ),
    ],
)
def test_what_is_refused(changes, message):
    good = chain(np.zeros((9, 1)))
    options = {"fermi_level": 0.0} | changes
    with pytest.raises((DataError, ConfigError), match=message):
        BandStructure(good.kpoints, **options)


# Error bars


def with_bars() -> BandStructure:
    """Two bands that cross, given unsorted; the first one's error bars are 0.1, the other's 0.4."""
    x = np.linspace(-1, 1, 41)
    std = np.tile([0.1, 0.4], (41, 1))
    factors = {"interval_factors": {"0.9": 2.0}}
    return chain(np.stack([x, -x], axis=1), std=std, metadata=factors)


def test_error_bars_stay_with_their_energies():
    bands = with_bars()
    np.testing.assert_array_equal(bands.std[0], [0.1, 0.4])
    np.testing.assert_array_equal(bands.std[-1], [0.4, 0.1])
    low, high = bands.interval(0.9)
    np.testing.assert_allclose(high - bands.energies, 2 * bands.std)
    np.testing.assert_allclose(bands.energies - low, 2 * bands.std)
    finer = bands.resampled(81)
    np.testing.assert_allclose(finer.std[::2], bands.std)
    assert bands.continuous().std.shape == bands.energies.shape
    level = chain(np.ones((41, 2)), std=np.full((41, 2), 0.3)).smoothed(0.1)
    np.testing.assert_allclose(level.std, 0.3)


def test_error_bars_in_files_tables_and_pictures():
    bands = with_bars()
    again = BandStructure.from_dict(json.loads(json.dumps(bands.to_dict())))
    np.testing.assert_array_equal(again.std, bands.std)
    header, first = bands.to_csv().splitlines()[:2]
    assert header.endswith("band_1_eV,band_2_eV,band_1_std_eV,band_2_std_eV")
    assert first.endswith("-1.0,1.0,0.1,0.4")
    np.testing.assert_array_equal(bands.to_pandas()["band_2_std_eV"], bands.std[:, 1])
    assert len(bands.plot().axes[0].collections) == bands.n_bands
    assert not chain(bands.energies).plot().axes[0].collections


def test_bands_without_error_bars_have_no_interval():
    with pytest.raises(ConfigError, match="this band structure has no calibrated error bars"):
        chain(np.ones((9, 1))).interval()
    with pytest.raises(ConfigError, match=r"no interval at level 0.5; this band structure has 0.9"):
        with_bars().interval(0.5)


@pytest.mark.parametrize("std", [np.ones(9), -np.ones((9, 1)), np.full((9, 1), np.nan)])
def test_error_bars_that_are_none(std):
    with pytest.raises(DataError, match="std is a standard deviation of each energy"):
        chain(np.ones((9, 1)), std=std)
