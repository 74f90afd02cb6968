import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from vanhove.crystal.crystal import Crystal
from vanhove.errors import ConfigError, DataError, MissingExtraError, VanhoveError
from vanhove.spectra import Spectrum, terminal_plot

GRID = np.linspace(0.0, 1000.0, 51)
ROCK_SALT = Crystal(np.eye(3) * 5.6, [[0, 0, 0], [0.5, 0.5, 0.5]], [11, 17], name="mp-22862")
CORUNDUM_LIKE = Crystal(np.eye(3) * 5, np.arange(15).reshape(5, 3) / 15, [13, 13, 8, 8, 8])


def peaks(grid=GRID):
    return np.exp(-(((grid - 160) / 40) ** 2)) + 0.5 * np.exp(-(((grid - 300) / 60) ** 2))


def phonons(**changes):
    settings = {
        "grid": GRID,
        "values": peaks(),
        "unit": "cm-1",
        "normalisation": "max",
        "std": 0.1 * peaks() + 0.01,
        "crystal": ROCK_SALT,
        "name": "NaCl",
        "metadata": {"model": "some-model", "crystal_system": "cubic"},
    }
    return Spectrum(**(settings | changes))


def electrons(**changes):
    grid = np.linspace(-5.0, 5.0, 21)
    return Spectrum(
        **({"grid": grid, "values": grid**2, "unit": "eV", "normalisation": "states/eV/cell",
            "quantity": "electron_dos"} | changes)
    )  # fmt: skip


spectra = st.integers(2, 30).flatmap(
    lambda n: st.builds(
        Spectrum,
        grid=st.just(np.cumsum(np.linspace(0.3, 7.1, n))),
        values=arrays(np.float64, n, elements=st.floats(0, 1e6, allow_subnormal=False)),
        std=st.none() | arrays(np.float64, n, elements=st.floats(0, 1e3)),
        unit=st.just("cm-1"),
        normalisation=st.sampled_from(["max", "sum", "3N"]),
        crystal=st.sampled_from([None, ROCK_SALT]),
        name=st.text("abc XYZ-_0:", max_size=8).map(str.strip),
    )
)


def assert_same(a, b):
    np.testing.assert_array_equal(a.grid, b.grid)
    np.testing.assert_array_equal(a.values, b.values)
    assert (a.std is None) == (b.std is None)
    if a.std is not None:
        np.testing.assert_array_equal(a.std, b.std)
    for name in ("unit", "normalisation", "quantity"):
        assert getattr(a, name) == getattr(b, name)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"values": np.ones(50)}, DataError, "50"),
        ({"values": np.ones((2, 51))}, DataError, "one spectrum"),
        ({"values": np.full(51, np.nan)}, DataError, "NaN"),
        ({"std": np.full(51, -1.0)}, DataError, "standard deviation"),
        ({"std": np.ones(3)}, DataError, "3"),
        ({"grid": GRID[::-1]}, DataError, "increase"),
        ({"grid": np.where(GRID == 20, 0, GRID)}, DataError, "increase"),
        ({"grid": np.where(GRID == 20, np.inf, GRID)}, DataError, "finite"),
        ({"unit": "eV", "quantity": "phonon_dos"}, ConfigError, "of phonon_dos; allowed: cm-1"),
        ({"unit": "THz"}, ConfigError, "'THz'; allowed: cm-1, eV"),
        ({"normalisation": "min"}, ConfigError, "allowed: max, sum, min-max, 3N"),
        ({"normalisation": "states/eV/cell"}, ConfigError, "allowed: max, sum, min-max, 3N"),
        ({"quantity": "phonon_bands"}, ConfigError, "allowed: phonon_dos, electron_dos"),
    ],
)
def test_bad_spectra_are_refused(changes, error, message):
    with pytest.raises(error, match=message):
        phonons(**changes)


def test_a_spectrum_cannot_be_changed_through_its_arrays():
    values = peaks()
    spectrum = phonons(values=values)
    values[:] = 7
    assert spectrum.values.max() < 2
    with pytest.raises(ValueError, match="read-only"):
        spectrum.values[0] = 1


def test_repr_is_short_and_says_what_it_is():
    assert repr(phonons()) == (
        "Spectrum(phonon_dos of NaCl, NaCl: 51 points, 0 to 1000 cm-1, "
        'normalisation "max", with std)'
    )


def test_normalise_fulfils_each_convention():
    spectrum = phonons(values=3.7 * peaks())
    assert spectrum.normalise("max").values.max() == pytest.approx(1)
    assert spectrum.normalise("sum").values.sum() == pytest.approx(1)
    full = spectrum.normalise("3N")
    assert np.trapezoid(full.values, GRID) == pytest.approx(6)
    assert full.normalisation == "3N"
    assert np.trapezoid(spectrum.normalise("3N", n_atoms=4).values, GRID) == pytest.approx(12)


@given(spectra, st.sampled_from(["max", "sum", "3N"]))
def test_normalise_keeps_shape_and_relative_error_bar(spectrum, normalisation):
    if not spectrum.values.max() > 1e-3:
        return
    other = spectrum.normalise(normalisation, n_atoms=3)
    np.testing.assert_allclose(
        other.values * spectrum.values.max(),
        spectrum.values * other.values.max(),
        rtol=1e-12,
        atol=1e-300,
    )
    if spectrum.std is not None:
        np.testing.assert_allclose(
            other.std * spectrum.values.max(),
            spectrum.std * other.values.max(),
            rtol=1e-12,
            atol=1e-300,
        )
    again = other.normalise(normalisation, n_atoms=3)
    np.testing.assert_allclose(again.values, other.values, rtol=1e-12)


@pytest.mark.parametrize("normalisation", ["max", "sum", "3N"])
def test_an_all_zero_spectrum_cannot_be_normalised(normalisation):
    with pytest.raises(DataError, match="without positive weight"):
        phonons(values=np.zeros(51)).normalise(normalisation)


def test_normalise_says_what_it_needs():
    with pytest.raises(ConfigError, match="max, sum, min-max, 3N; got 'states/eV/cell'"):
        phonons().normalise("states/eV/cell")
    with pytest.raises(ConfigError, match="n_atoms"):
        phonons(crystal=None).normalise("3N")
    with pytest.raises(ConfigError, match="at least 1"):
        phonons().normalise("3N", n_atoms=0)
    with pytest.raises(ConfigError, match="one of max, sum, min-max; got '3N'"):
        electrons().normalise("3N", n_atoms=2)


def test_interpolate_is_linear_and_zero_outside():
    spectrum = Spectrum([1.0, 2.0, 4.0], [1.0, 3.0, 5.0], "eV", "max", std=[0.0, 1.0, 2.0])
    new = spectrum.interpolate([0.5, 1.5, 3.0, 4.5])
    np.testing.assert_allclose(new.values, [0, 2, 4, 0])
    np.testing.assert_allclose(new.std, [0, 0.5, 1.5, 0])


def test_interpolate_keeps_the_sum_of_a_sum_normalised_spectrum():
    spectrum = phonons().normalise("sum")
    fine = spectrum.interpolate(np.linspace(0, 1000, 501))
    assert fine.normalisation == "sum"
    assert fine.values.sum() == pytest.approx(1)
    peak = spectrum.values.argmax()
    assert fine.std.max() / fine.values.max() == pytest.approx(
        spectrum.std[peak] / spectrum.values[peak]
    )


@given(spectra)
def test_json_round_trip_is_exact(spectrum):
    back = Spectrum.from_json(spectrum.to_json())
    assert_same(spectrum, back)
    assert back.name == spectrum.name
    assert (back.crystal is None) == (spectrum.crystal is None)


def test_json_keeps_crystal_and_metadata(tmp_path):
    path = tmp_path / "spectrum.json"
    text = phonons().to_json(path)
    assert path.read_text() == text
    back = Spectrum.from_json(path)
    np.testing.assert_array_equal(back.crystal.lattice, ROCK_SALT.lattice)
    np.testing.assert_array_equal(
        back.crystal.fractional_coordinates, ROCK_SALT.fractional_coordinates
    )
    np.testing.assert_array_equal(back.crystal.atomic_numbers, [11, 17])
    assert back.crystal.name == "mp-22862"
    assert back.metadata == {"model": "some-model", "crystal_system": "cubic"}


def test_json_of_float32_values_gives_the_same_float32_values():
    values = peaks().astype(np.float32)
    back = Spectrum.from_json(phonons(values=values).to_json())
    np.testing.assert_array_equal(back.values.astype(np.float32), values)


@pytest.mark.parametrize("bad", [float("nan"), np.ones(2), {1, 2}])
def test_json_is_strict(bad):
    with pytest.raises(DataError, match="metadata"):
        phonons(metadata={"x": bad}).to_json()


@pytest.mark.parametrize("text", ["{", "{}", '{"grid": [0, 1], "valeus": [1, 2]}'])
def test_from_json_refuses_other_things(text):
    with pytest.raises(DataError):
        Spectrum.from_json(text)


def test_from_json_refuses_nan_and_missing_files(tmp_path):
    data = json.loads(phonons().to_json())
    data["values"][3] = float("nan")
    with pytest.raises(DataError, match="NaN"):
        Spectrum.from_json(json.dumps(data))
    with pytest.raises(DataError, match=r"cannot read .*gone\.json"):
        Spectrum.from_json(tmp_path / "gone.json")
    (tmp_path / "list.json").write_text("[1]")
    with pytest.raises(DataError, match="object"):
        Spectrum.from_json(str(tmp_path / "list.json"))


@given(spectra)
def test_csv_round_trip_is_exact(spectrum):
    back = Spectrum.from_csv(spectrum.to_csv())
    assert_same(spectrum, back)
    assert back.name == " ".join(spectrum.name.split())


def test_csv_states_what_it_holds(tmp_path):
    path = tmp_path / "spectrum.csv"
    phonons(name="two\nlines").to_csv(path)
    lines = path.read_text().splitlines()
    assert lines[:5] == [
        "# quantity: phonon_dos",
        "# unit: cm-1",
        "# normalisation: max",
        "# name: two lines",
        "frequency_cm1,values,std",
    ]
    assert len(lines) == 5 + 51
    assert_same(Spectrum.from_csv(path), phonons())
    back = Spectrum.from_csv(electrons().to_csv())
    assert_same(back, electrons())
    assert "energy_eV,values\n" in electrons().to_csv()


def test_a_users_csv_needs_its_normalisation_said():
    text = "energy_eV, values\n0, 1\n1, 2\n"
    with pytest.raises(DataError, match="# normalisation: max"):
        Spectrum.from_csv(text)
    spectrum = Spectrum.from_csv(text, normalisation="states/eV/cell")
    assert spectrum.quantity == "electron_dos"
    np.testing.assert_array_equal(spectrum.values, [1, 2])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\n", "got none"),
        ("frequency,values\n0,1\n", "got frequency, values"),
        ("frequency_cm1,values\n0,1\n2,x\n", "2 numbers.*x"),
        ("frequency_cm1,values\n0,1\n2\n", "2 numbers"),
        ("frequency_cm1,values\n", "at least 2 points"),
    ],
)
def test_from_csv_refuses_other_things(text, message):
    with pytest.raises(DataError, match=message):
        Spectrum.from_csv(text, normalisation="max")


def test_to_pymatgen_is_in_thz_and_3n():
    dos = phonons().to_pymatgen()
    assert dos.frequencies[-1] == pytest.approx(29.9792458)
    assert np.trapezoid(dos.densities, dos.frequencies) == pytest.approx(6)
    # Dulong and Petit for two atoms: 2 x 3R.
    assert dos.cv(temp=3000) == pytest.approx(6 * 8.314462618, rel=1e-2)


def test_electrons_to_pymatgen():
    grid = np.linspace(-5, 5, 201)
    dos = electrons(grid=grid, values=np.where((grid <= 0) | (grid >= 2), 3.0, 0.0)).to_pymatgen()
    assert dos.get_gap(tol=1e-3, abs_tol=True) == pytest.approx(2, abs=0.1)
    np.testing.assert_array_equal(dos.energies, grid)
    assert dos.efermi == pytest.approx(0.025)
    assert dos.get_densities().max() == 3


def test_min_max():
    spectrum = electrons(values=np.linspace(2.0, 6.0, 21), std=np.ones(21)).normalise("min-max")
    assert spectrum.normalisation == "min-max"
    np.testing.assert_allclose(spectrum.values, np.linspace(0, 1, 21))
    np.testing.assert_allclose(spectrum.std, 0.25)
    with pytest.raises(DataError, match="min-max"):
        electrons(values=np.ones(21)).normalise("min-max")


def test_to_pymatgen_needs_the_number_of_atoms():
    with pytest.raises(ConfigError, match="n_atoms"):
        phonons(crystal=None).to_pymatgen()


@pytest.mark.parametrize(
    ("ending", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")]
)
def test_plot_writes_each_format(tmp_path, ending, start):
    path = tmp_path / f"plot.{ending}"
    phonons().plot(path)
    assert path.read_bytes().startswith(start)


def test_plot_labels_axes_title_and_band():
    reference = phonons(normalisation="3N", values=5 * peaks(), std=None)
    axes = phonons(crystal=CORUNDUM_LIKE).plot(reference=reference).axes[0]
    assert axes.get_xlabel() == "frequency (cm⁻¹)"
    assert axes.get_ylabel() == "phonon DOS (maximum = 1)"
    assert axes.get_title(loc="left") == "Al$_{2}$O$_{3}$"
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert sorted(labels) == ["some-model", "some-model", "± 1σ"]
    # The reference was brought to the normalisation of the spectrum.
    assert axes.lines[0].get_ydata().max() == pytest.approx(1)


def test_plot_without_extras_has_no_legend_and_any_name_as_title():
    spectrum = phonons(std=None, crystal=None, name="a$b$c_{")
    figure = spectrum.plot()
    assert figure.axes[0].get_legend() is None
    assert spectrum._repr_png_().startswith(b"\x89PNG")
    assert electrons().plot().axes[0].get_xlabel() == "energy (eV)"


def test_plot_refuses_what_it_cannot_do(tmp_path):
    with pytest.raises(ConfigError, match=r"\.png, \.svg or \.pdf"):
        phonons().plot(tmp_path / "plot.jpeg")
    with pytest.raises(ConfigError, match="eV"):
        phonons().plot(reference=electrons())


def test_a_sum_normalised_reference_on_another_grid_is_comparable():
    fine = np.linspace(0, 1000, 501)
    reference = phonons(grid=fine, values=peaks(fine), std=None).normalise("sum")
    axes = phonons().normalise("sum").plot(reference=reference).axes[0]
    drawn, ours = axes.lines[0].get_ydata().max(), axes.lines[1].get_ydata().max()
    assert drawn == pytest.approx(ours, rel=1e-6)


def test_plots_leave_pyplot_alone():
    code = (
        "import sys\n"
        "import vanhove.spectra as s\n"
        "heavy = {'scipy', 'torch', 'matplotlib', 'pymatgen', 'plotly', 'ase'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        "s.Spectrum([0, 1], [1, 2], 'eV', 'max')._repr_png_()\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_html_plot_is_self_contained(tmp_path):
    path = tmp_path / "plot.html"
    phonons(crystal=CORUNDUM_LIKE).plot_html(path, reference=phonons())
    page = path.read_text(encoding="utf-8")
    assert "Plotly.newPlot" in page
    assert 'src="http' not in page
    body = page[page.rindex("Plotly.newPlot") :]
    assert "some-model" in body
    assert "\\u003csub\\u003e2" in body


def test_html_plot_without_plotly_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "plotly.graph_objects", None)
    with pytest.raises(MissingExtraError, match=r"vanhove\[html\]"):
        phonons().plot_html(tmp_path / "plot.html")


@given(spectra, st.integers(30, 90), st.integers(2, 15))
def test_terminal_plot_fits_and_shows_the_top(spectrum, width, height):
    lines = terminal_plot(spectrum, width, height).split("\n")
    if spectrum.crystal is None and not spectrum.name:
        assert len(lines) == height + 3
    else:
        assert len(lines) == height + 4
        lines = lines[1:]
    assert max(map(len, lines[: height + 2])) <= width
    if spectrum.values.max() > 0:
        assert "█" in lines[0]


def test_terminal_plot_keeps_a_lone_peak():
    values = np.zeros(5001)
    values[2500] = 1.0
    spectrum = Spectrum(np.linspace(0, 1000, 5001), values, "cm-1", "max")
    lines = terminal_plot(spectrum, width=41, height=4).split("\n")
    assert all(line.count("█") == 1 for line in lines[:4])
    assert lines[0].startswith("1 │")
    assert lines[5].split() == ["0", "500", "1000"]
    assert "frequency (cm⁻¹)" in lines[6]


def test_terminal_plot_title_and_size():
    assert terminal_plot(phonons(crystal=CORUNDUM_LIKE)).split("\n")[0].strip() == "Al₂O₃"
    with pytest.raises(VanhoveError, match="too small"):
        terminal_plot(phonons(), width=10)
