"""Many crystals in flat arrays: their primitive cells, and their graphs.

Flat arrays are quick to write, to map into memory and to share; a row is read when it is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from vanhove.crystal.checks import check_crystal
from vanhove.crystal.crystal import Crystal
from vanhove.crystal.domain import material_hash
from vanhove.crystal.graph import CrystalGraph, GraphSettings, graph_of_cell
from vanhove.crystal.symmetry import crystal_system_of, standardize
from vanhove.errors import StructureError

Arrays = dict[str, np.ndarray]
"""Arrays by name; those of several lists of crystals join along their last axis."""

UNUSABLE = 0
"""Space group, and material, of a crystal that fails its checks or the symmetry search."""


def symmetry_arrays(crystals: Sequence[Crystal], tolerance: float) -> Arrays:
    """The arrays of a `SymmetryTable`; `UNUSABLE` crystals get no atoms and no error."""
    groups, cells, materials = [], [], []
    for crystal in crystals:
        try:
            check_crystal(crystal)
            standard = standardize(crystal, tolerance)
            groups.append(standard.space_group_number)
            cells.append(standard.primitive)
            materials.append(material_hash(standard))
        except StructureError:
            groups.append(UNUSABLE)
            materials.append(UNUSABLE)
            cells.append(Crystal(np.zeros((3, 3)), np.zeros((0, 3)), np.zeros(0)))
    return {
        "space_group": np.array(groups, dtype=np.int16),
        "material": np.array(materials, dtype=np.int64),
        "n_atoms": np.array([cell.n_atoms for cell in cells], dtype=np.int32),
        "atomic_numbers": np.concatenate([cell.atomic_numbers for cell in cells]).astype(np.int16),
        "lattice": np.stack([cell.lattice for cell in cells], axis=-1),
        "coordinates": np.concatenate([cell.fractional_coordinates for cell in cells]).T,
    }


@dataclass(frozen=True, eq=False)
class SymmetryTable:
    """Primitive cell and space group of each of many crystals.

    Attributes:
        space_group: ``[n_crystals]``, 1 to 230; `UNUSABLE` where the crystal is.
        material: ``[n_crystals]``, see `vanhove.crystal.domain.material_hash`.
        n_atoms: ``[n_crystals]``, of the primitive cell.
        atomic_numbers: ``[n_atoms_total]``.
        lattice: ``[3, 3, n_crystals]``, angstrom.
        coordinates: ``[3, n_atoms_total]``, fractional.
    """

    space_group: np.ndarray
    material: np.ndarray
    n_atoms: np.ndarray
    atomic_numbers: np.ndarray
    lattice: np.ndarray
    coordinates: np.ndarray

    @cached_property
    def _first_atom(self) -> list[int]:
        return _starts(self.n_atoms)

    def primitive(self, row: int) -> Crystal:
        """The primitive cell of one crystal."""
        atoms = slice(self._first_atom[row], self._first_atom[row + 1])
        return Crystal(
            self.lattice[:, :, row], self.coordinates[:, atoms].T, self.atomic_numbers[atoms]
        )

    def crystal_system(self, row: int) -> str | None:
        """One of ``CRYSTAL_SYSTEMS``; None where the crystal is unusable."""
        group = int(self.space_group[row])
        return None if group == UNUSABLE else crystal_system_of(group)


def graph_arrays(
    cells: Sequence[Crystal], systems: Sequence[str | None], settings: GraphSettings
) -> Arrays:
    """The arrays of a `GraphTable`; a crystal without a system gets an empty graph."""
    graphs = [
        _EMPTY if system is None else graph_of_cell(cell, system, settings)
        for cell, system in zip(cells, systems, strict=True)
    ]
    return {
        "n_atoms": np.array([graph.n_atoms for graph in graphs], dtype=np.int32),
        "n_edges": np.array([graph.edge_index.shape[1] for graph in graphs], dtype=np.int32),
        "crystal_system": np.array([graph.crystal_system for graph in graphs], dtype=np.int16),
        "atomic_numbers": torch.cat([g.atomic_numbers for g in graphs]).numpy().astype(np.int16),
        "edge_index": torch.cat([g.edge_index for g in graphs], dim=1).numpy().astype(np.int32),
        "edge_vector": torch.cat([graph.edge_vector for graph in graphs]).numpy().T,
        "lattice_lengths": torch.stack([graph.lattice_lengths for graph in graphs]).numpy().T,
        "lattice": torch.stack([graph.lattice for graph in graphs]).numpy().transpose(1, 2, 0),
        "positions": torch.cat([graph.positions for graph in graphs]).numpy().T,
    }


_EMPTY = CrystalGraph(
    atomic_numbers=torch.zeros(0, dtype=torch.int64),
    edge_index=torch.zeros(2, 0, dtype=torch.int64),
    edge_vector=torch.zeros(0, 3),
    crystal_system=-1,
    lattice_lengths=torch.zeros(3),
    lattice=torch.zeros(3, 3),
    positions=torch.zeros(0, 3),
)


class GraphTable:
    """The graphs of many crystals, by row.

    Attributes:
        n_atoms: ``[n_crystals]`` int64.
        crystal_system: ``[n_crystals]`` int64, index into ``CRYSTAL_SYSTEMS``; -1 where the
            crystal is unusable.
    """

    def __init__(self, arrays: Arrays):
        self.n_atoms = torch.from_numpy(arrays["n_atoms"]).long()
        self.crystal_system = torch.from_numpy(arrays["crystal_system"]).long()
        self._first_atom = _starts(arrays["n_atoms"])
        self._first_edge = _starts(arrays["n_edges"])
        self._flat: dict[str, Tensor] = {
            name: torch.from_numpy(arrays[name])
            for name in (
                "atomic_numbers",
                "edge_index",
                "edge_vector",
                "lattice_lengths",
                "lattice",
                "positions",
            )
        }

    def __len__(self) -> int:
        return len(self.n_atoms)

    def graph(self, row: int) -> CrystalGraph:
        """One graph.

        Raises:
            IndexError: there is none, the crystal is unusable.
        """
        system = int(self.crystal_system[row])
        if system < 0:
            raise IndexError(
                f"row {row} has no graph: its crystal was not asked for or is unusable"
            )
        atoms = slice(self._first_atom[row], self._first_atom[row + 1])
        edges = slice(self._first_edge[row], self._first_edge[row + 1])
        return CrystalGraph(
            atomic_numbers=self._flat["atomic_numbers"][atoms].long(),
            edge_index=self._flat["edge_index"][:, edges].long(),
            edge_vector=self._flat["edge_vector"][:, edges].T.contiguous(),
            crystal_system=system,
            lattice_lengths=self._flat["lattice_lengths"][:, row].contiguous(),
            lattice=self._flat["lattice"][:, :, row].contiguous(),
            positions=self._flat["positions"][:, atoms].T.contiguous(),
        )


def _starts(counts: np.ndarray) -> list[int]:
    return np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]).tolist()
