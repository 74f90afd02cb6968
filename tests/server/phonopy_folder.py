"""A folder as a calculation with phonopy leaves it, made of force constants of a model."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import vanhove


def write_phonopy_folder(structure: Path, folder: Path, model: str) -> list[Path]:
    """``phonopy.yaml``, ``band.yaml`` and ``total_dos.dat``."""
    phonopy = vanhove.phonons(structure, model, primitive=True).to_phonopy(6.0)
    folder.mkdir()
    phonopy.save(folder / "phonopy.yaml")
    line = np.linspace([0, 0, 0], [0.5, 0, 0.5], 11)
    phonopy.run_band_structure([line], labels=["$\\Gamma$", "X"])
    phonopy.write_yaml_band_structure(filename=str(folder / "band.yaml"))
    phonopy.run_mesh(20.0)
    phonopy.run_total_dos()
    phonopy.write_total_dos(filename=str(folder / "total_dos.dat"))
    return sorted(folder.iterdir())
