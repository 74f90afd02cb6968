"""Atoms, bonds and angles that symmetry makes equal, each once: the quotient of a graph.

An invariant network gives equal states to atoms with equal surroundings. Which these are is found
as the network itself would find it: by colour refinement (Weisfeiler & Leman, 1968), rounds of
message passing with whole numbers in place of states.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

CLOSE = 2e-6
"""Lengths in angstrom, and cosines, this close to each other count as one: some units in the last
place of float32."""
_MULTIPLIER, _OFFSET = 6364136223846793005, 1442695040888963407  # of Knuth's MMIX


@dataclass(frozen=True)
class Quotient:
    """One atom, edge and pair of edges of each class.

    Attributes:
        atoms: one atom of each class, ``[n_classes]``.
        of_atom: the class of each atom, ``[n_atoms_total]``.
        edges: one edge of each class, into one of ``atoms``, ``[n_edge_classes]``.
        source, target: classes of its ends, ``[n_edge_classes]``.
        n_edges: edges of its class into its target, ``[n_edge_classes, 1]``.
        pairs: one pair of edges of each class, ``[n_pair_classes]``.
        pair_source, pair_target: classes of its edges, ``[n_pair_classes]``.
        n_pairs: pairs of its class with its target, ``[n_pair_classes, 1]``.
    """

    atoms: Tensor
    of_atom: Tensor
    edges: Tensor
    source: Tensor
    target: Tensor
    n_edges: Tensor
    pairs: Tensor
    pair_source: Tensor
    pair_target: Tensor
    n_pairs: Tensor


def quotient(
    atom_kind: Tensor,
    ends: tuple[Tensor, Tensor],
    edge_kind: Tensor,
    pairs: tuple[Tensor, Tensor],
    pair_kind: Tensor,
    n_rounds: int,
    n_pair_rounds: int,
) -> Quotient:
    """The quotient that a network sees after some rounds.

    Args:
        atom_kind, edge_kind, pair_kind: whole numbers, equal where the network is given the same.
        ends: source and target of each edge, ``[n_edges]``.
        pairs: source and target edge of each pair of edges, ``[n_pairs]``.
        n_rounds: of message passing from edges to atoms.
        n_pair_rounds: the first of these begin with one from pairs to edges.
    """
    source, target = ends
    first, second = pairs
    atoms, edges = mixed(atom_kind), mixed(edge_kind)
    for number in range(n_rounds):
        if number < n_pair_rounds:
            message = mixed(pair_kind, edges.index_select(0, first))
            edges = mixed(edges, _summed(message, second, len(edges)))
        edges = mixed(edges, atoms.index_select(0, source), atoms.index_select(0, target))
        atoms = mixed(atoms, _summed(edges, target, len(atoms)))
    n_atoms, of_atom = classes(atoms)
    chosen = first_of_each(of_atom, n_atoms)
    # Of the edges, one of each class that ends at a chosen atom; of the pairs, at such an edge.
    n_edges, of_edge = classes(mixed(edges, of_atom.index_select(0, target)))
    into = torch.nonzero(is_in(chosen, len(atoms)).index_select(0, target)).squeeze(1)
    edge, n_edge = _counted(of_edge.index_select(0, into), n_edges)
    edge = into.index_select(0, edge)
    into = torch.nonzero(is_in(edge, len(edges)).index_select(0, second)).squeeze(1)
    from_edge = of_edge.index_select(0, first.index_select(0, into))
    to_edge = of_edge.index_select(0, second.index_select(0, into))
    n_pairs, of_pair = classes(mixed(pair_kind.index_select(0, into), from_edge, to_edge))
    pair, n_pair = _counted(of_pair, n_pairs)
    return Quotient(
        atoms=chosen,
        of_atom=of_atom,
        edges=edge,
        source=of_atom.index_select(0, source.index_select(0, edge)),
        target=of_atom.index_select(0, target.index_select(0, edge)),
        n_edges=n_edge[:, None],
        pairs=into.index_select(0, pair),
        pair_source=from_edge.index_select(0, pair),
        pair_target=to_edge.index_select(0, pair),
        n_pairs=n_pair[:, None],
    )


def whole(n_atoms: int, ends: tuple[Tensor, Tensor], pairs: tuple[Tensor, Tensor]) -> Quotient:
    """Of a graph in which nothing is equal: every atom, edge and pair; arguments as `quotient`."""

    device = ends[0].device

    def every(n: int) -> tuple[Tensor, Tensor]:
        return torch.arange(n, device=device), torch.ones(n, 1, dtype=torch.long, device=device)

    atoms, _ = every(n_atoms)
    edges, n_edges = every(len(ends[0]))
    all_pairs, n_pairs = every(len(pairs[0]))
    return Quotient(atoms, atoms, edges, *ends, n_edges, all_pairs, *pairs, n_pairs)


def close_values(values: Tensor) -> tuple[Tensor, Tensor]:
    """Values ``[n]`` that differ by rounding alone, once: ``[n_kinds]``, and the kind of each."""
    order = _order(values)
    ordered = values.index_select(0, order)
    starts = torch.ones_like(ordered, dtype=torch.bool)
    starts[1:] = ordered.diff() > CLOSE
    # A long chain of close values is cut into pieces.
    begin = ordered[starts].index_select(0, starts.cumsum(0) - 1)
    piece = ((ordered - begin) / (4 * CLOSE)).floor()
    starts[1:] |= piece.diff() != 0
    kind = torch.empty_like(order)
    kind[order] = starts.cumsum(0) - 1
    return ordered[starts], kind


def equal_rows(rows: Tensor) -> Tensor:
    """A number for each row ``[n, d]``, the same for rows that are equal in float32."""
    bits = rows.detach().float().contiguous().view(torch.int32).long()
    powers = torch.arange(1, bits.shape[1] + 1, device=rows.device)
    return (bits * mixed(powers)).sum(dim=1)


def classes(colour: Tensor) -> tuple[int, Tensor]:
    """How many different ones are in ``[n]``, and the class of each, in order of appearance."""
    order = _order(colour)
    ordered = colour.index_select(0, order)
    starts = torch.zeros_like(ordered)
    starts[1:] = ordered.diff() != 0
    of_each = torch.empty_like(order)
    of_each[order] = starts.cumsum(0)
    n_classes = int(starts.sum()) + 1 if len(starts) else 0
    # Neighbours in memory stay neighbours.
    place = torch.argsort(first_of_each(of_each, n_classes))
    rank = torch.empty_like(place)
    rank[place] = torch.arange(n_classes, device=place.device)
    return n_classes, rank[of_each]


def first_of_each(of_each: Tensor, n_classes: int) -> Tensor:
    """The first member of each class, ``[n_classes]``."""
    everyone = torch.arange(len(of_each), device=of_each.device)
    last = everyone.new_full((n_classes,), len(of_each))
    return last.scatter_reduce(0, of_each, everyone, "amin")


def is_in(chosen: Tensor, n: int) -> Tensor:
    """Which of n things are among the chosen, ``[n]``."""
    return torch.zeros(n, dtype=torch.bool, device=chosen.device).index_fill(0, chosen, True)


def _counted(of_each: Tensor, n_classes: int) -> tuple[Tensor, Tensor]:
    """The first member of each class, and how many members share its class."""
    return first_of_each(of_each, n_classes), torch.bincount(of_each, minlength=n_classes)


def _order(values: Tensor) -> Tensor:
    # numpy sorts several times as fast as torch.
    if values.device.type == "cpu":
        return torch.from_numpy(np.argsort(values.detach().numpy()))
    return torch.argsort(values)


def mixed(*numbers: Tensor) -> Tensor:
    """One number of 64 bits from several, in this order."""
    state = torch.zeros_like(numbers[0])
    for number in numbers:
        state = (state + number) * _MULTIPLIER + _OFFSET
        state = (state ^ (state >> 32)) * -4658895280553007687
        state = state ^ (state >> 29)
    return state


def _summed(values: Tensor, at: Tensor, n: int) -> Tensor:
    return values.new_zeros(n).index_add(0, at, values)
