"""Crystal -> a latent vector for each atom."""

from __future__ import annotations

from torch import Tensor, nn

from vanhove.crystal.graph import Batch
from vanhove.embeddings.settings import EmbeddingSettings
from vanhove.models.atom_features import AtomFeatures
from vanhove.models.encoders.graph_network import GraphNetwork, GraphNetworkSettings


class LatentEncoder(nn.Module):
    """A `GraphNetwork` on one-hot atoms, and a matrix.

    Args:
        settings: sizes.
        out_dim: numbers per atom.
    """

    def __init__(self, settings: EmbeddingSettings, out_dim: int):
        super().__init__()
        self.features = AtomFeatures(["one_hot"])
        network = GraphNetworkSettings(
            hidden_dim=settings.hidden_dim, n_layers=settings.n_layers, dropout=0.0
        )
        self.network = GraphNetwork(
            network, atom_dim=self.features.dim, cutoff=settings.graph.cutoff
        )
        self.out = nn.Sequential(
            nn.LayerNorm(settings.hidden_dim), nn.Linear(settings.hidden_dim, out_dim)
        )

    def forward(self, batch: Batch) -> Tensor:
        """``[n_atoms_total, out_dim]``."""
        return self.out(self.network(self.features(batch.atomic_numbers), batch))


def mean_of_atoms(atoms: Tensor, batch: Batch) -> Tensor:
    """Atoms ``[n_atoms_total, d]`` -> crystals ``[n_crystals, d]``."""
    return batch.sum_over_atoms(atoms) / batch.n_atoms[:, None]


def perceptron(n_in: int, hidden: int, n_out: int) -> nn.Sequential:
    """Two layers."""
    return nn.Sequential(nn.Linear(n_in, hidden), nn.SiLU(), nn.Linear(hidden, n_out))
