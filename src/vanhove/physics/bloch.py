"""Bloch sums: blocks between atoms -> Hermitian matrices at wave vectors -> eigenvalues.

Phases are taken between atoms, not between lattice vectors: ``exp(i k . r)`` with the vector r
from one atom to the other. Eigenvalues do not depend on this choice, derivatives along k are
simplest in it; but a matrix is complex even where k is half of a reciprocal lattice vector.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor


def bloch_matrices(
    block: Tensor,
    source: Tensor,
    target: Tensor,
    vector: Tensor,
    own: Tensor,
    kpoints: Tensor,
    n_atoms: int,
) -> Tensor:
    """``M(k)_ij = own_i (i = j) + sum over edges j -> i of block exp(i k . vector)``, Hermitian.

    One crystal, or several with the same number of atoms at once. Of the two directions of a pair
    of atoms the Hermitian mean counts, so blocks that do not mirror each other do no harm.

    Args:
        block: ``[n_edges, m, m]``, real; rows belong to the target, columns to the source. Several
            sets of blocks, ``[n_sets, n_edges, m, m]``, have a dimension in front.
        source, target: of the edges, ``[n_edges]``; atoms of the second crystal are numbered from
            ``n_atoms`` on, and so forth.
        vector: from target to source, as in `CrystalGraph`, angstrom, ``[n_edges, 3]``.
        own: of each atom with itself, ``[n_crystals * n_atoms, m, m]``, of sets as ``block``.
        kpoints: Cartesian with the factor 2 pi, 1/angstrom, ``[n_crystals, n_k, 3]``, or
            ``[n_k, 3]`` of one crystal.
        n_atoms: of each crystal.

    Returns:
        Complex, ``[n_crystals, n_k, n_atoms * m, n_atoms * m]``; without the first dimension for
        k-points of one crystal. Of several sets ``[n_crystals, n_sets, n_k, ...]``. Rows and
        columns run over atoms, then over a block.
    """
    if kpoints.dim() == 2:
        return bloch_matrices(block, source, target, vector, own, kpoints[None], n_atoms)[0]
    pairs = bloch_pairs(block, source, target, vector, own, kpoints, n_atoms)
    return pair_matrices(pairs, len(kpoints), n_atoms, block.shape[:-3])


def bloch_pairs(
    block: Tensor,
    source: Tensor,
    target: Tensor,
    vector: Tensor,
    own: Tensor,
    kpoints: Tensor,
    n_atoms: int,
) -> Tensor:
    """The sums of `bloch_matrices` by pairs of atoms, before the Hermitian mean is taken.

    Returns:
        ``[n_crystals * n_atoms * n_atoms, n_sets, 2, n_k, m * m]``: of targets and sources; real
        and imaginary parts.
    """
    n_crystals, n_k = kpoints.shape[:2]
    # An atom with itself is one more edge, of no length.
    atoms = torch.arange(n_crystals * n_atoms, device=target.device)
    source, target = torch.cat([source, atoms]), torch.cat([target, atoms])
    vector = torch.cat([vector, vector.new_zeros(len(atoms), 3)])
    block = torch.cat([block, own], dim=-3)
    pair = target * n_atoms + source % n_atoms
    order = torch.argsort(pair, stable=True)
    pair = pair.index_select(0, order)
    found, n_edges = torch.unique_consecutive(pair, return_counts=True)
    # Edges of one pair lie side by side, so that their sum is a product of matrices.
    of_edge = torch.repeat_interleave(n_edges)
    width = int(n_edges.max())
    place = torch.arange(len(pair), device=pair.device) - (n_edges.cumsum(0) - n_edges)[of_edge]
    row = of_edge * width + place

    def padded(values: Tensor) -> Tensor:
        flat = values.new_zeros(len(found) * width, values.shape[1])
        return flat.index_copy(0, row, values).view(len(found), width, -1)

    block = block.flatten(-2).movedim(-2, 0).index_select(0, order)
    n_numbers = block.shape[-1]
    at = kpoints.index_select(0, pair // (n_atoms * n_atoms))
    phase = torch.einsum("ekx,ex->ek", at, vector.index_select(0, order))
    factor = torch.cat([phase.cos(), phase.sin()], dim=1)
    sums = torch.bmm(padded(factor).mT, padded(block.flatten(1)))
    pairs = sums.new_zeros(n_crystals * n_atoms * n_atoms, *sums.shape[1:])
    pairs = pairs.index_copy(0, found, sums)
    return pairs.unflatten(1, (2, n_k)).unflatten(-1, (-1, n_numbers)).movedim(3, 1)


def pair_matrices(pairs: Tensor, n_crystals: int, n_atoms: int, sets: Sequence[int] = ()) -> Tensor:
    """Hermitian matrices of the sums that `bloch_pairs` gives, ``[n_crystals, *sets, n_k, ...]``.

    Of the two directions of a pair the Hermitian mean counts: where one is 0, half of the other.
    """
    m = math.isqrt(pairs.shape[-1])
    both = pairs.unflatten(-1, (m, m)).unflatten(0, (n_crystals, n_atoms, n_atoms))
    both = both.permute(4, 0, 3, 5, 1, 6, 2, 7)
    size = n_atoms * m
    real, imaginary = both.reshape(2, n_crystals, *sets, pairs.shape[3], size, size)
    return hermitian(torch.complex(real, imaginary))


def is_forward(source: Tensor, target: Tensor, vector: Tensor) -> Tensor:
    """Of the two directions of each pair of atoms one alone, bool ``[n_edges]``.

    Of an atom and its image, the one that points along a direction in which no lattice vector lies.
    """
    along = vector @ vector.new_tensor([1.0, 0.618034, 0.271828])
    return (source < target) | ((source == target) & (along > 0))


def hermitian(matrix: Tensor) -> Tensor:
    """The Hermitian part, ``[..., m, m]``."""
    return (matrix + matrix.mH) / 2


def eigenvalues(matrix: Tensor, overlap: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Eigenvalues, increasing, and eigenvectors, which are constants to the gradient.

    The gradient of an eigenvalue is ``v^H dM v`` (Hellmann and Feynman), which holds where
    eigenvalues coincide as well; that of an eigenvector does not exist there.

    Args:
        matrix: Hermitian, ``[..., m, m]``.
        overlap: positive definite, of the same shape, for ``M v = e S v``; None: the unit matrix.

    Returns:
        values ``[..., m]``, real; vectors ``[..., m, m]`` in columns, with ``v^H S v = 1``.
    """
    if overlap is None:
        values, vectors = torch.linalg.eigh(matrix)
        return values, vectors.detach()
    factor = torch.linalg.cholesky(overlap)
    half = torch.linalg.solve_triangular(factor, matrix, upper=False)
    reduced = torch.linalg.solve_triangular(factor, half.mH, upper=False)
    values, vectors = torch.linalg.eigh(hermitian(reduced))
    with torch.no_grad():
        vectors = torch.linalg.solve_triangular(factor.mH, vectors, upper=True)
    return values, vectors
