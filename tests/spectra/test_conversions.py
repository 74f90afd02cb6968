import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from vanhove.crystal.crystal import Crystal
from vanhove.crystal.kpath import high_symmetry_path
from vanhove.errors import ConfigError, DataError, MissingExtraError
from vanhove.spectra import (
    Spectrum,
    ThermalProperties,
    spectra_to_xarray,
    thermal_properties,
)
from vanhove.spectra.bands import BandStructure
from vanhove.spectra.conversions.ase import EV_PER_CM1
from vanhove.spectra.density import THZ_PER_CM1

GRID = np.linspace(0.0, 1000.0, 51)
ROCK_SALT = Crystal(
    2.8 * (np.ones((3, 3)) - np.eye(3)), [[0, 0, 0], [0.5, 0.5, 0.5]], [11, 17], name="NaCl"
)
VALUES = np.exp(-(((GRID - 200) / 50) ** 2))


def phonons(**changes):
    return Spectrum(**({
        "grid": GRID, "values": VALUES, "unit": "cm-1", "normalisation": "max",
        "std": 0.1 * VALUES, "crystal": ROCK_SALT, "name": "NaCl", "metadata": {"model": "m"},
    } | changes))  # fmt: skip


def electrons(**changes):
    grid = np.linspace(-5.0, 5.0, 21)
    return Spectrum(**({
        "grid": grid, "values": grid**2, "unit": "eV", "normalisation": "states/eV/cell",
        "quantity": "electron_dos", "name": "metal",
    } | changes))  # fmt: skip


def bands(quantity="electron_bands"):
    path = high_symmetry_path(ROCK_SALT)
    kpoints = path.sample(60)
    level = None if quantity == "phonon_bands" else 0.5
    length = np.linalg.norm(kpoints.cartesian, axis=1)
    energies = np.stack([-length, 2 + length, 5 + length], axis=1)
    return BandStructure(kpoints, energies, level, quantity, path.crystal, "NaCl", {"a": 1})


modes = st.builds(
    lambda values, n_atoms, first: Spectrum(
        first + np.arange(len(values)) * 20.0, values, "cm-1", "max"
    ).normalise("3N", n_atoms),
    arrays(np.float64, st.integers(4, 20), elements=st.floats(0.01, 10)),
    st.integers(1, 30),
    st.floats(-30, 0),
)


def assert_close(a, b, rtol=1e-9):
    np.testing.assert_allclose(a.grid, b.grid, rtol=rtol, atol=1e-9)
    np.testing.assert_allclose(a.values, b.values, rtol=rtol, atol=1e-12)
    assert (a.unit, a.normalisation, a.quantity) == (b.unit, b.normalisation, b.quantity)


@given(modes)
@settings(max_examples=20, deadline=None)
def test_phonons_survive_every_library(tmp_path_factory, spectrum):
    file = tmp_path_factory.getbasetemp() / "total_dos.dat"
    spectrum.to_phonopy(file)
    assert_close(Spectrum.from_phonopy(file), spectrum)
    assert_close(Spectrum.from_pymatgen(spectrum.to_pymatgen()), spectrum)
    assert_close(Spectrum.from_ase(spectrum.to_ase()), spectrum)
    assert_close(Spectrum.from_pandas(spectrum.to_pandas()), spectrum, rtol=0)


def test_every_library_counts_the_same_modes(tmp_path):
    """3 modes for each of 2 atoms, whatever the unit of the axis."""
    spectrum = phonons()
    spectrum.to_phonopy(tmp_path / "total_dos.dat")
    dos = spectrum.to_pymatgen()
    data = spectrum.to_ase()
    rows = np.loadtxt(tmp_path / "total_dos.dat")
    assert np.trapezoid(dos.densities, dos.frequencies) == pytest.approx(6)
    assert np.trapezoid(data.get_weights(), data.get_energies()) == pytest.approx(6)
    assert np.trapezoid(rows[:, 1], rows[:, 0]) == pytest.approx(6)
    assert rows[10, 0] == pytest.approx(200 * 0.0299792458)  # 200 1/cm in THz
    assert data.get_energies()[10] == pytest.approx(200 / 8065.543937)  # and in eV
    assert data.info == {"quantity": "phonon_dos", "normalisation": "3N", "label": "NaCl"}


def test_a_complete_phonon_dos_brings_its_structure():
    from pymatgen.phonon.dos import CompletePhononDos

    total = phonons().to_pymatgen()
    structure = ROCK_SALT.to_structure()
    halves = dict.fromkeys(structure, total.densities / 2)
    found = Spectrum.from_pymatgen(CompletePhononDos(structure, total, halves))
    assert found.crystal.formula == "NaCl"
    assert_close(found, phonons().normalise("3N"))


def test_electrons_through_pymatgen_and_ase():
    spectrum = electrons()
    back = Spectrum.from_pymatgen(spectrum.to_pymatgen(), ROCK_SALT)
    assert_close(back, spectrum, rtol=0)
    assert back.metadata["fermi_level"] == 0.25  # half a step above 0
    assert back.crystal.n_atoms == 2
    assert_close(Spectrum.from_ase(spectrum.to_ase()), spectrum, rtol=0)


def test_spins_are_added():
    from pymatgen.electronic_structure.core import Spin
    from pymatgen.electronic_structure.dos import Dos

    grid = np.linspace(-1, 1, 5)
    dos = Dos(0.0, grid, {Spin.up: np.ones(5), Spin.down: 2 * np.ones(5)})
    assert (Spectrum.from_pymatgen(dos).values == 3).all()
    with pytest.raises(ConfigError, match="got dict"):
        Spectrum.from_pymatgen({})


def test_ase_wants_equal_steps():
    with pytest.raises(ConfigError, match="equal steps"):
        phonons(grid=GRID**1.2).to_ase()
    with pytest.raises(ConfigError, match="phonon_dos, electron_dos"):
        Spectrum.from_ase(phonons().to_ase(), quantity="dos")


def test_atoms_carry_spectra_through_extxyz(tmp_path):
    import ase.io

    atoms = phonons().to_atoms()
    atoms.info |= electrons(crystal=ROCK_SALT).to_atoms().info
    ase.io.write(tmp_path / "one.extxyz", atoms)
    read = ase.io.read(tmp_path / "one.extxyz")
    back = Spectrum.from_atoms(read, "phonon_dos")
    assert_close(back, phonons(), rtol=0)
    np.testing.assert_array_equal(back.std, phonons().std)
    assert (back.name, back.metadata, back.crystal.formula) == ("NaCl", {"model": "m"}, "NaCl")
    assert Spectrum.from_atoms(read, "electron_dos").unit == "eV"
    with pytest.raises(DataError, match="name it in quantity="):
        Spectrum.from_atoms(read)
    with pytest.raises(ConfigError, match="needs the crystal"):
        electrons().to_atoms()


def test_pandas_keeps_all_and_a_bare_table_must_say_its_normalisation():
    back = Spectrum.from_pandas(phonons().to_pandas())
    assert back.to_dict() == phonons().to_dict()
    bare = phonons().to_pandas()
    bare.attrs = {}
    with pytest.raises(DataError, match="normalisation="):
        Spectrum.from_pandas(bare)
    assert Spectrum.from_pandas(bare, normalisation="max").unit == "cm-1"
    with pytest.raises(DataError, match="frequency_cm1 or energy_eV"):
        Spectrum.from_pandas(bare.reset_index())


def test_xarray_keeps_all():
    pytest.importorskip("xarray")
    spectrum = phonons(samples=np.stack([VALUES, VALUES / 2]))
    dataset = spectrum.to_xarray()
    assert dataset.frequency.attrs["units"] == "cm-1"
    assert dict(dataset.sizes) == {"frequency": 51, "member": 2}
    back = Spectrum.from_xarray(dataset)
    assert back.to_dict() == spectrum.to_dict()
    np.testing.assert_array_equal(back.samples, spectrum.samples)
    with pytest.raises(DataError, match="attribute normalisation"):
        Spectrum.from_xarray(dataset.drop_vars("values"))


def test_several_spectra_in_one_dataset():
    pytest.importorskip("xarray")
    both = [phonons(), phonons(values=VALUES / 2, name="other")]
    dataset = spectra_to_xarray(both)
    assert dataset["values"].dims == ("material", "frequency")
    assert dataset.formula.to_numpy().tolist() == ["NaCl", "NaCl"]
    second = Spectrum.from_xarray(dataset.isel(material=1))
    assert second.name == "other"
    assert_close(second, both[1], rtol=0)
    with pytest.raises(DataError, match="normalise"):
        spectra_to_xarray([phonons(), phonons().normalise("sum")])
    with pytest.raises(DataError, match="one or more"):
        spectra_to_xarray([])


def test_a_missing_xarray_is_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "xarray", None)
    with pytest.raises(MissingExtraError, match=r"vanhove\[xarray\]"):
        phonons().to_xarray()


@pytest.mark.parametrize("quantity", ["electron_bands", "phonon_bands"])
def test_bands_survive_pymatgen_and_xarray(quantity):
    given_bands = bands(quantity)
    back = BandStructure.from_pymatgen(given_bands.to_pymatgen(), name="NaCl")
    np.testing.assert_allclose(back.energies, given_bands.energies, atol=1e-9)
    np.testing.assert_allclose(back.kpoints.distances, given_bands.kpoints.distances, atol=1e-6)
    assert back.kpoints.labels == given_bands.kpoints.labels
    assert (back.quantity, back.fermi_level) == (quantity, given_bands.fermi_level)
    pytest.importorskip("xarray")
    again = BandStructure.from_xarray(given_bands.to_xarray())
    assert again.to_dict() == given_bands.to_dict()
    given_bands = replace(given_bands, std=0.1 * np.abs(given_bands.energies))
    assert BandStructure.from_xarray(given_bands.to_xarray()).to_dict() == given_bands.to_dict()


def test_phonon_bands_leave_in_thz():
    line = bands("phonon_bands").to_pymatgen()
    assert type(line).__name__ == "PhononBandStructureSymmLine"
    expected = bands("phonon_bands").energies.max() * THZ_PER_CM1
    assert line.bands.max() == pytest.approx(expected)


def test_bands_as_a_table():
    frame = bands().to_pandas()
    assert len(frame) == 60
    assert frame["label"].iloc[0] == "Γ"
    np.testing.assert_array_equal(frame["band_3_eV"].to_numpy(), bands().energies[:, 2])
    line = bands().to_pymatgen()
    line.structure = None
    with pytest.raises(DataError, match="structure="):
        BandStructure.from_pymatgen(line)


# Thermal properties and phonopy's files


def test_thermal_properties_are_those_of_the_functions():
    from vanhove.spectra import entropy, free_energy

    found = phonons().thermal_properties([0.0, 300.0])
    assert found.entropy[1] == pytest.approx(entropy(GRID, VALUES, 300))
    assert found.free_energy[1] == pytest.approx(free_energy(GRID, VALUES, 300))
    assert found.internal_energy[0] == pytest.approx(found.zero_point_energy)
    assert found.n_atoms == 2
    frame = found.to_pandas()
    assert frame.loc[300.0, "entropy_J_per_K_mol_atoms"] == found.entropy[1]
    with pytest.raises(ConfigError, match="phonon_dos"):
        thermal_properties(electrons())
    with pytest.raises(ConfigError, match="a list"):
        thermal_properties(phonons(), 300.0)


@given(modes, st.integers(1, 30))
@settings(max_examples=15, deadline=None)
def test_thermal_properties_survive_phonopys_file(tmp_path_factory, spectrum, n_atoms):
    file = tmp_path_factory.getbasetemp() / "thermal_properties.yaml"
    found = spectrum.thermal_properties([0.0, 10.0, 300.0])
    found.to_phonopy(file, n_atoms)
    back = ThermalProperties.from_phonopy(file)
    assert back.n_atoms == n_atoms
    for key in ("heat_capacity", "entropy", "internal_energy", "free_energy", "zero_point_energy"):
        np.testing.assert_allclose(getattr(back, key), getattr(found, key), atol=1e-8)


def test_damaged_files_are_one_line(tmp_path):
    file = tmp_path / "thermal_properties.yaml"
    for content in ("natom: 2\n", "[1, 2]", "natom: [", "natom: 2\nthermal_properties: []\n"):
        file.write_text(content)
        with pytest.raises(DataError, match="thermal_properties"):
            ThermalProperties.from_phonopy(file)
    with pytest.raises(ConfigError, match="n_atoms="):
        phonons(crystal=None).thermal_properties([0.0]).to_phonopy(file)
    dos = tmp_path / "total_dos.dat"
    for content, message in (("1 2 3\n4 5 6\n", "3 columns"), ("a b\n", "not phonopy's")):
        dos.write_text(content)
        with pytest.raises(DataError, match=message):
            Spectrum.from_phonopy(dos)
    with pytest.raises(DataError, match="no such file"):
        Spectrum.from_phonopy(tmp_path / "none.dat")


@pytest.fixture(scope="module")
def copper(tmp_path_factory):
    """What phonopy itself makes of copper (ASE's EMT), and its files."""
    phonopy = pytest.importorskip("phonopy")
    from ase import Atoms
    from ase.build import bulk
    from ase.calculators.emt import EMT
    from phonopy.structure.atoms import PhonopyAtoms

    cubic = bulk("Cu", a=3.6, cubic=True)
    cell = PhonopyAtoms(symbols=["Cu"] * 4, cell=cubic.cell, positions=cubic.positions)
    phonon = phonopy.Phonopy(cell, np.eye(3) * 2, primitive_matrix="F", log_level=0)
    phonon.generate_displacements(distance=0.01)
    forces = []
    for displaced in phonon.supercells_with_displacements:
        atoms = Atoms(
            displaced.symbols, cell=displaced.cell, positions=displaced.positions, pbc=True
        )
        atoms.calc = EMT()
        forces.append(atoms.get_forces())
    phonon.forces = forces
    phonon.produce_force_constants()
    phonon.run_mesh(30.0)
    phonon.run_total_dos(freq_min=0.0, freq_max=8.0, freq_pitch=0.02)
    phonon.run_thermal_properties(t_min=0, t_max=600, t_step=100)
    folder = tmp_path_factory.mktemp("copper")
    phonon.write_total_dos(filename=folder / "total_dos.dat")
    phonon.write_yaml_thermal_properties(filename=folder / "thermal_properties.yaml")
    return folder


def test_phonopys_files_agree_with_each_other_here(copper):
    spectrum = Spectrum.from_phonopy(copper / "total_dos.dat")
    assert np.trapezoid(spectrum.values, spectrum.grid) == pytest.approx(3, rel=1e-2)
    theirs = ThermalProperties.from_phonopy(copper / "thermal_properties.yaml")
    ours = spectrum.thermal_properties(theirs.temperatures)
    assert theirs.n_atoms == 1
    for key in ("heat_capacity", "entropy", "free_energy", "internal_energy"):
        scale = np.abs(getattr(theirs, key)).max()
        np.testing.assert_allclose(getattr(ours, key), getattr(theirs, key), atol=0.01 * scale)


def test_phonopy_reads_ours(tmp_path):
    file_io = pytest.importorskip("phonopy.file_IO")
    ours = phonons().thermal_properties()
    ours.to_phonopy(tmp_path / "thermal_properties.yaml")
    kelvin, heat_capacity, entropy, free_energy, *_ = file_io.read_thermal_properties_yaml(
        [tmp_path / "thermal_properties.yaml"]
    )
    np.testing.assert_allclose(kelvin, np.arange(0, 1001, 10))
    np.testing.assert_allclose(heat_capacity[:, 0], 2 * ours.heat_capacity, atol=1e-8)
    np.testing.assert_allclose(entropy[:, 0], 2 * ours.entropy, atol=1e-8)
    np.testing.assert_allclose(free_energy[:, 0], 2 * ours.free_energy, atol=1e-8)


# Other people's plots


def test_sumo_plots_our_results():
    pytest.importorskip("sumo")
    import matplotlib

    matplotlib.use("Agg")
    from sumo.plotting.dos_plotter import SDOSPlotter
    from sumo.plotting.phonon_bs_plotter import SPhononBSPlotter

    dos = electrons().to_pymatgen()
    assert SDOSPlotter(dos, {}).get_plot(xmin=-5, xmax=5).gca().lines
    assert SPhononBSPlotter(bands("phonon_bands").to_pymatgen()).get_plot().gca().lines


def test_pymatviz_plots_our_results():
    pytest.importorskip("pymatviz")
    from pymatviz.phonons import phonon_bands, phonon_dos

    drawn = phonon_dos(phonons().to_pymatgen())
    np.testing.assert_allclose(drawn.data[0].x, GRID * THZ_PER_CM1)
    assert len(phonon_bands(bands("phonon_bands").to_pymatgen()).data) > 0


def test_electronvolts_are_those_of_ase():
    from ase.units import invcm

    assert pytest.approx(invcm, rel=1e-6) == EV_PER_CM1


def test_csv_says_how_far_to_trust_it():
    said = [
        "Na is rare: in 2 crystals of the training data",
        "density 30 g/cm3: trained on 1 to 20",
    ]
    metadata = {"familiarity": 0.031, "warnings": said, "interval_factors": {"0.9": 1.7}}
    spectrum = Spectrum(
        np.arange(3.0), np.ones(3), "cm-1", "max", std=np.full(3, 0.1), metadata=metadata
    )
    text = spectrum.to_csv()
    assert "# half width of the 90 % interval: 1.7 times std" in text
    again = Spectrum.from_csv(text)
    assert again.warnings == tuple(said)
    assert again.metadata["familiarity"] == 0.031
