import hashlib
import json

import numpy as np
import pytest

from tests.electron_subset import write_subset
from vanhove.datasets import (
    electron_pbe,
    load_dataset,
    load_electron_properties,
    load_electron_states,
)
from vanhove.datasets.electron_store import labels_of_archive, pack, record_of_label, unpack
from vanhove.errors import DataError
from vanhove.spectra import Spectrum, fermi_level_density, read_gap, sommerfeld_coefficient


def small_arrays():
    """Two crystals on the mesh of 8 points of a simple cube: an insulator and a metal."""
    kpoints = np.array([[0, 0, 0], [0, 0, 0.5], [0, 0.5, 0.5], [0.5, 0.5, 0.5]])
    insulator = np.array([[-9, 2, 8, 40.0], [-8, 3, 7, 40.0], [-7, 4, 6.5, 40], [-6, 4.5, 9, 40]])
    path = np.array([[-9, 2, 8], [-8, 5, 6.0], [-7.0, 4, 7]])
    labels = json.dumps(["GX", [0, 1], ["G", "X"]])
    return {
        "ids": np.array(["mp-1", "mp-2"]),
        "energy": np.array([-3.2, -1.1]),
        "nelectrons": np.array([4, 3]),
        "efermi": np.array([5.0, 3.0]),
        "spacegroup": np.array([221, 221]),
        "ecut_eV": np.array([340, 450]),
        "nk_full": np.array([8, 8]),
        "path_labels": np.array([labels, labels]),
        "mesh_shape": np.array([[4, 4], [4, 4]]),
        "path_shape": np.array([[3, 3], [3, 3]]),
        "eig_mesh": np.tile(insulator.ravel(), 2).astype(np.float32),
        "eig_path": np.tile(path.ravel(), 2).astype(np.float32),
        "kpts_mesh": np.tile(kpoints, (2, 1)).astype(np.float32),
        "kpts_path": np.zeros((6, 3), dtype=np.float32),
        "weights": np.tile([1 / 8, 3 / 8, 3 / 8, 1 / 8], 2),
        "path_x": np.tile([0, 0.5, 1], 2).astype(np.float32),
        "natoms": np.array([2, 1]),
        "Z": np.array([55, 17, 11], dtype=np.uint8),
        "frac": np.array([[0, 0, 0], [0.5, 0.5, 0.5], [0, 0, 0]]),
        "lattice": np.tile(4 * np.eye(3), (2, 1, 1)),
    }


@pytest.fixture
def small_file(tmp_path, monkeypatch):
    monkeypatch.setattr(electron_pbe, "FOLDER", tmp_path)

    def write(*, packed=None, **changes):
        labels = labels_of_archive(small_arrays() | changes)
        arrays = pack([record_of_label(label) for label in labels]) | (packed or {})
        np.savez(tmp_path / "part-1.npz", **arrays)
        electron_pbe._read.cache_clear()

    yield write
    electron_pbe._read.cache_clear()


def test_reads_the_form_of_the_file(small_file):
    small_file()
    dataset = load_dataset("electron_pbe")
    assert dataset.ids == ["mp-1", "mp-2"]
    assert [crystal.formula for crystal in dataset.crystals] == ["CsCl", "Na"]
    assert dataset.quantity == "electron_dos"
    assert (dataset.unit, dataset.normalisation) == ("eV", "min-max")
    assert dataset.grid[[0, -1]].tolist() == [-5, 5]
    assert dataset.values.min(axis=1).tolist() == [0, 0]
    assert dataset.values.max(axis=1).tolist() == [1, 1]
    assert any("2 crystals (1 metals)" in note for note in dataset.notes)
    assert any("cubic 2; number of species 1: 1, 2: 1" in note for note in dataset.notes)
    assert any("It grows" in note for note in dataset.notes)
    states = load_electron_states()["mp-2"]
    assert states.path_energies.shape == (3, 3)
    assert states.path_labels == ("GX", [0, 1], ["G", "X"])


def test_what_is_stored_is_read_back_to_the_last_bit():
    """Numbers that a rounding would change, were they rounded twice."""
    rng = np.random.default_rng(0)
    arrays = small_arrays()
    arrays["eig_mesh"] = np.sort(rng.uniform(-60, 20, (2, 4, 4)), axis=2).astype("f4").ravel()
    arrays["eig_path"] = np.sort(rng.uniform(-60, 20, (2, 3, 3)), axis=2).astype("f4").ravel()
    records = [record_of_label(label) for label in labels_of_archive(arrays)]
    once = pack(records)
    twice = pack(unpack(once))
    assert {name: (a.dtype, a.tobytes()) for name, a in once.items()} == {
        name: (a.dtype, a.tobytes()) for name, a in twice.items()
    }
    read = np.concatenate([record.mesh.ravel() for record in unpack(once)]) * 1e-4
    np.testing.assert_allclose(read, arrays["eig_mesh"], atol=0.51e-4)


def test_the_gap_is_left_out_of_128_bins(small_file):
    small_file()
    dataset = load_dataset("electron_pbe_128")
    assert dataset.normalisation == "states/eV/cell"
    assert dataset.values.shape == (2, 128)
    # The two states of the upper valence band, 2 to 4.5 eV, end at the VBM.
    assert dataset.values[0, :64].sum() / 16 == pytest.approx(2, abs=1e-3)
    assert dataset.values[0, 64:].sum() / 16 == pytest.approx(2, abs=1e-3)
    assert dataset.values[0, :24].max() == 0


def test_properties(small_file):
    small_file()
    properties = load_electron_properties(["mp-2", "mp-1"])
    assert properties["is_metal"].tolist() == [True, False]
    assert properties["band_gap"].tolist() == [0, 1]
    assert properties["mesh_band_gap"].tolist() == [0, 2]
    assert (properties["vbm"][1], properties["cbm"][1]) == (5, 6)
    assert 2 < properties["fermi_level"][0] < 4.5
    assert properties["n_electrons"].tolist() == [3, 4]
    with pytest.raises(DataError, match=r"1 ids are not in .*first 'mp-3'"):
        load_electron_properties(["mp-1", "mp-3"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"nelectrons": np.array([4, 9])}, "too few bands"),
    ],
)
def test_entries_that_cannot_be_used_are_reported(small_file, changes, message):
    small_file(**changes)
    dataset = load_dataset("electron_pbe")
    assert dataset.ids == ["mp-1"]
    assert any("1 entries left out: mp-2" in note and message in note for note in dataset.notes)


def test_a_window_that_is_not_covered_is_reported(small_file):
    energies = small_arrays()["eig_mesh"].reshape(2, 4, 4)
    energies[1, 0, 3] = 8.5
    energies[1, 0, 2] = 7
    small_file(eig_mesh=energies.ravel(), nelectrons=np.array([4, 4]))
    dataset = load_dataset("electron_pbe")
    assert dataset.ids == ["mp-1"]
    assert any("mp-2" in note and "not covered" in note for note in dataset.notes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"nk_full": np.array([8, 27])}, "mp-2: the k-points are no Gamma-centred mesh of 27"),
        ({"weights": np.full(8, 0.2)}, "mp-1: weights of the k-points are not shares of 8"),
        ({"eig_path": np.full(18, np.nan)}, "mp-1: eig_path holds NaN"),
    ],
)
def test_labels_that_cannot_be_stored(small_file, changes, message):
    with pytest.raises(DataError, match=message):
        small_file(**changes)


@pytest.mark.parametrize(
    ("packed", "message"),
    [
        ({"ids": np.array(["mp-1", "mp-1"])}, "1 ids repeat"),
        ({"mesh_low": np.zeros(23, dtype=np.uint16)}, "damaged electron labels"),
        ({"path_x": np.zeros(5, dtype=np.float32)}, "path_x has 5 rows, 6 are announced"),
        ({"path_labels": np.array(["{", "{"])}, "replace the file"),
    ],
)
def test_damaged_files_are_refused(small_file, packed, message):
    small_file(packed=packed)
    with pytest.raises(DataError, match=message):
        load_dataset("electron_pbe")


def test_a_folder_without_files(tmp_path, monkeypatch):
    monkeypatch.setattr(electron_pbe, "FOLDER", tmp_path)
    electron_pbe._read.cache_clear()
    with pytest.raises(DataError, match="install the package anew"):
        load_dataset("electron_pbe")
    electron_pbe._read.cache_clear()


# Known physics, from the whole file


@pytest.fixture(scope="module")
def states():
    return load_electron_states()


def fine_dos(state, low, high, step):
    """Energies from the VBM or Fermi level."""
    grid = np.arange(round(low / step), round(high / step) + 1) * step
    values = state.eigenvalues.dos(grid + state.mesh_edges.vbm)
    return Spectrum(
        grid, values, "eV", "states/eV/cell", quantity="electron_dos", crystal=state.crystal
    )


def test_sizes_and_split(states):
    assert len(states) > 500
    crystals = [state.crystal for state in states.values()]
    parts = electron_pbe.parts_of(list(states.values()))
    assert [len(parts[part]) for part in ("valid", "test")] == [43, 39]
    formulas = [{crystals[row].formula for row in rows} for rows in parts.values()]
    assert sum(map(len, formulas)) == len(set.union(*formulas))


def test_both_grids_hold_the_same_materials(tmp_path, monkeypatch):
    write_subset(tmp_path, every=40)
    monkeypatch.setattr(electron_pbe, "FOLDER", tmp_path)
    dataset, other = load_dataset("electron_pbe"), load_dataset("electron_pbe_128")
    assert [len(dataset.split(part)) for part in ("valid", "test")] == [43, 39]
    assert len(dataset) > 90
    assert other.ids == dataset.ids
    assert other.split_hash == dataset.split_hash
    assert other.values.shape == (len(dataset), 128)


def test_parts_of_the_first_materials_never_change(states):
    """The ids of 2026-11-21, and later materials of their formulas, which never train."""
    names = list(states)
    formulas = [state.crystal.formula for state in states.values()]
    parts = electron_pbe.electron_parts(names, formulas)
    assert sorted(np.concatenate(list(parts.values()))) == list(range(len(names)))
    ids = {part: sorted(names[row] for row in rows) for part, rows in parts.items()}
    first = json.loads(electron_pbe.FIRST_PARTS.read_text())
    assert (ids["valid"], ids["test"]) == (first["valid"], first["test"])
    text = "".join(first["valid"] + first["test"])
    assert hashlib.sha256(text.encode()).hexdigest()[:12] == "d11458e1a2a8"
    seen = {formulas[row] for row in parts["train"]}
    for part in ("valid", "test", "later_valid", "second_test", "later_test"):
        assert not seen & {formulas[row] for row in parts[part]}
    assert len(parts["second_test"]) > 5
    second = json.loads(electron_pbe.SECOND_TEST.read_text())
    assert set(ids["second_test"]) <= set(second)
    assert set(ids["later_test"]).isdisjoint(second)


# Literature PBE gaps, eV. Silicon, GaAs, NaCl and TiO2 are not there in their usual structures.
@pytest.mark.parametrize(
    ("material", "formula", "literature"),
    [
        ("mp-66", "C", 4.15),
        ("mp-1265", "MgO", 4.8),
        ("mp-1479", "BP", 1.24),
        ("mp-1550", "AlP", 1.6),
        ("mp-2172", "AlAs", 1.45),
        ("mp-2490", "GaP", 1.6),
        ("mp-1138", "LiF", 9.0),
        ("mp-22851", "NaCl", None),  # CsCl structure
        ("mp-1008677", "TiO2", None),  # fluorite structure
    ],
)
def test_gaps(states, material, formula, literature):
    state = states[material]
    assert state.crystal.formula == formula
    for step in (0.05, 0.01):
        reading = read_gap(fine_dos(state, -3, 10, step))
        assert reading.gap == pytest.approx(state.mesh_edges.gap, abs=step)
        assert reading.lower == pytest.approx(0, abs=step)
    assert 0 <= state.mesh_edges.gap - state.edges.gap < 0.1
    if literature is not None:
        assert state.edges.gap == pytest.approx(literature, rel=0.05)


def test_every_gap_is_read_to_a_grid_step(states):
    for state in list(states.values())[::6]:
        if not state.edges.is_metal:
            reading = read_gap(fine_dos(state, -3, state.mesh_edges.gap + 3, 0.05))
            assert reading.gap == pytest.approx(state.mesh_edges.gap, abs=0.05), state.crystal


def test_occupied_states_hold_the_electrons(states):
    n_checked = 0
    for state in list(states.values())[::6]:
        vbm = state.mesh_edges.vbm
        lowest = state.mesh_energies.min() - vbm - 0.1
        grid = np.linspace(lowest, 0, 160)
        values = state.eigenvalues.dos(grid + vbm)
        assert np.trapezoid(values, grid) == pytest.approx(state.n_electrons, rel=0.01)
        # Where no band crosses the lower end of the window of 4 eV, it holds whole bands.
        inside = state.mesh_energies - vbm > -4
        if (inside.all(axis=0) == inside.any(axis=0)).all():
            n_checked += 1
            window = np.linspace(-4, 0, 65)
            below = 2 * int((~inside).all(axis=0).sum())
            integral = np.trapezoid(state.eigenvalues.dos(window + vbm), window)
            assert integral == pytest.approx(state.n_electrons - below, rel=0.01, abs=1e-3)
    assert n_checked > 10


def test_metals_have_states_at_the_fermi_level(states):
    densities = {}
    for material, state in list(states.items())[::6]:
        if state.edges.is_metal:
            densities[material] = fermi_level_density(fine_dos(state, -1, 1, 0.05))
    values = np.array(list(densities.values()))
    assert (values > 0).all()
    # The others are semimetals and semiconductors without a gap.
    assert (values > 0.05).mean() > 0.95


@pytest.mark.parametrize(
    # Band values of gamma, mJ/(mol K^2): free of enhancement by phonons.
    ("material", "formula", "gamma"),
    [("mp-30", "Cu", 0.70), ("mp-124", "Ag", 0.64), ("mp-127", "Na", 1.1), ("mp-134", "Al", 0.91)],
)
def test_electronic_heat_of_metals(states, material, formula, gamma):
    state = states[material]
    assert state.crystal.formula == formula
    dos = fine_dos(state, -2, 2, 0.05)
    assert sommerfeld_coefficient(dos, window=0.5, per="atom") == pytest.approx(gamma, rel=0.15)
