"""The Mat2Spec decoder (Kong et al., Nat. Commun. 13, 949 (2022))."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from vanhove.crystal.graph import Batch
from vanhove.models.decoders.decoder import Decoder, Outputs
from vanhove.models.decoders.pooling import Pooling, pool
from vanhove.models.output import OutputKind, normalise_target
from vanhove.settings import Settings

_MAX_LOG_VARIANCE = 6.0


class Mat2SpecSettings(Settings):
    """Settings of `Mat2SpecDecoder`; the defaults are those of the released code."""

    name: Literal["mat2spec"] = "mat2spec"
    hidden_dim: int = Field(
        256, ge=1, description="of the two Gaussian encoders, whose layers are 1, 2, 1 times this"
    )
    n_gaussians: int = Field(10, ge=1, description="K, mixture components of a crystal")
    latent_dim: int = Field(128, ge=1, description="dimension of the Gaussians")
    state_dim: int = Field(512, ge=1, description="width of the translator")
    projection_dim: int = Field(1024, ge=1, description="where the contrastive loss compares")
    pooling: Pooling = Field("sum", description="of atoms")
    dropout: float = Field(0.5, ge=0, lt=1, description="in the two Gaussian encoders")
    kl_weight: float = Field(1.1, ge=0, description="of the divergence of the two mixtures")
    contrastive_weight: float = Field(0.1, ge=0, description="released 0.1, in the paper 1")
    temperature: float = Field(1.0, gt=0, description="of the contrastive loss")


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
        if not sample:
            return self.average(self.mean)
        noise = torch.randn_like(self.mean)
        return self.average(self.mean + noise * torch.exp(0.5 * self.log_variance))


def mixture_divergence(one: Mixture, other: Mixture) -> Tensor:
    """``sum_lk w_l w_k (KL(N_l, N_k) + KL(N_k, N_l)) / 2`` over all pairs, ``[n_crystals]``.

    The symmetric divergence of two Gaussians is a sum of products of a moment of the one and a
    moment of the other (the logarithms cancel), so each mixture is averaged first and no tensor
    of pairs is needed. It is zero only where all Gaussians of both mixtures are equal.
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
    return 0.25 * (one_way(a, b) + one_way(b, a)).sum(dim=-1)


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


class Mat2SpecDecoder(Decoder):
    """Pooled crystal -> mixture of Gaussians -> latent -> spectrum, aligned with label embeddings.

    Feature path: the pooled crystal x (with the crystal-system vector) gives K Gaussians and
    their weights; z is the weighted sum of a draw from each (of their means in evaluation); a
    translator maps [x, z] to a state, a linear predictor the state to the spectrum. Label path,
    in training only: one Gaussian per grid point, weighted by an MLP of the true spectrum; same
    translator, same predictor. Both spectra are trained; two penalties draw the paths together,
    the divergence of their mixtures and a contrastive loss of their projected states.

    The divergence is a sum over the latent dimensions and over all pairs of Gaussians, so even at a
    hundredth of the published weight it soon makes all Gaussians equal and z the same for every
    crystal; the prediction then rests on x alone. Negatives of the contrastive loss are the other
    crystals of the batch (of the process, where there are several).

    Differences between the paper, the released code and this:

    ================== ======================= ========================= =========================
    what               paper                   released code             here
    ================== ======================= ========================= =========================
    prediction losses  1/2 + 1/2               1 + 1                     1 + 1
    contrastive loss   weight 1, cosine        weight 0.1, positive not  weight 0.1, positive in
                       similarity              in the denominator,       the denominator: 0 at
                                               undefined at batch 1      batch 1
    pairs of Gaussians all                     half of them, each twice, all
                                               where gcd(K, n_points) 2
    divergence         -                       symmetric, weight 1.1     as released
    log-variances      not bounded             not bounded               +-6 by a tanh
    label's input      not said                scale of the data         divided by its maximum
    predictor          two layers              a matrix                  a linear layer
    pooling            -                       attention, then mean      sum, of attention-weighted
                                                                         atoms with GATGNN
    evaluation         feature path            both paths, latents       feature path, means
                                               drawn, three passes
    scale              of the prediction       multiplied by the true    of the prediction
                                               maximum or sum
    ================== ======================= ========================= =========================
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
            return [nn.Linear(n_in, n_out), nn.ReLU(), nn.Dropout(settings.dropout)]

        self.feature_encoder = nn.Sequential(
            *block(crystal_dim, dim), *block(dim, 2 * dim), *block(2 * dim, dim)
        )
        self.feature_gaussians = GaussianHeads(dim, settings.n_gaussians, latent)
        self.feature_weights = nn.Linear(dim, settings.n_gaussians)
        # A layer on the one-hot grid point is a table with one row per grid point.
        self.label_embedding = nn.Parameter(torch.randn(n_points, 2 * dim))
        self.label_encoder = nn.Sequential(
            nn.ReLU(), nn.Dropout(settings.dropout), *block(2 * dim, dim)
        )
        self.label_gaussians = GaussianHeads(dim, 1, latent)
        self.label_weights = nn.Sequential(
            nn.Linear(n_points, latent), nn.ReLU(), nn.Linear(latent, n_points)
        )
        self.translator = nn.Sequential(
            nn.Linear(crystal_dim + latent, settings.state_dim),
            nn.ReLU(),
            nn.Linear(settings.state_dim, settings.state_dim),
            nn.LeakyReLU(),
        )
        self.predictor = nn.Linear(settings.state_dim, n_points)
        self.projector = nn.Linear(settings.state_dim, settings.projection_dim)

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
        return self.translator(torch.cat([crystal, mixture.latent(self.training)], dim=-1))

    def forward(self, atoms: Tensor, batch: Batch, system: Tensor) -> Tensor:
        crystal = self.crystal(atoms, batch, system)
        return self.predictor(self.state(crystal, self.feature_mixture(crystal)))

    def outputs(self, atoms: Tensor, batch: Batch, system: Tensor, target: Tensor) -> Outputs:
        crystal = self.crystal(atoms, batch, system)
        feature, label = self.feature_mixture(crystal), self.label_mixture(target)
        feature_state, label_state = self.state(crystal, feature), self.state(crystal, label)
        projected = self.projector(label_state), self.projector(feature_state)
        with torch.autocast(atoms.device.type, enabled=False):
            divergence = mixture_divergence(label, feature)
            contrast = contrastive_loss(
                projected[0].float(), projected[1].float(), self.settings.temperature
            )
        return Outputs(
            {"spectrum": self.predictor(feature_state), "label": self.predictor(label_state)},
            {
                "alignment": self.settings.kl_weight * divergence,
                "contrastive": self.settings.contrastive_weight * contrast,
            },
        )
