"""A density of states from learned lattice dynamics, refined along the energies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from vanhove.crystal.graph import Batch
from vanhove.models.decoders.atomwise import AtomwiseDecoder, AtomwiseSettings
from vanhove.models.decoders.decoder import Outputs
from vanhove.models.lattice_dynamics import ForceConstants, vibrations
from vanhove.models.output import OutputKind
from vanhove.models.registry import register_decoder
from vanhove.spectra.quantities import PHONON_DOS

_TINY = 1e-4
WIDTHS_CM1 = (14.0, 35.0)
"""Of the Gaussians that modes become, before training."""


class LatticeDynamicsSettings(AtomwiseSettings):
    """Settings of `LatticeDynamicsDecoder`: those of `atomwise`, and of the springs."""

    name: Literal["lattice_dynamics"] = "lattice_dynamics"  # type: ignore[assignment]
    pair_dim: int = Field(64, ge=1, description="width of the network of the force constants")
    n_tensors: int = Field(
        4, ge=0, description="ways in which other bonds at its ends change a bond's springs"
    )
    n_basis: int = Field(40, ge=2, description="Gaussians per distance, of the force constants")
    n_channels: int = Field(16, ge=0, description="densities of states weighted by atom")
    modes_weight: float = Field(
        0.3, ge=0, description="of the error of the modes' own density of states in the loss"
    )


@register_decoder(LatticeDynamicsSettings)
class LatticeDynamicsDecoder(AtomwiseDecoder):
    """Phonons by way of a dynamical matrix.

    Force constants between neighbours are learned from the atom states; the frequencies follow by
    diagonalisation on a mesh of wave vectors (`vanhove.models.lattice_dynamics`). Each mode becomes
    a Gaussian of two learned widths, once with weight 1 and once for each of ``n_channels``
    learned numbers of the atoms that move in it. These densities of states, divided by the maximum
    of the plain one, enter the network of `atomwise` along the energies, which corrects what
    springs between near neighbours leave out. The plain density of states is also compared with
    the target (``modes_weight``), so that springs become physical.

    """

    full_precision = ("force_constants", "channels")
    takes = ("cutoff", "grid")
    quantities = (PHONON_DOS.name,)
    grid: Tensor

    def __init__(
        self,
        settings: LatticeDynamicsSettings,
        *,
        atom_dim: int,
        system_dim: int,
        n_points: int,
        output: OutputKind,
        cutoff: float,
        grid: Sequence[float],
    ):
        super().__init__(
            settings, atom_dim=atom_dim, system_dim=system_dim, n_points=n_points, output=output
        )
        self.modes_weight = settings.modes_weight
        self.parts = 1  # of each step of the training grid
        self.own_grid = np.asarray(grid, dtype=np.float64)
        self.register_buffer("grid", torch.tensor(grid, dtype=torch.float32), persistent=False)
        self.force_constants = ForceConstants(
            atom_dim, settings.pair_dim, settings.n_tensors, settings.n_basis, cutoff
        )
        self.log_width = nn.Parameter(torch.tensor(WIDTHS_CM1).log())
        self.channels = nn.Linear(atom_dim, settings.n_channels)
        self.from_modes = nn.Linear(
            len(WIDTHS_CM1) * (1 + settings.n_channels), settings.hidden_dim
        )

    def move(self, places: Tensor | None) -> None:
        super().move(places)
        grid = self.own_grid
        if places is not None:
            grid = np.interp(places.double().numpy(), np.linspace(0, 1, len(grid)), grid)
        self.grid = self.grid.new_tensor(grid)
        self.parts = (len(grid) - 1) // (self.n_points - 1)

    def densities(self, atoms: Tensor, batch: Batch) -> Tensor:
        """Densities of states of the modes, ``[n_crystals, n_points, n_widths, 1 + n_channels]``.

        The first channel counts all modes and has maximum 1.
        """
        # Frequencies to a part in a thousand need more than bfloat16.
        with torch.autocast(atoms.device.type, enabled=False):
            atoms = atoms.to(batch.edge_vector.dtype)
            of_atom = torch.cat([torch.ones_like(atoms[:, :1]), self.channels(atoms)], dim=1)
            width = self.log_width.exp()[:, None, None]
            result = []
            modes = vibrations(self.force_constants(atoms, batch), batch)
            for crystal, numbers in zip(modes, of_atom.split(batch.n_atoms.tolist()), strict=True):
                channels = crystal.of_atom.transpose(1, 2) @ numbers
                channels = (channels * crystal.weight[:, None, None]).flatten(0, 1)
                distance = (self.grid[:, None] - crystal.frequency_cm1.flatten()) / width
                density = torch.exp(-0.5 * distance**2) @ channels / len(numbers)
                # The maximum on the training grid, whatever other energies are asked for.
                largest = density[:, :: self.parts, 0].amax(dim=1).clamp(min=_TINY)
                result.append((density / largest[:, None, None]).transpose(0, 1))
        return torch.stack(result)

    def forward(self, atoms: Tensor, batch: Batch, system: Tensor) -> Tensor:
        return self.corrected(self.densities(atoms, batch), atoms, batch, system)

    def corrected(self, densities: Tensor, atoms: Tensor, batch: Batch, system: Tensor) -> Tensor:
        """The prediction from what `densities` gave."""
        return self.refined(atoms, batch, system, self.from_modes(densities.flatten(2)))

    def outputs(self, atoms: Tensor, batch: Batch, system: Tensor, target: Tensor) -> Outputs:
        densities = self.densities(atoms, batch)
        spectrum = self.corrected(densities, atoms, batch, system)
        scaled = target / target.amax(dim=1, keepdim=True).clamp(min=_TINY)
        squared = ((densities[:, :, 0, 0] - scaled) ** 2).mean(dim=1)
        error = torch.sqrt(squared + _TINY**2)
        return Outputs({"spectrum": spectrum}, {"modes": self.modes_weight * error})
