"""The long-ranged part of force constants: atoms that move are dipoles in a dielectric.

Gonze and Lee, Phys. Rev. B 55, 10355 (1997), section VI: the interaction of dipoles in reciprocal
space, damped by a Gaussian. What the damping leaves out falls off as fast as a Gaussian and is the
business of the short-ranged force constants. As in phonopy, ABINIT and Quantum ESPRESSO.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from vanhove.physics.ewald import COULOMB, lattice_points

RANGE = 0.55
"""1/angstrom: beyond 4 angstrom hardly anything of the interaction is left out."""
ACCURACY = 2.6
"""The sum ends where the damping is ``exp(-x^2)`` of this x."""


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
    """Force constants of dipoles of one crystal at wave vectors.

    With K = k + G, ``C_ij(k) = 4 pi / volume * sum over G of (K Z_i)(K Z_j) / (K eps K) *
    exp(-K eps K / (4 L^2)) exp(i G (r_i - r_j))``, L^2 = ``inverse_range``^2 times a third of the
    trace of eps, less what makes all forces vanish when the crystal moves as a whole (eq. 71 to
    75). Phases are taken between atoms, as in `vanhove.physics.bloch`.

    Args:
        charges: Born effective charges, sum 0, ``[n_atoms, 3, 3]``; the first axis is the field's,
            the second the displacement's.
        dielectric: electronic dielectric tensor, ``[3, 3]``.
        positions: Cartesian, angstrom, ``[n_atoms, 3]``.
        lattice: row vectors, angstrom, ``[3, 3]``.
        kpoints: Cartesian, 1/angstrom, ``[n_k, 3]``.
        directions: from which a k-point that is a reciprocal lattice vector is approached,
            ``[n_k, 3]``, of any length; 0 or None leaves out the non-analytic term there.
        inverse_range: 1/angstrom.
        accuracy: the sum ends where the damping is ``exp(-accuracy^2)``.

    Returns:
        Complex, eV/angstrom^2, ``[n_k, 3 n_atoms, 3 n_atoms]``.
    """
    n = len(charges)
    reach = 2 * inverse_range * accuracy
    # The last one is Gamma without a field: what makes the forces of a rigid shift vanish.
    kpoints = torch.cat([kpoints, kpoints.new_zeros(1, 3)])
    about = float(torch.linalg.vector_norm(kpoints, dim=1).max())
    basis = 2 * math.pi * np.linalg.inv(lattice.detach().cpu().double().numpy()).T
    waves = torch.from_numpy(lattice_points(basis, reach, about)).to(positions)
    volume = torch.linalg.det(lattice.double()).abs().to(lattice)
    scale = COULOMB * 4 * math.pi / volume
    spread = 4 * inverse_range**2 * dielectric.diagonal().mean()

    wave = kpoints[:, None] + waves  # [n_k, n_waves, 3]
    quadratic = ((wave @ dielectric) * wave).sum(dim=-1)
    length = (wave**2).sum(dim=-1)
    at_zero = length < 1e-10
    # Where the sum ends depends on the wave alone: not on the cell, nor on the other k-points.
    damping = torch.exp(-quadratic / spread) * (length < reach**2)
    if directions is not None:
        along = torch.cat([directions, directions.new_zeros(1, 3)])
        wave = torch.where(at_zero[..., None], along[:, None], wave)
        quadratic = ((wave @ dielectric) * wave).sum(dim=-1)
        at_zero = (wave**2).sum(dim=-1) < 1e-10
    safe = torch.where(at_zero, torch.ones_like(quadratic), quadratic)
    weight = torch.where(at_zero, torch.zeros_like(safe), scale * damping / safe)

    # Sums of weight K_a K_b exp(i G (r_i - r_j)) for all pairs: one product of matrices, since the
    # phases are the same at all k-points.
    a, b = torch.triu_indices(3, 3)
    i, j = torch.triu_indices(n, n)
    phase = (positions[i] - positions[j]) @ waves.T
    tensor = (weight[..., None] * wave[..., a] * wave[..., b]).transpose(1, 2)
    sums = tensor @ torch.cat([phase.cos(), phase.sin()]).T  # [n_k, 6, 2 n_pairs]
    component = torch.zeros(3, 3, dtype=torch.long)
    component[a, b] = component[b, a] = torch.arange(6)
    pair = torch.zeros(n, n, dtype=torch.long)
    pair[i, j] = pair[j, i] = torch.arange(len(i))
    sums = sums[:, component.to(sums.device)].unflatten(3, (2, -1))[..., pair.to(sums.device)]
    # Rows: displacement of atom i along x; columns: of atom j along y.
    half = torch.einsum("iax,kabcij->kcixbj", charges, sums)
    both = torch.einsum("kcixbj,jby->kcixjy", half, charges)
    real, imaginary = both.unbind(1)
    sign = torch.sign(torch.arange(n)[None] - torch.arange(n)[:, None]).to(both)
    imaginary = imaginary * sign[:, None, :, None]
    own = real[-1].sum(dim=2)
    own = (own + own.transpose(1, 2)) / 2
    matrix = torch.complex(real[:-1], imaginary[:-1]).flatten(3).flatten(1, 2)
    return matrix - torch.block_diag(*own)
