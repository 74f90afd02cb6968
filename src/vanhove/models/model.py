"""The pair: an encoder (crystal -> atom states) and a decoder (atom states -> spectrum)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from pydantic import Field
from torch import Tensor, nn

from vanhove.crystal.graph import Batch, CrystalGraph, collate
from vanhove.errors import ConfigError
from vanhove.models.atom_features import AtomFeatures
from vanhove.models.atom_latents import AtomLatents, LatentShape
from vanhove.models.crystal_system import CrystalSystemSettings, CrystalSystemVector
from vanhove.models.decoders.decoder import Decoder, Outputs
from vanhove.models.decoders.dostransformer import DOSTransformerSettings
from vanhove.models.encoders.encoder import Encoder
from vanhove.models.encoders.graph_network import GraphNetworkSettings
from vanhove.models.inference import Precision, prepare_linear_layers
from vanhove.models.output import OutputKind, activate, normalise_target, rescale
from vanhove.models.registry import DECODERS, ENCODERS, AnyDecoderSettings, AnyEncoderSettings
from vanhove.settings import Settings


class ModelSettings(Settings):
    """Which encoder with which decoder, what they know of the crystal system, what they give."""

    encoder: AnyEncoderSettings = GraphNetworkSettings()
    decoder: AnyDecoderSettings = DOSTransformerSettings()
    crystal_system: CrystalSystemSettings = CrystalSystemSettings()
    output: OutputKind = Field("raw", description="normalisation of the predicted spectrum")
    trainable_features: bool = Field(
        False,
        description="train the element tables of encoder.atom_features, and the encoders of "
        "atom_latents, as well",
    )
    atom_latents: tuple[str, ...] = Field(
        (),
        description="embeddings, shipped or files of vanhove embed, whose encoders give each atom "
        "of the structure a vector, joined to its element's",
    )


class SpectrumModel(nn.Module):
    """Predicts ``n_points`` values per crystal.

    Args:
        settings: the encoder, the decoder and what surrounds them.
        cutoff: of the graphs it will see, angstrom.
        grid: it is trained on.
        table_width: of the stored element table, when weights will be loaded into the model.
        latents: of the stored encoders of atoms, likewise.
    """

    def __init__(
        self,
        settings: ModelSettings,
        cutoff: float,
        grid: Sequence[float],
        table_width: int | None = None,
        latents: Sequence[LatentShape] | None = None,
    ):
        super().__init__()
        self.settings = settings
        self.in_bfloat16 = False
        self.places: Tensor | None = None
        self.system = CrystalSystemVector(settings.crystal_system)
        self.system_at_atoms = settings.crystal_system.where == "atoms"
        self.atom_features = AtomFeatures(
            settings.encoder.atom_features, settings.trainable_features, table_width
        )
        atom_dim = self.atom_features.dim + (self.system.dim if self.system_at_atoms else 0)
        self.atom_latents = None
        if settings.atom_latents:
            self.atom_latents = AtomLatents(
                settings.atom_latents, cutoff, settings.trainable_features, latents
            )
            atom_dim += self.atom_latents.dim
        self.encoder = ENCODERS[settings.encoder.name](
            settings.encoder,
            atom_dim=atom_dim,
            cutoff=cutoff,
        )
        decoder = DECODERS[settings.decoder.name]
        known = {"cutoff": cutoff, "grid": grid}
        self.decoder = decoder(
            settings.decoder,
            atom_dim=self.encoder.out_dim,
            system_dim=0 if self.system_at_atoms else self.system.dim,
            n_points=len(grid),
            output=settings.output,
            **{name: known[name] for name in decoder.takes},
        )

    def set_places(self, places: Tensor | None) -> None:
        """Give values at other energies from now on, see `Decoder.set_places`.

        Raises:
            ConfigError: the decoder cannot do it.
        """
        if places is not None and not self.decoder.answers_on_other_grids:
            others = [name for name, kind in DECODERS.items() if kind.answers_on_other_grids]
            raise ConfigError(
                f"{type(self.decoder).__name__} gives one value per point of its training grid: "
                "interpolate its spectra (Spectrum.interpolate), or use a decoder with energies "
                f"({', '.join(others)})"
            )
        self.decoder.set_places(places)
        self.places = places

    def encode(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Atom states ``[n_atoms_total, d]`` and what the decoder knows of the crystal system."""
        features = self.atom_features(batch.atomic_numbers)
        if self.atom_latents is not None:
            features = torch.cat([features, self.atom_latents(batch).to(features.dtype)], dim=-1)
        system = self.system(batch.crystal_system).to(features.dtype)
        if self.system_at_atoms:
            features = torch.cat([features, system[batch.crystal_of_atom]], dim=-1)
            system = system[:, :0]
        return self.encoder(features, batch), system

    def forward(self, batch: Batch) -> Tensor:
        """The prediction in the output's normalisation, ``[n_crystals, n_points]``; not clipped.

        Of bands, here and below, ``[n_crystals, n_kpoints, n_bands]``.
        """
        return self.decode(*self.encode(batch), batch)

    def decode(self, atoms: Tensor, system: Tensor, batch: Batch, **known: Any) -> Tensor:
        """The prediction from what `encode` gave, and what else the decoder takes."""
        return activate(self.decoder(atoms, batch, system, **known).float(), self.settings.output)

    @torch.inference_mode()
    def predict(self, graphs: Sequence[CrystalGraph]) -> Tensor:
        """Predictions on the CPU, float32, ``[n_graphs, n_points]``, on the scale of the data.

        A density of states is not negative: values are clipped at zero. The model must be in
        evaluation mode.
        """
        buffer = self.atom_features.table
        batch = collate(graphs).to(buffer.device, buffer.dtype)
        with self.own_precision():
            return rescale(self(batch), self.settings.output).cpu()

    def own_precision(self) -> torch.autocast:
        """The context in which a prediction is computed."""
        device = self.atom_features.table.device.type
        return torch.autocast(device, torch.bfloat16, enabled=self.in_bfloat16)

    def prepare_inference(self, precision: Precision = "auto") -> None:
        """From now on, `predict` is faster; the model is not to be trained any more.

        Lower precision pays on processors with bfloat16 (AVX512-BF16, AMX) or int8 (VNNI)
        instructions, bfloat16 also on GPUs.

        Raises:
            ConfigError: as `prepare_linear_layers`.
        """
        parts: tuple[Encoder | Decoder, ...] = (self.encoder, self.decoder)
        exact = [getattr(part, name) for part in parts for name in part.full_precision]
        prepare_linear_layers(self, precision, [] if precision in ("auto", "float32") else exact)
        self.in_bfloat16 = precision == "bfloat16"

    def outputs(self, batch: Batch, target: Tensor) -> tuple[Outputs, Tensor]:
        """All that is trained, and the target ``[n_crystals, n_points]`` to compare it with.

        Both are float32 in the output's normalisation.
        """
        batch, target = self.decoder.sample(batch, target)
        target = normalise_target(target, self.settings.output)
        atoms, system = self.encode(batch)
        outputs = self.decoder.outputs(atoms, batch, system, target)
        spectra = {
            name: activate(values.float(), self.settings.output)
            for name, values in outputs.spectra.items()
        }
        penalties = {name: values.float() for name, values in outputs.penalties.items()}
        return Outputs(spectra, penalties, outputs.weight), target
