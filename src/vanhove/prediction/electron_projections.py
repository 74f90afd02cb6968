"""Densities of states by element, site and shell, from the states of a mesh."""

from __future__ import annotations

from string import ascii_letters
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from vanhove.crystal.crystal import Crystal
from vanhove.crystal.elements import SYMBOLS
from vanhove.crystal.symmetry import search_symmetry
from vanhove.models.tight_binding.hamiltonian import CrystalHamiltonian
from vanhove.physics.tetrahedra import Tetrahedra, states_below
from vanhove.prediction.electron_mesh import SYMMETRY
from vanhove.spectra.eigenvalues import SPIN_DEGENERACY

if TYPE_CHECKING:
    from pymatgen.electronic_structure.dos import CompleteDos

Projection: TypeAlias = Literal["element", "site", "shell", "site shell"]
SHELLS = "spd"


def projected_densities(
    solver: CrystalHamiltonian,
    points: np.ndarray,
    tetrahedra: Tetrahedra,
    edges: np.ndarray,
    by: Projection,
) -> dict[str, np.ndarray]:
    """Mean densities in bins, states/eV/cell, by name; their sum is the density of states.

    Sites that symmetry makes equal have the same density: the mean of theirs on a reduced mesh.

    Args:
        points: of the reduced mesh, fractional, ``[n_k, 3]``.
        tetrahedra: of the mesh.
        edges: of the bins, eV, absolute, ``[n_bins + 1]``.
        by: what to tell apart.
    """
    energies, shares = solver.states(points)
    atoms, shells = solver.orbital_atom, solver.orbital_shell
    rows = np.sort(energies[tetrahedra.corners].transpose(0, 2, 1).reshape(-1, 4), axis=1)
    equal = _equal_sites(solver.crystal)
    found: dict[str, np.ndarray] = {}
    known: dict[tuple[int, int], np.ndarray] = {}
    for atom, shell in dict.fromkeys(zip(atoms.tolist(), shells.tolist(), strict=True)):
        key = (int(equal[atom]), shell)
        if key not in known:
            own = (equal[atoms] == equal[atom]) & (shells == shell)
            share = shares[:, own].sum(axis=1) / (equal == equal[atom]).sum()  # [n_k, n_bands]
            weight = share[tetrahedra.corners].mean(axis=1) * tetrahedra.weights[:, None]
            counted = SPIN_DEGENERACY * states_below(rows, weight.ravel(), edges)
            known[key] = np.diff(counted) / np.diff(edges)
        name = _name(SYMBOLS[solver.crystal.atomic_numbers[atom]], atom, SHELLS[shell], by)
        found[name] = found.get(name, 0.0) + known[key]
    return found


def _name(symbol: str, atom: int, shell: str, by: Projection) -> str:
    names = {"element": symbol, "site": f"{symbol}{atom + 1}", "shell": f"{symbol} {shell}"}
    return names.get(by, f"{symbol}{atom + 1} {shell}")


def _equal_sites(crystal: Crystal) -> np.ndarray:
    """For each atom the first that symmetry makes equal to it, ``[n_atoms]``."""
    found = search_symmetry(crystal, SYMMETRY)
    return np.arange(crystal.n_atoms) if found is None else found.equivalent_atoms


def complete_dos(
    crystal: Crystal,
    grid: np.ndarray,
    total: np.ndarray,
    parts: dict[str, np.ndarray],
    fermi_level: float,
) -> CompleteDos:
    """See `Electrons.to_complete_dos`; ``parts`` by site and shell."""
    from pymatgen.electronic_structure.core import Orbital, Spin
    from pymatgen.electronic_structure.dos import CompleteDos, Dos

    structure = crystal.to_structure()
    of_site: dict[Any, dict[Orbital, dict[Spin, np.ndarray]]] = {s: {} for s in structure}
    for name, values in parts.items():
        site, shell = name.split()
        atom = int(site.lstrip(ascii_letters)) - 1
        orbitals = [o for o in Orbital if str(o.orbital_type) == shell]
        for orbital in orbitals:
            of_site[structure[atom]][orbital] = {Spin.up: values / len(orbitals)}
    dos = Dos(fermi_level, grid.copy(), {Spin.up: total.copy()})
    return CompleteDos(structure, dos, of_site)
