"""Learned encoders that give each atom of a structure a vector: its neighbours are in it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from vanhove.crystal.embeddings import read_embedding
from vanhove.crystal.graph import Batch
from vanhove.errors import CheckpointError, ConfigError
from vanhove.models.atom_features import AtomFeatures
from vanhove.models.encoders.graph_network import GraphNetwork, GraphNetworkSettings

_HIDDEN = re.compile(r"(?:.*\.)?atom_latents\.encoders\.(\d+)\.out\.1\.weight")


class LatentEncoder(nn.Module):
    """A `GraphNetwork` on one-hot atoms, and a matrix.

    Args:
        hidden_dim: width of the graph network.
        n_layers: rounds of message passing.
        cutoff: of the graphs, angstrom.
        out_dim: numbers per atom.
    """

    def __init__(self, hidden_dim: int, n_layers: int, cutoff: float, out_dim: int):
        super().__init__()
        self.out_dim = out_dim
        self.features = AtomFeatures(["one_hot"])
        network = GraphNetworkSettings(hidden_dim=hidden_dim, n_layers=n_layers, dropout=0.0)
        self.network = GraphNetwork(network, atom_dim=self.features.dim, cutoff=cutoff)
        self.out = nn.Sequential(nn.LayerNorm(hidden_dim), nn.Linear(hidden_dim, out_dim))

    def forward(self, batch: Batch) -> Tensor:
        """``[n_atoms_total, out_dim]``."""
        return self.out(self.network(self.features(batch.atomic_numbers), batch))


class LatentShape(NamedTuple):
    """Sizes of a `LatentEncoder`."""

    hidden_dim: int
    n_layers: int
    out_dim: int


class AtomLatents(nn.Module):
    """A batch -> vectors of its atoms ``[n_atoms_total, dim]``, those of all encoders joined.

    The encoders are those that learned an embedding (`vanhove.embed`): of the variational
    autoencoder the means, of the contrasts what they compare. They are parameters, so that a
    checkpoint needs no file but itself.

    Args:
        names: of embeddings: shipped ones, or files that ``vanhove embed`` wrote.
        cutoff: of the graphs, which must be that of the embeddings.
        trainable: train the encoders with the model.
        shapes: of encoders whose weights will be loaded; None reads them from the embeddings.

    Raises:
        ConfigError: an embedding without an encoder, or with another cutoff.
        CheckpointError: the file of an embedding is missing or damaged.
    """

    def __init__(
        self,
        names: Sequence[str],
        cutoff: float,
        trainable: bool = False,
        shapes: Sequence[LatentShape] | None = None,
    ):
        super().__init__()
        if shapes is None:
            encoders = [_read(name, cutoff) for name in names]
        else:
            encoders = [LatentEncoder(s.hidden_dim, s.n_layers, cutoff, s.out_dim) for s in shapes]
        self.encoders = nn.ModuleList(encoders).requires_grad_(trainable)
        self.dim = sum(encoder.out_dim for encoder in encoders)

    def forward(self, batch: Batch) -> Tensor:
        return torch.cat([encoder(batch) for encoder in self.encoders], dim=-1)


def latent_shapes(tensors: Mapping[str, Tensor]) -> list[LatentShape]:
    """Of the encoders in a checkpoint (of an ensemble: of its first member), in their order."""
    found: dict[int, LatentShape] = {}
    for name, weight in tensors.items():
        match = _HIDDEN.fullmatch(name)
        if match and int(match[1]) not in found:
            start = name.removesuffix("out.1.weight") + "network.processors."
            layers = {
                key.removeprefix(start).split(".")[0] for key in tensors if key.startswith(start)
            }
            found[int(match[1])] = LatentShape(weight.shape[1], len(layers), weight.shape[0])
    return [found[place] for place in sorted(found)]


def _read(name: str, cutoff: float) -> LatentEncoder:
    """The encoder of an embedding; of the two halves of an autoencoder the means alone."""
    embedding = read_embedding(name)
    weights = {
        key.removeprefix("encoder."): torch.from_numpy(value).float()
        for key, value in embedding.encoder.items()
        if key.startswith("encoder.")
    }
    if not weights:
        raise ConfigError(
            f"model.atom_latents: {name} holds no encoder, only a table: name it in atom_features"
        )
    settings = embedding.info["settings"]
    graph = settings["graph"]
    if graph["cutoff"] != cutoff or graph["max_neighbors"] is not None:
        raise ConfigError(
            f"model.atom_latents: {name} was learned on all neighbours within "
            f"{graph['cutoff']:g} angstrom: set graph.cutoff to it (it is {cutoff:g})"
        )
    dim = embedding.vectors.shape[1]
    for part in ("out.1.weight", "out.1.bias"):
        weights[part] = weights[part][:dim]
    encoder = LatentEncoder(settings["hidden_dim"], settings["n_layers"], cutoff, dim)
    try:
        encoder.load_state_dict(weights)
    except RuntimeError:
        raise CheckpointError(f"{name} holds no encoder that fits its settings") from None
    return encoder
