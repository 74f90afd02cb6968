"""The long-ranged part of force constants: atoms that move are dipoles in a dielectric.

Gonze and Lee, Phys. Rev. B 55, 10355 (1997), section VI: the interaction of dipoles in reciprocal
space, damped by a Gaussian. What the damping leaves out falls off as fast as a Gaussian and is the
business of the short-ranged force constants. As in phonopy, ABINIT and Quantum ESPRESSO.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import repeat
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from vanhove.physics.bloch import pair_matrices
from vanhove.physics.ewald import COULOMB, lattice_points

RANGE = 0.55
"""1/angstrom: beyond 4 angstrom hardly anything of the interaction is left out."""
ACCURACY = 2.6
"""The sum ends where the damping is ``exp(-x^2)`` of this x."""
_ROWS, _COLUMNS, _TIMES = [0, 0, 0, 1, 1, 2], [0, 1, 2, 1, 2, 2], [1, 2, 2, 1, 2, 1]
"""Of the six components of a symmetric tensor, and how often each counts."""
MOST_FOR_PAIRS = 40
"""Atoms."""
_NOWHERE, _SHORT = 1e-10, 1e-4
"""1/angstrom^2, a shorter wave is none; 1/angstrom, damping does nothing to a wave so short."""


@dataclass(frozen=True, eq=False)
class Dipoles:
    """The dipoles of crystals with equally many atoms, and their forces at wave vectors.

    With K = k + G, ``C_ij(k) = 4 pi / volume * sum over G of (K Z_i)(K Z_j) / (K eps K) *
    exp(-K eps K / (4 L^2)) exp(i G (r_i - r_j))``, L^2 = ``inverse_range``^2 times a third of the
    trace of eps, less what makes all forces vanish when the crystal moves as a whole (eq. 71 to
    75). Phases are taken between atoms, as in `vanhove.physics.bloch`.

    Attributes:
        charges: Born effective charges, of several sets for each crystal, of sum 0,
            ``[n_crystals, n_sets, n_atoms, 3, 3]``; the last but one axis is the field's, the last
            the displacement's.
        dielectric: electronic dielectric tensor, ``[n_crystals, n_sets, 3, 3]``.
        positions: Cartesian, angstrom, ``[n_crystals, n_atoms, 3]``.
        lattice: row vectors, angstrom, ``[n_crystals, 3, 3]``.
        scale: with which rows and columns of each atom are multiplied, ``[n_crystals, n_atoms]``:
            one over the root of its mass gives dynamical matrices.
        inverse_range: 1/angstrom.
        accuracy: the sum ends where the damping is ``exp(-accuracy^2)``.
    """

    charges: Tensor
    dielectric: Tensor
    positions: Tensor
    lattice: Tensor
    scale: Tensor
    inverse_range: float = RANGE
    accuracy: float = ACCURACY

    def matrices(
        self, kpoints: Tensor, directions: Tensor | None = None, pairs: Tensor | None = None
    ) -> Tensor:
        """Force constants at wave vectors.

        Args:
            kpoints: Cartesian, 1/angstrom, ``[n_crystals, n_k, 3]``.
            directions: from which a k-point that is a reciprocal lattice vector is approached,
                ``[n_crystals, n_k, 3]``, of any length; 0 or None leaves out the non-analytic term
                there.
            pairs: of other forces, which are added, as `pair_matrices` takes them.

        Returns:
            Complex, eV/angstrom^2 times the squared unit of ``scale``, ``[n_crystals, n_sets, n_k,
            3 n_atoms, 3 n_atoms]``.
        """
        (n_crystals, n_sets, n), n_k = self.charges.shape[:3], kpoints.shape[1]
        waves = self._waves(kpoints, directions)
        if n <= MOST_FOR_PAIRS:
            if pairs is None:
                pairs = self.charges.new_zeros(n_crystals * n * n, n_sets, 2, n_k, 9)
            place = _upper_pairs(n_crystals, n, self.charges.device)
            pairs = pairs.index_add(0, place, self._pairs(waves))
            return pair_matrices(pairs, n_crystals, n, (n_sets,))
        found = self._by_waves(waves)
        return found if pairs is None else found + pair_matrices(pairs, n_crystals, n, (n_sets,))

    def rigid(self) -> Tensor:
        """Forces on each atom when the crystal moves as a whole, before they are taken off: without
        ``scale``, ``[n_crystals, n_sets, n_atoms, 3, 3]``."""
        return self._rigid(self._waves(self.positions.new_zeros(len(self.lattice), 0, 3), None))

    def _waves(self, kpoints: Tensor, directions: Tensor | None) -> _Waves:
        reach = 2 * self.inverse_range * self.accuracy
        kpoints = torch.cat([kpoints, kpoints.new_zeros(len(kpoints), 1, 3)], dim=1)
        waves = _lattice_waves(self.lattice, kpoints, reach)
        volume = torch.linalg.det(self.lattice.double()).abs().to(self.lattice)
        scale = (COULOMB * 4 * math.pi / volume)[:, None, None, None]
        mean = self.dielectric.diagonal(dim1=-2, dim2=-1).mean(dim=-1)
        spread = (4 * self.inverse_range**2 * mean)[..., None, None]
        wave = kpoints.mT[..., None] + waves.mT[:, :, None]
        if directions is not None:
            wave = _approached(wave, directions)
        products = torch.cat(
            [wave * wave[:, :1], wave[:, 1:] * wave[:, 1:2], wave[:, 2:] * wave[:, 2:]], dim=1
        )
        length = products[:, 0] + products[:, 3] + products[:, 5]
        # Where the sum ends depends on the wave alone: not on the cell, nor on the other k-points.
        counts = ((length < reach**2) & (length > _NOWHERE))[:, None]
        symmetric = ((self.dielectric + self.dielectric.mT) / 2)[..., _ROWS, _COLUMNS]
        symmetric = symmetric * symmetric.new_tensor(_TIMES)
        squared = (symmetric @ products.flatten(2)).unflatten(-1, wave.shape[2:])
        return _Waves(waves, wave, products, _damped(squared, spread) * (scale * counts))

    def _pairs(self, waves: _Waves) -> Tensor:
        """By pairs of atoms in the order of `_upper_pairs`, each in one direction, as
        `pair_matrices` takes them: ``[n_crystals * n_pairs, n_sets, 2, n_k, 9]``."""
        charges, (n_crystals, n_sets, n) = self.charges, self.charges.shape[:3]
        i, j = torch.triu_indices(n, n, device=charges.device)
        phase = (self.positions[:, i] - self.positions[:, j]) @ waves.lattice.mT
        phases = torch.stack([phase.cos(), phase.sin()], dim=2).flatten(1, 2)
        weight, products = waves.weight[:, :, :-1], waves.products[:, :, :-1]
        n_k = weight.shape[2]
        tensor = (products[:, None] * weight[:, :, None]).flatten(1, 3)
        # All pairs of atoms in one product of matrices: phases are the same at all k-points.
        sums = (phases @ tensor.mT).view(n_crystals, len(i), 2, n_sets, 6, n_k)
        sums = sums.permute(0, 1, 3, 2, 5, 4).reshape(-1, 2 * n_k, 6)
        # Half of what the two directions are together: of two atoms one direction, whole.
        half = self.scale[:, i] * self.scale[:, j] * (1 - 0.5 * (i == j))
        scaled = charges.transpose(1, 2)
        first = scaled.index_select(1, i) * half[:, :, None, None, None]
        second = scaled.index_select(1, j)
        rows, columns = (torch.tensor(own, device=charges.device) for own in (_ROWS, _COLUMNS))
        twice = torch.tensor([0, 1, 1, 0, 1, 0], device=charges.device).to(charges)[:, None, None]
        one, two = (first.index_select(3, own)[..., None] for own in (rows, columns))
        other, another = (second.index_select(3, own)[..., None, :] for own in (columns, rows))
        turned = one * other + twice * two * another
        found = torch.bmm(sums, turned.reshape(-1, 6, 9))
        found = found.view(n_crystals, len(i), n_sets, 2, n_k, 9)
        own = self._own(waves).flatten(-2).transpose(1, 2)[:, :, :, None]
        alone = torch.nonzero(i == j).squeeze(1)
        found[:, :, :, 0].index_add_(1, alone, own.expand(-1, -1, -1, n_k, -1), alpha=-0.5)
        return found.flatten(0, 1)

    def _by_waves(self, waves: _Waves) -> Tensor:
        """As `matrices`, of large crystals, of which `_pairs` would ask for too much memory."""
        n_crystals, n_sets, n = self.charges.shape[:3]
        cosines, sines = (x.repeat_interleave(3, dim=1)[:, None, None] for x in self._phases(waves))
        scaled = self.charges * self.scale[:, None, :, None, None]
        moment = (
            scaled.mT.flatten(2, 3)[:, :, None] @ waves.wave[:, :, :-1].transpose(1, 2)[:, None]
        )
        left = waves.weight[:, :, :-1, None] * moment  # [n_crystals, n_sets, n_k, 3 n, n_waves]
        real = (left * cosines) @ (moment * cosines).mT + (left * sines) @ (moment * sines).mT
        mixed = (left * sines) @ (moment * cosines).mT
        atoms = torch.arange(n, device=real.device)
        blocks = real.view(n_crystals, n_sets, -1, n, 3, n, 3)
        blocks[:, :, :, atoms, :, atoms] -= self._own(waves).movedim(2, 0)[:, :, :, None]
        return torch.complex(real, mixed - mixed.mT)

    def _own(self, waves: _Waves) -> Tensor:
        """What is taken off the blocks of atoms with themselves, ``[n_crystals, n_sets, n_atoms, 3,
        3]``. Antisymmetric parts of the forces stay: they are torques."""
        rigid = self._rigid(waves)
        return (rigid + rigid.mT) * (self.scale**2 / 2)[:, None, :, None, None]

    def _rigid(self, waves: _Waves) -> Tensor:
        n_sets, n = self.charges.shape[1:3]
        wave, weight = waves.wave[:, :, -1].mT[:, :, None], waves.weight[:, :, -1].mT
        charges = self.charges.transpose(1, 2).flatten(2)  # [n_crystals, n_atoms, n_sets * 9]
        field = charges.new_zeros(())
        for phases in self._phases(waves):
            # All atoms at once, then what they do at each of them: products of matrices.
            moved = (phases.mT @ charges).unflatten(-1, (n_sets, 3, 3))
            total = (wave[..., None, :] @ moved) * weight[..., None, None]
            field = field + phases @ (wave[..., None] @ total).flatten(2)
        return self.charges.mT @ field.view(-1, n, n_sets, 3, 3).transpose(1, 2)

    def _phases(self, waves: _Waves) -> tuple[Tensor, Tensor]:
        phase = self.positions @ waves.lattice.mT
        return phase.cos(), phase.sin()


class _Waves(NamedTuple):
    """What the sums need, with Gamma without a field as one more k-point at the end.

    G ``[n_crystals, n_waves, 3]``, K ``[n_crystals, 3, n_k + 1, n_waves]``, products of two
    components of K ``[n_crystals, 6, n_k + 1, n_waves]``, weights ``[n_crystals, n_sets, n_k + 1,
    n_waves]``.
    """

    lattice: Tensor
    wave: Tensor
    products: Tensor
    weight: Tensor


def _approached(wave: Tensor, directions: Tensor) -> Tensor:
    """K with a short piece of the direction from which it is approached in the place of 0."""
    crystal, k, number = torch.nonzero((wave**2).sum(dim=1) < _NOWHERE, as_tuple=True)
    along = torch.cat([directions, torch.zeros_like(directions[:, :1])], dim=1)[crystal, k]
    length = torch.linalg.vector_norm(along, dim=-1, keepdim=True)
    wave = wave.clone()
    wave[crystal, :, k, number] = along * (_SHORT / length.clamp(min=_SHORT**2))
    return wave


def _upper_pairs(n_crystals: int, n_atoms: int, device: torch.device) -> Tensor:
    """Places of pairs of atoms i <= j among all of several crystals, ``[n_crystals * n_pairs]``."""
    i, j = torch.triu_indices(n_atoms, n_atoms, device=device)
    crystal = torch.arange(n_crystals, device=device)[:, None]
    return ((crystal * n_atoms + i) * n_atoms + j).flatten()


def dipole_weights(
    wave: Tensor, dielectric: Tensor, lattice: Tensor, reach: float, inverse_range: float
) -> Tensor:
    """Of waves ``[..., 3]`` in the sum of `Dipoles` of one crystal at Gamma, ``[...]``."""
    volume = torch.linalg.det(lattice.double()).abs()
    quadratic = ((wave @ dielectric) * wave).sum(dim=-1)
    length = (wave**2).sum(dim=-1)
    counts = (length < reach**2) & (length > _NOWHERE)
    spread = 4 * inverse_range**2 * dielectric.diagonal().mean()
    return counts * _damped(quadratic, spread) * (COULOMB * 4 * math.pi / float(volume))


def _damped(squared: Tensor, spread: Tensor) -> Tensor:
    """``exp(-K eps K / spread) / (K eps K)``, of K eps K."""
    return torch.exp((-squared / spread).clamp(min=-60)) / squared.clamp(min=_NOWHERE)


def _lattice_waves(lattice: Tensor, kpoints: Tensor, reach: float) -> Tensor:
    """All G that matter to any of the k-points, ``[n_crystals, n_waves, 3]``.

    Crystals with fewer than others get waves that are too long to count.
    """
    about = torch.linalg.vector_norm(kpoints.detach(), dim=2).amax(dim=1).tolist()
    bases = 2 * math.pi * np.linalg.inv(lattice.detach().cpu().double().numpy()).swapaxes(1, 2)
    found = [lattice_points(*each) for each in zip(bases, repeat(reach), about, strict=False)]
    waves = np.full((len(found), max(map(len, found)), 3), 10 * (reach + max(about)))
    for row, own in zip(waves, found, strict=True):
        row[: len(own)] = own
    return torch.from_numpy(waves).to(kpoints)
