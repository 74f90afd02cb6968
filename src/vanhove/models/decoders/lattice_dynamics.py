"""A density of states from learned lattice dynamics, refined along the energies."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from vanhove.crystal.graph import Batch
from vanhove.models.decoders.atomwise import AtomwiseDecoder, AtomwiseSettings
from vanhove.models.decoders.decoder import Outputs
from vanhove.models.lattice_dynamics import (
    AngleConstants,
    Bonds,
    ForceConstants,
    Polarity,
    Springs,
    harmonic_crystals,
)
from vanhove.models.output import OutputKind
from vanhove.models.registry import register_decoder
from vanhove.models.wave_vectors import mesh_size, meshes_of, wave_vectors
from vanhove.physics.bloch import eigenvalues
from vanhove.physics.harmonic import (
    HarmonicCrystal,
    dynamical_matrices,
    softened,
    squared_frequency,
)
from vanhove.physics.kernel_polynomials import weighted_diagonals
from vanhove.physics.large_cells import GammaMatrix
from vanhove.spectra.quantities import PHONON_DOS
from vanhove.spectra.thermodynamics import GAS_CONSTANT, KELVIN_PER_CM1

_TINY = 1e-4
MOST_DIAGONALISED = 500
"""Atoms: of larger cells densities are estimated (`vanhove.physics.kernel_polynomials`)."""
_SAMPLES, _LEAST_VECTORS = 120_000, 4
"""Random numbers of an estimate, and vectors of these at least."""
_NUMBERS_AT_ONCE = 100_000
"""Of dynamical matrices that are made together: these stay in the processor's cache."""
_SOFT_CM1, _SOFTEST_CM1, _ROOM = 30.0, 15.0, 300.0
WIDTHS_CM1 = (14.0, 35.0)
"""Of the Gaussians that modes become, before training."""


class LatticeDynamicsSettings(AtomwiseSettings):
    """Settings of `LatticeDynamicsDecoder`: those of `atomwise`, and of the springs."""

    name: Literal["lattice_dynamics"] = "lattice_dynamics"  # type: ignore[assignment]
    pair_dim: int = Field(64, ge=1, description="width of the network of the force constants")
    n_tensors: int = Field(
        4,
        ge=0,
        description="number of ways in which other bonds at its ends change a bond's springs",
    )
    n_basis: int = Field(
        40, ge=2, description="number of Gaussians per distance, for the force constants"
    )
    n_channels: int = Field(16, ge=0, description="number of densities of states weighted by atom")
    modes_weight: float = Field(
        0.3, ge=0, description="weight of the error of the modes' own density of states in the loss"
    )
    is_polar: bool = Field(
        False,
        description="predict Born charges, a dielectric tensor and the forces between dipoles",
    )
    angle_cutoff: float | None = Field(
        None, gt=0, description="longest bonds whose angles have force constants, angstrom"
    )
    n_angle_basis: int = Field(
        16, ge=2, description="number of Gaussians per cosine of these angles"
    )
    bands_weight: float = Field(
        1.0, ge=0, description="weight of the mean error of frequencies along a path, per 100 1/cm"
    )
    top_weight: float = Field(
        0.0, ge=0, description="weight of the mean error of the highest branch, per 100 1/cm"
    )
    soft_weight: float = Field(
        0.0,
        ge=0,
        description="weight of the mean error of frequencies where those above 30 1/cm count less, "
        "per 30 1/cm: acoustic and unstable modes",
    )
    thermal_weight: float = Field(
        0.0,
        ge=0,
        description="weight of the errors of heat capacity and entropy at 300 K of the modes along "
        "the path, per J/(K mol of atoms)",
    )
    charges_weight: float = Field(
        0.2,
        ge=0,
        description="weight of the mean error of charges and the relative error of the tensor",
    )


@register_decoder(LatticeDynamicsSettings)
class LatticeDynamicsDecoder(AtomwiseDecoder):
    """Phonons by way of a dynamical matrix.

    Force constants between neighbours are learned from the atom states, and with ``is_polar`` the
    charges and the dielectric tensor that make atoms attract each other at a distance; the
    frequencies follow by diagonalisation on a mesh of wave vectors
    (`vanhove.models.lattice_dynamics`). Where the data know bands, charges or tensors, these are
    learned as well. Each mode becomes a Gaussian of two learned widths, once with weight 1 and
    once for each of ``n_channels`` learned numbers of the atoms that move in it. These densities of
    states, divided by the maximum of the plain one, enter the network of `atomwise` along the
    energies, which corrects what the springs leave out. The plain density of states is also
    compared with the target (``modes_weight``), so that springs become physical.
    """

    full_precision = ("force_constants", "channels", "polarity", "angles")
    takes = ("cutoff", "grid")
    quantities = (PHONON_DOS.name,)
    grid: Tensor
    may_lack = ("polarity", "angles")

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
        self.polarity: Polarity | None = None
        if settings.is_polar:
            self.polarity = Polarity(atom_dim, settings.pair_dim, settings.n_basis, cutoff)
        self.angles: AngleConstants | None = None
        if settings.angle_cutoff is not None:
            self.angles = AngleConstants(
                atom_dim, settings.pair_dim, settings.n_angle_basis, settings.angle_cutoff
            )
        self.settings = settings
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

    def crystals(self, atoms: Tensor, batch: Batch) -> list[HarmonicCrystal]:
        """Springs, charges and dielectric tensor of each crystal, in the precision of its graph."""
        with torch.autocast(atoms.device.type, enabled=False):
            atoms = atoms.to(batch.edge_vector.dtype)
            bonds = Bonds(atoms, batch)
            polarity = None if self.polarity is None else self.polarity(atoms, bonds, batch)
            constants = self.force_constants(atoms, bonds)
            source, target = batch.edge_index
            springs = Springs(source, target, batch.edge_vector, constants)
            angles = None if self.angles is None else self.angles(atoms, bonds)
            return list(harmonic_crystals(springs.merged(batch, angles), batch, polarity))

    def densities(
        self, atoms: Tensor, batch: Batch, crystals: list[HarmonicCrystal]
    ) -> tuple[Tensor, list[Tensor]]:
        """Of the modes, ``[..., n_crystals, n_points, n_widths, 1 + n_channels]``.

        The first channel counts all modes and has maximum 1. Beside them the frequencies at the
        k-points of the batch's labels, if there are any, each ``[n_k, 3 n_atoms]``, 1/cm.
        """
        path, towards = batch.labels.get("kpoints"), batch.labels.get("directions")
        # Frequencies to a part in a thousand need more than bfloat16.
        with torch.autocast(atoms.device.type, enabled=False):
            atoms = atoms.to(batch.edge_vector.dtype)
            of_atom = torch.cat([torch.ones_like(atoms[..., :1]), self.channels(atoms)], dim=-1)
            numbers = of_atom.split(batch.n_atoms.tolist(), dim=-2)
            density: dict[int, Tensor] = {}
            along: dict[int, Tensor] = {}
            turns = batch.rotations or (None,) * len(crystals)
            for rows in _of_like_size(crystals, turns):
                own = [crystals[row] for row in rows]
                if path is None and not torch.is_grad_enabled() and mesh_size(own[0].n_atoms) == 1:
                    at_gamma = (self.at_gamma(crystals[i], numbers[i]) for i in rows)
                    density |= {i: self.scaled(x) for i, x in zip(rows, at_gamma, strict=True)}
                    along |= {i: x.new_zeros(0) for i in rows for x in numbers[:1]}
                    continue
                lattice = torch.stack([crystal.lattice for crystal in own])
                kpoints, weight = meshes_of(lattice, own[0].n_atoms, [turns[row] for row in rows])
                directions = None
                if path is not None and towards is not None:
                    directions = torch.cat([torch.zeros_like(kpoints), towards[rows]], dim=1)
                    kpoints = torch.cat([kpoints, path[rows]], dim=1)
                squared, vectors = eigenvalues(dynamical_matrices(own, kpoints, directions))
                frequency, n = softened(squared), weight.shape[1]
                along |= zip(rows, frequency[..., n:, :], strict=True)
                share = torch.view_as_real(vectors[..., :n, :, :]).square().sum(dim=-1)
                share = share.unflatten(-2, (-1, 3)).sum(dim=-2).mT
                channels = share @ torch.stack([numbers[row] for row in rows])[..., None, :, :]
                weight = weight.view(len(own), *(1,) * (channels.dim() - 4), n, 1, 1)
                channels = (channels * weight).flatten(-3, -2)
                modes = frequency[..., :n, :].flatten(-2)
                found = self.broadened(modes, channels) / own[0].n_atoms
                density |= zip(rows, self.scaled(found), strict=True)
        everyone = range(len(crystals))
        found = torch.stack([density[row] for row in everyone], dim=-4)
        return found, [along[row] for row in everyone]

    def scaled(self, density: Tensor) -> Tensor:
        """``[..., n_widths, n_points, n_channels]`` -> ``[..., n_points, n_widths, n_channels]``,
        the first channel with maximum 1 on the training grid, whatever grid is asked for."""
        largest = density[..., :: self.parts, :1].amax(dim=-2, keepdim=True)
        return (density / largest.clamp(min=_TINY)).transpose(-3, -2)

    def broadened(self, frequency: Tensor, weight: Tensor) -> Tensor:
        """Modes ``[..., n_modes]`` with weights ``[..., n_modes, n_channels]`` as Gaussians.

        ``[..., n_widths, n_points, n_channels]``.
        """
        return gaussians(frequency, self.grid, self.log_width) @ weight[..., None, :, :]

    def at_gamma(self, crystal: HarmonicCrystal, numbers: Tensor) -> Tensor:
        """As `density_at_gamma`; of several sets of force constants ``[n_sets, ...]``."""
        if numbers.dim() == 2:
            return self.density_at_gamma(crystal, numbers, self.log_width)
        sets = zip(crystal.sets(), numbers, self.log_width, strict=True)
        return torch.stack([self.density_at_gamma(*one) for one in sets])

    def density_at_gamma(
        self, crystal: HarmonicCrystal, numbers: Tensor, log_width: Tensor
    ) -> Tensor:
        """Of a large cell, whose mesh is Gamma alone, ``[n_widths, n_points, n_channels]``.

        Without the matrix of all atoms where these are many: then it is an estimate, whose noise
        is about one percent of the maximum (of several members together less).

        Args:
            crystal: no gradient comes back to it.
            numbers: of its atoms, ``[n_atoms, n_channels]``.
            log_width: of the Gaussians, ``[n_widths]``.
        """
        matrix = GammaMatrix(crystal)
        if matrix.matrix is not None and crystal.n_atoms <= MOST_DIAGONALISED:
            squared, vectors = torch.linalg.eigh(matrix.matrix)
            share = vectors.square().unflatten(0, (-1, 3)).sum(dim=1).T.to(numbers)
            found = gaussians(softened(squared.to(numbers)), self.grid, log_width)
            found = found @ (share @ numbers)
        else:
            grid, width = self.grid.cpu(), log_width.cpu()
            found = weighted_diagonals(
                matrix,
                lambda squared: gaussians(softened(squared), grid, width),
                numbers.cpu().float().repeat_interleave(3, dim=0),
                max(_LEAST_VECTORS, math.ceil(_SAMPLES / (3 * crystal.n_atoms))),
                int(1e6 * abs(float(log_width[0]))),  # members of an ensemble: other noise
            ).to(numbers)
        return found / crystal.n_atoms

    def forward(
        self,
        atoms: Tensor,
        batch: Batch,
        system: Tensor,
        crystals: list[HarmonicCrystal] | None = None,
    ) -> Tensor:
        """As `Decoder.forward`; ``crystals`` are those of `crystals`, where they are known."""
        crystals = self.crystals(atoms, batch) if crystals is None else crystals
        densities, _ = self.densities(atoms, batch, crystals)
        return self.corrected(densities, atoms, batch, system)

    def corrected(self, densities: Tensor, atoms: Tensor, batch: Batch, system: Tensor) -> Tensor:
        """The prediction from what `densities` gave."""
        return self.refined(atoms, batch, system, self.from_modes(densities.flatten(-2)))

    def outputs(self, atoms: Tensor, batch: Batch, system: Tensor, target: Tensor) -> Outputs:
        crystals = self.crystals(atoms, batch)
        densities, along = self.densities(atoms, batch, crystals)
        spectrum = self.corrected(densities, atoms, batch, system)
        scaled = target / target.amax(dim=1, keepdim=True).clamp(min=_TINY)
        squared = ((densities[:, :, 0, 0] - scaled) ** 2).mean(dim=1)
        error = torch.sqrt(squared + _TINY**2)
        penalties = {"modes": self.modes_weight * error}
        if "frequencies" in batch.labels:
            penalties["bands"] = self.band_error(along, batch)
        if self.polarity is not None and "charges" in batch.labels:
            penalties["charges"] = self.settings.charges_weight * _polarity_error(crystals, batch)
        return Outputs({"spectrum": spectrum}, penalties)

    def band_error(self, along: list[Tensor], batch: Batch) -> Tensor:
        """The weighted errors of frequencies along the paths, ``[n_crystals]``."""
        weights, errors = self.settings, []
        for found, labels in zip(along, batch.labels["frequencies"], strict=True):
            wanted = softened(squared_frequency(labels[:, : found.shape[1]]))
            apart = (found - wanted).abs()
            error = weights.bands_weight / 100 * apart.mean()
            if weights.top_weight:
                error = error + weights.top_weight / 100 * apart[:, -1].mean()
            if weights.soft_weight:
                soft = torch.asinh(found / _SOFT_CM1) - torch.asinh(wanted / _SOFT_CM1)
                error = error + weights.soft_weight * soft.abs().mean()
            if weights.thermal_weight:
                thermal = (_thermal(found) - _thermal(wanted)).abs().sum()
                error = error + weights.thermal_weight * thermal
            errors.append(error)
        return torch.stack(errors)


def gaussians(frequency: Tensor, grid: Tensor, log_width: Tensor) -> Tensor:
    """Modes ``[..., n_modes]`` at each point of a grid: ``[..., n_widths, n_points, n_modes]``.

    The widths ``[..., n_widths]`` are standard deviations.
    """
    width = log_width.exp()[..., None, None]
    distance = (grid[:, None] - frequency[..., None, None, :]) / width
    # exp is many times slower where its result is too small for a float32.
    return torch.exp((-0.5 * distance**2).clamp(min=-60))


def _of_like_size(
    crystals: list[HarmonicCrystal], rotations: Sequence[np.ndarray | None]
) -> list[list[int]]:
    """Rows of crystals with equally many atoms and about as many wave vectors, few enough for the
    memory."""
    by_size: dict[int, list[tuple[int, int]]] = {}
    for row, crystal in enumerate(crystals):
        n_points = len(wave_vectors(crystal.n_atoms, rotations[row])[1])
        by_size.setdefault(crystal.n_atoms, []).append((n_points, row))
    groups: list[list[int]] = []
    for n_atoms, found in by_size.items():
        most = _NUMBERS_AT_ONCE / (3 * n_atoms) ** 2
        group: list[int] = []
        for n_points, row in sorted(found):
            if group and (len(group) + 1) * n_points > most:
                groups.append(group)
                group = []
            group.append(row)
        groups.append(group)
    return groups


def _thermal(frequency: Tensor) -> Tensor:
    """Heat capacity and a tenth of the entropy at 300 K of some modes, J/(K mol of atoms)."""
    x = frequency.clamp(min=_SOFTEST_CM1) * (KELVIN_PER_CM1 / _ROOM)
    capacity = (x / 2 / torch.sinh(x / 2)) ** 2
    entropy = x / torch.expm1(x) - torch.log(-torch.expm1(-x))
    return 3 * GAS_CONSTANT * torch.stack([capacity.mean(), entropy.mean() / 10])


def _polarity_error(crystals: list[HarmonicCrystal], batch: Batch) -> Tensor:
    """Mean error of the charges plus the relative one of the tensor, ``[n_crystals]``; 0 where
    they are not known."""
    errors = []
    labels = zip(
        batch.labels["charges"].split(batch.n_atoms.tolist()),
        batch.labels["dielectric"],
        strict=True,
    )
    for crystal, (charges, dielectric) in zip(crystals, labels, strict=True):
        assert crystal.charges is not None
        assert crystal.dielectric is not None
        if not (charges.isfinite().all() and dielectric.isfinite().all()):
            errors.append(charges.new_zeros(()))
            continue
        size = dielectric.diagonal().mean()
        errors.append(
            (crystal.charges - charges).abs().mean()
            + (crystal.dielectric - dielectric).abs().mean() / size
        )
    return torch.stack(errors)
