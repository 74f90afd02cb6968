"""A variational autoencoder of crystals (Kingma & Welling, arXiv 1312.6114)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from vanhove.crystal.elements import N_ELEMENTS
from vanhove.crystal.graph import Batch
from vanhove.crystal.symmetry import CRYSTAL_SYSTEMS
from vanhove.embeddings.encoder import latent_encoder, mean_of_atoms, perceptron
from vanhove.embeddings.objective import Objective
from vanhove.embeddings.settings import EmbeddingSettings
from vanhove.embeddings.views import hidden_atoms
from vanhove.models.layers import GaussianBasis, cosine_envelope

N_SHELLS = 16
ATOM_PARTS = {"element": N_ELEMENTS, "neighbours": N_ELEMENTS, "shells": N_SHELLS}
CRYSTAL_PARTS = {"composition": N_ELEMENTS, "lengths": 3, "system": len(CRYSTAL_SYSTEMS)}


@dataclass(frozen=True)
class Targets:
    """What the decoder has to say of a batch.

    Attributes:
        element: of each atom, ``[n_atoms_total]``, atomic number - 1.
        neighbours: share of each element among the neighbours of an atom, those near count more;
            ``[n_atoms_total, 118]``, zero without neighbours.
        shells: logarithm of 1 + how many neighbours are at each distance, ``[n_atoms_total, 16]``.
        composition: share of each element in the crystal, ``[n_crystals, 118]``.
        lengths: logarithms of the three shortest translations (angstrom), ``[n_crystals, 3]``.
        system: crystal system, ``[n_crystals]``.
    """

    element: Tensor
    neighbours: Tensor
    shells: Tensor
    composition: Tensor
    lengths: Tensor
    system: Tensor


class CrystalVAE(Objective):
    """Latents of the atoms are drawn from normals that a graph encoder gives.

    Decoded are, from the latent of an atom, its element and its neighbours; from the mean over the
    atoms, the composition, the lattice lengths and the crystal system. While it trains, the
    elements of some atoms are hidden from the encoder, which has to tell them from the neighbours:
    elements that replace each other get like latents.
    """

    def __init__(self, settings: EmbeddingSettings):
        super().__init__()
        self.settings = settings
        dim, hidden = settings.latent_dim, settings.hidden_dim
        self.encoder = latent_encoder(settings, 2 * dim)
        self.atom_decoder = perceptron(dim, hidden, sum(ATOM_PARTS.values()))
        self.crystal_decoder = perceptron(dim, hidden, sum(CRYSTAL_PARTS.values()))
        self.basis = GaussianBasis(N_SHELLS, settings.graph.cutoff)

    def latents(self, batch: Batch) -> Tensor:
        return self.encoder(batch).chunk(2, dim=-1)[0]

    def targets(self, batch: Batch) -> Targets:
        source, target = batch.edge_index
        one_hot = F.one_hot(batch.atomic_numbers - 1, N_ELEMENTS).to(batch.edge_vector.dtype)
        distance = torch.linalg.vector_norm(batch.edge_vector, dim=-1)
        near = cosine_envelope(distance, self.settings.graph.cutoff)[:, None]
        neighbours = torch.zeros_like(one_hot).index_add(0, target, near * one_hot[source])
        shells = one_hot.new_zeros(len(one_hot), N_SHELLS)
        shells = shells.index_add(0, target, near * self.basis(distance))
        return Targets(
            element=batch.atomic_numbers - 1,
            neighbours=neighbours / neighbours.sum(dim=1, keepdim=True).clamp(min=1e-6),
            shells=torch.log1p(shells),
            composition=mean_of_atoms(one_hot, batch),
            lengths=batch.lattice_lengths.log(),
            system=batch.crystal_system,
        )

    def decoded(self, latents: Tensor, batch: Batch) -> dict[str, Tensor]:
        """Latents of atoms ``[n_atoms_total, d]`` -> name of a part -> logits or values."""
        atoms = self.atom_decoder(latents).split(list(ATOM_PARTS.values()), dim=-1)
        crystals = self.crystal_decoder(mean_of_atoms(latents, batch))
        parts = crystals.split(list(CRYSTAL_PARTS.values()), dim=-1)
        return dict(zip((*ATOM_PARTS, *CRYSTAL_PARTS), (*atoms, *parts), strict=True))

    def losses(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Each term, a mean over atoms or over crystals."""
        hidden, _ = hidden_atoms(batch, self.settings.masked_atoms, generator)
        mean, log_variance = self.encoder(hidden).chunk(2, dim=-1)
        log_variance = log_variance.clamp(-10, 10)
        noise = torch.randn(mean.shape, generator=generator)
        decoded = self.decoded(mean + noise * (0.5 * log_variance).exp(), batch)
        target = self.targets(batch)
        divergence = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum(dim=1).mean()
        return {
            "element": F.cross_entropy(decoded["element"], target.element),
            "neighbours": F.cross_entropy(decoded["neighbours"], target.neighbours),
            "shells": F.mse_loss(decoded["shells"], target.shells),
            "composition": F.cross_entropy(decoded["composition"], target.composition),
            "lengths": F.mse_loss(decoded["lengths"], target.lengths),
            "system": F.cross_entropy(decoded["system"], target.system),
            "divergence": self.settings.beta * divergence,
        }

    def loss(self, batch: Batch, spectra: Tensor | None, generator: torch.Generator) -> Tensor:
        return torch.stack(list(self.losses(batch, generator).values())).sum()

    @torch.no_grad()
    def measures(
        self, batch: Batch, spectra: Tensor | None, generator: torch.Generator
    ) -> dict[str, float]:
        """Cross entropies (nats), also of always saying the mean composition; root mean squares."""
        decoded, target = self.decoded(self.latents(batch), batch), self.targets(batch)
        always = target.composition.mean(dim=0).clamp(min=1e-9).log().expand_as(target.composition)
        hidden, which = hidden_atoms(batch, self.settings.masked_atoms, generator)
        guesses = self.decoded(self.latents(hidden), batch)["element"][which].argmax(dim=1)
        lengths = target.lengths
        values = {
            "composition": F.cross_entropy(decoded["composition"], target.composition),
            "composition_of_the_mean": F.cross_entropy(always, target.composition),
            "log_lengths_rms": F.mse_loss(decoded["lengths"], lengths).sqrt(),
            "log_lengths_rms_of_the_mean": F.mse_loss(
                lengths.mean(dim=0).expand_as(lengths), lengths
            ).sqrt(),
            "crystal_system_right": (decoded["system"].argmax(dim=1) == target.system)
            .float()
            .mean(),
            "hidden_element_right": (guesses == target.element[which]).float().mean(),
        }
        return {name: float(value) for name, value in values.items()}
