"""Latents of the atoms of many crystals, and the element table that is their mean."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np
import torch

from vanhove.atomic import write_bytes
from vanhove.crystal.crystal import Crystal
from vanhove.crystal.elements import N_ELEMENTS
from vanhove.crystal.symmetry import CRYSTAL_SYSTEMS
from vanhove.embeddings.objective import Objective
from vanhove.embeddings.train import Material
from vanhove.progress import track


@dataclass(frozen=True, eq=False)
class Latents:
    """Of the atoms of some crystals (primitive cells), one crystal after the other.

    Attributes:
        ids: names of the crystals.
        crystal_system: ``[n_crystals]``, index into ``CRYSTAL_SYSTEMS``.
        n_atoms: ``[n_crystals]``.
        atomic_numbers: ``[n_atoms_total]``.
        atoms: ``[n_atoms_total, d]`` float32.
    """

    ids: Sequence[str]
    crystal_system: np.ndarray
    n_atoms: np.ndarray
    atomic_numbers: np.ndarray
    atoms: np.ndarray

    @property
    def crystals(self) -> np.ndarray:
        """Means over the atoms, ``[n_crystals, d]``."""
        starts = np.cumsum(self.n_atoms) - self.n_atoms
        return np.add.reduceat(self.atoms, starts, axis=0) / self.n_atoms[:, None]

    def element_table(self) -> np.ndarray:
        """Mean latent of the atoms of each element, ``[119, d]``; NaN where there is no atom.

        Columns have the mean 0 over the elements, and all together the mean square 1: a column in
        which the elements hardly differ is not blown up.
        """
        table = np.full((N_ELEMENTS + 1, self.atoms.shape[1]), np.nan)
        for z in np.unique(self.atomic_numbers):
            table[z] = self.atoms[self.atomic_numbers == z].mean(axis=0, dtype=np.float64)
        table -= np.nanmean(table, axis=0)
        return (table / max(float(np.sqrt(np.nanmean(table**2))), 1e-12)).astype(np.float32)

    def write(self, path: str | PathLike[str]) -> None:
        """A compressed npz archive with the attributes, ``crystals`` and the names of systems."""
        content = io.BytesIO()
        np.savez_compressed(
            content,
            ids=np.array(self.ids, dtype=str),
            crystal_system=np.array(CRYSTAL_SYSTEMS)[self.crystal_system],
            n_atoms=self.n_atoms,
            atomic_numbers=self.atomic_numbers,
            atoms=self.atoms,
            crystals=self.crystals,
        )
        write_bytes(Path(path), content.getvalue())


@torch.inference_mode()
def encoded(
    objective: Objective, material: Material, crystals: Sequence[Crystal], quiet: bool = True
) -> Latents:
    """Latents by a trained encoder, of all crystals that have a graph."""
    objective.eval()
    rows = material.rows
    batches = track(material.batches(rows, 64), "encoding", quiet, -(-len(rows) // 64))
    found = [(batch.atomic_numbers, objective.latents(batch)) for batch, _ in batches]
    return Latents(
        ids=[crystals[row].name for row in rows.tolist()],
        crystal_system=material.graphs.crystal_system[rows].numpy(),
        n_atoms=material.graphs.n_atoms[rows].numpy(),
        atomic_numbers=torch.cat([numbers for numbers, _ in found]).numpy(),
        atoms=torch.cat([latents for _, latents in found]).numpy(),
    )
