"""What a k-point means to free electrons: the bands of the empty lattice."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from vanhove.crystal.elements import valence_electrons
from vanhove.crystal.graph import Batch

HBAR2_OVER_2M = 3.809982
"""eV angstrom^2."""
_REACH = 4
"""Reciprocal lattice vectors in each direction and back; the graph's cell is reduced."""
_SCALE = 5.0
"""eV, brings energies to about 1."""


class FreeElectrons(nn.Module):
    """Bands of free electrons next to their Fermi level, ``[n_crystals, n_kpoints, out_dim]``.

    The energies ``hbar^2 |k + G|^2 / 2 m`` of the empty lattice, sorted, from the Fermi energy of
    as many free electrons as the atoms have valence electrons: no parameter, and good for simple
    metals. Like the bands it is the same for -k, k + G and for every cell and orientation.

    Args:
        n_bands: half of them below the Fermi level.
    """

    vectors: Tensor
    valence: Tensor

    def __init__(self, n_bands: int = 10):
        super().__init__()
        self.out_dim = n_bands + 1
        axis = torch.arange(-_REACH, _REACH + 1, dtype=torch.float32)
        self.register_buffer("vectors", torch.cartesian_prod(axis, axis, axis), persistent=False)
        self.register_buffer("valence", torch.from_numpy(valence_electrons()), persistent=False)

    @torch.no_grad()
    def forward(self, batch: Batch) -> Tensor:
        assert batch.kpoints is not None
        lattice = batch.lattice.float()
        reciprocal = 2 * math.pi * torch.linalg.inv(lattice).transpose(1, 2)
        # Back into the cell around zero, so that the vectors reach far enough on all sides.
        fractional = batch.kpoints.float() @ lattice.transpose(1, 2) / (2 * math.pi)
        kpoints = (fractional - fractional.round()) @ reciprocal

        electrons = batch.sum_over_atoms(self.valence.float()[batch.atomic_numbers][:, None])[:, 0]
        volume = torch.linalg.det(lattice).abs()
        fermi = HBAR2_OVER_2M * (3 * math.pi**2 * electrons / volume) ** (2 / 3)
        first = (electrons // 2).long() - (self.out_dim - 1) // 2
        chosen = first[:, None] + torch.arange(self.out_dim - 1, device=first.device)
        chosen = chosen.clamp(min=0, max=len(self.vectors) - 1)
        n_lowest = int(chosen.max()) + 1
        shifted = kpoints[:, :, None] + self.near(reciprocal, kpoints, n_lowest)[:, None]
        energies = HBAR2_OVER_2M * (shifted**2).sum(dim=-1)
        lowest = energies.topk(n_lowest, dim=-1, largest=False).values
        near = lowest.gather(2, chosen[:, None].expand(-1, energies.shape[1], -1))
        level = fermi[:, None, None].expand(-1, energies.shape[1], 1)
        return torch.cat([near - level, level], dim=-1) / _SCALE

    def near(self, reciprocal: Tensor, kpoints: Tensor, n_lowest: int) -> Tensor:
        """Reciprocal lattice vectors among which the lowest bands of all k-points are.

        The n shortest, of length up to R, give each k-point n energies of ``|k + G| <= R + |k|``;
        a vector longer than ``R + 2 |k|`` gives a higher one.
        """
        vectors = self.vectors.float() @ reciprocal
        length, order = torch.linalg.vector_norm(vectors, dim=-1).sort(dim=1)
        farthest = torch.linalg.vector_norm(kpoints, dim=-1).amax(dim=1)
        reach = length[:, n_lowest - 1] + 2 * farthest
        n_kept = int((length <= reach[:, None] * (1 + 1e-4)).sum(dim=1).max())
        return vectors.gather(1, order[:, :n_kept, None].expand(-1, -1, 3))
