"""How an embedding is learned; part of every file that holds one."""

from __future__ import annotations

from typing import Literal, get_args

from pydantic import Field

from vanhove.crystal.graph import GraphSettings
from vanhove.settings import Settings

Kind = Literal["vae", "contrastive", "contrastive-labels", "potential"]
KINDS: tuple[str, ...] = get_args(Kind)


class EmbeddingSettings(Settings):
    kind: Kind = Field(
        "vae", description="learning objective; potential: vectors taken from CHGNet"
    )
    seed: int = Field(
        0, ge=0, description="seed of the initial weights, the order of the crystals and the noise"
    )
    graph: GraphSettings = GraphSettings()
    latent_dim: int = Field(32, ge=1, description="dimension of an atom's latent vector")
    hidden_dim: int = Field(64, ge=1, description="width of the graph network")
    n_layers: int = Field(2, ge=1, description="number of rounds of message passing")
    epochs: int = Field(12, ge=1, description="number of passes over the crystals")
    batch_size: int = Field(
        128, ge=2, description="number of crystals per step, among which the contrast is made"
    )
    learning_rate: float = Field(
        2e-3, gt=0, description="learning rate of AdamW, which falls as a cosine"
    )
    displacement: float = Field(
        0.1,
        ge=0,
        description="displacement of the atoms of a view, angstrom; the cell is strained with it",
    )
    dropped_edges: float = Field(
        0.1, ge=0, lt=1, description="share of the edges that a view leaves out"
    )
    masked_atoms: float = Field(
        0.15, ge=0, lt=1, description="share of the atoms of a view whose element is hidden"
    )
    beta: float = Field(0.05, ge=0, description="weight of the divergence from the prior (VAE)")
    temperature: float = Field(
        0.1, gt=0, description="temperature of the similarities (contrastive)"
    )
    spectrum_scale: float = Field(
        0.02,
        gt=0,
        description="distance of spectra that count as alike, in widths of the grid "
        "(contrastive-labels)",
    )
