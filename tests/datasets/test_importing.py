"""Folders as calculations leave them become data sets; the programs themselves make the files."""

from __future__ import annotations

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from tests.datasets.dos_files import complete_dos
from tests.datasets.metal_phonons import metal_phonons
from vanhove.cli import app
from vanhove.datasets import load_electron_folder, load_folder
from vanhove.datasets.importing import import_calculations
from vanhove.errors import ConfigError, DataError
from vanhove.spectra import mean_frequency
from vanhove.spectra.density import THZ_PER_CM1


@pytest.fixture(scope="module")
def phonons(tmp_path_factory):
    """Copper (ASE's EMT) by phonopy, every file in a folder of its own with what belongs to it."""
    phonopy = pytest.importorskip("phonopy")
    from ase.build import bulk

    cube, phonon = metal_phonons("Cu", 12)
    root = tmp_path_factory.mktemp("calculations")

    def folder(name):
        (root / name).mkdir()
        return root / name

    at = folder("total")
    phonon.write_total_dos(filename=str(at / "total_dos.dat"))
    cube.write(at / "POSCAR", format="vasp")
    at = folder("projected")
    phonon.write_projected_dos(filename=str(at / "projected_dos.dat"))
    phonon.save(at / "phonopy.yaml")
    phonon.run_mesh([12, 12, 12])
    at = folder("mesh")
    phonon.mesh.write_yaml(filename=str(at / "mesh.yaml"))
    at = folder("params")
    phonon.save(at / "phonopy_params.yaml", settings={"force_constants": True})
    at = folder("constants")
    phonopy.file_IO.write_FORCE_CONSTANTS(phonon.force_constants, str(at / "FORCE_CONSTANTS"))
    phonon.save(at / "phonopy.yaml")
    grid, values = phonon.total_dos.frequency_points, phonon.total_dos.dos
    at = folder("espresso")
    rows = np.column_stack([grid / THZ_PER_CM1, values * THZ_PER_CM1, values * THZ_PER_CM1])
    np.savetxt(at / "cu.dos", rows, header=" Frequency[cm^-1] DOS PDOS")
    bulk("Cu").write(at / "cu.cif")
    at = folder("json")
    structure = {"structure": read_structure(root / "total" / "POSCAR")}
    dos = {"frequencies": list(grid), "densities": list(values), "@class": "PhononDos"}
    (at / "mp-30.json").write_text(json.dumps({"phonon_dos": dos} | structure))
    return root


def read_structure(path):
    from vanhove.crystal import read_crystal

    return read_crystal(path).to_structure().as_dict()


def test_every_file_of_phonons_is_the_same_spectrum(phonons, tmp_path):
    result = import_calculations(phonons, tmp_path / "data", grid=np.arange(0, 301, 5.0))
    assert result.skipped == {}
    assert {row["id"] for row in result.taken} == {
        *("total", "projected", "mesh", "params", "constants", "espresso", "json-mp-30")
    }
    assert {row["unit"] for row in result.taken} == {"THz", "1/cm"}
    dataset = load_folder(tmp_path / "data")
    assert dataset.quantity == "phonon_dos"
    assert {crystal.n_atoms for crystal in dataset.crystals} == {1}
    means = [mean_frequency(dataset.grid, values) for values in dataset.values]
    np.testing.assert_allclose(means, means[0], rtol=0.02)


def test_skipped_files_have_a_reason_and_a_status(phonons, tmp_path):
    source = tmp_path / "source"
    for name, keep in (("good", 1), ("cm1", 33.3564), ("cell", 1)):
        (source / name).mkdir(parents=True)
        rows = np.loadtxt(phonons / "total" / "total_dos.dat")
        np.savetxt(source / name / "total_dos.dat", rows * [keep, 1 / keep])
        (source / name / "POSCAR").write_bytes((phonons / "total" / "POSCAR").read_bytes())
    text = (source / "cell" / "POSCAR").read_text().replace("Cu", "Ni", 1)
    (source / "cell" / "POSCAR").write_text(text.replace("4\n", "3\n", 1))
    (source / "good" / "INCAR").write_text("ENCUT = 300")
    result = CliRunner().invoke(
        app, ["data", "import", str(source), "-o", str(tmp_path / "out"), "-q"]
    )
    assert result.exit_code == 1, result.output
    assert "good/total_dos.dat  phonon_dos  THz" in result.output
    assert "skipped cm1/total_dos.dat: a frequency of" in result.output
    assert "skipped cell/" in result.output
    assert "no data: " in result.output
    with pytest.raises(ConfigError, match="holds files"):
        import_calculations(source, tmp_path / "out")
    with pytest.raises(DataError, match="nothing that can be used"):
        import_calculations(source / "cm1", tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_electrons_and_no_mixture(phonons, tmp_path):
    source = tmp_path / "source"
    (source / "Si").mkdir(parents=True)
    dos = complete_dos()
    crystal = dos.structure
    crystal.to(str(source / "Si" / "POSCAR"), fmt="poscar")
    energies = dos.energies
    (density,) = dos.densities.values()
    lines = ["4 4 1 0", "0 0 0 0 0", "1E-4", "CAR", "Si"]
    lines.append(f"{energies[-1]} {energies[0]} {len(energies)} {dos.efermi} 1.0")
    lines += [f"{e} {d} 0" for e, d in zip(energies, density, strict=True)]
    (source / "Si" / "DOSCAR").write_text("\n".join(lines))
    (source / "mp-1.json").write_text(json.dumps({"dos": dos.as_dict()}, default=list))
    result = import_calculations(source, tmp_path / "data")
    assert result.skipped == {}
    assert [row["id"] for row in result.taken] == ["Si", "mp-1"]
    dataset = load_folder(tmp_path / "data")
    assert dataset.quantity == "electron_dos"
    np.testing.assert_allclose(dataset.values[0], dataset.values[1], atol=1e-5)
    (source / "Cu").mkdir()
    for name in ("total_dos.dat", "POSCAR"):
        (source / "Cu" / name).write_bytes((phonons / "total" / name).read_bytes())
    with pytest.raises(ConfigError, match="electron_dos and phonon_dos; choose one"):
        import_calculations(source, tmp_path / "both")
    result = import_calculations(source, tmp_path / "both", quantity="phonon_dos")
    assert [row["id"] for row in result.taken] == ["Cu"]
    assert result.skipped["Si/DOSCAR"] == "electron_dos, not phonon_dos"


def test_a_density_of_phonons_is_none_of_electrons(phonons):
    _, report = load_electron_folder(phonons / "total", quiet=True)
    assert "density of phonons" in str(report)
