"""Views of a crystal: what changes, and what an embedding should not care for."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from vanhove.crystal.graph import Batch
from vanhove.crystal.perturbation import STRAIN_PER_ANGSTROM
from vanhove.embeddings.settings import EmbeddingSettings

HIDDEN_ELEMENT = 0
"""Atomic number of an atom whose element is hidden: its one-hot row is zero."""


def hidden_atoms(batch: Batch, share: float, generator: torch.Generator) -> tuple[Batch, Tensor]:
    """The batch with the elements of some atoms hidden, and which ones: ``[n_atoms_total]``."""
    hidden = torch.rand(len(batch.atomic_numbers), generator=generator) < share
    numbers = batch.atomic_numbers.masked_fill(hidden, HIDDEN_ELEMENT)
    return replace(batch, atomic_numbers=numbers), hidden


def random_view(batch: Batch, settings: EmbeddingSettings, generator: torch.Generator) -> Batch:
    """Each crystal strained and shaken at random, some edges gone, some elements hidden.

    As `vanhove.crystal.perturbation.perturbed`, but on graphs: neighbours stay neighbours.
    """
    moves = torch.randn(len(batch.atomic_numbers), 3, generator=generator)
    strain = torch.randn(batch.n_crystals, 3, 3, generator=generator)
    strain = STRAIN_PER_ANGSTROM * (strain + strain.transpose(1, 2)) / 2
    source, target = batch.edge_index
    strained = torch.bmm(
        batch.edge_vector[:, None], strain.index_select(0, batch.crystal_of_atom[target])
    )
    change = moves.index_select(0, source) - moves.index_select(0, target) + strained.squeeze(1)
    kept = torch.rand(len(source), generator=generator) >= settings.dropped_edges
    view = replace(
        batch,
        edge_index=batch.edge_index[:, kept],
        edge_vector=(batch.edge_vector + settings.displacement * change)[kept],
    )
    return hidden_atoms(view, settings.masked_atoms, generator)[0]
