"""A folder of each kind of calculation is imported, trained on, measured and predicted with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from tests.datasets.dos_files import DENSITIES, ENERGIES, FERMI
from tests.datasets.metal_phonons import metal_phonons
from vanhove.cli import app
from vanhove.datasets import load_folder
from vanhove.spectra.density import THZ_PER_CM1

REPORTED = Path(__file__).parent / "reported"
METALS = ("Al", "Ni", "Cu", "Ag")
"""Known to ASE's effective medium theory."""


@pytest.fixture(scope="module")
def phonons() -> dict[str, Any]:
    """phonopy's objects of face-centred metals, their forces from ASE."""
    return {metal: metal_phonons(metal, 8)[1] for metal in METALS}


def structure_beside(phonon: Any, folder: Path) -> None:
    from phonopy.interface.vasp import write_vasp

    write_vasp(str(folder / "POSCAR"), phonon.unitcell)


def write(kind: str, phonon: Any, folder: Path) -> None:
    """What a program leaves of the phonons of one metal."""
    from phonopy.file_IO import write_FORCE_CONSTANTS

    grid, values = phonon.total_dos.frequency_points, phonon.total_dos.dos
    if kind == "total_dos.dat":
        phonon.write_total_dos(filename=str(folder / kind))
        structure_beside(phonon, folder)
    elif kind == "projected_dos.dat":
        phonon.write_projected_dos(filename=str(folder / kind))
        phonon.save(folder / "phonopy.yaml")
    elif kind == "mesh.yaml and band.yaml":
        phonon.run_mesh([6, 6, 6])
        phonon.mesh.write_yaml(filename=str(folder / "mesh.yaml"))
        phonon.run_band_structure([np.linspace([0, 0, 0], [0.5, 0, 0.5], 5)])
        phonon.write_yaml_band_structure(filename=str(folder / "band.yaml"))
    elif kind == "FORCE_CONSTANTS":
        write_FORCE_CONSTANTS(phonon.force_constants, str(folder / kind))
        phonon.save(folder / "phonopy.yaml")
    elif kind == "FORCE_CONSTANTS, POSCAR, SPOSCAR":
        from phonopy.interface.vasp import write_vasp

        write_FORCE_CONSTANTS(phonon.force_constants, str(folder / "FORCE_CONSTANTS"))
        write_vasp(str(folder / "SPOSCAR"), phonon.supercell)
        structure_beside(phonon, folder)
    elif kind == "phonopy_params.yaml":
        phonon.save(folder / kind, settings={"force_constants": True})
    elif kind == "matdyn":
        rows = [grid / THZ_PER_CM1, values * THZ_PER_CM1, values * THZ_PER_CM1]
        np.savetxt(folder / "x.dos", np.column_stack(rows), header=" Frequency[cm^-1] DOS PDOS")
        structure_beside(phonon, folder)
    elif kind == "PhononDos in JSON":
        from pymatgen.io.phonopy import get_pmg_structure
        from pymatgen.phonon.dos import CompletePhononDos, PhononDos

        structure = get_pmg_structure(phonon.primitive)
        total = PhononDos(grid, values)
        dos = CompletePhononDos(structure, total, dict.fromkeys(structure, values))
        entry = {"material_id": folder.name, "ph_dos": dos.as_dict()}
        (folder / f"{folder.name}.json").write_text(json.dumps(entry, default=list))


def write_electrons(kind: str, metal: str, folder: Path) -> None:
    """A density of a made-up insulator on a cell of the metal."""
    from ase.build import bulk
    from pymatgen.electronic_structure.core import Spin
    from pymatgen.electronic_structure.dos import CompleteDos, Dos
    from pymatgen.io.ase import AseAtomsAdaptor

    if kind == "vasprun.xml":  # of one insulator, whatever the folder is called
        (folder / kind).write_bytes((REPORTED / "mid_gap" / kind).read_bytes())
        return
    primitive = bulk(metal)
    shift = METALS.index(metal) * 20
    densities = np.where(DENSITIES > 0, 0.3 + 0.3 * np.roll(DENSITIES, shift), 0)
    if kind == "DOSCAR":
        primitive.write(folder / "POSCAR", format="vasp")
        head = ["1 1 1 0", "0 0 0 0 0", "1E-4", "CAR", metal]
        head.append(f"{ENERGIES[-1]} {ENERGIES[0]} {len(ENERGIES)} {FERMI} 1.0")
        rows = [f"{e} {d} 0" for e, d in zip(ENERGIES, densities, strict=True)]
        (folder / "DOSCAR").write_text("\n".join([*head, *rows]))
        return
    structure = AseAtomsAdaptor.get_structure(primitive)
    dos = CompleteDos(structure, Dos(FERMI, ENERGIES, {Spin.up: densities}), {})
    (folder / "mp.json").write_text(json.dumps({"dos": dos.as_dict()}, default=list))


def vanhove(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize(
    "kind",
    [
        *("total_dos.dat", "projected_dos.dat", "mesh.yaml and band.yaml", "FORCE_CONSTANTS"),
        "FORCE_CONSTANTS, POSCAR, SPOSCAR",
        *(
            "phonopy_params.yaml",
            "matdyn",
            "PhononDos in JSON",
            "DOSCAR",
            "CompleteDos in JSON",
            "vasprun.xml",
        ),
    ],
)
def test_import_train_evaluate_predict(kind, phonons, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where pictures go
    source, data, run = tmp_path / "calculations", tmp_path / "data", tmp_path / "run"
    electrons = kind in ("DOSCAR", "CompleteDos in JSON", "vasprun.xml")
    for metal, phonon in phonons.items():
        folder = source / metal
        folder.mkdir(parents=True)
        if electrons:
            write_electrons(kind, metal, folder)
        else:
            write(kind, phonon, folder)
    said = vanhove("data", "import", source, "-o", data, "-q", "--grid", 0, 400, 10)
    assert f"{len(METALS)} materials, 0 skipped" in said
    dataset = load_folder(data)
    assert dataset.quantity == ("electron_dos" if electrons else "phonon_dos")
    if kind != "vasprun.xml":
        assert sorted(crystal.formula for crystal in dataset.crystals) == sorted(METALS)
    small = ["--set", "model.encoder.hidden_dim=8", "--set", "model.decoder.hidden_dim=8"]
    vanhove("train", "mlp", "--quick", "-q", "-o", run, "--set", f"data.dataset={data}", *small)
    assert "test split of data: 1 materials" in vanhove("evaluate", run, "-q")
    trained = dataset.ids[int(dataset.split("train")[0])]
    told = tmp_path / "predicted.json"
    vanhove("predict", data / f"{trained}.json", "--model", run, "--json", told)
    assert json.loads(told.read_text())["quantity"] == dataset.quantity
