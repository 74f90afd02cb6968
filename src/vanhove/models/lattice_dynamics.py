"""Harmonic lattice dynamics with learned force constants, differentiable.

Atom states -> force constants between neighbours, and in polar crystals Born charges and the
dielectric tensor -> dynamical matrices at wave vectors -> frequencies and how much each atom moves
in each mode (`vanhove.physics.harmonic`). Masses, the three acoustic branches and the count of 3N
modes are exact; what is learned is how stiff the bonds are and how charged the atoms.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields

import torch
from torch import Tensor, nn

from vanhove.crystal.elements import MASSES
from vanhove.crystal.graph import Batch
from vanhove.models.layers import GaussianBasis, cosine_envelope
from vanhove.physics.bloch import is_forward
from vanhove.physics.harmonic import HarmonicCrystal
from vanhove.physics.meshes import time_reversed_mesh

_SAME_PLACE = 1e-3  # angstrom
_STIFFNESS, _DECAY, _BOND = 6.0, 1.6, 2.0
"""An untrained bond of 2 angstrom has 6 eV/angstrom^2, which falls by exp(-1.6) per angstrom."""
_MOST_CELLS = 512
"""Springs cross fewer cells than this."""
_SUSCEPTIBILITY = 4.0
"""Of an untrained crystal: its dielectric constant less 1."""


def mesh_size(n_atoms: int) -> int:
    """Wave vectors along each axis: fewer modes in a cell ask for more wave vectors.

    As many along each axis, so that the mesh is the same for all primitive cells of a lattice.
    """
    for largest, size in ((1, 6), (2, 5), (4, 4), (10, 3), (40, 2)):
        if n_atoms <= largest:
            return size
    return 1


def mesh_of(lattice: Tensor, n_atoms: int) -> tuple[Tensor, Tensor]:
    """The mesh of crystals with lattices ``[..., 3, 3]``: Cartesian ``[..., n_k, 3]``, 1/angstrom.

    Beside it its weights ``[n_k]``.
    """
    points, weight = time_reversed_mesh((mesh_size(n_atoms),) * 3)
    reciprocal = 2 * math.pi * torch.linalg.inv(lattice).mT
    return lattice.new_tensor(points) @ reciprocal, lattice.new_tensor(weight)


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


@dataclass(frozen=True)
class Springs:
    """Springs between atoms of a batch, those of the graph and others.

    Attributes:
        source, target: atoms, ``[n_springs]``.
        vector: from target to source, angstrom, ``[n_springs, 3]``.
        constants: eV/angstrom^2, ``[n_springs, 3, 3]``.
    """

    source: Tensor
    target: Tensor
    vector: Tensor
    constants: Tensor

    def joined(self, other: Springs) -> Springs:
        """Both together."""
        return Springs(
            *(torch.cat([getattr(own, f.name) for own in (self, other)]) for f in fields(self))
        )

    def merged(self, batch: Batch) -> Springs:
        """The same springs with one for each pair of atoms, in both directions.

        Most angles share their bonds. Where the two directions of a bond differ (``max_neighbors``
        cuts one of them off), their mean counts.
        """
        forward = is_forward(self.source, self.target, self.vector)
        one, two = torch.where(forward, self.source, self.target), self.source + self.target
        two = two - one
        vector = torch.where(forward[:, None], self.vector, -self.vector)
        turned = self.constants.transpose(1, 2)
        constants = torch.where(forward[:, None, None], self.constants, turned) / 2
        between = vector - (batch.positions[one] - batch.positions[two])
        inverse = torch.linalg.inv(batch.lattice)[batch.crystal_of_atom[one]]
        cell = torch.einsum("ex,exy->ey", between, inverse).round().long() + _MOST_CELLS
        size = 2 * _MOST_CELLS
        key = one * len(batch.crystal_of_atom) + two
        key = ((key * size + cell[:, 0]) * size + cell[:, 1]) * size + cell[:, 2]
        kept, place = torch.unique(key, return_inverse=True)
        constants = constants.new_zeros(len(kept), 3, 3).index_add(0, place, constants)
        first = torch.empty_like(kept).index_put((place,), torch.arange(len(key)).to(place))
        one, two, vector = one[first], two[first], vector[first]
        return Springs(
            source=torch.cat([one, two]),
            target=torch.cat([two, one]),
            vector=torch.cat([vector, -vector]),
            constants=torch.cat([constants, constants.transpose(1, 2)]),
        )


class AngleConstants(nn.Module):
    """Force constants of angles: two bonds b, c at one atom resist, or help, each other.

    With d_b, d_c the displacements of the two outer atoms relative to the middle one, the energy of
    each angle theta is

        k (x_b d_b + x_c d_c)^2 / 2 + p (r_b d_b)(r_c d_c) + s (n d_b)(n d_c)
            + m (x_b d_b + x_c d_c)(r_b d_b + r_c d_c)

    where x is the gradient of cos theta, r the unit vectors of the bonds and n that of their
    normal: bending, stretch with stretch, moves out of the plane, bending with stretch (a valence
    force field). Bending costs nothing when a group of atoms turns as a whole, as springs alone do
    only by cancellation. A network gives k, p, s, m for the atom states and the shape of the
    angle; untrained they are 0.

    Args:
        atom_dim: of the atom states.
        dim: width of the network.
        n_basis: Gaussians of the cosine and of each distance.
        cutoff: longest bond, angstrom.
    """

    def __init__(self, atom_dim: int, dim: int, n_basis: int, cutoff: float):
        super().__init__()
        self.cutoff = cutoff
        self.cosine_basis = GaussianBasis(n_basis, 2.0)  # of 1 + cosine
        self.distance_basis = GaussianBasis(n_basis, cutoff)
        self.middle = nn.Linear(atom_dim, dim)
        self.outer = nn.Linear(atom_dim, dim)
        self.multiplied = nn.Linear(atom_dim, dim)
        self.from_cosine = nn.Linear(n_basis, dim)
        self.from_distance = nn.Linear(n_basis, dim)
        last = nn.Linear(dim, 4)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.scalars = nn.Sequential(
            nn.LayerNorm(dim), nn.SiLU(), nn.Linear(dim, dim), nn.SiLU(), last
        )

    def forward(self, atoms: Tensor, batch: Batch) -> Springs:
        source, target = batch.edge_index
        length = torch.linalg.vector_norm(batch.edge_vector, dim=-1)
        kept = torch.nonzero((length < self.cutoff) & (length > _SAME_PLACE)).squeeze(1)
        first, second = _pairs_at(target[kept], len(atoms))
        b, c = kept[first], kept[second]
        middle, end_b, end_c = target[b], source[b], source[c]
        vector_b, vector_c = batch.edge_vector[b], batch.edge_vector[c]
        length_b, length_c = length[b][:, None], length[c][:, None]
        r_b, r_c = vector_b / length_b, vector_c / length_c
        cosine = (r_b * r_c).sum(dim=1, keepdim=True).clamp(-1, 1)
        states = self.outer(atoms)
        factors = self.multiplied(atoms)
        of_length = self.from_distance(self.distance_basis(length))
        scalars = self.scalars(
            self.middle(atoms).index_select(0, middle)
            + states.index_select(0, end_b)
            + states.index_select(0, end_c)
            + factors.index_select(0, middle)
            * (factors.index_select(0, end_b) + factors.index_select(0, end_c))
            + of_length.index_select(0, b)
            + of_length.index_select(0, c)
            + self.from_cosine(self.cosine_basis(1 + cosine[:, 0]))
        ).to(length.dtype)
        envelope = cosine_envelope(length, self.cutoff)
        scalars = scalars * (envelope[b] * envelope[c])[:, None]
        k, p, s, m = (x[:, None, None] for x in scalars.unbind(1))
        x_b, x_c = (r_c - cosine * r_b) / length_b, (r_b - cosine * r_c) / length_c
        normal = torch.linalg.cross(r_b, r_c)

        def outer(left: Tensor, right: Tensor) -> Tensor:
            return left[:, :, None] * right[:, None]

        both = k * outer(x_b, x_c) + p * outer(r_b, r_c) + s * outer(normal, normal)
        both = both + m * (outer(x_b, r_c) + outer(r_b, x_c))
        own_b = k * outer(x_b, x_b) + m * (outer(x_b, r_b) + outer(r_b, x_b))
        own_c = k * outer(x_c, x_c) + m * (outer(x_c, r_c) + outer(r_c, x_c))
        turned = both.transpose(1, 2)
        to_b, to_c = own_b + both, own_c + turned
        return Springs(
            source=torch.cat([middle, end_b, middle, end_c, end_c, end_b]),
            target=torch.cat([end_b, middle, end_c, middle, end_b, end_c]),
            vector=torch.cat(
                [-vector_b, vector_b, -vector_c, vector_c, vector_c - vector_b, vector_b - vector_c]
            ),
            constants=torch.cat(
                [to_b, to_b.transpose(1, 2), to_c, to_c.transpose(1, 2), -both, -turned]
            ),
        )


def _pairs_at(target: Tensor, n_atoms: int) -> tuple[Tensor, Tensor]:
    """Pairs of edges into the same atom, each once: two lists of places in ``target``."""
    order = torch.argsort(target, stable=True)
    count = torch.bincount(target, minlength=n_atoms)
    start = torch.cumsum(count, 0) - count
    ranked = target[order]
    place = torch.arange(len(order), device=target.device) - start[ranked]
    after = count[ranked] - place - 1
    first = torch.repeat_interleave(after)
    step = torch.arange(len(first), device=target.device)
    step = step - (torch.cumsum(after, 0) - after)[first]
    return order[first], order[first + step + 1]


class Polarity(nn.Module):
    """Born effective charges and the electronic dielectric tensor, from atom states.

        Z_i = a_i + sum over neighbours j of (d_ij + c_ij (r r^T - 1/3)), less the mean over atoms
        eps = 1 + s exp(mean over bonds of e_ij (r r^T - 1/3))

    with scalars a, c, d, e that networks give for the atom states at both ends of a bond and its
    length, and s for the crystal; r is the unit vector of the bond. So the charges add up to 0
    (the acoustic sum rule), have the symmetry of their sites, and eps is positive and above 1.
    """

    def __init__(self, atom_dim: int, dim: int, n_basis: int, cutoff: float):
        super().__init__()
        self.cutoff = cutoff
        self.basis = GaussianBasis(n_basis, cutoff)
        self.at_source = nn.Linear(atom_dim, dim)
        self.at_target = nn.Linear(atom_dim, dim)
        self.from_distance = nn.Linear(n_basis, dim)
        last = nn.Linear(dim, 3)
        of_atom, of_crystal = nn.Linear(dim, 1), nn.Linear(dim, 1)
        with torch.no_grad():
            for layer in (last, of_atom, of_crystal):
                layer.weight *= 0.1
                nn.init.zeros_(layer.bias)
        self.bond = nn.Sequential(
            nn.LayerNorm(dim), nn.SiLU(), nn.Linear(dim, dim), nn.SiLU(), last
        )
        self.atom = nn.Sequential(nn.Linear(atom_dim, dim), nn.SiLU(), of_atom)
        self.crystal = nn.Sequential(nn.Linear(atom_dim, dim), nn.SiLU(), of_crystal)

    def forward(self, atoms: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """Charges ``[n_atoms_total, 3, 3]`` and dielectric tensors ``[n_crystals, 3, 3]``."""
        source, target = batch.edge_index
        distance = torch.linalg.vector_norm(batch.edge_vector, dim=-1)
        direction = batch.edge_vector / distance.clamp(min=_SAME_PLACE)[:, None]
        bonds = self.bond(
            self.at_source(atoms).index_select(0, source)
            + self.at_target(atoms).index_select(0, target)
            + self.from_distance(self.basis(distance))
        ).to(distance.dtype)
        envelope = cosine_envelope(distance, self.cutoff) * (distance > _SAME_PLACE)
        moved, turned, polarised = (bonds * envelope[:, None]).unbind(1)
        one = torch.eye(3, dtype=distance.dtype, device=distance.device)
        tensor = direction[:, :, None] * direction[:, None] - one / 3
        each = moved[:, None, None] * one + turned[:, None, None] * tensor
        charges = self.atom(atoms)[:, :, None] * one
        charges = charges.index_add(0, target, each)
        n_atoms = batch.n_atoms[:, None]
        mean = batch.sum_over_atoms(charges.flatten(1)) / n_atoms
        charges = charges - mean.index_select(0, batch.crystal_of_atom).view(-1, 3, 3)
        turns = torch.zeros_like(charges).index_add(0, target, polarised[:, None, None] * tensor)
        turns = (batch.sum_over_atoms(turns.flatten(1)) / n_atoms).view(-1, 3, 3)
        size = self.crystal(batch.sum_over_atoms(atoms) / n_atoms)[:, :, None]
        size = _SUSCEPTIBILITY * torch.exp(size.clamp(-4, 4))
        return charges, one + size * torch.linalg.matrix_exp(turns.clamp(-2, 2))


def harmonic_crystals(
    springs: Springs, batch: Batch, polarity: tuple[Tensor, Tensor] | None = None
) -> Iterator[HarmonicCrystal]:
    """The crystals of a batch, one by one.

    Args:
        springs: of all crystals, `Springs.merged`.
        batch: the crystals.
        polarity: what `Polarity` gave; None without dipoles.
    """
    masses = torch.as_tensor(MASSES, dtype=springs.constants.dtype, device=springs.constants.device)
    n_atoms = batch.n_atoms.tolist()
    crystal = batch.crystal_of_atom[springs.target]
    order = torch.argsort(crystal, stable=True)
    n_springs = torch.bincount(crystal, minlength=len(n_atoms)).tolist()
    charges = [None] * len(n_atoms) if polarity is None else polarity[0].split(n_atoms)

    def by_crystal(values: Tensor) -> tuple[Tensor, ...]:
        return values.index_select(0, order).split(n_springs)

    parts = zip(
        masses[batch.atomic_numbers].split(n_atoms),
        batch.lattice,
        batch.positions.split(n_atoms),
        by_crystal(batch.position_in_crystal[springs.source]),
        by_crystal(batch.position_in_crystal[springs.target]),
        by_crystal(springs.vector),
        by_crystal(springs.constants),
        charges,
        charges if polarity is None else polarity[1],
        strict=True,
    )
    for part in parts:
        yield HarmonicCrystal(*part)
