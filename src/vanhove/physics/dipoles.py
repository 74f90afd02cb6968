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
    about = float(torch.linalg.vector_norm(kpoints, dim=1).max()) if len(kpoints) else 0.0
    basis = 2 * math.pi * np.linalg.inv(lattice.detach().cpu().double().numpy()).T
    waves = torch.from_numpy(lattice_points(basis, reach, about)).to(positions)
    phase = positions @ waves.T  # [n_atoms, n_waves]
    volume = torch.linalg.det(lattice.double()).abs().to(lattice)
    scale = COULOMB * 4 * math.pi / volume
    spread = 4 * inverse_range**2 * dielectric.diagonal().mean()

    def summed(k: Tensor, along: Tensor | None) -> tuple[Tensor, Tensor]:
        """Real and imaginary part, each ``[n_k, 3 n_atoms, 3 n_atoms]``."""
        wave = k[:, None] + waves
        quadratic = ((wave @ dielectric) * wave).sum(dim=-1)
        length = (wave**2).sum(dim=-1)
        at_zero = length < 1e-10
        # Where the sum ends depends on the wave alone: not on the cell, nor on the other k-points.
        damping = torch.exp(-quadratic / spread) * (length < reach**2)
        if along is not None:
            wave = torch.where(at_zero[..., None], along[:, None], wave)
            quadratic = ((wave @ dielectric) * wave).sum(dim=-1)
            at_zero = (wave**2).sum(dim=-1) < 1e-10
        safe = torch.where(at_zero, torch.ones_like(quadratic), quadratic)
        weight = torch.where(at_zero, torch.zeros_like(safe), scale * damping / safe)
        moment = (wave @ charges.transpose(0, 1).flatten(1)).unflatten(2, (n, 3))
        cosines = (moment * phase.T.cos()[None, :, :, None]).flatten(2)
        sines = (moment * phase.T.sin()[None, :, :, None]).flatten(2)
        both = torch.cat([cosines, sines], dim=1)
        weighted = (both * weight.repeat(1, 2)[..., None]).transpose(1, 2)
        n_waves = len(waves)
        mixed = weighted[:, :, n_waves:] @ cosines
        return weighted @ both, mixed - mixed.transpose(1, 2)

    real, imaginary = summed(kpoints, directions)
    still, _ = summed(kpoints.new_zeros(1, 3), None)
    own = still.view(n, 3, n, 3).sum(dim=2)
    own = (own + own.transpose(1, 2)) / 2
    return torch.complex(real - torch.block_diag(*own), imaginary)
