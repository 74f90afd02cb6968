"""Bloch sums: blocks between atoms -> Hermitian matrices at wave vectors -> eigenvalues.

Phases are taken between atoms, not between lattice vectors: ``exp(i k . r)`` with the vector r
from one atom to the other. Eigenvalues do not depend on this choice, derivatives along k are
simplest in it; but a matrix is complex even where k is half of a reciprocal lattice vector.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class BlochSum:
    """Edges of crystals with equally many atoms, along which blocks are summed with phases.

    Attributes:
        source, target: ``[n_edges]``; atoms of the second crystal are numbered from ``n_atoms`` on,
            and so forth.
        vector: from target to source, as in `CrystalGraph`, angstrom, ``[n_edges, 3]``.
        n_atoms: of each crystal.
    """

    source: Tensor
    target: Tensor
    vector: Tensor
    n_atoms: int

    def matrices(self, block: Tensor, own: Tensor, kpoints: Tensor) -> Tensor:
        """``M(k)_ij = own_i (i = j) + sum over edges j -> i of block exp(i k . vector)``.

        Of the two directions of a pair of atoms the Hermitian mean counts, so blocks that do not
        mirror each other do no harm. Arguments as `pairs`.

        Returns:
            Complex, Hermitian, ``[n_crystals, n_k, n_atoms * m, n_atoms * m]``. Of several sets
            ``[n_crystals, n_sets, n_k, ...]``. Rows and columns run over atoms, then over a block.
        """
        halves = self.pairs(block / 2, own / 2, kpoints)
        return pair_matrices(halves, len(kpoints), self.n_atoms, block.shape[:-3])

    def pairs(self, block: Tensor, own: Tensor, kpoints: Tensor) -> Tensor:
        """The sums of `matrices` by pairs of atoms, of which no Hermitian mean is taken.

        Args:
            block: ``[n_edges, m, m]``, real; rows belong to the target, columns to the source.
                Several sets of blocks, ``[n_sets, n_edges, m, m]``, have a dimension in front.
            own: of each atom with itself, ``[n_crystals * n_atoms, m, m]``, of sets as ``block``.
            kpoints: Cartesian with the factor 2 pi, 1/angstrom, ``[n_crystals, n_k, 3]``.

        Returns:
            ``[n_crystals * n_atoms * n_atoms, n_sets, 2, n_k, m * m]``: of targets and sources;
            real and imaginary parts.
        """
        (n_crystals, n_k, _), n_atoms, target = kpoints.shape, self.n_atoms, self.target
        # An atom with itself is one more edge, of no length.
        atoms = torch.arange(n_crystals * n_atoms, device=target.device)
        source, target = torch.cat([self.source, atoms]), torch.cat([target, atoms])
        vector = torch.cat([self.vector, self.vector.new_zeros(len(atoms), 3)])
        block = torch.cat([block, own], dim=-3)
        pair = target * n_atoms + source % n_atoms
        order = torch.argsort(pair, stable=True)
        pair = pair.index_select(0, order)
        found, n_edges = torch.unique_consecutive(pair, return_counts=True)
        # Edges of one pair lie side by side, so that their sum is a product of matrices.
        of_edge = torch.repeat_interleave(n_edges)
        width = int(n_edges.max())
        before = (n_edges.cumsum(0) - n_edges).index_select(0, of_edge)
        place = torch.arange(len(pair), device=pair.device) - before
        row = of_edge * width + place

        def padded(values: Tensor) -> Tensor:
            flat = values.new_zeros(len(found) * width, values.shape[1])
            return flat.index_copy(0, row, values).view(len(found), width, -1)

        block = block.flatten(-2).movedim(-2, 0).index_select(0, order)
        n_numbers = block.shape[-1]
        at = kpoints.index_select(0, pair // (n_atoms * n_atoms))
        phase = (at @ vector.index_select(0, order)[..., None]).squeeze(-1)
        factor = torch.cat([phase.cos(), phase.sin()], dim=1)
        sums = torch.bmm(padded(factor).mT, padded(block.flatten(1)))
        pairs = sums.new_zeros(n_crystals * n_atoms * n_atoms, *sums.shape[1:])
        pairs = pairs.index_copy(0, found, sums)
        return pairs.unflatten(1, (2, n_k)).unflatten(-1, (-1, n_numbers)).movedim(3, 1)


def pair_matrices(pairs: Tensor, n_crystals: int, n_atoms: int, sets: Sequence[int] = ()) -> Tensor:
    """What pairs of atoms give and its Hermitian conjugate, ``[n_crystals, *sets, n_k, ...]``.

    Args:
        pairs: as `BlochSum.pairs` gives them, half of what the two directions of a pair are; or one
            direction whole.
    """
    m, size = math.isqrt(pairs.shape[-1]), n_atoms * math.isqrt(pairs.shape[-1])
    # Complex first: longer pieces are copied into their places.
    both = torch.complex(pairs[:, :, 0], pairs[:, :, 1]).unflatten(-1, (m, m))
    both = both.unflatten(0, (n_crystals, n_atoms, n_atoms)).permute(0, 3, 4, 1, 5, 2, 6)
    matrix = both.reshape(n_crystals, *sets, pairs.shape[3], size, size)
    return matrix + matrix.mH


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
