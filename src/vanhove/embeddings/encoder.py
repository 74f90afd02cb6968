"""What every objective makes of the latents of atoms."""

from __future__ import annotations

from torch import Tensor, nn

from vanhove.crystal.graph import Batch
from vanhove.embeddings.settings import EmbeddingSettings
from vanhove.models.atom_latents import LatentEncoder


def latent_encoder(settings: EmbeddingSettings, out_dim: int) -> LatentEncoder:
    """Crystal -> a vector of ``out_dim`` numbers for each atom."""
    return LatentEncoder(settings.hidden_dim, settings.n_layers, settings.graph.cutoff, out_dim)


def mean_of_atoms(atoms: Tensor, batch: Batch) -> Tensor:
    """Atoms ``[n_atoms_total, d]`` -> crystals ``[n_crystals, d]``."""
    return batch.sum_over_atoms(atoms) / batch.n_atoms[:, None]


def perceptron(n_in: int, hidden: int, n_out: int) -> nn.Sequential:
    """Two layers."""
    return nn.Sequential(nn.Linear(n_in, hidden), nn.SiLU(), nn.Linear(hidden, n_out))
