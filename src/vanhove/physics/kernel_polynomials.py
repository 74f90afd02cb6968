"""Densities of states of large matrices without diagonalisation (kernel polynomial method).

Weisse, Wellein, Alvermann and Fehske, Rev. Mod. Phys. 78, 275 (2006): functions of a symmetric
matrix as sums of Chebyshev polynomials, their diagonals from random vectors. Smooth functions need
no damping kernel: their sums end where the coefficients are too small to matter.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

_LANCZOS_STEPS = 100
_WIDEST_BOUNDS = 0.01
"""Share of the spectrum by which either bound may lie too far out: some more polynomials are
cheaper than more steps."""
_POINTS = 8192
"""Where functions are evaluated: more than polynomials are ever needed."""
_LEAST_COEFFICIENT, _MOST_TERMS = 2e-3, 500
"""Later terms are left out: of functions narrower than this resolves, the few states close to them
are smeared."""

Apply = Callable[[Tensor], Tensor]
"""The product of a symmetric matrix with vectors, ``[n, n_vectors]`` -> the same."""


def weighted_diagonals(
    apply: Apply,
    functions: Callable[[Tensor], Tensor],
    weights: Tensor,
    n_vectors: int,
    seed: int = 0,
) -> Tensor:
    """``sum over i of weights_i f(M)_ii`` of each function f, estimated.

    The error of a sum over n_i equal weights falls with the square root of ``n_i * n_vectors``.
    Products of two polynomials of one vector give the moments up to twice their order: ``T_(m + n)
    = 2 T_m T_n - T_(m - n)``, whose diagonal is the mean of ``(T_m x)_i (T_n x)_i`` over random
    signs x.

    Args:
        apply: of the matrix M, ``[n, n]``.
        functions: from eigenvalues ``[m]`` to values ``[..., m]``, smooth.
        weights: ``[n, n_weights]``.
        n_vectors: random vectors.
        seed: of these.

    Returns:
        ``[..., n_weights]``.
    """
    from scipy.fft import dct

    generator = torch.Generator().manual_seed(seed)
    n = len(weights)
    low, high = _bounds(apply, torch.randn(n, 1, generator=generator).to(weights))
    middle, half = (high + low) / 2, (high - low) / 2
    angle = math.pi * (np.arange(_POINTS) + 0.5) / _POINTS
    values = functions(torch.from_numpy(middle + half * np.cos(angle)).to(weights))
    coefficients = dct(values.double().numpy(), type=2, axis=-1) / _POINTS
    coefficients[..., 0] /= 2
    largest = np.abs(coefficients).reshape(-1, _POINTS).max(axis=0)
    order = min(2 + int(np.flatnonzero(largest > _LEAST_COEFFICIENT)[-1]), _MOST_TERMS)

    signs = torch.randint(0, 2, (n, n_vectors), generator=generator).to(weights) * 2 - 1

    def moment(one: Tensor, other: Tensor) -> Tensor:
        return (one * other).sum(dim=1) @ weights / n_vectors

    before, now = signs, (apply(signs) - middle * signs) / half
    moments = [weights.sum(dim=0), moment(signs, now)]
    while True:
        moments.append(2 * moment(now, now) - moments[0])
        if len(moments) >= order:
            break
        before, now = now, (apply(now) - middle * now) * (2 / half) - before
        moments.append(2 * moment(before, now) - moments[1])
    kept = torch.from_numpy(coefficients[..., :order]).to(weights)
    return kept @ torch.stack(moments[:order])


def _bounds(apply: Apply, start: Tensor) -> tuple[float, float]:
    """Between which all eigenvalues lie, by Lanczos steps from a vector ``[n, 1]``.

    The outermost Ritz values, moved outwards by what they lack at most (the norm of their residual)
    and a little more.
    """
    vector = start / torch.linalg.vector_norm(start)
    before, beta = torch.zeros_like(vector), 0.0
    diagonal: list[float] = []
    beside: list[float] = []
    low = high = 0.0
    for step in range(1, _LANCZOS_STEPS + 1):
        product = apply(vector) - beta * before
        diagonal.append(float((vector * product).sum()))
        product = product - diagonal[-1] * vector
        beta = float(torch.linalg.vector_norm(product))
        is_last = beta < 1e-6 * max(map(abs, diagonal)) or step == _LANCZOS_STEPS
        if is_last or step % 10 == 0:
            inner = np.diag(beside, 1)
            ritz, vectors = np.linalg.eigh(np.diag(diagonal) + inner + inner.T)
            missing = beta * np.abs(vectors[-1])
            low, high = ritz[0] - missing[0], ritz[-1] + missing[-1]
            if is_last or max(missing[0], missing[-1]) < _WIDEST_BOUNDS * (high - low):
                break
        beside.append(beta)
        before, vector = vector, product / beta
    margin = 2e-3 * (high - low) + 1e-6
    return float(low - margin), float(high + margin)
