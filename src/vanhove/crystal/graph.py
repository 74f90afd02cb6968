"""A crystal as a graph (atoms and neighbour pairs) and batches of such graphs in plain torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from vanhove.crystal.checks import check_crystal
from vanhove.crystal.crystal import Crystal
from vanhove.crystal.lattice import successive_minima
from vanhove.crystal.neighbors import neighbor_list
from vanhove.crystal.symmetry import (
    CRYSTAL_SYSTEMS,
    SYMMETRY_TOLERANCE,
    StandardizedCrystal,
    standardize,
)
from vanhove.settings import Settings


class GraphSettings(Settings):
    """How a crystal becomes a graph; part of every checkpoint."""

    cutoff: float = Field(4.0, gt=0, description="cutoff distance of neighbours, angstrom")
    max_neighbors: int | None = Field(
        None, ge=1, description="number of nearest neighbours to keep, in whole shells; null: all"
    )
    self_edges: bool = Field(
        False, description="add an edge of length zero to each atom (released code)"
    )
    primitive: bool = Field(True, description="reduce each crystal to its primitive cell first")
    symmetry_tolerance: float = Field(SYMMETRY_TOLERANCE, gt=0, description="angstrom")


@dataclass(frozen=True)
class CrystalGraph:
    """One crystal, ready to be batched.

    Attributes:
        atomic_numbers: ``[n_atoms]`` int64.
        edge_index: ``[2, n_edges]`` int64, rows source and target.
        edge_vector: ``[n_edges, 3]`` float32, angstrom, from target to source.
        crystal_system: index into ``CRYSTAL_SYSTEMS``.
        lattice_lengths: ``[3]`` float32, angstrom, ascending: the shortest independent translations
            of the cell.
        lattice: ``[3, 3]`` float32, rows, angstrom.
        positions: ``[n_atoms, 3]`` float32, Cartesian, angstrom.
        kpoints: ``[n_kpoints, 3]`` float32, Cartesian, 1/angstrom; None unless bands are wanted.
        rotations: of fractional coordinates, that leave the crystal as it is to the last digits,
            ``[n, 3, 3]`` int8; None where they are not known.
    """

    atomic_numbers: Tensor
    edge_index: Tensor
    edge_vector: Tensor
    crystal_system: int
    lattice_lengths: Tensor
    lattice: Tensor
    positions: Tensor
    kpoints: Tensor | None = None
    rotations: np.ndarray | None = None

    @property
    def n_atoms(self) -> int:
        return len(self.atomic_numbers)


def build_graph(crystal: Crystal, settings: GraphSettings) -> CrystalGraph:
    """Check, standardise and connect one crystal.

    Raises:
        StructureError: the crystal is unphysical, or its symmetry cannot be found.
    """
    check_crystal(crystal)
    return graph_of_standardized(
        standardize(crystal, settings.symmetry_tolerance), crystal, settings
    )


def graph_of_standardized(
    standard: StandardizedCrystal, given: Crystal, settings: GraphSettings
) -> CrystalGraph:
    """As `build_graph` for a crystal that is already checked and standardised."""
    cell = standard.primitive if settings.primitive else given
    return graph_of_cell(cell, standard.crystal_system, settings)


def graph_of_cell(cell: Crystal, crystal_system: str, settings: GraphSettings) -> CrystalGraph:
    """Connect the atoms of a cell as it is; the crystal system is known."""
    neighbors = neighbor_list(cell, settings.cutoff, settings.max_neighbors)
    edge_index = np.stack([neighbors.source, neighbors.target])
    edge_vector = neighbors.vector
    if settings.self_edges:
        loops = np.arange(cell.n_atoms)
        edge_index = np.concatenate([edge_index, np.stack([loops, loops])], axis=1)
        edge_vector = np.concatenate([edge_vector, np.zeros((cell.n_atoms, 3))])
    return CrystalGraph(
        atomic_numbers=torch.from_numpy(cell.atomic_numbers.copy()),
        edge_index=torch.from_numpy(edge_index.astype(np.int64)),
        edge_vector=torch.from_numpy(edge_vector.astype(np.float32)),
        crystal_system=CRYSTAL_SYSTEMS.index(crystal_system),
        lattice_lengths=torch.from_numpy(successive_minima(cell.lattice).astype(np.float32)),
        lattice=torch.from_numpy(cell.lattice.astype(np.float32)),
        positions=torch.from_numpy(cell.cartesian_coordinates.astype(np.float32)),
    )


@dataclass(frozen=True)
class Batch:
    """Several crystals as one disconnected graph.

    Attributes:
        atomic_numbers: ``[n_atoms_total]``.
        edge_index: ``[2, n_edges_total]``, rows source and target.
        edge_vector: ``[n_edges_total, 3]``, angstrom.
        crystal_of_atom: ``[n_atoms_total]``, which crystal an atom belongs to.
        position_in_crystal: ``[n_atoms_total]``, its place there.
        n_atoms: ``[n_crystals]``.
        crystal_system: ``[n_crystals]``, index into ``CRYSTAL_SYSTEMS``.
        lattice_lengths: ``[n_crystals, 3]``, angstrom, ascending.
        max_atoms: the largest of ``n_atoms``.
        lattice: ``[n_crystals, 3, 3]``, rows, angstrom.
        positions: ``[n_atoms_total, 3]``, Cartesian, angstrom.
        kpoints: ``[n_crystals, n_kpoints, 3]``, Cartesian, 1/angstrom, or None.
        rotations: of each crystal, see `CrystalGraph`; empty where none has any.
        labels: by name, what a decoder learns from besides the target; empty at prediction.
    """

    atomic_numbers: Tensor
    edge_index: Tensor
    edge_vector: Tensor
    crystal_of_atom: Tensor
    position_in_crystal: Tensor
    n_atoms: Tensor
    crystal_system: Tensor
    lattice_lengths: Tensor
    max_atoms: int
    lattice: Tensor
    positions: Tensor
    kpoints: Tensor | None = None
    rotations: tuple[np.ndarray | None, ...] = ()
    labels: dict[str, Tensor] = field(default_factory=dict)

    @property
    def n_crystals(self) -> int:
        return len(self.n_atoms)

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> Batch:
        """Copy to a device; floating-point tensors also to ``dtype``."""

        def move(value: Any) -> Any:
            if isinstance(value, Tensor):
                return value.to(device, dtype if value.is_floating_point() else None)
            if isinstance(value, dict):
                return {name: move(inner) for name, inner in value.items()}
            return value

        return Batch(**{own.name: move(getattr(self, own.name)) for own in fields(self)})

    def dense(self, atoms: Tensor) -> tuple[Tensor, Tensor]:
        """Atom states ``[n_atoms_total, d]`` as ``[n_crystals, max_atoms, d]``, and the mask.

        The mask ``[n_crystals, max_atoms]`` is True where there is an atom; padding is zero and
        must be masked by whoever attends to it.
        """
        row = self.crystal_of_atom * self.max_atoms + self.position_in_crystal
        flat = atoms.new_zeros(self.n_crystals * self.max_atoms, atoms.shape[-1])
        dense = flat.index_copy(0, row, atoms).view(self.n_crystals, self.max_atoms, -1)
        mask = torch.arange(self.max_atoms, device=atoms.device) < self.n_atoms[:, None]
        return dense, mask

    def sum_over_atoms(self, atoms: Tensor) -> Tensor:
        """``[..., n_atoms_total, d]`` -> ``[..., n_crystals, d]``."""
        zeros = atoms.new_zeros(*atoms.shape[:-2], self.n_crystals, atoms.shape[-1])
        return zeros.index_add(-2, self.crystal_of_atom, atoms)


def collate(graphs: Sequence[CrystalGraph]) -> Batch:
    """Join graphs into one batch; their order is kept.

    Raises:
        ValueError: no graph given, or graphs with other numbers of k-points.
    """
    if not graphs:
        raise ValueError("a batch needs at least one graph")
    n_atoms = torch.tensor([graph.n_atoms for graph in graphs])
    n_edges = torch.tensor([graph.edge_index.shape[1] for graph in graphs])
    first_atom = torch.cumsum(n_atoms, 0) - n_atoms
    crystal_of_atom = torch.repeat_interleave(n_atoms)
    kpoints = [graph.kpoints for graph in graphs if graph.kpoints is not None]
    if len({len(points) for points in kpoints}) > 1 or len(kpoints) not in (0, len(graphs)):
        raise ValueError("graphs of one batch need the same number of k-points")
    return Batch(
        atomic_numbers=torch.cat([graph.atomic_numbers for graph in graphs]),
        edge_index=torch.cat([graph.edge_index for graph in graphs], dim=1)
        + torch.repeat_interleave(first_atom, n_edges),
        edge_vector=torch.cat([graph.edge_vector for graph in graphs]),
        crystal_of_atom=crystal_of_atom,
        position_in_crystal=torch.arange(len(crystal_of_atom)) - first_atom[crystal_of_atom],
        n_atoms=n_atoms,
        crystal_system=torch.tensor([graph.crystal_system for graph in graphs]),
        lattice_lengths=torch.stack([graph.lattice_lengths for graph in graphs]),
        max_atoms=int(n_atoms.max()),
        lattice=torch.stack([graph.lattice for graph in graphs]),
        positions=torch.cat([graph.positions for graph in graphs]),
        kpoints=torch.stack(kpoints) if kpoints else None,
        rotations=tuple(graph.rotations for graph in graphs),
    )
