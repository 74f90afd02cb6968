"""The Xtal2DoS decoder (Bai et al., arXiv 2302.01486): a transformer writes the spectrum."""

from __future__ import annotations

from typing import Literal, cast

import torch
from pydantic import Field, model_validator
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

KeysValues = tuple[Tensor, Tensor]


class Xtal2DoSSettings(DecoderSettings):
    """Settings of `Xtal2DoSDecoder`."""

    name: Literal["xtal2dos"] = "xtal2dos"
    mode: Literal["autoregressive", "causal", "parallel"] = Field(
        "autoregressive",
        description="point by point, each value fed to the next; or all at once, each energy "
        "seeing only those before (causal, as printed), or all of them (parallel, as released)",
    )
    hidden_dim: int = Field(128, ge=1, description="width; published 512")
    n_layers: int = Field(3, ge=1, description="published 6")
    n_heads: int = Field(4, ge=1, description="published 8; must divide hidden_dim")
    expansion: int = Field(4, ge=1, description="width of the feed-forward over hidden_dim")
    pooling: Pooling = Field("mean", description="pooling of atoms to the crystal's context")
    composition: bool = Field(
        True, description="join the element fractions to the crystal's context"
    )
    dropout: float = Field(0.1, ge=0, lt=1, description="after each sublayer")
    input_dropout: float = Field(
        0.3, ge=0, lt=1, description="values fed back in training that are hidden (autoregressive)"
    )

    @model_validator(mode="after")
    def _heads_divide_width(self) -> Xtal2DoSSettings:
        if self.hidden_dim % self.n_heads:
            raise ValueError(
                f"hidden_dim {self.hidden_dim} is not divisible by n_heads {self.n_heads}"
            )
        return self


class DecoderLayer(nn.Module):
    """Pre-norm self-attention over energies, cross-attention to the atoms, feed-forward.

    Queries, keys and values have no bias (that of the keys would change nothing).
    """

    def __init__(self, settings: Xtal2DoSSettings):
        super().__init__()
        dim = settings.hidden_dim
        self.n_heads, self.head_dim = settings.n_heads, dim // settings.n_heads
        self.self_norm, self.cross_norm = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.self_in = nn.Linear(dim, 3 * dim, bias=False)
        self.self_out = nn.Linear(dim, dim)
        self.cross_query = nn.Linear(dim, dim, bias=False)
        self.cross_keys = nn.Linear(dim, 2 * dim, bias=False)
        self.cross_out = nn.Linear(dim, dim)
        self.dropout = Dropout(settings.dropout)
        self.feed_forward = nn.Sequential(
            nn.LayerNorm(dim),
            nn.Linear(dim, settings.expansion * dim),
            nn.ReLU(),
            Dropout(settings.dropout),
            nn.Linear(settings.expansion * dim, dim),
            Dropout(settings.dropout),
        )

    def heads(self, x: Tensor) -> Tensor:
        """``[batch, n, parts * dim]`` -> ``[parts, batch, n_heads, n, dim / n_heads]``."""
        batch, n, _ = x.shape
        return x.view(batch, n, -1, self.n_heads, self.head_dim).permute(2, 0, 3, 1, 4)

    def atom_keys(self, atoms: Tensor) -> KeysValues:
        """Keys and values of the cross-attention, from dense atoms ``[batch, n_atoms, dim]``."""
        keys, values = self.heads(self.cross_keys(atoms))
        return keys.contiguous(), values.contiguous()

    def forward(self, x: Tensor, atoms: KeysValues, mask: Tensor, causal: bool) -> Tensor:
        """All energies, ``[batch, n_points, dim]``; ``causal``: none looks at later ones."""
        query, key, value = self.heads(self.self_in(self.self_norm(x)))
        found = F.scaled_dot_product_attention(query, key, value, is_causal=causal)
        x = x + self.dropout(self.self_out(found.transpose(1, 2).flatten(2)))
        (query,) = self.heads(self.cross_query(self.cross_norm(x)))
        found = F.scaled_dot_product_attention(query, *atoms, attn_mask=mask)
        x = x + self.dropout(self.cross_out(found.transpose(1, 2).flatten(2)))
        return x + self.feed_forward(x)

    def step(self, x: Tensor, atoms: KeysValues, mask: Tensor, cache: Tensor, point: int) -> Tensor:
        """`forward` for one energy, ``[batch, dim]``, without dropout and in few operations.

        ``cache`` ``[2, batch, n_heads, n_points, head_dim]`` holds keys and values of the energies
        before and gets those of this one.
        """
        n = len(x)
        projected = self.self_in(self.self_norm(x)).view(n, 3, self.n_heads, 1, self.head_dim)
        query, key, value = projected.unbind(1)
        keys, values = cache[:, :, :, : point + 1].unbind(0)
        keys[:, :, point:] = key
        values[:, :, point:] = value
        found = F.scaled_dot_product_attention(query, keys, values)
        x = x + self.self_out(found.view(n, -1))
        query = self.cross_query(self.cross_norm(x)).view(n, self.n_heads, 1, self.head_dim)
        found = F.scaled_dot_product_attention(query, *atoms, attn_mask=mask)
        x = x + self.cross_out(found.view(n, -1))
        return x + self.feed_forward(x)


@register_decoder(Xtal2DoSSettings)
class Xtal2DoSDecoder(Decoder):
    """Atom states -> spectrum, one token per energy.

    Each energy starts from its learned position, the crystal's context (pooled atoms, composition,
    crystal system) and, in the autoregressive mode, the value at the energy before; then layers of
    self-attention over energies (over those before in the modes autoregressive and causal),
    cross-attention to the atoms and feed-forward. Autoregressive ``outputs`` is teacher-forced;
    ``forward`` writes from left to right with keys and values cached, without gradient.
    `vanhove.models.decoders.autoregression` says what is fed back and how a spectrum of sum 1 is
    written. The paper speaks of autoregression, but the decoder that it prints (z_i = [s_i; h_x],
    a causal mask) feeds no value back: that is the mode ``causal``.

    Differences between the paper, the released code and this:

    =================== ======================== ======================= ========================
    what                paper                    released code           here
    =================== ======================== ======================= ========================
    order               one pass, causal mask,   one pass, no mask, no   autoregressive, or
                        no previous values       previous values         ``causal``, ``parallel``
    spectra of sum 1    softmax over the grid    softmax over the grid   softmax; autoregressive:
                                                                         shares of the remaining
                                                                         mass
    exposure bias       not said                 -                       ``input_dropout``
    position            embedding                embedding * sqrt(dim)   embedding
    input               -                        leaky(linear of the     the same, each part
                                                 joined parts)           through its own matrix
    size                512, 6 layers, 8 heads   512, 6 layers, 8 heads  128, 3 layers, 4 heads
                                                                         (options)
    dropout             0.1                      attention weights only  after each sublayer
    crystal system      none                     none                    option, in the context
    =================== ======================== ======================= ========================
    """

    def __init__(
        self,
        settings: Xtal2DoSSettings,
        *,
        atom_dim: int,
        system_dim: int,
        n_points: int,
        output: OutputKind,
    ):
        super().__init__()
        dim = settings.hidden_dim
        self.n_points = n_points
        self.causal = settings.mode != "parallel"
        self.position = nn.Parameter(torch.randn(n_points, dim))
        self.context = CrystalContext(
            atom_dim, system_dim, dim, settings.pooling, settings.composition
        )
        self.feedback = (
            Feedback(output, n_points, dim, 1, settings.input_dropout)
            if settings.mode == "autoregressive"
            else None
        )
        self.atoms_in = nn.Sequential(nn.Linear(atom_dim, dim), nn.LayerNorm(dim))
        self.layers = nn.ModuleList(DecoderLayer(settings) for _ in range(settings.n_layers))
        self.out = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, 1))

    @property
    def typed_layers(self) -> list[DecoderLayer]:
        return cast("list[DecoderLayer]", list(self.layers))

    def prepare(
        self, atoms: Tensor, batch: Batch, system: Tensor
    ) -> tuple[Tensor, list[KeysValues], Tensor]:
        """What does not depend on values fed back: tokens, keys of the atoms, additive mask."""
        tokens = self.position + self.context(atoms, batch, system)[:, None]
        dense, real = batch.dense(self.atoms_in(atoms))
        keys = [layer.atom_keys(dense) for layer in self.typed_layers]
        mask = torch.zeros(real.shape, dtype=keys[0][0].dtype, device=real.device)
        mask = mask.masked_fill(~real, -torch.inf)[:, None, None]
        return tokens, keys, mask

    def write(self, tokens: Tensor, keys: list[KeysValues], mask: Tensor) -> Tensor:
        """Numbers ``[batch, n]`` of the first n energies from their inputs, in one pass."""
        x = F.leaky_relu(tokens)
        for layer, atoms in zip(self.layers, keys, strict=True):
            x = layer(x, atoms, mask, causal=self.causal)
        return self.out(x).squeeze(-1)

    def forward(self, atoms: Tensor, batch: Batch, system: Tensor) -> Tensor:
        if self.feedback is None:
            return self.write(*self.prepare(atoms, batch, system))
        return self.decode(atoms, batch, system)

    def outputs(self, atoms: Tensor, batch: Batch, system: Tensor, target: Tensor) -> Outputs:
        if self.feedback is None:
            return super().outputs(atoms, batch, system, target)
        tokens, keys, mask = self.prepare(atoms, batch, system)
        return self.feedback.outputs(
            self.write(tokens + self.feedback.of_target(target), keys, mask)
        )

    @torch.no_grad()
    def decode(self, atoms: Tensor, batch: Batch, system: Tensor, cached: bool = True) -> Tensor:
        """The values from left to right, each fed to the next, ``[n_crystals, n_points]``.

        ``cached=False`` computes everything anew for each energy: the same, slowly.
        """
        feedback = self.feedback
        assert feedback is not None, "the other modes write all values at once"
        tokens, keys, mask = self.prepare(atoms, batch, system)
        n_crystals = len(tokens)
        written = tokens.new_empty(n_crystals, self.n_points)
        layers = self.typed_layers
        # In the type of the atoms' keys: autocast decides it for both.
        heads = (layers[0].n_heads, self.n_points, layers[0].head_dim)
        cache = mask.new_empty(len(layers), 2, n_crystals, *heads)
        steps = list(zip([layer.step for layer in layers], keys, cache, strict=True))
        values = feedback.start(tokens, n_crystals)
        for point in range(self.n_points):
            token = tokens[:, point] + feedback.embed(values)
            if cached:
                x = F.leaky_relu(token)
                for step, atom_keys, own in steps:
                    x = step(x, atom_keys, mask, own, point)
                number = self.out(x)
            else:
                tokens[:, point] = token
                number = self.write(tokens[:, : point + 1], keys, mask)[:, -1:]
            written[:, point : point + 1] = number
            values = feedback.of_written(number, point, values)
        return feedback.finish(written)
