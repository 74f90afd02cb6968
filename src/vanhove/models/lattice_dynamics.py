"""Harmonic lattice dynamics with learned force constants, differentiable.

Atom states -> force constants between neighbours -> dynamical matrices on a mesh of wave vectors ->
frequencies and how much each atom moves in each mode. Masses, the three acoustic branches and the
count of 3N modes are exact; what is learned is how stiff the bonds are.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor, nn

from vanhove.crystal.elements import MASSES
from vanhove.crystal.graph import Batch
from vanhove.models.layers import GaussianBasis, cosine_envelope

FREQUENCY_UNIT = 521.4709
"""1/cm, of sqrt(eV / (angstrom^2 u)) / (2 pi c)."""
_SOFT = 4e-4
"""eV / (angstrom^2 u); below it (about 10 1/cm) the square root becomes a straight line."""
_SAME_PLACE = 1e-3  # angstrom
_STIFFNESS, _DECAY, _BOND = 6.0, 1.6, 2.0
"""An untrained bond of 2 angstrom has 6 eV/angstrom^2, which falls by exp(-1.6) per angstrom."""


@dataclass(frozen=True)
class Vibrations:
    """The modes of one crystal of n atoms on its mesh.

    Attributes:
        frequency_cm1: ``[n_wave_vectors, 3 n]``, negative where the crystal is unstable.
        weight: ``[n_wave_vectors]``, of sum 1.
        of_atom: ``[n_wave_vectors, n, 3 n]``, the share of each atom in each mode, of sum 1.
    """

    frequency_cm1: Tensor
    weight: Tensor
    of_atom: Tensor


def mesh_size(n_atoms: int) -> int:
    """Wave vectors along each axis: fewer modes in a cell ask for more wave vectors."""
    for largest, size in ((1, 6), (2, 5), (4, 4), (10, 3), (40, 2)):
        if n_atoms <= largest:
            return size
    return 1


@cache
def wave_vectors(size: int) -> tuple[np.ndarray, np.ndarray]:
    """A mesh around Gamma, of q and -q only one: fractional ``[n, 3]`` and weights ``[n]``.

    As many points along each axis, so that the mesh is the same for all primitive cells of a
    lattice.
    """
    weights: dict[tuple[int, ...], int] = {}
    for point in itertools.product(range(size), repeat=3):
        opposite = tuple(-x % size for x in point)
        key = min(point, opposite)
        weights[key] = weights.get(key, 0) + 1
    return np.array(list(weights)) / size, np.array(list(weights.values())) / size**3


class ForceConstants(nn.Module):
    """Force constants of neighbours, ``[n_edges, 3, 3]``, eV/angstrom^2, from atom states.

    A bond is stiff along its own direction, less so across it, and how much also depends on the
    directions of the other bonds at its two ends:

        Phi = k_along r r^T + k_across (1 - r r^T) + sum_c b_c (T_c(i) + T_c(j)),
        T_c(i) = sum over the neighbours of i of w_c (r r^T - 1/3)

    with the unit vector r of the bond and scalars k, b, w that a network gives for the atom states
    at both ends, added and multiplied, and the distance. All parts are symmetric, the same for
    both directions of a bond, and turn with the crystal; they fade to zero at the cutoff.

    Args:
        atom_dim: of the atom states.
        dim: width of the network.
        n_tensors: c, above; 0 for central and transverse springs alone.
        n_basis: Gaussians per distance.
        cutoff: of the graph, angstrom.
    """

    def __init__(self, atom_dim: int, dim: int, n_tensors: int, n_basis: int, cutoff: float):
        super().__init__()
        self.cutoff, self.n_tensors = cutoff, n_tensors
        self.basis = GaussianBasis(n_basis, cutoff)
        self.added = nn.Linear(atom_dim, dim)
        self.multiplied = nn.Linear(atom_dim, dim)
        self.from_distance = nn.Linear(n_basis, dim)
        last = nn.Linear(dim, 3 + 2 * n_tensors)
        nn.init.zeros_(last.bias)
        with torch.no_grad():
            last.weight *= 0.1  # starts near the stiffness that falls with distance
        self.scalars = nn.Sequential(
            nn.LayerNorm(dim), nn.SiLU(), nn.Linear(dim, dim), nn.SiLU(), last
        )

    def forward(self, atoms: Tensor, batch: Batch) -> Tensor:
        source, target = batch.edge_index
        distance = torch.linalg.vector_norm(batch.edge_vector, dim=-1)
        direction = batch.edge_vector / distance.clamp(min=_SAME_PLACE)[:, None]
        added, multiplied = self.added(atoms), self.multiplied(atoms)
        scalars = self.scalars(
            added.index_select(0, source)
            + added.index_select(0, target)
            + multiplied.index_select(0, source) * multiplied.index_select(0, target)
            + self.from_distance(self.basis(distance))
        ).to(distance.dtype)
        envelope = cosine_envelope(distance, self.cutoff) * (distance > _SAME_PLACE)
        exponent = math.log(_STIFFNESS) - _DECAY * (distance - _BOND) + scalars[:, 0]
        stiffness = envelope * torch.exp(exponent.clamp(-12, 5))
        along = stiffness * (1 + scalars[:, 1])
        across = stiffness * (0.05 + 0.3 * scalars[:, 2])
        one = torch.eye(3, dtype=distance.dtype, device=distance.device)
        outer = direction[:, :, None] * direction[:, None, :]
        constants = along[:, None, None] * outer + across[:, None, None] * (one - outer)
        if self.n_tensors == 0:
            return constants
        weights, factors = scalars[:, 3:].split(self.n_tensors, dim=1)
        tensors = (weights * envelope[:, None])[:, :, None] * (outer - one / 3).flatten(1)[:, None]
        at_atom = tensors.new_zeros(len(atoms), *tensors.shape[1:]).index_add(0, target, tensors)
        at_bond = at_atom.index_select(0, source) + at_atom.index_select(0, target)
        mixed = torch.einsum("ec,ecx->ex", factors * stiffness[:, None], at_bond)
        return constants + mixed.view(-1, 3, 3)


def vibrations(constants: Tensor, batch: Batch) -> Iterator[Vibrations]:
    """The modes of each crystal of a batch whose graphs have a lattice.

    The force of an atom on itself makes all forces vanish when the crystal moves as a whole.
    Gradients reach the frequencies, to first order exact (Hellmann-Feynman), but not the shares of
    the atoms.

    Args:
        constants: ``[n_edges_total, 3, 3]``, eV/angstrom^2; where the two directions of a bond
            differ (``max_neighbors`` cuts one of them off), their mean counts.
        batch: the crystals.
    """
    source, target = batch.edge_index
    masses = torch.as_tensor(MASSES, dtype=constants.dtype, device=constants.device)
    mass = masses[batch.atomic_numbers]
    reduced = constants * (mass[source] * mass[target]).rsqrt()[:, None, None]
    own = constants / mass[target][:, None, None]
    own = own.new_zeros(len(mass), 3, 3).index_add(0, target, own)
    reciprocal = 2 * math.pi * torch.linalg.inv(batch.lattice).transpose(1, 2)
    n_atoms = batch.n_atoms.tolist()
    n_edges = torch.bincount(batch.crystal_of_atom[target], minlength=len(n_atoms)).tolist()
    parts = zip(
        n_atoms,
        reciprocal,
        own.split(n_atoms),
        batch.position_in_crystal[source].split(n_edges),
        batch.position_in_crystal[target].split(n_edges),
        reduced.split(n_edges),
        batch.edge_vector.split(n_edges),
        strict=True,
    )
    for n, basis, diagonal, start, end, springs, vector in parts:
        points, weight = (vector.new_tensor(x) for x in wave_vectors(mesh_size(n)))
        phase = (points @ basis) @ vector.T
        pair = end * n + start

        def summed(factor: Tensor, pair=pair, springs=springs, n=n) -> Tensor:
            """Sum over the images of each pair of atoms, ``[n_wave_vectors, 3 n, 3 n]``."""
            flat = springs.new_zeros(len(factor), n * n, 9)
            flat = flat.index_add(1, pair, factor[:, :, None] * springs.flatten(1))
            return flat.view(-1, n, n, 3, 3).transpose(2, 3).reshape(-1, 3 * n, 3 * n)

        real, imaginary = torch.block_diag(*diagonal) - summed(phase.cos()), None
        real = (real + real.transpose(1, 2)) / 2
        if mesh_size(n) > 2:  # otherwise all are half of a reciprocal lattice vector
            imaginary = -summed(phase.sin())
            imaginary = (imaginary - imaginary.transpose(1, 2)) / 2
        squared, share = _modes(real, imaginary)
        frequency = FREQUENCY_UNIT * squared / torch.sqrt(squared.abs() + _SOFT)
        yield Vibrations(frequency, weight, share.view(len(points), n, 3, 3 * n).sum(dim=2))


def _modes(real: Tensor, imaginary: Tensor | None) -> tuple[Tensor, Tensor]:
    """Squared frequencies ``[n, m]``, and the shares ``[n, m, m]`` of coordinates (rows) in modes.

    The eigenvectors are taken as constants: the derivative of an eigenvalue needs no more, and
    that of an eigenvector does not exist where modes are degenerate.
    """
    with torch.no_grad():
        matrix = real if imaginary is None else torch.complex(real, imaginary)
        vectors = torch.linalg.eigh(matrix)[1]
    if imaginary is None:
        return (vectors * (real @ vectors)).sum(dim=1), vectors**2
    x, y = vectors.real.contiguous(), vectors.imag.contiguous()
    squared = (x * (real @ x - imaginary @ y) + y * (real @ y + imaginary @ x)).sum(dim=1)
    return squared, x**2 + y**2
