"""The long-ranged part of force constants: atoms that move are dipoles in a dielectric.

Gonze and Lee, Phys. Rev. B 55, 10355 (1997), section VI: the interaction of dipoles in reciprocal
space, damped by a Gaussian. What the damping leaves out falls off as fast as a Gaussian and is the
business of the short-ranged force constants. As in phonopy, ABINIT and Quantum ESPRESSO.
"""

from __future__ import annotations

import math
from itertools import repeat

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


def dipole_matrices(
    charges: Tensor,
    dielectric: Tensor,
    positions: Tensor,
    lattice: Tensor,
    kpoints: Tensor,
    directions: Tensor | None = None,
    inverse_range: float = RANGE,
    accuracy: float = ACCURACY,
) -> Tensor:
    """Force constants of dipoles at wave vectors: of one crystal, or of several of like size.

    With K = k + G, ``C_ij(k) = 4 pi / volume * sum over G of (K Z_i)(K Z_j) / (K eps K) *
    exp(-K eps K / (4 L^2)) exp(i G (r_i - r_j))``, L^2 = ``inverse_range``^2 times a third of the
    trace of eps, less what makes all forces vanish when the crystal moves as a whole (eq. 71 to
    75). Phases are taken between atoms, as in `vanhove.physics.bloch`.

    Args:
        charges: Born effective charges, sum 0, ``[n_atoms, 3, 3]``; the first axis is the field's,
            the second the displacement's. Here and below, of several crystals with one dimension
            more in front; charges and dielectric tensor may come in several sets for each crystal,
            ``[n_crystals, n_sets, ...]``.
        dielectric: electronic dielectric tensor, ``[3, 3]``.
        positions: Cartesian, angstrom, ``[n_atoms, 3]``.
        lattice: row vectors, angstrom, ``[3, 3]``.
        kpoints: Cartesian, 1/angstrom, ``[n_k, 3]``.
        directions: from which a k-point that is a reciprocal lattice vector is approached,
            ``[n_k, 3]``, of any length; 0 or None leaves out the non-analytic term there.
        inverse_range: 1/angstrom.
        accuracy: the sum ends where the damping is ``exp(-accuracy^2)``.

    Returns:
        Complex, eV/angstrom^2, ``[n_k, 3 n_atoms, 3 n_atoms]``, after crystals and sets.
    """
    if kpoints.dim() == 2:
        return dipole_matrices(
            charges[None],
            dielectric[None],
            positions[None],
            lattice[None],
            kpoints[None],
            None if directions is None else directions[None],
            inverse_range,
            accuracy,
        )[0]
    if charges.dim() == 4:
        given = charges[:, None], dielectric[:, None], positions, lattice, kpoints
        return dipole_matrices(*given, directions, inverse_range, accuracy)[:, 0]
    n = charges.shape[2]
    if n <= MOST_FOR_PAIRS:
        found = dipole_pairs(
            charges, dielectric, positions, lattice, kpoints, directions, inverse_range, accuracy
        )
        pairs = found.new_zeros(len(charges) * n * n, *found.shape[1:])
        pairs = pairs.index_add(0, upper_pairs(len(charges), n, charges.device), found)
        return pair_matrices(pairs, len(charges), n, charges.shape[1:2])
    wave, waves, _, weight = _weighted(
        dielectric, lattice, kpoints, directions, inverse_range, accuracy
    )
    real, imaginary = _by_waves(weight, wave, waves, charges, positions)
    # [n_crystals, n_sets, n_k, n_atoms, 3, n_atoms, 3]
    own = real[:, :, -1].sum(dim=4)
    own = (own + own.mT) / 2
    one = torch.eye(n, dtype=own.dtype, device=own.device)
    own = own[:, :, None, :, :, None] * one[:, None, :, None]
    return torch.complex(real[:, :, :-1] - own, imaginary[:, :, :-1]).flatten(5).flatten(3, 4)


def dipole_pairs(
    charges: Tensor,
    dielectric: Tensor,
    positions: Tensor,
    lattice: Tensor,
    kpoints: Tensor,
    directions: Tensor | None = None,
    inverse_range: float = RANGE,
    accuracy: float = ACCURACY,
) -> Tensor:
    """`dipole_matrices` of small crystals by pairs of atoms, each in one direction.

    Args:
        charges: ``[n_crystals, n_sets, n_atoms, 3, 3]``; the others alike, see there.

    Returns:
        ``[n_crystals * n_pairs, n_sets, 2, n_k, 9]`` in the order of `upper_pairs`, real and
        imaginary part; twice what it is where the atoms differ, as `pair_matrices` takes it.
    """
    n, device = charges.shape[2], charges.device
    _, waves, both, weight = _weighted(
        dielectric, lattice, kpoints, directions, inverse_range, accuracy
    )
    i, j = torch.triu_indices(n, n, device=device)
    phase = (positions[:, i] - positions[:, j]) @ waves.mT
    phases = torch.cat([phase.cos(), phase.sin()], dim=1)
    tensor = (both[:, None] * weight[..., None, :]).flatten(1, 3)
    n_crystals, n_sets, n_k, _ = weight.shape
    # All pairs of atoms in one product of matrices: phases are the same at all k-points.
    sums = (phases @ tensor.mT).view(n_crystals, 2, len(i), n_sets, n_k, 6)
    sums = sums.permute(0, 2, 3, 1, 4, 5).reshape(-1, 2 * n_k, 6)
    first, second = (charges.transpose(1, 2).index_select(1, ends) for ends in (i, j))
    twice = torch.tensor([0, 1, 1, 0, 1, 0], device=device).to(charges)[:, None, None]
    rows, columns = (torch.tensor(own, device=device) for own in (_ROWS, _COLUMNS))
    one, two = (first.index_select(3, own)[..., None] for own in (rows, columns))
    other, another = (second.index_select(3, own)[..., None, :] for own in (columns, rows))
    turned = one * other + twice * two * another
    found = torch.bmm(sums, turned.reshape(-1, 6, 9))
    found = found.view(n_crystals, len(i), n_sets, 2, n_k, 3, 3)
    # The last k-point is Gamma, where all forces on an atom must vanish.
    rigid, found = found[:, :, :, 0, -1], found[:, :, :, :, :-1]
    apart = torch.nonzero(i != j).squeeze(1)
    own = charges.new_zeros(n_crystals, n, n_sets, 3, 3).index_add(1, i, rigid)
    own = own.index_add(1, j[apart], rigid.index_select(1, apart).mT)
    own = (own + own.mT)[:, :, :, None, None] / 2
    own = torch.cat([own, torch.zeros_like(own)], dim=3).expand(-1, -1, -1, -1, n_k - 1, -1, -1)
    found = found.index_add(1, torch.nonzero(i == j).squeeze(1), -own)
    found = found * (1 + (i != j)).to(found)[:, None, None, None, None, None]
    return found.flatten(5).flatten(0, 1)


def upper_pairs(n_crystals: int, n_atoms: int, device: torch.device) -> Tensor:
    """Places of pairs of atoms i <= j among all of several crystals, ``[n_crystals * n_pairs]``."""
    i, j = torch.triu_indices(n_atoms, n_atoms, device=device)
    crystal = torch.arange(n_crystals, device=device)[:, None]
    return ((crystal * n_atoms + i) * n_atoms + j).flatten()


def _weighted(
    dielectric: Tensor,
    lattice: Tensor,
    kpoints: Tensor,
    directions: Tensor | None,
    inverse_range: float,
    accuracy: float,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """What the sums over waves need, with Gamma without a field as one more k-point at the end.

    K ``[n_crystals, n_k + 1, 3, n_waves]``, G ``[n_crystals, n_waves, 3]``, products of two
    components of K ``[n_crystals, n_k + 1, 6, n_waves]``, weights ``[n_crystals, n_sets, n_k + 1,
    n_waves]``.
    """
    reach = 2 * inverse_range * accuracy
    kpoints = torch.cat([kpoints, torch.zeros_like(kpoints[:, :1])], dim=1)
    waves = _waves(lattice, kpoints, reach)
    volume = torch.linalg.det(lattice.double()).abs().to(lattice)
    scale = (COULOMB * 4 * math.pi / volume)[:, None, None, None]
    spread = 4 * inverse_range**2 * dielectric.diagonal(dim1=-2, dim2=-1).mean(dim=-1)

    symmetric = ((dielectric + dielectric.mT) / 2)[..., _ROWS, _COLUMNS]
    symmetric = symmetric * symmetric.new_tensor(_TIMES)

    def quadratic(both: Tensor) -> Tensor:  # [n_crystals, n_sets, n_k, n_waves]
        return (symmetric[:, :, None, None] @ both[:, None])[..., 0, :]

    rows, columns = (torch.tensor(own, device=waves.device) for own in (_ROWS, _COLUMNS))

    def products(wave: Tensor) -> Tensor:  # of two components, [n_crystals, n_k, 6, n_waves]
        return wave.index_select(2, rows) * wave.index_select(2, columns)

    wave = kpoints[..., None] + waves.mT[:, None]
    both = products(wave)
    length = (wave**2).sum(dim=2)
    at_zero = length < 1e-10
    # Where the sum ends depends on the wave alone: not on the cell, nor on the other k-points.
    squared = quadratic(both)
    damping = torch.exp((-squared / spread[..., None, None]).clamp(min=-60))
    damping = damping * (scale * (length < reach**2)[:, None])
    if directions is not None:
        along = torch.cat([directions, torch.zeros_like(directions[:, :1])], dim=1)
        wave = torch.where(at_zero[:, :, None], along[..., None], wave)
        both = products(wave)
        squared = quadratic(both)
        at_zero = (wave**2).sum(dim=2) < 1e-10
    nowhere = at_zero[:, None]
    weight = (damping / squared.masked_fill(nowhere, 1)).masked_fill(nowhere, 0)
    return wave, waves, both, weight


def dipole_weights(
    wave: Tensor, dielectric: Tensor, lattice: Tensor, reach: float, inverse_range: float
) -> Tensor:
    """Of waves ``[..., 3]`` in the sum of `dipole_matrices` of one crystal at Gamma, ``[...]``."""
    volume = torch.linalg.det(lattice.double()).abs()
    quadratic = ((wave @ dielectric) * wave).sum(dim=-1)
    length = (wave**2).sum(dim=-1)
    counts = (length < reach**2) & (length > 1e-10)
    spread = 4 * inverse_range**2 * dielectric.diagonal().mean()
    damping = torch.exp((-quadratic / spread).clamp(min=-60)) / quadratic.clamp(min=1e-10)
    return counts * damping * (COULOMB * 4 * math.pi / float(volume))


def _waves(lattice: Tensor, kpoints: Tensor, reach: float) -> Tensor:
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


def _by_waves(
    weight: Tensor, wave: Tensor, waves: Tensor, charges: Tensor, positions: Tensor
) -> tuple[Tensor, Tensor]:
    """Sums of weight (K Z_i) (K Z_j) exp(i G (r_i - r_j)), real and imaginary part.

    Each ``[n_crystals, n_sets, n_k, n_atoms, 3, n_atoms, 3]``: of large crystals, of which
    `dipole_pairs` would ask for too much memory. Arguments as `_weighted` and `dipole_pairs`.
    """
    n = charges.shape[2]
    phase = positions @ waves.mT  # [n_crystals, n_atoms, n_waves]
    cosines = phase.cos().repeat_interleave(3, dim=1)[:, None, None]
    sines = phase.sin().repeat_interleave(3, dim=1)[:, None, None]
    moment = charges.mT.flatten(2, 3)[:, :, None] @ wave[:, None]
    left = weight[:, :, :, None] * moment  # [n_crystals, n_sets, n_k, 3 n_atoms, n_waves]
    real = (left * cosines) @ (moment * cosines).mT
    real = real + (left * sines) @ (moment * sines).mT
    mixed = (left * sines) @ (moment * cosines).mT
    shape = (*real.shape[:3], n, 3, n, 3)
    return real.view(shape), (mixed - mixed.mT).view(shape)
