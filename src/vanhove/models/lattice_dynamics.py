"""Harmonic lattice dynamics with learned force constants, differentiable.

Atom states -> force constants between neighbours, and in polar crystals Born charges and the
dielectric tensor -> dynamical matrices at wave vectors -> frequencies and how much each atom moves
in each mode (`vanhove.physics.harmonic`). Masses, the three acoustic branches and the count of 3N
modes are exact; what is learned is how stiff the bonds are and how charged the atoms.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from vanhove.crystal.elements import MASSES
from vanhove.crystal.graph import Batch
from vanhove.models.layers import GaussianBasis, cosine_envelope
from vanhove.models.quotient import classes, close_values, equal_rows, first_of_each, mixed
from vanhove.physics.bloch import is_forward
from vanhove.physics.harmonic import HarmonicCrystal

_SAME_PLACE = 1e-3  # angstrom
_STIFFNESS, _DECAY, _BOND = 6.0, 1.6, 2.0
"""An untrained bond of 2 angstrom has 6 eV/angstrom^2, which falls by exp(-1.6) per angstrom."""
_MOST_CELLS = 512
"""Springs cross fewer cells than this."""
_TRANSPOSED = [0, 3, 6, 1, 4, 7, 2, 5, 8]
"""Of the nine numbers of a matrix."""
_SUSCEPTIBILITY = 4.0
"""Of an untrained crystal: its dielectric constant less 1."""


class Bonds:
    """The edges of a batch, and which of them are alike: these share what a network says of them.

    Attributes:
        edge_index: source and target of each edge, ``[2, n_edges]``.
        distance: ``[n_edges]``, angstrom.
        direction: ``[n_edges, 3]``, of length 1.
        outer: ``r r^T`` of the direction r, ``[n_edges, 9]``.
        kind_of_atom: the same number for atoms with equal states, ``[n_atoms_total]``.
        lengths: the distances that occur, ``[n_lengths]``.
        kind_of_length: which of these each edge has, ``[n_edges]``.
        chosen: one edge of each kind of bond, ``[n_kinds]``.
        ends: source and target of the chosen edges.
        of_edge: the kind of bond of each edge, ``[n_edges]``.

    Args:
        atoms: their states, ``[..., n_atoms_total, dim]``.
        batch: the crystals.
    """

    def __init__(self, atoms: Tensor, batch: Batch):
        self.edge_index = source, target = batch.edge_index
        self.distance = torch.linalg.vector_norm(batch.edge_vector, dim=-1)
        self.direction = batch.edge_vector / self.distance.clamp(min=_SAME_PLACE)[:, None]
        self.outer = (self.direction[:, :, None] * self.direction[:, None]).flatten(1)
        self.kind_of_atom = equal_rows(atoms.movedim(-2, 0).flatten(1))
        self.lengths, self.kind_of_length = close_values(self.distance)
        ends = self.kind_of_atom[source], self.kind_of_atom[target]
        n_kinds, self.of_edge = classes(mixed(self.kind_of_length, *ends))
        self.chosen = first_of_each(self.of_edge, n_kinds)
        self.ends = source[self.chosen], target[self.chosen]

    def envelope(self, cutoff: float) -> Tensor:
        """Falls to 0 at a cutoff; 0 for an atom with itself. ``[n_edges]``."""
        return cosine_envelope(self.distance, cutoff) * (self.distance > _SAME_PLACE)


class ForceConstants(nn.Module):
    """Force constants of neighbours, ``[..., n_edges, 3, 3]``, eV/angstrom^2, from atom states.

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

    def forward(self, atoms: Tensor, bonds: Bonds) -> Tensor:
        source, target = bonds.ends
        of_length = self.from_distance(self.basis(bonds.lengths))
        added, multiplied = self.added(atoms), self.multiplied(atoms)
        scalars = self.scalars(
            added.index_select(-2, source)
            + added.index_select(-2, target)
            + multiplied.index_select(-2, source) * multiplied.index_select(-2, target)
            + of_length.index_select(-2, bonds.kind_of_length[bonds.chosen])
        )
        scalars = scalars.to(bonds.distance.dtype).index_select(-2, bonds.of_edge)
        envelope = bonds.envelope(self.cutoff)
        exponent = math.log(_STIFFNESS) - _DECAY * (bonds.distance - _BOND) + scalars[..., 0]
        stiffness = envelope * torch.exp(exponent.clamp(-12, 5))
        along = stiffness * (1 + scalars[..., 1])
        across = stiffness * (0.05 + 0.3 * scalars[..., 2])
        one = torch.eye(3, dtype=along.dtype, device=along.device).flatten()
        constants = along[..., None] * bonds.outer + across[..., None] * (one - bonds.outer)
        if self.n_tensors == 0:
            return constants.unflatten(-1, (3, 3))
        weights, factors = scalars[..., 3:].split(self.n_tensors, dim=-1)
        tensors = (weights * envelope[:, None])[..., None] * (bonds.outer - one / 3)[:, None]
        source, target = bonds.edge_index
        at_atom = _zeros_of_atoms(tensors.flatten(-2), len(bonds.kind_of_atom))
        at_atom = at_atom.index_add(-2, target, tensors.flatten(-2))
        at_bond = at_atom.index_select(-2, source) + at_atom.index_select(-2, target)
        turned = (factors * stiffness[..., None])[..., None] * at_bond.view_as(tensors)
        return (constants + turned.sum(dim=-2)).unflatten(-1, (3, 3))


@dataclass(frozen=True)
class Springs:
    """Springs between atoms of a batch, those of the graph and others.

    Attributes:
        source, target: atoms, ``[n_springs]``.
        vector: from target to source, angstrom, ``[n_springs, 3]``.
        constants: eV/angstrom^2, ``[..., n_springs, 3, 3]``.
    """

    source: Tensor
    target: Tensor
    vector: Tensor
    constants: Tensor

    def both_ways(self) -> Springs:
        """With the opposite direction of each spring beside it."""
        return Springs(
            source=torch.cat([self.source, self.target]),
            target=torch.cat([self.target, self.source]),
            vector=torch.cat([self.vector, -self.vector]),
            constants=torch.cat([self.constants, self.constants.mT], dim=-3),
        )

    def merged(self, batch: Batch, angles: Springs | None = None) -> Springs:
        """One spring for each pair of atoms, in both directions, instead of many.

        Most angles share their bonds. Where the two directions of a bond differ (``max_neighbors``
        cuts one of them off), their mean counts.

        Args:
            batch: the crystals.
            angles: more springs, in one direction each; the own ones are given in both.
        """
        if angles is None:
            return replace(self, constants=self.constants / 2)._merged(batch)
        joined = Springs(
            source=torch.cat([self.source, angles.source]),
            target=torch.cat([self.target, angles.target]),
            vector=torch.cat([self.vector, angles.vector]),
            constants=torch.cat([self.constants / 2, angles.constants], dim=-3),
        )
        return joined._merged(batch)

    def _merged(self, batch: Batch) -> Springs:
        forward = is_forward(self.source, self.target, self.vector)
        one, two = torch.where(forward, self.source, self.target), self.source + self.target
        two = two - one
        vector = torch.where(forward[:, None], self.vector, -self.vector)
        constants = self.constants.flatten(-2)
        backward = constants.index_select(-1, torch.tensor(_TRANSPOSED, device=constants.device))
        constants = torch.where(forward[:, None], constants, backward)
        between = vector - (batch.positions[one] - batch.positions[two])
        inverse = torch.linalg.inv(batch.lattice)[batch.crystal_of_atom[one]]
        cell = (between[:, None] @ inverse)[:, 0].round().long() + _MOST_CELLS
        size = 2 * _MOST_CELLS
        key = one * len(batch.crystal_of_atom) + two
        key = ((key * size + cell[:, 0]) * size + cell[:, 1]) * size + cell[:, 2]
        n_pairs, pair = classes(key)
        first = first_of_each(pair, n_pairs)
        total = constants.new_zeros(*constants.shape[:-2], n_pairs, 9)
        total = total.index_add(-2, pair, constants).unflatten(-1, (3, 3))
        return Springs(one[first], two[first], vector[first], total).both_ways()


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

    def forward(self, atoms: Tensor, bonds: Bonds) -> Springs:
        """Springs ``[..., n_springs]`` in one direction each."""
        source, target = bonds.edge_index
        near = (bonds.distance < self.cutoff) & (bonds.distance > _SAME_PLACE)
        kept = torch.nonzero(near).squeeze(1)
        first, second = _pairs_at(target[kept], len(bonds.kind_of_atom))
        b, c = kept[first], kept[second]
        r_b, r_c = bonds.direction[b], bonds.direction[c]
        cosine = (r_b * r_c).sum(dim=1, keepdim=True).clamp(-1, 1)
        scalars = self.scalars_of(atoms, bonds, b, c, cosine[:, 0]).to(cosine.dtype)
        envelope = cosine_envelope(bonds.distance, self.cutoff)
        scalars = scalars * (envelope[b] * envelope[c])[:, None]
        length_b, length_c = bonds.distance[b][:, None], bonds.distance[c][:, None]
        x_b, x_c = (r_c - cosine * r_b) / length_b, (r_b - cosine * r_c) / length_c
        normal = torch.linalg.cross(r_b, r_c)

        def outer(left: Tensor, right: Tensor) -> Tensor:
            return left[:, :, None] * right[:, None]

        k, p, s, m = (x[..., None, None] for x in scalars.unbind(-1))
        both = k * outer(x_b, x_c) + p * outer(r_b, r_c) + s * outer(normal, normal)
        both = both + m * (outer(x_b, r_c) + outer(r_b, x_c))
        mixed_b, mixed_c = outer(x_b, r_b), outer(x_c, r_c)
        own_b = k * outer(x_b, x_b) + m * (mixed_b + mixed_b.mT)
        own_c = k * outer(x_c, x_c) + m * (mixed_c + mixed_c.mT)
        vector_b, vector_c = r_b * length_b, r_c * length_c
        return Springs(
            source=torch.cat([target[b], target[c], source[c]]),
            target=torch.cat([source[b], source[c], source[b]]),
            vector=torch.cat([-vector_b, -vector_c, vector_c - vector_b]),
            constants=torch.cat([own_b + both, own_c + both.mT, -both], dim=-3),
        )

    def scalars_of(
        self, atoms: Tensor, bonds: Bonds, b: Tensor, c: Tensor, cosine: Tensor
    ) -> Tensor:
        """k, p, s, m of angles between the edges b and c, ``[..., n_angles, 4]``."""
        source, target = bonds.edge_index
        leg_b = mixed(bonds.kind_of_length[b], bonds.kind_of_atom[source[b]])
        leg_c = mixed(bonds.kind_of_length[c], bonds.kind_of_atom[source[c]])
        legs = torch.minimum(leg_b, leg_c), torch.maximum(leg_b, leg_c)
        kind = mixed(bonds.kind_of_atom[target[b]], *legs, close_values(cosine)[1])
        n_kinds, of_angle = classes(kind)
        chosen = first_of_each(of_angle, n_kinds)
        b, c, cosine = b[chosen], c[chosen], cosine[chosen]
        factors = self.multiplied(atoms)
        # What adds up over the two bonds, and what is multiplied, side by side.
        of_length = self.from_distance(self.distance_basis(bonds.lengths))
        outer = self.outer(atoms).index_select(-2, source)
        outer = outer + of_length.index_select(-2, bonds.kind_of_length)
        ends = torch.cat([outer, factors.index_select(-2, source)], dim=-1)
        both = ends.index_select(-2, b) + ends.index_select(-2, c)
        added, multiplied = both.chunk(2, dim=-1)
        at = torch.cat([self.middle(atoms), factors], dim=-1).index_select(-2, target[b])
        middle, factor = at.chunk(2, dim=-1)
        of_cosine = self.from_cosine(self.cosine_basis(1 + cosine))
        scalars = self.scalars(torch.addcmul(added + middle, factor, multiplied) + of_cosine)
        return scalars.index_select(-2, of_angle)


def _zeros_of_atoms(values: Tensor, n_atoms: int) -> Tensor:
    """For sums of ``[..., n, d]`` over what belongs to each atom."""
    return values.new_zeros(*values.shape[:-2], n_atoms, values.shape[-1])


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

    def forward(self, atoms: Tensor, bonds: Bonds, batch: Batch) -> tuple[Tensor, Tensor]:
        """Charges ``[..., n_atoms_total, 3, 3]`` and tensors ``[..., n_crystals, 3, 3]``."""
        source, target = bonds.ends
        of_length = self.from_distance(self.basis(bonds.lengths))
        scalars = self.bond(
            self.at_source(atoms).index_select(-2, source)
            + self.at_target(atoms).index_select(-2, target)
            + of_length.index_select(-2, bonds.kind_of_length[bonds.chosen])
        )
        scalars = scalars.to(bonds.distance.dtype).index_select(-2, bonds.of_edge)
        scalars = scalars * bonds.envelope(self.cutoff)[:, None]
        moved, turned, polarised = (x[..., None] for x in scalars.unbind(-1))
        one = torch.eye(3, dtype=scalars.dtype, device=scalars.device).flatten()
        tensor = bonds.outer - one / 3
        target = bonds.edge_index[1]
        charges = self.atom(atoms) * one
        charges = charges.index_add(-2, target, moved * one + turned * tensor)
        n_atoms = batch.n_atoms[:, None]
        mean = batch.sum_over_atoms(charges) / n_atoms
        charges = charges - mean.index_select(-2, batch.crystal_of_atom)
        turns = torch.zeros_like(charges).index_add(-2, target, polarised * tensor)
        turns = (batch.sum_over_atoms(turns) / n_atoms).unflatten(-1, (3, 3))
        size = self.crystal(batch.sum_over_atoms(atoms) / n_atoms)[..., None]
        size = _SUSCEPTIBILITY * torch.exp(size.clamp(-4, 4))
        dielectric = one.view(3, 3) + size * torch.linalg.matrix_exp(turns.clamp(-2, 2))
        return charges.unflatten(-1, (3, 3)), dielectric


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
    charges, dielectric = polarity or (None, None)
    nothing = [None] * len(n_atoms)

    def by_crystal(values: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
        return values.index_select(dim, order).split(n_springs, dim)

    parts = zip(
        masses[batch.atomic_numbers].split(n_atoms),
        batch.lattice,
        batch.positions.split(n_atoms),
        by_crystal(batch.position_in_crystal[springs.source]),
        by_crystal(batch.position_in_crystal[springs.target]),
        by_crystal(springs.vector),
        by_crystal(springs.constants, -3),
        nothing if charges is None else charges.split(n_atoms, -3),
        nothing if dielectric is None else dielectric.unbind(-3),
        strict=True,
    )
    for part in parts:
        yield HarmonicCrystal(*part)
