"""The Mat2Spec decoder (Kong et al., Nat. Commun. 13, 949 (2022))."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from vanhove.crystal.graph import Batch
from vanhove.models.decoders.decoder import Decoder, DecoderSettings, Outputs
from vanhove.models.decoders.pooling import Pooling, pool
from vanhove.models.dropout import Dropout
from vanhove.models.output import OutputKind, normalise_target
from vanhove.models.registry import register_decoder

_MAX_LOG_VARIANCE = 6.0


class Mat2SpecSettings(DecoderSettings):
    """Settings of `Mat2SpecDecoder`; the defaults are those of the released code."""

    name: Literal["mat2spec"] = "mat2spec"
    form: Literal["released", "printed"] = Field(
        "released", description="as the released code computes it, or as the paper prints it"
    )
    hidden_dim: int = Field(
        256,
        ge=1,
        description="width of the two Gaussian encoders, whose layers are 1, 2 and 1 times as wide",
    )
    n_gaussians: int = Field(10, ge=1, description="number K of mixture components of a crystal")
    latent_dim: int = Field(128, ge=1, description="dimension of the Gaussians")
    state_dim: int = Field(512, ge=1, description="width of the translator")
    projection_dim: int = Field(
        1024, ge=1, description="width of the projections that the contrastive loss compares"
    )
    pooling: Pooling = Field("sum", description="pooling of atoms to the crystal")
    dropout: float = Field(
        0.5, ge=0, lt=1, description="dropout probability in the two Gaussian encoders"
    )
    kl_weight: float = Field(
        1.1, ge=0, description="weight of the divergence of the two mixtures in the loss"
    )
    contrastive_weight: float = Field(
        0.1,
        ge=0,
        description="weight of the contrastive loss; 0.1 in the released code, 1 in the paper",
    )
    label_path: bool = Field(True, description="embed the true spectrum in training (ablation)")
    projector: bool = Field(True, description="project states before they are compared (ablation)")
    temperature: float = Field(1.0, gt=0, description="temperature of the contrastive loss")


class Mixture(NamedTuple):
    """Mixtures of diagonal Gaussians, one per crystal.

    Attributes:
        mean, log_variance: ``[n_crystals, n, latent_dim]``, or ``[n, latent_dim]`` when all
            crystals share their Gaussians.
        weights: ``[n_crystals, n]``, of sum 1.
    """

    mean: Tensor
    log_variance: Tensor
    weights: Tensor

    def average(self, values: Tensor) -> Tensor:
        """Weighted sum of ``values``, one row per Gaussian: ``[n_crystals, d]``."""
        return (self.weights[:, None] @ values).squeeze(1)

    def latent(self, sample: bool) -> Tensor:
        """Weighted sum of a draw from every Gaussian, or of the means: ``[n_crystals, d]``."""
        return self.average(self.drawn() if sample else self.mean)

    def draw(self) -> Tensor:
        """A draw from each mixture, ``[n_crystals, d]``.

        One Gaussian is chosen by its weight, then a point of it; gradients reach the weights as if
        they had been averaged (straight-through Gumbel softmax, Jang et al., 2017).
        """
        chosen = F.gumbel_softmax(self.weights.clamp(min=1e-12).log(), hard=True)
        return self._replace(weights=chosen).average(self.drawn())

    def drawn(self) -> Tensor:
        """A point of every Gaussian, in the shape of ``mean``."""
        return self.mean + torch.randn_like(self.mean) * torch.exp(0.5 * self.log_variance)


def mixture_divergence(one: Mixture, other: Mixture, symmetric: bool = True) -> Tensor:
    """``sum_lk w_l w_k (KL(N_l, N_k) + KL(N_k, N_l)) / 2`` over all pairs, ``[n_crystals]``.

    Not ``symmetric``, ``sum_lk w_l w_k KL(N_l, N_k)`` alone, l of the first mixture (eq. 7). The
    divergence of two Gaussians is a sum of products of a moment of the one and a moment of the
    other, so each mixture is averaged first and no tensor of pairs is needed. It is zero only where
    all Gaussians of both mixtures are equal.
    """
    centre = one.mean.detach().flatten(0, -2).mean(dim=0)  # changes nothing but the rounding

    def moments(mixture: Mixture) -> tuple[Tensor, ...]:
        mean = mixture.mean - centre
        precision = torch.exp(-mixture.log_variance)
        square = mean**2
        values = (
            *(torch.exp(mixture.log_variance) + square, mean),
            *(precision, mean * precision, square * precision),
        )
        return mixture.average(torch.cat(values, dim=-1)).chunk(5, dim=-1)

    def one_way(a: tuple[Tensor, ...], b: tuple[Tensor, ...]) -> Tensor:
        return a[0] * b[2] - 2 * a[1] * b[3] + b[4] - 1

    a, b = moments(one), moments(other)
    if symmetric:  # the logarithms cancel
        return 0.25 * (one_way(a, b) + one_way(b, a)).sum(dim=-1)
    logarithms = other.average(other.log_variance) - one.average(one.log_variance)
    return 0.5 * (one_way(a, b) + logarithms).sum(dim=-1)


def contrastive_loss(label: Tensor, feature: Tensor, temperature: float) -> Tensor:
    """Cross-entropy of finding a crystal's feature by its label, by cosine similarity.

    Args:
        label, feature: ``[n_crystals, d]``.
        temperature: divides the similarities.

    Returns:
        ``[n_crystals]``; zero for a single crystal.
    """
    similarity = F.normalize(label, dim=-1) @ F.normalize(feature, dim=-1).T
    own = torch.arange(len(label), device=label.device)
    return F.cross_entropy(similarity / temperature, own, reduction="none")


class GaussianHeads(nn.Module):
    """Mean and log-variance of ``n`` Gaussians; the log-variance stays within +-6."""

    def __init__(self, in_dim: int, n: int, latent_dim: int):
        super().__init__()
        self.shape = (n, latent_dim)
        self.mean = nn.Linear(in_dim, n * latent_dim)
        self.log_variance = nn.Linear(in_dim, n * latent_dim)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """``[m, in_dim]`` -> twice ``[m, n, latent_dim]``, float32."""
        log_variance = self.log_variance(x).float() / _MAX_LOG_VARIANCE
        return (
            self.mean(x).float().unflatten(-1, self.shape),
            (_MAX_LOG_VARIANCE * torch.tanh(log_variance)).unflatten(-1, self.shape),
        )


@register_decoder(Mat2SpecSettings)
class Mat2SpecDecoder(Decoder):
    """Pooled crystal -> mixture of Gaussians -> latent -> spectrum, aligned with label embeddings.

    Feature path: the pooled crystal x (with the crystal-system vector) gives K Gaussians and
    their weights, and a latent z; a translator maps it to a state, a predictor the state to the
    spectrum. Label path, in training only: one Gaussian per grid point, weighted by an MLP of the
    true spectrum; same translator, same predictor. Both spectra are trained; two penalties draw the
    paths together, the divergence of their mixtures and a contrastive loss of their projected
    states. In evaluation z is the mean of the mixture, nothing is drawn.

    ``form`` decides what paper and released code do differently:

    ================== =================================== ===================================
    what               printed                             released
    ================== =================================== ===================================
    translator sees    z                                   [x, z]
    z in training      a draw from the mixture             the weighted sum of a draw from each
                                                           Gaussian
    divergence         one way, label to feature (eq. 7)   symmetric
    contrast           negative cosine similarity (eq. 8)  cross-entropy of finding the own
                                                           crystal in the batch
    prediction losses  1/2 + 1/2                           1 + 1
    predictor          two layers                          one layer
    projector          with a hidden layer                 one layer
    ================== =================================== ===================================

    The weight of the contrast is 1 in the paper and 0.1 in the code (``contrastive_weight``). The
    divergence is a sum over the latent dimensions and over all pairs of Gaussians: it draws all
    Gaussians of both mixtures together. Released, the translator sees x beside z; z then becomes
    the same for every crystal, and the prediction rests on x alone.

    Differences of both forms from the released code: the divergence covers all pairs (there half of
    them, each twice, where gcd(K, n_points) is 2); the positive stands in the denominator of the
    contrast, which is 0 at batch 1 (there undefined); negatives are the other crystals of the batch
    of the process; log-variances stay within +-6; the label's input is divided by its maximum;
    pooling is a sum, of attention-weighted atoms with GATGNN (there attention, then a mean);
    nothing of a true spectrum is used in evaluation (there its maximum or sum, and both paths,
    with drawn latents, in three passes).
    """

    heads = ("predictor",)

    def __init__(
        self,
        settings: Mat2SpecSettings,
        *,
        atom_dim: int,
        system_dim: int,
        n_points: int,
        output: OutputKind,
    ):
        super().__init__()
        self.settings = settings
        dim, latent = settings.hidden_dim, settings.latent_dim
        crystal_dim = atom_dim + system_dim

        def block(n_in: int, n_out: int) -> list[nn.Module]:
            return [nn.Linear(n_in, n_out), nn.ReLU(), Dropout(settings.dropout)]

        self.feature_encoder = nn.Sequential(
            *block(crystal_dim, dim), *block(dim, 2 * dim), *block(2 * dim, dim)
        )
        self.feature_gaussians = GaussianHeads(dim, settings.n_gaussians, latent)
        self.feature_weights = nn.Linear(dim, settings.n_gaussians)
        if settings.label_path:
            # A layer on the one-hot grid point is a table with one row per grid point.
            self.label_embedding = nn.Parameter(torch.randn(n_points, 2 * dim))
            self.label_encoder = nn.Sequential(
                nn.ReLU(), Dropout(settings.dropout), *block(2 * dim, dim)
            )
            self.label_gaussians = GaussianHeads(dim, 1, latent)
            self.label_weights = nn.Sequential(
                nn.Linear(n_points, latent), nn.ReLU(), nn.Linear(latent, n_points)
            )
        self.printed = settings.form == "printed"
        state = settings.state_dim
        self.translator = nn.Sequential(
            nn.Linear(latent if self.printed else crystal_dim + latent, state),
            nn.ReLU(),
            nn.Linear(state, state),
            nn.LeakyReLU(),
        )
        self.predictor = self.head_layers(state, dim, n_points)
        self.projector: nn.Module = nn.Identity()
        if settings.label_path and settings.projector:
            self.projector = self.head_layers(state, state, settings.projection_dim)

    def head_layers(self, n_in: int, hidden: int, n_out: int) -> nn.Module:
        """One layer, in the printed form two."""
        if not self.printed:
            return nn.Linear(n_in, n_out)
        return nn.Sequential(nn.Linear(n_in, hidden), nn.ReLU(), nn.Linear(hidden, n_out))

    def crystal(self, atoms: Tensor, batch: Batch, system: Tensor) -> Tensor:
        return torch.cat([pool(atoms, batch, self.settings.pooling), system], dim=-1)

    def feature_mixture(self, crystal: Tensor) -> Mixture:
        hidden = self.feature_encoder(crystal)
        mean, log_variance = self.feature_gaussians(hidden)
        weights = self.feature_weights(hidden).float().softmax(dim=-1)
        return Mixture(mean, log_variance, weights)

    def label_mixture(self, target: Tensor) -> Mixture:
        mean, log_variance = self.label_gaussians(self.label_encoder(self.label_embedding))
        weights = self.label_weights(normalise_target(target, "max")).float().softmax(dim=-1)
        return Mixture(mean.squeeze(1), log_variance.squeeze(1), weights)

    def state(self, crystal: Tensor, mixture: Mixture) -> Tensor:
        if not self.printed:
            latent = mixture.latent(self.training)
            return self.translator(torch.cat([crystal, latent], dim=-1))
        return self.translator(mixture.draw() if self.training else mixture.latent(False))

    def forward(self, atoms: Tensor, batch: Batch, system: Tensor) -> Tensor:
        crystal = self.crystal(atoms, batch, system)
        return self.predictor(self.state(crystal, self.feature_mixture(crystal)))

    def outputs(self, atoms: Tensor, batch: Batch, system: Tensor, target: Tensor) -> Outputs:
        settings = self.settings
        crystal = self.crystal(atoms, batch, system)
        feature = self.feature_mixture(crystal)
        feature_state = self.state(crystal, feature)
        spectrum = self.predictor(feature_state)
        if not settings.label_path:
            return Outputs({"spectrum": spectrum})
        label = self.label_mixture(target)
        label_state = self.state(crystal, label)
        projected = self.projector(label_state), self.projector(feature_state)
        with torch.autocast(atoms.device.type, enabled=False):
            divergence = mixture_divergence(label, feature, symmetric=not self.printed)
            pair = projected[0].float(), projected[1].float()
            contrast = (
                -F.cosine_similarity(*pair, dim=-1)
                if self.printed
                else contrastive_loss(*pair, settings.temperature)
            )
        return Outputs(
            {"spectrum": spectrum, "label": self.predictor(label_state)},
            {
                "alignment": settings.kl_weight * divergence,
                "contrastive": settings.contrastive_weight * contrast,
            },
            weight=0.5 if self.printed else 1.0,
        )
