"""The recurrent decoders that the Xtal2DoS paper compares with (arXiv 2302.01486, table 3)."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from vanhove.crystal.graph import Batch
from vanhove.models.decoders.autoregression import Feedback
from vanhove.models.decoders.context import CrystalContext
from vanhove.models.decoders.decoder import Decoder, DecoderSettings, Outputs
from vanhove.models.decoders.pooling import Pooling
from vanhove.models.dropout import Dropout
from vanhove.models.output import OutputKind
from vanhove.models.registry import register_decoder


class RecurrentSettings(DecoderSettings):
    """Settings of `RecurrentDecoder`."""

    name: Literal["recurrent"] = "recurrent"
    hidden_dim: int = Field(256, ge=1, description="width of the GRU")
    n_layers: int = Field(1, ge=1, description="number of layers of the GRU")
    attention: bool = Field(True, description="let each step attend to the atoms")
    chunk: int = Field(1, ge=1, description="number of points per step; more than 1: chunk RNN")
    pooling: Pooling = Field("mean", description="pooling of atoms to the crystal's context")
    composition: bool = Field(
        True, description="join the element fractions to the crystal's context"
    )
    dropout: float = Field(
        0.1, ge=0, lt=1, description="dropout probability before the values and between layers"
    )
    input_dropout: float = Field(
        0.3, ge=0, lt=1, description="share of the values fed back in training that are hidden"
    )


@register_decoder(RecurrentSettings)
class RecurrentDecoder(Decoder):
    """Atom states -> spectrum, ``chunk`` points per step of a GRU.

    The state of each layer starts from the crystal's context (pooled atoms, composition, crystal
    system). A step reads the values of the step before and its own learned position; its state,
    with ``attention`` joined by what it finds among the atoms (one head, the state as the query,
    not fed back to the GRU), gives the values. ``outputs`` is teacher-forced and runs all steps in
    one call; ``forward`` writes from left to right, without gradient.
    `vanhove.models.decoders.autoregression` says what is fed back and how a spectrum of sum 1 is
    written.

    The paper names the four models (RNN and chunk RNN, each with and without attention) and the
    released code has none of them; cell, sizes and ``input_dropout`` are our choice. The last
    step may reach beyond the grid; those numbers are dropped.
    """

    def __init__(
        self,
        settings: RecurrentSettings,
        *,
        atom_dim: int,
        system_dim: int,
        n_points: int,
        output: OutputKind,
    ):
        super().__init__()
        dim = settings.hidden_dim
        self.n_layers = settings.n_layers
        self.context = CrystalContext(
            atom_dim, system_dim, dim, settings.pooling, settings.composition
        )
        self.initial = nn.Linear(dim, settings.n_layers * dim)
        self.feedback = Feedback(output, n_points, dim, settings.chunk, settings.input_dropout)
        self.position = nn.Parameter(torch.randn(self.feedback.n_steps, dim))
        self.gru = nn.GRU(
            dim,
            dim,
            settings.n_layers,
            batch_first=True,
            dropout=settings.dropout if settings.n_layers > 1 else 0.0,
        )
        self.atom_keys = (
            nn.Sequential(
                nn.Linear(atom_dim, dim), nn.LayerNorm(dim), nn.Linear(dim, 2 * dim, bias=False)
            )
            if settings.attention
            else None
        )
        self.out = nn.Sequential(
            nn.LayerNorm(2 * dim if settings.attention else dim),
            nn.Linear(2 * dim if settings.attention else dim, dim),
            nn.LeakyReLU(),
            Dropout(settings.dropout),
            nn.Linear(dim, settings.chunk),
        )

    def prepare(
        self, atoms: Tensor, batch: Batch, system: Tensor
    ) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
        """Inputs without values fed back, the first state, keys, values and mask of the atoms."""
        context = self.context(atoms, batch, system)
        tokens = self.position + context[:, None]
        state = torch.tanh(self.initial(F.leaky_relu(context)))
        state = state.unflatten(-1, (self.n_layers, -1)).transpose(0, 1).contiguous()
        if self.atom_keys is None:
            return tokens, state, ()
        dense, real = batch.dense(self.atom_keys(atoms))
        keys, values = dense.chunk(2, dim=-1)
        mask = torch.zeros(real.shape, dtype=keys.dtype, device=real.device)
        return tokens, state, (keys, values, mask.masked_fill(~real, -torch.inf)[:, None])

    def write(
        self, tokens: Tensor, state: Tensor, atoms: tuple[Tensor, ...]
    ) -> tuple[Tensor, Tensor]:
        """Numbers ``[batch, n, chunk]`` of n steps from their inputs, and the last state."""
        steps, state = self.gru(F.leaky_relu(tokens), state)
        if atoms:
            keys, values, mask = atoms
            query = steps.to(keys.dtype)
            found = F.scaled_dot_product_attention(query, keys, values, attn_mask=mask)
            steps = torch.cat([query, found], dim=-1)
        return self.out(steps), state

    def outputs(self, atoms: Tensor, batch: Batch, system: Tensor, target: Tensor) -> Outputs:
        tokens, state, keys = self.prepare(atoms, batch, system)
        written, _ = self.write(tokens + self.feedback.of_target(target), state, keys)
        return self.feedback.outputs(written.flatten(1))

    @torch.no_grad()
    def forward(self, atoms: Tensor, batch: Batch, system: Tensor) -> Tensor:
        tokens, state, keys = self.prepare(atoms, batch, system)
        values = self.feedback.start(tokens, len(tokens))
        written = []
        for step in range(self.feedback.n_steps):
            token = tokens[:, step] + self.feedback.embed(values)
            numbers, state = self.write(token[:, None], state, keys)
            written.append(numbers[:, 0])
            values = self.feedback.of_written(numbers[:, 0], step, values)
        return self.feedback.finish(torch.cat(written, dim=-1))
