"""Two-centre matrices between s, p and d orbitals, without tables of rotations.

Slater and Koster, Phys. Rev. 94, 1498 (1954), in a form that turns with the crystal by itself: the
five d orbitals are the orthonormal symmetric traceless matrices B_a, so that for a unit vector n

    sigma:  q_a = sqrt(3/2) n B_a n,          |q| = 1
    pi:     P_ka = sqrt(2) (B_a n - (n B_a n) n)_k,     P P^T = 1 - n n^T
    delta:  the rest, 1 - q q^T - P^T P.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

INTEGRALS = (
    "ss", "sp", "ps", "pp_sigma", "pp_pi", "sd", "ds",
    "pd_sigma", "pd_pi", "dp_sigma", "dp_pi", "dd_sigma", "dd_pi", "dd_delta",
)  # fmt: skip
"""The first letter is the orbital of the first atom."""
HARRISON = (-1.40, 1.84, 1.84, 3.24, -0.81, -1.2, -1.2, -1.5, 0.7, -1.5, 0.7, -1.2, 0.6, -0.1)
"""In units of hbar^2 / (m r^2). Of s and p: Harrison, "Electronic Structure and the Properties of
Solids" (1980); those of d are set by hand."""


@cache
def d_matrices() -> Tensor:
    """B_a, ``[5, 3, 3]``: xy, yz, zx, x2 - y2, 3z2 - r2."""
    basis = torch.zeros(5, 3, 3, dtype=torch.float64)
    for a, (i, j) in enumerate(((0, 1), (1, 2), (2, 0))):
        basis[a, i, j] = basis[a, j, i] = 0.5**0.5
    basis[3] = torch.diag(torch.tensor([1.0, -1.0, 0.0], dtype=torch.float64)) * 0.5**0.5
    basis[4] = torch.diag(torch.tensor([-1.0, -1.0, 2.0], dtype=torch.float64)) / 6**0.5
    return basis


def bond_frame(direction: Tensor) -> tuple[Tensor, Tensor]:
    """q ``[n, 5]`` and P ``[n, 3, 5]`` of unit vectors ``[n, 3]``, see above."""
    matrices = d_matrices().to(direction)
    turned = torch.einsum("aij,ej->eia", matrices, direction)  # (B_a n)_i
    along = torch.einsum("eia,ei->ea", turned, direction)
    return 1.5**0.5 * along, 2**0.5 * (turned - direction[:, :, None] * along[:, None, :])


def two_centre(integrals: Tensor, direction: Tensor, q: Tensor, p: Tensor) -> Tensor:
    """Matrices between the orbitals of two atoms.

    Args:
        integrals: in the order of `INTEGRALS`, ``[n, 14]``.
        direction: unit vectors from the first to the second atom, ``[n, 3]``.
        q, p: of `bond_frame`.

    Returns:
        ``[n, 9, 9]``, rows: orbitals of the first atom.
    """
    v = [x[:, None] for x in integrals.unbind(dim=1)]
    w = [x[:, :, None] for x in v]
    n_column, q_column = direction[:, :, None], q[:, :, None]
    outer = n_column * direction[:, None, :]
    one3 = torch.eye(3, dtype=q.dtype, device=q.device)
    one5 = torch.eye(5, dtype=q.dtype, device=q.device)
    nq = n_column * q[:, None, :]
    pi = p.transpose(1, 2) @ p
    qq = q_column * q[:, None, :]
    s = torch.cat([v[0], v[1] * direction, v[5] * q], dim=1)[:, None, :]
    p_rows = torch.cat(
        [
            -w[2] * n_column,
            w[4] * one3 + (w[3] - w[4]) * outer,
            w[7] * nq + w[8] * p,
        ],
        dim=2,
    )
    d_rows = torch.cat(
        [
            w[6] * q_column,
            -(w[9] * nq + w[10] * p).transpose(1, 2),
            w[13] * one5 + (w[11] - w[13]) * qq + (w[12] - w[13]) * pi,
        ],
        dim=2,
    )
    return torch.cat([s, p_rows, d_rows], dim=1)
