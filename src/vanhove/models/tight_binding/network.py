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

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from pydantic import Field
from torch import Tensor, nn

from vanhove.models.layers import GaussianBasis, cosine_envelope, dropout
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
    """The Hamiltonian of one crystal in real space.

    Attributes:
        graph: the crystal.
        hopping: between target (rows) and source, eV, ``[n_edges, 9, 9]``.
        overlap: ``a`` above, ``[n_edges, 9, 9]``.
        own: of each atom, eV, ``[n_atoms, 9, 9]``.
        centre: c above, eV.
        semicore: flat levels, eV, ``[n_semicore]``.
        charge: of each atom, ``[n_atoms]``.
    """

    graph: ElectronGraph
    hopping: Tensor
    overlap: Tensor
    own: Tensor
    centre: Tensor
    semicore: Tensor
    charge: Tensor


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
            dropout(drop),
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
            dropout(settings.dropout),
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
        frame = (batch.direction, batch.q, batch.p)
        hopping = two_centre(hopping, *frame) * masks
        overlap = two_centre(overlap, *frame) * masks
        crystal_field = two_centre(amplitude * bond[:, 4], *frame)
        field_at = crystal_field.new_zeros(len(numbers), 9, 9).index_add(0, target, crystal_field)
        own_mask = here[:, :, None] * here[:, None, :]
        own = (field_at + field_at.transpose(1, 2)) / 2 * own_mask
        own = own + torch.diag_embed(shell_to_orbitals(level))
        return list(self._split(batch, hopping, overlap, own, level, semicore, charge))

    def _split(
        self,
        batch: ElectronBatch,
        hopping: Tensor,
        overlap: Tensor,
        own: Tensor,
        level: Tensor,
        semicore: Tensor,
        charge: Tensor,
    ) -> Iterator[Blocks]:
        edges = [len(graph.source) for graph in batch.graphs]
        atoms = [graph.n_atoms for graph in batch.graphs]
        parts = zip(
            batch.graphs,
            hopping.split(edges),
            overlap.split(edges),
            own.split(atoms),
            level.split(atoms),
            semicore.split(atoms),
            charge.split(atoms),
            strict=True,
        )
        for graph, v, a, own_block, levels, flat, q in parts:
            yield Blocks(
                graph=graph,
                hopping=v,
                overlap=a,
                own=own_block,
                centre=levels[:, :2].mean(),
                semicore=graph.semicore_level + flat[graph.semicore_atom],
                charge=q,
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

    Args:
        blocks: of a crystal.
        kpoints: Cartesian, 1/angstrom, ``[n_k, 3]``.
    """
    graph, n = blocks.graph, blocks.graph.n_atoms
    phase = graph.vector @ kpoints.T  # [n_edges, n_k]
    both = torch.cat([blocks.hopping, blocks.overlap], dim=2).flatten(1)  # [n_edges, 162]
    index = graph.pair_edges
    of_pair = both[index.flatten()].view(*index.shape, both.shape[1])
    angle = phase[index.flatten()].view(*index.shape, len(kpoints)).transpose(1, 2)
    mask = graph.pair_mask[:, None, :]
    real = (angle.cos() * mask) @ of_pair
    imaginary = (angle.sin() * mask) @ of_pair
    summed = torch.complex(real, imaginary)  # [n_pairs, n_k, 162]
    full = summed.new_zeros(n * n, *summed.shape[1:]).index_copy(0, graph.pair, summed)
    full = full.view(n, n, -1, 9, 2, 9).permute(4, 2, 0, 3, 1, 5).reshape(2, -1, 9 * n, 9 * n)
    kept = graph.orbitals
    if len(kept) < 9 * n:
        full = full[:, :, kept][:, :, :, kept]
    full = (full + full.mH) / 2
    own = torch.block_diag(*blocks.own)[kept][:, kept]
    one = torch.eye(len(kept), dtype=own.dtype)
    h = full[0] + (own - blocks.centre * one)
    factor = full[1] + one
    return factor @ h @ factor + blocks.centre * one


def energies(blocks: Blocks, kpoints: Tensor) -> Tensor:
    """All bands, semicore levels among them, increasing, eV, ``[n_k, n_states]``.

    Gradients reach the energies (Hellmann-Feynman); degenerate bands make no trouble.
    """
    bands = torch.linalg.eigvalsh(hamiltonian(blocks, kpoints))
    flat = blocks.semicore.expand(len(kpoints), -1)
    return torch.cat([bands, flat], dim=1).sort(dim=1).values
