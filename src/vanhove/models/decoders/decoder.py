"""What every decoder is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from torch import Tensor, nn

from vanhove.crystal.graph import Batch
from vanhove.settings import Settings


@dataclass(frozen=True)
class Outputs:
    """What a decoder gives the loss.

    Attributes:
        spectra: by branch name, each ``[n_crystals, n_points]``; every one is compared with the
            target. ``training.beta`` weighs the one called ``system``.
        penalties: by name, each ``[n_crystals]``, already weighted; added to the loss as they are.
        weight: of the error of each spectrum.
    """

    spectra: dict[str, Tensor]
    penalties: dict[str, Tensor] = field(default_factory=dict)
    weight: float = 1.0


class DecoderSettings(Settings):
    """The base of the settings of decoders."""

    name: str


class Decoder(nn.Module):
    """Atom states and the crystal-system vector -> values before `vanhove.models.output`.

    A subclass takes ``(settings, atom_dim, system_dim, n_points, output)``, all but ``settings``
    keyword arguments: widths of the two inputs, points of the grid, and what will be made of the
    values (see `vanhove.models.output.OutputKind`; only decoders that read back what they wrote
    need it). What else it can do and takes, it says by the class attributes.
    """

    settings_type: ClassVar[type[DecoderSettings]]
    """Set by `vanhove.models.registry.register_decoder`."""
    heads: ClassVar[tuple[str, ...]] = ("out",)
    """Names of the last modules, those that give the values; registered after what they read."""
    full_precision: ClassVar[tuple[str, ...]] = ()
    """Names of the modules that never multiply in lower precision."""
    takes: ClassVar[tuple[Literal["cutoff", "grid"], ...]] = ()
    """What the constructor also takes: the cutoff of the graphs (angstrom), the training grid."""
    quantities: ClassVar[tuple[str, ...] | None] = None
    """Kinds of spectrum that it can be trained on; None: all."""
    gives_bands: ClassVar[bool] = False
    """Whether it gives ``[n_crystals, n_kpoints, n_bands]``, for graphs with k-points; its settings
    then hold ``n_bands``."""
    answers_on_other_grids: ClassVar[bool] = False
    """Whether `set_places` works, at least with Gaussian energies."""

    may_lack: ClassVar[tuple[str, ...]] = ()
    """Names of modules that weights to start from need not have; they then start untrained."""

    def head(self) -> list[nn.Module]:
        """The last modules."""
        return [getattr(self, name) for name in self.heads]

    def last_layers(self) -> list[nn.Module]:
        """The last modules, and the block before them: of a stack, its last layer."""
        before: list[nn.Module] = []
        for name, module in self.named_children():
            if name == self.heads[0]:
                break
            if any(True for _ in module.parameters()):
                before = _last_block(module)
        return [*before, *self.head()]

    def forward(self, atoms: Tensor, batch: Batch, system: Tensor) -> Tensor:
        """The prediction, needs no target.

        Args:
            atoms: ``[n_atoms_total, atom_dim]``.
            batch: the crystals.
            system: ``[n_crystals, system_dim]``; ``system_dim`` may be 0.

        Returns:
            ``[n_crystals, n_points]``.
        """
        raise NotImplementedError

    def set_places(self, places: Tensor | None) -> None:
        """Give values at other energies from now on; those of the training grid do not change.

        Where ``answers_on_other_grids``; `SpectrumModel.set_places` refuses for the others.

        Args:
            places: ``[n_points]``, increasing: 0 is the first point of the training grid, 1 its
                last, and each step between two points is as long; None: the training grid.

        Raises:
            ConfigError: with these settings the decoder cannot do it.
        """

    def sample(self, batch: Batch, target: Tensor) -> tuple[Batch, Tensor]:
        """What a training step looks at: all of it, unless a decoder takes a part."""
        return batch, target

    def outputs(self, atoms: Tensor, batch: Batch, system: Tensor, target: Tensor) -> Outputs:
        """What is trained; ``target`` ``[n_crystals, n_points]`` has the output's normalisation.

        A decoder that learns from the target (teacher forcing, label embedding) overrides this.
        """
        return Outputs({"spectrum": self(atoms, batch, system)})


def _last_block(module: nn.Module) -> list[nn.Module]:
    """Of a stack, its last layer and what follows the layers; any other module as it is."""
    children = [module] if isinstance(module, nn.ModuleList) else list(module.children())
    for place, child in enumerate(children):
        if isinstance(child, nn.ModuleList):
            return [child[-1], *children[place + 1 :]]
    return [module]
