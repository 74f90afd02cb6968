"""How an embedding is learned; part of every file that holds one."""

from __future__ import annotations

from typing import Literal, get_args

from pydantic import Field

from vanhove.crystal.graph import GraphSettings
from vanhove.settings import Settings

Kind = Literal["vae", "contrastive", "contrastive-labels", "potential"]
KINDS: tuple[str, ...] = get_args(Kind)


class EmbeddingSettings(Settings):
    kind: Kind = Field("vae", description="what is learned; potential: taken from CHGNet")
    seed: int = Field(0, ge=0, description="of the weights, the order and the noise")
    graph: GraphSettings = GraphSettings()  # type: ignore[call-arg]
    latent_dim: int = Field(32, ge=1, description="numbers per atom")
    hidden_dim: int = Field(64, ge=1, description="of the graph network")
    n_layers: int = Field(2, ge=1, description="rounds of message passing")
    epochs: int = Field(12, ge=1, description="passes over the crystals")
    batch_size: int = Field(128, ge=2, description="crystals per step; contrast is among them")
    learning_rate: float = Field(2e-3, gt=0, description="of AdamW, falling as a cosine")
    displacement: float = Field(
        0.1, ge=0, description="views: of atoms, angstrom; strains go with it"
    )
    dropped_edges: float = Field(0.1, ge=0, lt=1, description="views: share of the edges")
    masked_atoms: float = Field(0.15, ge=0, lt=1, description="share whose element is hidden")
    beta: float = Field(0.05, ge=0, description="VAE: weight of the divergence from the prior")
    temperature: float = Field(0.1, gt=0, description="contrast: of the similarities")
    spectrum_scale: float = Field(
        0.02,
        gt=0,
        description="contrast by labels: distance of spectra that are alike, in widths of the grid",
    )
