"""A crystal as the tight-binding model sees it: neighbours, and the Madelung matrix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vanhove.crystal.crystal import Crystal
from vanhove.crystal.neighbors import neighbor_list
from vanhove.models.tight_binding.atoms import SHELL_OF_ORBITAL, atom_table
from vanhove.models.tight_binding.slater_koster import bond_frame
from vanhove.physics.ewald import charge_matrix

_ROUNDING = 1e-7
"""angstrom."""


@dataclass(frozen=True)
class ElectronGraph:
    """One crystal.

    Attributes:
        atomic_numbers: ``[n_atoms]``.
        source, target: of the edges, sorted by target, ``[n_edges]``.
        vector: from the target to the (image of the) source, angstrom, ``[n_edges, 3]``.
        cells: lattice vectors that bonds reach, of R and -R one, angstrom, ``[n_cells, 3]``.
        cell: of each edge, a row of ``cells``, ``[n_edges]``.
        backward: whether it is minus that vector, ``[n_edges]``.
        madelung: potential at an atom of unit charges at another, eV, ``[n_atoms, n_atoms]``.
        orbitals: numbers of the orbitals that are there, of 9 for each atom, ``[n_orbitals]``.
        n_electrons: valence electrons.
        semicore_atom, semicore_shell, semicore_level: of each flat level, in states; shells are
            0, 1, 2 for s, p, d; ``[n_semicore]``.
        reciprocal: rows, 1/angstrom with 2 pi, ``[3, 3]``.
    """

    atomic_numbers: Tensor
    source: Tensor
    target: Tensor
    vector: Tensor
    cells: Tensor
    cell: Tensor
    backward: Tensor
    madelung: Tensor
    orbitals: Tensor
    n_electrons: int
    semicore_atom: Tensor
    semicore_shell: Tensor
    semicore_level: Tensor
    reciprocal: Tensor

    @property
    def n_atoms(self) -> int:
        return len(self.atomic_numbers)

    @property
    def n_states(self) -> int:
        """Bands, semicore levels included."""
        return len(self.orbitals) + len(self.semicore_level)


def electron_graph(
    crystal: Crystal, cutoff: float, dtype: torch.dtype = torch.float32
) -> ElectronGraph:
    """Neighbours within ``cutoff`` (angstrom) of the cell as it is.

    Raises:
        StructureError: an element without levels.
    """
    table, numbers = atom_table(), crystal.atomic_numbers
    table.check(numbers, crystal.name)
    neighbors = neighbor_list(crystal, cutoff)
    positions = crystal.cartesian_coordinates
    between = neighbors.vector - positions[neighbors.source] + positions[neighbors.target]
    steps = np.rint(between @ np.linalg.inv(crystal.lattice)).astype(np.int64)
    # The sign of the first step that is not 0.
    sign = np.sign(np.sign(steps) @ np.array([9, 3, 1]))
    cells, cell = np.unique(steps * np.where(sign < 0, -1, 1)[:, None], axis=0, return_inverse=True)
    # Along an axis but for rounding: products of such components would be denormal numbers, with
    # which processors are ten times slower.
    vector = np.where(np.abs(neighbors.vector) < _ROUNDING, 0.0, neighbors.vector)
    states = table.semicore_states[numbers]
    atom, shell = np.nonzero(states)
    repeated = np.repeat(np.arange(len(atom)), states[atom, shell])
    return ElectronGraph(
        atomic_numbers=torch.from_numpy(numbers.copy()),
        source=torch.from_numpy(neighbors.source),
        target=torch.from_numpy(neighbors.target),
        vector=torch.from_numpy(vector).to(dtype),
        cells=torch.from_numpy(cells @ crystal.lattice).to(dtype),
        cell=torch.from_numpy(cell.reshape(-1)),
        backward=torch.from_numpy(sign < 0),
        madelung=torch.from_numpy(charge_matrix(crystal.lattice, positions)).to(dtype),
        orbitals=torch.from_numpy(np.flatnonzero(table.orbital[numbers])),
        n_electrons=int(table.electrons[numbers].sum()),
        semicore_atom=torch.from_numpy(atom[repeated]),
        semicore_shell=torch.from_numpy(states[atom, shell][repeated] // 2),
        semicore_level=torch.from_numpy(table.semicore_level[numbers[atom], shell][repeated]).to(
            dtype
        ),
        reciprocal=torch.from_numpy(2 * np.pi * np.linalg.inv(crystal.lattice).T).to(dtype),
    )


@dataclass(frozen=True)
class ElectronBatch:
    """Several crystals as one disconnected graph; what differs in size stays in ``graphs``.

    Attributes:
        atomic_numbers, source, target, vector: of all crystals.
        crystal_of_atom: ``[n_atoms_total]``.
        distance: angstrom, ``[n_edges_total]``; direction: unit vectors, target to source.
        q, p: of `bond_frame` of ``direction``.
        graphs: the crystals.
    """

    atomic_numbers: Tensor
    source: Tensor
    target: Tensor
    distance: Tensor
    direction: Tensor
    q: Tensor
    p: Tensor
    crystal_of_atom: Tensor
    graphs: Sequence[ElectronGraph]


def collate_electrons(graphs: Sequence[ElectronGraph]) -> ElectronBatch:
    """Join graphs; their order is kept."""
    n_atoms = torch.tensor([graph.n_atoms for graph in graphs])
    first = torch.cumsum(n_atoms, 0) - n_atoms
    vector = torch.cat([graph.vector for graph in graphs])
    distance = torch.linalg.vector_norm(vector, dim=1)
    direction = vector / distance[:, None]
    q, p = bond_frame(direction)
    return ElectronBatch(
        atomic_numbers=torch.cat([graph.atomic_numbers for graph in graphs]),
        source=torch.cat([g.source + i for g, i in zip(graphs, first, strict=True)]),
        target=torch.cat([g.target + i for g, i in zip(graphs, first, strict=True)]),
        distance=distance,
        direction=direction,
        q=q,
        p=p,
        crystal_of_atom=torch.repeat_interleave(n_atoms),
        graphs=graphs,
    )


def shell_to_orbitals(shells: Tensor) -> Tensor:
    """Values of s, p, d ``[n, 3]`` for each orbital, ``[n, 9]``."""
    return shells[:, torch.as_tensor(SHELL_OF_ORBITAL, device=shells.device)]
