"""Force constants of a supercell, as phonopy holds them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from vanhove.crystal.kpath import reciprocal_lattice
from vanhove.physics.ewald import COULOMB
from vanhove.spectra.phonon_modes import PhononModes

if TYPE_CHECKING:
    from phonopy import Phonopy


def supercell_sides(lattice: np.ndarray, reach: float) -> np.ndarray:
    """Cells along each axis, so that the supercell holds a sphere of radius ``reach``, ``[3]``."""
    heights = 1 / np.linalg.norm(np.linalg.inv(lattice), axis=0)
    return np.maximum(1, np.ceil(2 * reach / heights - 1e-6)).astype(int)


def to_phonopy(phonons: PhononModes, reach: float) -> Phonopy:
    """See `Phonons.to_phonopy`."""
    from phonopy import Phonopy
    from phonopy.structure.atoms import PhonopyAtoms

    cell = PhonopyAtoms(
        numbers=phonons.crystal.atomic_numbers,
        cell=phonons.crystal.lattice,
        scaled_positions=phonons.crystal.fractional_coordinates,
        masses=phonons.harmonic.masses.numpy(),
    )
    sides = supercell_sides(phonons.crystal.lattice, reach)
    result = Phonopy(cell, np.diag(sides), primitive_matrix=np.eye(3))
    result.force_constants = supercell_force_constants(phonons, sides, result)
    if phonons.born_charges is not None:
        result.nac_params = {  # type: ignore[assignment]
            "born": phonons.born_charges,
            "dielectric": phonons.dielectric_tensor,
            "factor": COULOMB,
        }
    return result


def supercell_force_constants(phonons: PhononModes, sides: np.ndarray, phonopy: Any) -> np.ndarray:
    """eV/angstrom^2, ``[n_atoms, n_supercell_atoms, 3, 3]``, from commensurate wave vectors.

    ``Phi(i 0, j R) = 1/n sum over q of C_ij(q) exp(-i q (R + r_j - r_i))``; at these wave vectors
    phonopy's dynamical matrix is the given one.
    """
    harmonic, n = phonons.harmonic, phonons.crystal.n_atoms
    fractional = np.indices(tuple(sides)).reshape(3, -1).T / sides
    points = (fractional - np.rint(fractional)) @ reciprocal_lattice(phonons.crystal.lattice)
    matrices = harmonic.dynamical_matrices(torch.from_numpy(points)).numpy()
    root = np.sqrt(np.repeat(harmonic.masses.numpy(), 3))
    matrices = (matrices * root[:, None] * root).reshape(-1, n, 3, n, 3)
    supercell = phonopy.supercell
    position = supercell.positions
    primitive = phonopy.primitive
    of_atom = [primitive.p2p_map[atom] for atom in primitive.s2p_map]
    result = np.zeros((n, len(supercell), 3, 3))
    for i in range(n):
        origin = position[primitive.p2s_map[i]]
        for other, j in enumerate(of_atom):
            # Between these two atoms, up to vectors of the supercell.
            apart = position[other] - origin
            phase = np.exp(-1j * points @ apart)
            result[i, other] = np.einsum("q,qab->ab", phase, matrices[:, i, :, j]).real
    return result / len(points)
