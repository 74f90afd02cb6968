import gzip
import json

import numpy as np
import pytest
import yaml

from tests.datasets.dos_files import NACL
from vanhove.crystal.crystal import Crystal
from vanhove.crystal.kpath import high_symmetry_path
from vanhove.datasets import load_dataset, read_bands
from vanhove.datasets.band_folder import bands_dataset, load_band_folder
from vanhove.datasets.materials_project import fetch_materials_project
from vanhove.errors import DataError
from vanhove.spectra.bands import BandStructure
from vanhove.spectra.density import THZ_PER_CM1


def rocksalt(a: float, numbers=(12, 8), name="MgO") -> Crystal:
    lattice = a / 2 * np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0.0]])
    return Crystal(lattice, np.array([[0, 0, 0], [0.5] * 3]), np.array(numbers), name)


def toy_bands(crystal: Crystal, n_bands: int = 8, quantity: str = "electron_bands"):
    """Two bands per cosine, with a gap of 1 eV at 3 eV after the fourth."""
    path = high_symmetry_path(crystal)
    points = path.sample(60)
    wave = np.cos(2 * np.pi * points.fractional).sum(axis=1) / 3
    if quantity == "phonon_bands":
        energies = 100 * np.sqrt(1.001 - wave)[:, None] * np.arange(1, n_bands + 1)
        return BandStructure(points, energies, None, quantity, path.crystal, crystal.name)
    energies = 2 * np.arange(n_bands) + 0.5 * wave[:, None] - 3 + (np.arange(n_bands) >= 4)
    return BandStructure(points, energies, 4.2, quantity, path.crystal, crystal.name)


@pytest.fixture
def magnesia():
    return toy_bands(rocksalt(4.2))


def same(first: BandStructure, second: BandStructure) -> None:
    np.testing.assert_allclose(first.energies, second.energies, atol=1e-9)
    np.testing.assert_allclose(first.kpoints.distances, second.kpoints.distances, atol=1e-6)
    assert first.kpoints.labels == second.kpoints.labels
    assert first.crystal.formula == second.crystal.formula
    assert first.fermi_level == second.fermi_level


def test_pymatgen_object_and_files(magnesia, tmp_path):
    theirs = magnesia.to_pymatgen()
    with pytest.raises(DataError, match="no structure"):
        read_bands(theirs.as_dict())
    structure = magnesia.crystal.to_structure()
    same(read_bands(theirs.as_dict(), structure=structure), magnesia)
    plain = tmp_path / "mp-1265.json"
    plain.write_text(json.dumps(theirs.as_dict()))
    structure.to(str(tmp_path / "mp-1265.cif"))
    same(read_bands(plain), magnesia)
    assert read_bands(plain).name == "mp-1265"
    packed = tmp_path / "x.json.gz"
    entry = {"material_id": "mp-7", "bands": theirs.as_dict(), "structure": structure.as_dict()}
    packed.write_bytes(gzip.compress(json.dumps(entry).encode()))
    assert read_bands(packed).name == "mp-7"


def test_our_own_json(magnesia, tmp_path):
    magnesia.to_json(tmp_path / "own.json")
    same(read_bands(tmp_path / "own.json"), magnesia)


def test_vasprun_with_its_kpoints_file(tmp_path):
    from pymatgen.io.vasp import Vasprun

    path = tmp_path / "mp-22862" / "vasprun.xml"
    path.parent.mkdir()
    path.write_bytes(NACL.read_bytes())
    with pytest.raises(DataError, match="holds no bands along lines"):
        read_bands(path)
    (path.parent / "KPOINTS").write_text(
        "lines\n10\nLine-mode\nReciprocal\n0 0 0 ! \\Gamma\n0.5 0.5 0.5 ! L\n"
    )
    bands = read_bands(path)
    (spin,) = (run := Vasprun(str(path), parse_potcar_file=False)).eigenvalues
    np.testing.assert_allclose(bands.energies, np.sort(run.eigenvalues[spin][..., 0]), atol=1e-9)
    assert bands.name == "mp-22862"
    assert bands.crystal.formula == "NaCl"
    assert bands.kpoints.labels[0] == "Γ"


def test_phonopy(tmp_path):
    crystal = rocksalt(4.2)
    q = np.concatenate([np.linspace(0, 0.5, 6), np.linspace(0.5, 0, 6)])[:, None] * [1, 1, 1]
    q[6:, 0] = 0.5
    frequencies = np.arange(12)[:, None] + np.arange(6)
    content = {
        "segment_nqpoint": [6, 6],
        "labels": [["$\\Gamma$", "L"], ["L", "X"]],
        "lattice": crystal.lattice.tolist(),
        "points": [{"symbol": s, "coordinates": [0.5 * i] * 3} for i, s in enumerate(["Mg", "O"])],
        "phonon": [
            {"q-position": k.tolist(), "band": [{"frequency": float(f)} for f in row]}
            for k, row in zip(q, frequencies, strict=True)
        ],
    }
    path = tmp_path / "band.yaml"
    path.write_text(yaml.safe_dump(content))
    bands = read_bands(path)
    assert bands.quantity == "phonon_bands"
    np.testing.assert_allclose(bands.energies[0, 1] * THZ_PER_CM1, 1)
    assert [label for label in bands.kpoints.labels if label] == ["Γ", "L", "X"]
    assert len(bands.kpoints) == 11  # L comes once


def test_spin_polarised_bands_are_refused(magnesia):
    theirs = magnesia.to_pymatgen().as_dict()
    theirs["bands"]["-1"] = theirs["bands"]["1"]
    theirs["is_spin_polarized"] = True
    with pytest.raises(DataError, match="spin-polarised"):
        read_bands(theirs, structure=magnesia.crystal.to_structure())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not valid JSON"),
        ("", "is empty"),
        ('{"@class": "Dos"}', "holds a Dos"),
        ('{"@class": "BandStructureSymmLine"}', "cannot be read"),
        ("[1]", "no band structure"),
    ],
)
def test_damaged_files(content, message, tmp_path):
    path = tmp_path / "x.json"
    path.write_text(content)
    with pytest.raises(DataError, match=message):
        read_bands(path)


def test_data_set(magnesia):
    lithium = toy_bands(rocksalt(4.0, (3, 1), "LiH"), n_bands=6)
    lithium = BandStructure(lithium.kpoints, lithium.energies[:, 3:], 4.2, crystal=lithium.crystal)
    dataset = bands_dataset("two", [magnesia, lithium], n_points=80)
    assert dataset.values.shape == (2, 80, 6)
    assert np.isnan(dataset.values[1]).all(axis=0).tolist() == [
        True,
        True,
        False,
        False,
        False,
        True,
    ]
    assert dataset.kpoints.shape == (2, 80, 3)
    assert dataset.values[0, :, :3].max() < 0 < dataset.values[0, :, 3:].min()
    other = bands_dataset("two", [magnesia, lithium], n_points=80, smoothing=0.1)
    assert other.data_hash != dataset.data_hash
    assert dataset.subset([1]).kpoints.shape == (1, 80, 3)
    with pytest.raises(DataError, match="all of phonons"):
        bands_dataset("mixed", [magnesia, toy_bands(rocksalt(4.0), 6, "phonon_bands")])


def test_folder(magnesia, tmp_path):
    for a in (4.0, 4.2, 4.4):
        toy_bands(rocksalt(a, name=f"a{a}")).to_json(tmp_path / f"a{a}.json")
    (tmp_path / "broken.json").write_text("{}")
    dataset = load_dataset(tmp_path, electron_target="bands")
    assert dataset.ids == ["a4.0", "a4.2", "a4.4"]
    assert dataset.quantity == "electron_bands"
    assert "broken.json" in dataset.notes[0]
    # The Fermi level is in mid-gap: 0.5 eV above the valence band and below the next.
    middle = dataset.values[0, :, 2].max() + dataset.values[0, :, 3].min()
    assert middle == pytest.approx(0, abs=1e-5)
    (empty := tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="none of 0 files"):
        load_band_folder(empty)


class BandServer:
    """As `tests.datasets.test_materials_project.Server`, for bands."""

    def __init__(self, bands: BandStructure):
        self.bands = bands
        self.materials = self
        self.summary = self
        self.asked: list[dict] = []

    def search(self, **query):
        self.asked.append(query)
        return [{"material_id": "mp-1", "structure": self.bands.crystal.to_structure()}]

    def get_bandstructure_by_material_id(self, material_id):
        return self.bands.to_pymatgen()


def test_materials_project(magnesia, tmp_path):
    server = BandServer(magnesia)
    result = fetch_materials_project(
        tmp_path, what="bands", client=server, sleep=lambda _: None, quiet=True
    )
    assert result.fetched == 1
    assert server.asked[0]["has_props"] == ["bandstructure"]
    dataset = load_band_folder(tmp_path, n_points=70)
    assert dataset.ids == ["mp-1"]
    expected = bands_dataset("x", [magnesia.aligned()], n_points=70)
    np.testing.assert_allclose(dataset.values, expected.values, atol=1e-5)
    with pytest.raises(DataError, match="another download"):
        fetch_materials_project(tmp_path, client=server, quiet=True)
