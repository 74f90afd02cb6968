"""The pair: an encoder (crystal -> atom states) and a decoder (atom states -> spectrum)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from vanhove.crystal.graph import Batch, CrystalGraph, collate
from vanhove.models.decoders.dostransformer import DOSTransformerDecoder, DOSTransformerSettings
from vanhove.models.encoders.graph_network import GraphNetwork, GraphNetworkSettings

# To add a model: a settings class with its own ``name``, a module, and a line here.
EncoderSettings = GraphNetworkSettings
DecoderSettings = DOSTransformerSettings
ENCODERS: dict[str, Any] = {"graph_network": GraphNetwork}
DECODERS: dict[str, Any] = {"dostransformer": DOSTransformerDecoder}


class ModelSettings(BaseModel):
    """Which encoder with which decoder, and their settings."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    encoder: EncoderSettings = GraphNetworkSettings()  # type: ignore[call-arg]
    decoder: DecoderSettings = DOSTransformerSettings()  # type: ignore[call-arg]


class SpectrumModel(nn.Module):
    """Predicts ``n_points`` values per crystal.

    Args:
        settings: the encoder and the decoder.
        cutoff: of the graphs it will see, angstrom.
        n_points: of the grid it was trained on.
    """

    def __init__(self, settings: ModelSettings, cutoff: float, n_points: int):
        super().__init__()
        self.settings = settings
        self.encoder = ENCODERS[settings.encoder.name](settings.encoder, cutoff)
        self.decoder = DECODERS[settings.decoder.name](
            settings.decoder, self.encoder.out_dim, n_points
        )

    def forward(self, batch: Batch) -> Tensor:
        """The prediction, ``[n_crystals, n_points]``; not clipped."""
        return self.decoder(self.encoder(batch), batch)

    @torch.inference_mode()
    def predict(self, graphs: Sequence[CrystalGraph]) -> Tensor:
        """Predictions on the CPU, float32, ``[n_graphs, n_points]``, clipped at zero.

        A density of states is not negative. The model must be in evaluation mode.
        """
        parameter = next(self.parameters())
        batch = collate(graphs).to(parameter.device, parameter.dtype)
        return self(batch).clamp(min=0).float().cpu()

    def branches(self, batch: Batch) -> dict[str, Tensor]:
        """All outputs that are trained, each ``[n_crystals, n_points]``."""
        return self.decoder.branches(self.encoder(batch), batch)
