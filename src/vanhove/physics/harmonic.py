"""`HarmonicCrystal`: force constants of one crystal, and its modes at any wave vector."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from vanhove.physics.bloch import BlochSum, eigenvalues, is_forward, pair_matrices
from vanhove.physics.dipoles import ACCURACY, RANGE, Dipoles

FREQUENCY_UNIT = 521.4709
"""1/cm, of sqrt(eV / (angstrom^2 u)) / (2 pi c)."""
SOFT = 4e-4
"""eV / (angstrom^2 u); below it (about 10 1/cm) the softened square root becomes a straight line,
so that it has a gradient everywhere."""


@dataclass(frozen=True, eq=False)
class HarmonicCrystal:
    """Masses, springs between them, and dipoles where the crystal is polar.

    It may hold several sets of these for one crystal, such as those of the members of an ensemble:
    then springs, charges and dielectric tensor have one more dimension in front, and so has what is
    computed of them, next to the crystal's.

    Attributes:
        masses: u, ``[n_atoms]``.
        lattice: row vectors, angstrom, ``[3, 3]``.
        positions: Cartesian, angstrom, ``[n_atoms, 3]``.
        source, target: of the springs, ``[n_edges]``, each pair of atoms in both directions, once
            transposed.
        vector: from target to source, angstrom, ``[n_edges, 3]``.
        springs: eV/angstrom^2, ``[n_edges, 3, 3]``: the force constants between the two atoms are
            ``-springs``; those of an atom with itself follow, since moving the crystal as a whole
            costs nothing.
        charges: Born effective charges, ``[n_atoms, 3, 3]``; None without dipoles.
        dielectric: electronic dielectric tensor, ``[3, 3]``; None without dipoles.
        inverse_range, accuracy: of the dipoles, see `Dipoles`.
    """

    masses: Tensor
    lattice: Tensor
    positions: Tensor
    source: Tensor
    target: Tensor
    vector: Tensor
    springs: Tensor
    charges: Tensor | None = None
    dielectric: Tensor | None = None
    inverse_range: float = RANGE
    accuracy: float = ACCURACY

    @property
    def n_atoms(self) -> int:
        return len(self.masses)

    def sets(self) -> Iterator[HarmonicCrystal]:
        """Of several sets of force constants, a crystal with each."""
        for n, springs in enumerate(self.springs):
            charges = None if self.charges is None else self.charges[n]
            dielectric = None if self.dielectric is None else self.dielectric[n]
            yield replace(self, springs=springs, charges=charges, dielectric=dielectric)

    def single(self) -> HarmonicCrystal:
        """The same in float32."""
        tensors = {name: own for name, own in vars(self).items() if isinstance(own, Tensor)}
        found = {name: own.float() for name, own in tensors.items() if own.is_floating_point()}
        return replace(self, **found)  # type: ignore[arg-type]

    @classmethod
    def joined(cls, sets: Sequence[HarmonicCrystal]) -> HarmonicCrystal:
        """Undo `sets`: force constants of one crystal, between the same atoms."""

        def stacked(values: Sequence[Tensor | None]) -> Tensor | None:
            known = [value for value in values if value is not None]
            return torch.stack(known) if known else None

        return replace(
            sets[0],
            springs=torch.stack([own.springs for own in sets]),
            charges=stacked([own.charges for own in sets]),
            dielectric=stacked([own.dielectric for own in sets]),
        )

    def dynamical_matrices(self, kpoints: Tensor, directions: Tensor | None = None) -> Tensor:
        """Complex, eV / (angstrom^2 u), ``[n_k, 3 n_atoms, 3 n_atoms]``.

        Args:
            kpoints: Cartesian, 1/angstrom, ``[n_k, 3]``.
            directions: of the non-analytic term at Gamma, see `Dipoles`.
        """
        along = None if directions is None else directions[None]
        return dynamical_matrices([self], kpoints[None], along)[0]

    def squared_frequencies(self, kpoints: Tensor, directions: Tensor | None = None) -> Tensor:
        """``[..., n_k, 3 n_atoms]``, eV / (angstrom^2 u), increasing; arguments as
        `dynamical_matrices`."""
        return torch.linalg.eigvalsh(self.dynamical_matrices(kpoints, directions))

    def modes(self, kpoints: Tensor, directions: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Squared frequencies ``[n_k, 3 n_atoms]``, eV / (angstrom^2 u), and eigenvectors.

        Eigenvectors ``[n_k, 3 n_atoms, 3 n_atoms]`` stand in columns and are constants to the
        gradient. Arguments as `dynamical_matrices`.
        """
        return eigenvalues(self.dynamical_matrices(kpoints, directions))


def dynamical_matrices(
    crystals: Sequence[HarmonicCrystal], kpoints: Tensor, directions: Tensor | None = None
) -> Tensor:
    """As `HarmonicCrystal.dynamical_matrices`, of several crystals with equally many atoms.

    Args:
        crystals: all with dipoles or none, of the same range and accuracy.
        kpoints: ``[n_crystals, n_k, 3]``.
        directions: ``[n_crystals, n_k, 3]`` or None.

    Returns:
        Complex, eV / (angstrom^2 u), ``[n_crystals, n_k, 3 n_atoms, 3 n_atoms]``; of several sets
        of force constants each ``[n_crystals, n_sets, n_k, 3 n_atoms, 3 n_atoms]``.
    """
    first, n = crystals[0], crystals[0].n_atoms
    source = torch.cat([own.source + n * i for i, own in enumerate(crystals)])
    target = torch.cat([own.target + n * i for i, own in enumerate(crystals)])
    vector = torch.cat([own.vector for own in crystals])
    springs = torch.cat([own.springs for own in crystals], dim=-3)
    masses = torch.cat([own.masses for own in crystals])
    root = masses.rsqrt()
    own = springs.new_zeros(*springs.shape[:-3], len(masses), 3, 3).index_add(-3, target, springs)
    own = own / (2 * masses[:, None, None])
    # The other direction of each spring is the Hermitian conjugate of this one.
    one_way = is_forward(source, target, vector).nonzero()[:, 0]
    source, target = source.index_select(0, one_way), target.index_select(0, one_way)
    scale = -root.index_select(0, source) * root.index_select(0, target)
    blocks = springs.index_select(-3, one_way) * scale[:, None, None]
    sums = BlochSum(source, target, vector.index_select(0, one_way), n)
    pairs, sets = sums.pairs(blocks, own, kpoints), springs.shape[:-3]
    if first.charges is None:
        return pair_matrices(pairs, len(crystals), n, sets)
    found = _dipoles(crystals, root.view(-1, n)).matrices(kpoints, directions, pairs)
    return found if sets else found[:, 0]


def _dipoles(crystals: Sequence[HarmonicCrystal], scale: Tensor) -> Dipoles:
    """Of crystals with dipoles, in one set for each crystal at least."""

    def stacked(name: str) -> Tensor:
        values = [getattr(own, name) for own in crystals]
        return torch.stack(values) if len(values) > 1 else values[0][None]

    charges, dielectric = stacked("charges"), stacked("dielectric")
    if charges.dim() == 4:
        charges, dielectric = charges[:, None], dielectric[:, None]
    limits = crystals[0].inverse_range, crystals[0].accuracy
    return Dipoles(charges, dielectric, stacked("positions"), stacked("lattice"), scale, *limits)


def balanced(crystal: HarmonicCrystal) -> HarmonicCrystal:
    """The same crystal with springs that take up what forces are left when it moves as a whole.

    The sum over dipoles leaves torques where the sites are of low symmetry: antisymmetric parts,
    which the force constants of an atom with itself cannot have. They are handed on from neighbour
    to neighbour, by antisymmetric blocks ``w (t_i - t_j)`` with the t that solve the equations of a
    network of resistors, so that the three acoustic modes are exact.
    """
    n, springs = crystal.n_atoms, crystal.springs
    forces = springs.new_zeros(*springs.shape[:-3], n, 3, 3)
    forces = forces.index_add(-3, crystal.target, springs, alpha=-1)
    if crystal.charges is not None:
        rigid = _dipoles([crystal], torch.ones_like(crystal.masses)[None]).rigid()[0]
        forces = forces + (rigid if springs.dim() == 4 else rigid[0])
    left = (forces - forces.mT) / 2
    weight = torch.exp(-torch.linalg.vector_norm(crystal.vector, dim=1))
    network = weight.new_zeros(n, n)
    network.index_put_((crystal.target, crystal.source), -weight, accumulate=True)
    network = torch.diag(-network.sum(dim=1)) + network
    turns = -(torch.linalg.pinv(network, hermitian=True) @ left.flatten(-2)).unflatten(-1, (3, 3))
    apart = turns.index_select(-3, crystal.target) - turns.index_select(-3, crystal.source)
    blocks = weight[:, None, None] * apart
    return replace(crystal, springs=springs - blocks)


def softened(squared: Tensor) -> Tensor:
    """Frequencies in 1/cm from squared ones, negative where imaginary; straight around 0."""
    return FREQUENCY_UNIT * squared / torch.sqrt(squared.abs() + SOFT)


def squared_frequency(frequency_cm1: Tensor) -> Tensor:
    """The squared frequency, eV / (angstrom^2 u), negative where the frequency is."""
    return frequency_cm1 * frequency_cm1.abs() / FREQUENCY_UNIT**2


def signed_frequency(squared: Tensor) -> Tensor:
    """Frequencies in 1/cm from squared ones, negative where imaginary."""
    return FREQUENCY_UNIT * squared.sign() * squared.abs().sqrt()
