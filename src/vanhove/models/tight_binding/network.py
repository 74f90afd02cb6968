"""A learned tight-binding Hamiltonian: from a crystal to blocks between its atoms.

Levels of the free atoms, shifted by what a network says of each atom and by the field of learned
charges; hoppings, a crystal field and an overlap in the form of Slater and Koster, with factors
that a network gives for both atoms, their distance, and the directions of their other bonds:

    H(k) = sum over bonds of V exp(i k r) + levels + crystal field
    H'(k) = (1 + a(k)) (H(k) - c) (1 + a(k)) + c

``a`` is a small Hermitian Bloch sum of the same form. To first order ``1 + a`` is the inverse
square root of an overlap matrix, but it never fails; ``c`` is the mean level of s and p orbitals.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from pydantic import Field
from torch import Tensor, nn

from vanhove.models.dropout import Dropout
from vanhove.models.layers import GaussianBasis, cosine_envelope
from vanhove.models.tight_binding.atoms import atom_table
from vanhove.models.tight_binding.graph import ElectronBatch, ElectronGraph, shell_to_orbitals
from vanhove.models.tight_binding.slater_koster import HARRISON, INTEGRALS, two_centre
from vanhove.settings import Settings

HBAR2_OVER_MASS = 7.62  # eV angstrom^2
_DECAY = 0.9
"""angstrom, of the untrained hoppings."""
_OVERLAP = 0.02
"""1/eV, of the untrained ``a`` to the hopping."""
_TINY = 1e-6
_N = len(INTEGRALS)


class TightBindingSettings(Settings):
    """Settings of `TightBinding`."""

    cutoff: float = Field(
        6.0, gt=0, description="cutoff distance of hoppings and messages, angstrom"
    )
    hidden_dim: int = Field(64, ge=1, description="width of atom states")
    n_rounds: int = Field(2, ge=1, description="number of rounds of message passing")
    n_channels: int = Field(12, ge=1, description="number of vectors, and of tensors, of an atom")
    n_basis: int = Field(24, ge=2, description="number of Gaussians per distance")
    dropout: float = Field(0.1, ge=0, lt=1, description="dropout probability")


@dataclass(frozen=True)
class Blocks:
    """The Hamiltonian of one crystal in real space, by lattice vector.

    With D(R) between orbitals of the cell and of the cell at R, D(-R) is the transpose, and so
    ``sum_R D(R) exp(i k R) = sum over half of R of even(R) cos(k R) + i odd(R) sin(k R)``.

    Attributes:
        cells: R, of R and -R one, angstrom, ``[n_cells, 3]``.
        even, odd: ``D + D^T`` and ``D - D^T`` (half of it for R = 0) of the hoppings, eV, and of
            ``a`` above, ``[n_cells, 2, n_orbitals, n_orbitals]``.
        own: within atoms, eV, ``[n_orbitals, n_orbitals]``.
        centre: c above, eV.
        semicore: flat levels, eV, ``[n_semicore]``.
    """

    cells: Tensor
    even: Tensor
    odd: Tensor
    own: Tensor
    centre: Tensor
    semicore: Tensor


class Messages(nn.Module):
    """One round of messages: atoms, vectors and traceless tensors from neighbours."""

    def __init__(self, dim: int, n_channels: int, n_basis: int, drop: float):
        super().__init__()
        self.dim, self.n_channels = dim, n_channels
        self.source, self.target = nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.product = nn.Linear(dim, dim)
        self.distance = nn.Linear(n_basis, dim)
        self.message = nn.Sequential(
            nn.LayerNorm(dim), nn.SiLU(), nn.Linear(dim, dim + 2 * n_channels)
        )
        self.update = nn.Sequential(
            nn.LayerNorm(2 * dim + 2 * n_channels),
            nn.Linear(2 * dim + 2 * n_channels, dim),
            nn.SiLU(),
            Dropout(drop),
            nn.Linear(dim, dim),
        )

    def forward(
        self, x: Tensor, batch: ElectronBatch, basis: Tensor, envelope: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        source, target = batch.source, batch.target
        product = self.product(x)
        edge = (
            self.source(x)[source]
            + self.target(x)[target]
            + product[source] * product[target]
            + self.distance(basis)
        )
        message = self.message(edge) * envelope[:, None]
        scalars, to_vector, to_tensor = message.split(
            [self.dim, self.n_channels, self.n_channels], dim=1
        )
        n = len(x)
        vectors = to_vector[:, :, None] * batch.direction[:, None, :]
        tensors = to_tensor[:, :, None] * batch.q[:, None, :]
        scalars = x.new_zeros(n, self.dim).index_add(0, target, scalars) / 4
        vectors = x.new_zeros(n, *vectors.shape[1:]).index_add(0, target, vectors) / 2
        tensors = x.new_zeros(n, *tensors.shape[1:]).index_add(0, target, tensors) / 2
        lengths = [torch.sqrt((y * y).sum(dim=2) + _TINY) for y in (vectors, tensors)]
        return x + self.update(torch.cat([x, scalars, *lengths], dim=1)), vectors, tensors


class TightBinding(nn.Module):
    """The network; see the module."""

    level: Tensor
    radius: Tensor
    eta: Tensor
    orbital: Tensor

    def __init__(self, settings: TightBindingSettings):
        super().__init__()
        self.settings = settings
        dim, channels = settings.hidden_dim, settings.n_channels
        table = atom_table()
        level = torch.nan_to_num(torch.as_tensor(table.level, dtype=torch.float32))
        radius = torch.as_tensor(table.radius, dtype=torch.float32)
        self.register_buffer("level", level, persistent=False)
        self.register_buffer("radius", radius, persistent=False)
        self.register_buffer("eta", torch.tensor(HARRISON), persistent=False)
        orbital = torch.as_tensor(table.orbital, dtype=torch.float32)
        self.register_buffer("orbital", orbital, persistent=False)
        self.embedding = nn.Embedding(len(level), dim)
        self.features = nn.Linear(4, dim)
        self.basis = GaussianBasis(settings.n_basis, settings.cutoff)
        self.rounds = nn.ModuleList(
            Messages(dim, channels, settings.n_basis, settings.dropout)
            for _ in range(settings.n_rounds)
        )
        self.norm = nn.LayerNorm(dim)
        self.of_atom = nn.Linear(dim, 5)  # shifts of s, p, d and semicore levels; the charge
        self.source, self.target = nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.product = nn.Linear(dim, dim)
        self.from_bond = nn.Linear(settings.n_basis + 4 * channels, dim)
        last = nn.Linear(dim, 6 * _N)
        self.bonds = nn.Sequential(
            nn.LayerNorm(dim),
            nn.SiLU(),
            Dropout(settings.dropout),
            nn.Linear(dim, dim),
            nn.SiLU(),
            last,
        )
        with torch.no_grad():
            last.weight *= 0.1
            last.bias.zero_()
            self.of_atom.weight *= 0.3
            self.of_atom.bias.zero_()

    def forward(self, batch: ElectronBatch) -> list[Blocks]:
        """The blocks of each crystal, in order."""
        numbers, source, target = batch.atomic_numbers, batch.source, batch.target
        level, radius = self.level[numbers], self.radius[numbers]
        x = self.embedding(numbers) + self.features(torch.cat([level / 10, radius[:, None]], dim=1))
        basis = self.basis(batch.distance)
        envelope = cosine_envelope(batch.distance, self.settings.cutoff)
        vectors = tensors = x.new_zeros(())
        for round_ in self.rounds:
            x, new_vectors, new_tensors = round_(x, batch, basis, envelope)
            vectors, tensors = vectors + new_vectors, tensors + new_tensors
        x = self.norm(x)

        shift = self.of_atom(x)
        charge = _neutral(0.3 * shift[:, 4], batch)
        field = _field(charge, batch)
        level = level + shift[:, :3] + field[:, None]
        semicore = field + shift[:, 3]

        # One contraction for all channels: a vector or tensor of an atom seen along the bond.
        def seen(at: Tensor) -> Tensor:
            along = torch.einsum("ecx,ex->ec", vectors[at], batch.direction)
            return torch.cat([along, torch.einsum("ecx,ex->ec", tensors[at], batch.q)], dim=1)

        product = self.product(x)
        bond = self.bonds(
            self.source(x)[source]
            + self.target(x)[target]
            + product[source] * product[target]
            + self.from_bond(torch.cat([basis, seen(target), seen(source)], dim=1))
        ).view(-1, 6, _N)
        bond_length = radius[source] + radius[target]
        decay = torch.exp(((bond_length - batch.distance) / _DECAY).clamp(max=2.0))
        amplitude = (HBAR2_OVER_MASS / bond_length**2 * decay * envelope)[:, None]
        hopping = amplitude * (self.eta * torch.exp(bond[:, 0].clamp(-4, 2)) + bond[:, 1])
        overlap = (_OVERLAP * amplitude) * (
            self.eta * torch.exp(bond[:, 2].clamp(-4, 3)) + bond[:, 3]
        )
        here = self.orbital[numbers]
        masks = here[target][:, :, None] * here[source][:, None, :]
        integrals = torch.cat([hopping, overlap, amplitude * bond[:, 4]])
        frame = (x.repeat(3, *[1] * (x.dim() - 1)) for x in (batch.direction, batch.q, batch.p))
        hopping, overlap, crystal_field = two_centre(integrals, *frame).chunk(3)
        bonds = torch.stack([hopping * masks, overlap * masks], dim=1)
        field_at = crystal_field.new_zeros(len(numbers), 9, 9).index_add(0, target, crystal_field)
        own_mask = here[:, :, None] * here[:, None, :]
        own = (field_at + field_at.transpose(1, 2)) / 2 * own_mask
        own = own + torch.diag_embed(shell_to_orbitals(level))
        edges = [len(graph.source) for graph in batch.graphs]
        atoms = [graph.n_atoms for graph in batch.graphs]
        parts = zip(
            batch.graphs,
            bonds.split(edges),
            own.split(atoms),
            level.split(atoms),
            semicore.split(atoms),
            strict=True,
        )
        return [_blocks(*part) for part in parts]


def _blocks(
    graph: ElectronGraph, bonds: Tensor, own: Tensor, level: Tensor, semicore: Tensor
) -> Blocks:
    """Of one crystal: matrices of its edges ``[n_edges, 2, 9, 9]`` added up by lattice vector."""
    n, n_cells, kept = graph.n_atoms, len(graph.cells), graph.orbitals
    # An edge and its reverse are two: half of each.
    half = torch.where(graph.backward[:, None, None, None], bonds.mT, bonds) / 2
    row = torch.where(graph.backward, graph.source, graph.target)
    column = torch.where(graph.backward, graph.target, graph.source)
    place = (graph.cell * n + row) * n + column
    full = half.new_zeros(n_cells * n * n, 2, 9, 9).index_add(0, place, half)
    full = full.view(n_cells, n, n, 2, 9, 9).permute(0, 3, 1, 4, 2, 5)
    full = full.reshape(n_cells, 2, 9 * n, 9 * n)
    if len(kept) < 9 * n:
        full = full[:, :, kept][:, :, :, kept]
    return Blocks(
        cells=graph.cells,
        even=full + full.mT,
        odd=full - full.mT,
        own=torch.block_diag(*own)[kept][:, kept],
        centre=level[:, :2].mean(),
        semicore=graph.semicore_level + semicore[graph.semicore_atom],
    )


def _neutral(charge: Tensor, batch: ElectronBatch) -> Tensor:
    """Charges less their mean in each crystal."""
    counts = torch.tensor([graph.n_atoms for graph in batch.graphs], dtype=charge.dtype)
    total = charge.new_zeros(len(counts)).index_add(0, batch.crystal_of_atom, charge)
    return charge - (total / counts)[batch.crystal_of_atom]


def _field(charge: Tensor, batch: ElectronBatch) -> Tensor:
    """Energy of an electron in the potential of the charges, eV, ``[n_atoms_total]``."""
    parts = charge.split([graph.n_atoms for graph in batch.graphs])
    return -torch.cat([g.madelung @ q for g, q in zip(batch.graphs, parts, strict=True)])


def hamiltonian(blocks: Blocks, kpoints: Tensor) -> Tensor:
    """H'(k), complex Hermitian, ``[n_k, n_orbitals, n_orbitals]``, eV.

    Phases are those of lattice vectors: ``H(k)_ij = sum_R exp(i k R) H_ij(R)``.

    Args:
        blocks: of a crystal.
        kpoints: Cartesian, 1/angstrom, ``[n_k, 3]``.
    """
    phase = kpoints @ blocks.cells.T
    shape = (len(kpoints), 2, *blocks.own.shape)
    real = (phase.cos() @ blocks.even.flatten(1)).view(shape)
    imaginary = (phase.sin() @ blocks.odd.flatten(1)).view(shape)
    one = torch.eye(shape[-1], dtype=real.dtype)
    h = torch.complex(real[:, 0] + (blocks.own - blocks.centre * one), imaginary[:, 0])
    factor = torch.complex(real[:, 1] + one, imaginary[:, 1])
    return factor @ h @ factor + blocks.centre * one


def energies(blocks: Blocks, kpoints: Tensor) -> Tensor:
    """All bands, semicore levels among them, increasing, eV, ``[n_k, n_states]``.

    Gradients reach the energies (Hellmann-Feynman); degenerate bands make no trouble.
    """
    bands = torch.linalg.eigvalsh(hamiltonian(blocks, kpoints))
    flat = blocks.semicore.expand(len(kpoints), -1)
    return torch.cat([bands, flat], dim=1).sort(dim=1).values
