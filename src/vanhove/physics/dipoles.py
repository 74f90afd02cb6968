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

from vanhove.physics.ewald import COULOMB, lattice_points

RANGE = 0.55
"""1/angstrom: beyond 4 angstrom hardly anything of the interaction is left out."""
ACCURACY = 2.6
"""The sum ends where the damping is ``exp(-x^2)`` of this x."""
_ROWS, _COLUMNS, _TIMES = [0, 0, 0, 1, 1, 2], [0, 1, 2, 1, 2, 2], [1, 2, 2, 1, 2, 1]
"""Of the six components of a symmetric tensor, and how often each counts."""
_MOST_FOR_PAIRS = 40
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
    reach = 2 * inverse_range * accuracy
    # The last one is Gamma without a field: what makes the forces of a rigid shift vanish.
    kpoints = torch.cat([kpoints, torch.zeros_like(kpoints[:, :1])], dim=1)
    waves = _waves(lattice, kpoints, reach)  # [n_crystals, n_waves, 3]
    volume = torch.linalg.det(lattice.double()).abs().to(lattice)
    scale = (COULOMB * 4 * math.pi / volume)[:, None, None, None]
    spread = 4 * inverse_range**2 * dielectric.diagonal(dim1=-2, dim2=-1).mean(dim=-1)

    symmetric = ((dielectric + dielectric.mT) / 2)[..., _ROWS, _COLUMNS]
    symmetric = symmetric * symmetric.new_tensor(_TIMES)

    def quadratic(both: Tensor) -> Tensor:  # [n_crystals, n_sets, n_k, n_waves]
        return (symmetric[:, :, None, None] @ both[:, None])[..., 0, :]

    wave = kpoints[..., None] + waves.mT[:, None]  # [n_crystals, n_k, 3, n_waves]
    both = wave[:, :, _ROWS] * wave[:, :, _COLUMNS]
    length = (wave**2).sum(dim=2)
    at_zero = length < 1e-10
    # Where the sum ends depends on the wave alone: not on the cell, nor on the other k-points.
    squared = quadratic(both)
    damping = torch.exp((-squared / spread[..., None, None]).clamp(min=-60))
    damping = damping * (scale * (length < reach**2)[:, None])
    if directions is not None:
        along = torch.cat([directions, torch.zeros_like(directions[:, :1])], dim=1)
        wave = torch.where(at_zero[:, :, None], along[..., None], wave)
        both = wave[:, :, _ROWS] * wave[:, :, _COLUMNS]
        squared = quadratic(both)
        at_zero = (wave**2).sum(dim=2) < 1e-10
    nowhere = at_zero[:, None]
    weight = (damping / squared.masked_fill(nowhere, 1)).masked_fill(nowhere, 0)
    if charges.shape[-3] <= _MOST_FOR_PAIRS:
        real, imaginary = _by_pairs(weight, both, waves, charges, positions)
    else:
        real, imaginary = _by_waves(weight, wave, waves, charges, positions)
    # [n_crystals, n_sets, n_k, n_atoms, 3, n_atoms, 3]
    own = real[:, :, -1].sum(dim=4)
    own = (own + own.mT) / 2
    one = torch.eye(charges.shape[-3], dtype=own.dtype, device=own.device)
    own = own[:, :, None, :, :, None] * one[:, None, :, None]
    return torch.complex(real[:, :, :-1] - own, imaginary[:, :, :-1]).flatten(5).flatten(3, 4)


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


def _by_pairs(
    weight: Tensor, both: Tensor, waves: Tensor, charges: Tensor, positions: Tensor
) -> tuple[Tensor, Tensor]:
    """Sums of weight (K Z_i) (K Z_j) exp(i G (r_i - r_j)), real and imaginary part.

    Each ``[n_crystals, n_sets, n_k, n_atoms, 3, n_atoms, 3]``. All pairs of atoms in one product of
    matrices, since the phases are the same at all k-points.

    Args:
        weight: ``[n_crystals, n_sets, n_k, n_waves]``.
        both: products of two components of K, ``[n_crystals, n_k, 6, n_waves]``.
        waves: G, ``[n_crystals, n_waves, 3]``.
        charges: ``[n_crystals, n_sets, n_atoms, 3, 3]``.
        positions: ``[n_crystals, n_atoms, 3]``.
    """
    n, device = charges.shape[2], charges.device
    i, j = torch.triu_indices(n, n)
    phase = (positions[:, i] - positions[:, j]) @ waves.mT
    tensor = both[:, None] * weight[..., None, :]
    # [n_crystals, n_sets, n_k, 6, 2, n_pairs]
    phases = torch.cat([phase.cos(), phase.sin()], dim=1).mT
    sums = (tensor.flatten(1, 3) @ phases).view(*tensor.shape[:4], 2, -1)
    component = torch.zeros(3, 3, dtype=torch.long)
    component[_ROWS, _COLUMNS] = component[_COLUMNS, _ROWS] = torch.arange(6)
    pair = torch.zeros(n, n, dtype=torch.long)
    pair[i, j] = pair[j, i] = torch.arange(len(i))
    sums = sums[:, :, :, component.to(device)][..., pair.to(device)]
    # Rows: displacement of atom i along x; columns: of atom j along y.
    half = torch.einsum("zsiax,zskabcij->zskcixbj", charges, sums)
    both = torch.einsum("zskcixbj,zsjby->zskcixjy", half, charges)
    sign = torch.sign(torch.arange(n)[None] - torch.arange(n)[:, None]).to(both)
    return both[:, :, :, 0], both[:, :, :, 1] * sign[:, None, :, None]


def _by_waves(
    weight: Tensor, wave: Tensor, waves: Tensor, charges: Tensor, positions: Tensor
) -> tuple[Tensor, Tensor]:
    """As `_by_pairs`, whose numbers grow with the cube of the atoms: of large crystals."""
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
