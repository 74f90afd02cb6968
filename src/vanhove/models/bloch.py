"""What a k-point means to a crystal: Bloch sums over neighbours, made invariant."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from vanhove.crystal.graph import Batch
from vanhove.models.layers import GaussianBasis, cosine_envelope

_DEGREES = (1, 3, 5)
"""Components of s, p and d waves."""
_TINY = 1e-4
MOST_NUMBERS = 300_000
"""Of all Bloch sums held at a time, so that they stay in the processor's cache; of a large crystal
few k-points are done at once."""


def harmonics(direction: Tensor) -> Tensor:
    """Real spherical harmonics of degree 0 to 2, mean square 1, ``[n, 3]`` -> ``[n, 9]``."""
    x, y, z = direction.unbind(-1)
    root3, root15 = math.sqrt(3), math.sqrt(15)
    waves = [torch.ones_like(x), root3 * x, root3 * y, root3 * z]
    waves += [root15 * x * y, root15 * y * z, root15 * z * x]
    waves += [math.sqrt(5) / 2 * (3 * z * z - 1), root15 / 2 * (x * x - y * y)]
    return torch.stack(waves, dim=-1)


class BlochEncoding(nn.Module):
    """Positional encoding in reciprocal space: k-points seen by each atom.

    Between atoms i and j there are Bloch sums ``H_ij = sum over images of w(r) Y(r) exp(i k r)``,
    the hopping of tight binding, with learned radial functions ``w`` (which also depend on both
    atoms) and s, p and d waves ``Y``. Each atom gets the moments of H at itself: its own images
    (first), the sum of ``|H_ij|^2`` over atoms j for each kind of wave (second), and for s waves
    ``(H^3)_ii`` and ``(H^4)_ii``.

    So the encoding of k has the symmetry of the bands: it is the same for a rotated crystal, for
    any cell, order of atoms or origin, for -k, for k plus a reciprocal lattice vector, and for all
    k that symmetry makes equal. It knows nothing of the path. The paper encodes the three
    fractional coordinates of k in sines and cosines, which depend on the cell.

    Args:
        atom_dim: of the atom states.
        channels: radial functions for each kind of wave.
        n_basis: Gaussians per distance.
        cutoff: of the graph, angstrom.
    """

    def __init__(self, atom_dim: int, channels: int, n_basis: int, cutoff: float):
        super().__init__()
        self.channels, self.cutoff = channels, cutoff
        self.out_dim = 6 * channels
        self.basis = GaussianBasis(n_basis, cutoff)
        self.radial = nn.Sequential(
            nn.Linear(n_basis, 4 * channels), nn.SiLU(), nn.Linear(4 * channels, 3 * channels)
        )
        self.orbital = nn.Linear(atom_dim, 3 * channels)
        self.on_site = nn.Linear(atom_dim, channels)

    def forward(self, atoms: Tensor, batch: Batch) -> Tensor:
        """Atom states ``[n_atoms_total, atom_dim]`` -> ``[n_atoms_total, n_kpoints, out_dim]``."""
        assert batch.kpoints is not None
        source, target = batch.edge_index
        width = batch.max_atoms
        hopping = self.hopping(atoms, batch)  # [n_edges, 9 * channels]
        phase = torch.einsum(
            "ekx,ex->ek", batch.kpoints[batch.crystal_of_atom[target]], batch.edge_vector
        )

        # Edges of one pair of atoms lie side by side, so that their sum is a matrix product.
        pair = target * width + batch.position_in_crystal[source]
        order = torch.argsort(pair, stable=True)
        pair = pair[order]
        n_edges = torch.bincount(pair, minlength=len(atoms) * width)
        place = torch.arange(len(pair), device=pair.device)
        place = place - (n_edges.cumsum(0) - n_edges)[pair]
        row = pair * int(n_edges.max()) + place
        shape = (len(n_edges), int(n_edges.max()), -1)

        def padded(values: Tensor) -> Tensor:
            flat = values.new_zeros(shape[0] * shape[1], values.shape[1])
            return flat.index_copy(0, row, values[order]).view(shape)

        hopping = padded(hopping)
        n_numbers = hopping.shape[0] * hopping.shape[2]
        parts = phase.split(max(1, MOST_NUMBERS // n_numbers), dim=1)
        return torch.cat(
            [self.moments(padded(p.cos()), padded(p.sin()), hopping, atoms, batch) for p in parts],
            dim=1,
        )

    def moments(
        self, cosines: Tensor, sines: Tensor, hopping: Tensor, atoms: Tensor, batch: Batch
    ) -> Tensor:
        """Moments of some k-points, ``[n_atoms_total, n_kpoints, out_dim]``.

        Args:
            cosines, sines: of the phases, ``[n_pairs, n_edges_of_a_pair, n_kpoints]``.
            hopping: ``[n_pairs, n_edges_of_a_pair, 9 * channels]``.
            atoms, batch: as in `forward`.
        """
        real = torch.bmm(cosines.transpose(1, 2), hopping)
        imaginary = torch.bmm(sines.transpose(1, 2), hopping)
        c, width, n_kpoints = self.channels, batch.max_atoms, cosines.shape[2]
        square = torch.addcmul(real * real, imaginary, imaginary)
        square = square.view(len(atoms), width, n_kpoints, 9 * c).sum(dim=1)
        waves = square.split([c * degree for degree in _DEGREES], dim=-1)
        second = torch.cat([wave.unflatten(-1, (-1, c)).sum(dim=-2) for wave in waves], dim=-1)
        first, third, fourth = self.s_moments(real[..., :c], imaginary[..., :c], atoms, batch)
        # Roots bring every moment to the scale of an energy.
        return torch.cat(
            [
                first,
                torch.sqrt(second + _TINY),
                third.sign() * ((third.abs() + _TINY) ** (1 / 3) - _TINY ** (1 / 3)),
                (fourth + _TINY) ** 0.25,
            ],
            dim=-1,
        )

    def hopping(self, atoms: Tensor, batch: Batch) -> Tensor:
        """Amplitude of each edge, wave and channel, ``[n_edges, 9 * channels]``."""
        source, target = batch.edge_index
        distance = torch.linalg.vector_norm(batch.edge_vector, dim=-1)
        envelope = cosine_envelope(distance, self.cutoff)[:, None]
        orbital = self.orbital(atoms)
        radial = self.radial(self.basis(distance)) * envelope
        radial = radial * orbital.index_select(0, source) * orbital.index_select(0, target)
        waves = harmonics(batch.edge_vector / distance.clamp(min=1e-12)[:, None])
        parts = [
            (wave[:, :, None] * own[:, None, :]).flatten(1)
            for wave, own in zip(
                waves.split(list(_DEGREES), dim=1), radial.chunk(3, dim=1), strict=True
            )
        ]
        return torch.cat(parts, dim=1)

    def s_moments(
        self, real: Tensor, imaginary: Tensor, atoms: Tensor, batch: Batch
    ) -> tuple[Tensor, Tensor, Tensor]:
        """First, third and fourth moment of s waves, each ``[n_atoms_total, n_kpoints, channels]``.

        Args:
            real, imaginary: of the pairs, ``[n_atoms_total * max_atoms, n_kpoints, channels]``.
            atoms, batch: as in `forward`.
        """
        width = batch.max_atoms
        place = batch.position_in_crystal[:, None, None, None]
        on_site = self.on_site(atoms)[:, None, None, :].float()
        is_self = torch.arange(width, device=place.device)[None, :, None, None] == place
        real = real.unflatten(0, (-1, width)).float() + is_self * on_site
        imaginary = imaginary.unflatten(0, (-1, width)).float()
        first = (real * is_self).sum(dim=1)

        dense, _ = batch.dense(torch.cat([real, imaginary], dim=-1).flatten(1))
        dense = dense.view(batch.n_crystals, width, width, -1, 2 * self.channels)
        # Real and imaginary part, each [n_crystals, n_kpoints, channels, atoms, atoms]: products of
        # small complex matrices are slow.
        r, i = dense.permute(0, 3, 4, 1, 2).contiguous().chunk(2, dim=2)
        r2, i2 = r @ r - i @ i, r @ i + i @ r
        third = (r2 * r.transpose(-1, -2) - i2 * i.transpose(-1, -2)).sum(dim=-1)
        fourth = torch.addcmul(r2 * r2, i2, i2).sum(dim=-1)

        def of_atoms(moment: Tensor) -> Tensor:
            by_atom = moment.permute(0, 3, 1, 2)  # [n_crystals, atoms, n_kpoints, channels]
            return by_atom[batch.crystal_of_atom, batch.position_in_crystal]

        return first, of_atoms(third), of_atoms(fourth)
