"""Phonons of face-centred metals by phonopy, with forces of ASE's effective medium theory."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest


def metal_phonons(metal: str, mesh: int) -> tuple[Any, Any]:
    """ASE's cubic cell and phonopy's object with force constants, mesh, total and projected DOS."""
    phonopy = pytest.importorskip("phonopy")
    from ase.build import bulk
    from ase.calculators.emt import EMT
    from phonopy.structure.atoms import PhonopyAtoms

    cube = bulk(metal, cubic=True)
    cell = PhonopyAtoms(symbols=[metal] * 4, cell=cube.cell.array, positions=cube.positions)
    phonon = phonopy.Phonopy(cell, np.diag([2, 2, 2]), primitive_matrix="F", log_level=0)
    phonon.generate_displacements(distance=0.01)
    forces = []
    for moved in phonon.supercells_with_displacements:
        atoms = cube.repeat(2)
        atoms.set_cell(moved.cell)
        atoms.set_positions(moved.positions)
        atoms.calc = EMT()
        forces.append(atoms.get_forces())
    phonon.forces = forces
    phonon.produce_force_constants()
    phonon.run_mesh([mesh] * 3, with_eigenvectors=True, is_mesh_symmetry=False)
    phonon.run_total_dos()
    phonon.run_projected_dos()
    return cube, phonon
