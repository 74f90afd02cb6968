"""Forces between dipoles: what they must not depend on."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from vanhove.crystal.crystal import Crystal
from vanhove.crystal.neighbors import neighbor_list
from vanhove.physics.dipoles import Dipoles
from vanhove.physics.ewald import COULOMB
from vanhove.physics.harmonic import HarmonicCrystal, balanced

LATTICE = torch.tensor([[3.1, 0.2, 0.0], [0.4, 3.6, 0.1], [-0.3, 0.5, 4.2]], dtype=torch.float64)
FRACTIONAL = torch.tensor([[0.0, 0.1, 0.2], [0.45, 0.5, 0.62], [0.8, 0.2, 0.7]]).double()
POSITIONS = FRACTIONAL @ LATTICE


@pytest.fixture(scope="module")
def polar() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    charges = torch.randn(3, 3, 3, generator=generator, dtype=torch.float64)
    half = torch.randn(3, 3, generator=generator, dtype=torch.float64)
    return charges - charges.mean(dim=0), 3 * torch.eye(3).double() + 0.3 * half @ half.T


def matrices(
    charges: torch.Tensor,
    dielectric: torch.Tensor,
    kpoints: torch.Tensor,
    directions: torch.Tensor | None = None,
    positions: torch.Tensor = POSITIONS,
    **limits: float,
) -> torch.Tensor:
    """Of one crystal with one set of charges, ``[n_k, 9, 9]``."""
    alone = charges[None, None], dielectric[None, None], positions[None], LATTICE[None]
    own = Dipoles(*alone, torch.ones(1, 3).double(), **limits)
    return own.matrices(kpoints[None], None if directions is None else directions[None])[0, 0]


def test_crystals_together_by_pairs_or_by_waves(polar, monkeypatch):
    generator = torch.Generator().manual_seed(1)
    k = torch.randn(2, 4, 3, generator=generator).double()
    towards = torch.randn(2, 4, 3, generator=generator).double()
    k[:, 0] = 0
    charges = torch.stack([polar[0], 2 * polar[0].flip(0)])
    lattices = torch.stack([LATTICE, 1.7 * LATTICE])  # another number of waves
    scale = torch.tensor([[1.0, 0.5, 2.0], [0.3, 1.0, 1.0]]).double()
    sets = torch.stack([charges, 0.7 * charges], dim=1)
    given = sets, polar[1].expand(2, 2, 3, 3), FRACTIONAL @ lattices, lattices, scale
    together = Dipoles(*given).matrices(k, towards)
    for i in (0, 1):
        own = Dipoles(*(x[i : i + 1] for x in given))
        alone = own.matrices(k[i : i + 1], towards[i : i + 1])
        assert (together[i] - alone[0]).abs().max() < 1e-10
    one = Dipoles(sets[:, 1:], *(x if x.dim() < 4 else x[:, 1:] for x in given[1:]))
    assert (together[:, 1:] - one.matrices(k, towards)).abs().max() < 1e-10
    monkeypatch.setattr("vanhove.physics.dipoles.MOST_FOR_PAIRS", 0)
    assert (together - Dipoles(*given).matrices(k, towards)).abs().max() < 1e-10
    assert together.abs().max() > 1


def test_rigid_is_the_sum_over_the_other_atoms(polar):
    """Before what is taken off: both have the same antisymmetric part."""
    charges, dielectric = polar
    given = charges[None, None], dielectric[None, None], POSITIONS[None], LATTICE[None]
    rigid = Dipoles(*given, torch.ones(1, 3).double()).rigid()[0, 0]
    matrix = matrices(*polar, torch.zeros(1, 3).double())[0].real
    forces = matrix.view(3, 3, 3, 3).sum(dim=2)
    assert (forces - (rigid - rigid.mT) / 2).abs().max() < 1e-10
    assert forces.abs().max() > 0.01


def test_moving_the_crystal_costs_nothing(polar):
    matrix = matrices(*polar, torch.zeros(1, 3).double())[0]
    forces = matrix.view(3, 3, 3, 3).sum(dim=2)
    # Antisymmetric parts are torques, which the short-ranged forces have to balance.
    assert (forces + forces.transpose(1, 2)).abs().max() < 1e-10


def test_the_non_analytic_term(polar):
    charges, dielectric = polar
    towards = torch.tensor([[1.0, 2.0, -0.5]]).double()
    zero = torch.zeros(1, 3).double()
    along = matrices(charges, dielectric, zero, towards)
    difference = along - matrices(charges, dielectric, zero)
    moment = (towards @ charges.transpose(0, 1).flatten(1)).flatten()
    volume = torch.linalg.det(LATTICE)
    expected = COULOMB * 4 * math.pi / volume * torch.outer(moment, moment)
    expected = expected / (towards @ dielectric @ towards.T)
    torch.testing.assert_close(difference[0].real, expected, rtol=1e-8, atol=1e-8)
    near = matrices(charges, dielectric, 1e-5 * towards)
    torch.testing.assert_close(near, along, rtol=1e-4, atol=1e-4)


def test_gauge_and_equivalent_wave_vectors(polar):
    """Atoms may be named in other cells; another k plus G changes phases alone."""
    k = torch.tensor([[0.3, -0.2, 0.5]]).double()
    shift = torch.tensor([[0, 0, 0], [1, -1, 0], [0, 2, 1]]).double() @ LATTICE
    reciprocal = 2 * math.pi * torch.linalg.inv(LATTICE).T
    home = matrices(*polar, k, None)[0]
    moved = matrices(*polar, k, positions=POSITIONS + shift)[0]
    torch.testing.assert_close(moved, home)
    g = torch.tensor([1.0, 0.0, -1.0]).double() @ reciprocal
    home = matrices(*polar, k, accuracy=4.5)[0]
    other = matrices(*polar, k + g, accuracy=4.5)[0]
    phase = torch.exp(1j * (POSITIONS @ g)).repeat_interleave(3)
    torch.testing.assert_close(other, home * phase.conj()[:, None] * phase, rtol=1e-6, atol=1e-6)


def test_what_the_damping_leaves_out_is_short_ranged(polar):
    """Two dampings differ by something that is the same from all directions at Gamma."""
    ways = torch.tensor([[1.0, 0, 0], [0, 1.0, 0], [0.6, 0, 0.8]]).double() * 1e-5

    def found(inverse_range: float) -> torch.Tensor:
        return matrices(*polar, ways, inverse_range=inverse_range)

    difference = found(0.5) - found(0.8)
    torch.testing.assert_close(difference[0], difference[1], rtol=1e-5, atol=1e-4)
    torch.testing.assert_close(difference[0], difference[2], rtol=1e-5, atol=1e-4)
    assert (found(0.5)[0] - found(0.5)[1]).abs().max() > 0.1


def test_springs_balance_torques(polar):
    """With random charges at sites without symmetry, moving the crystal still costs nothing."""
    edges = neighbor_list(Crystal(LATTICE.numpy(), FRACTIONAL.numpy(), np.array([5, 7, 14])), 4.5)
    stiff = torch.exp(-torch.from_numpy(edges.distance))[:, None, None] * torch.eye(3).double()
    crystal = HarmonicCrystal(
        masses=torch.tensor([11.0, 14.0, 28.0]).double(),
        lattice=LATTICE,
        positions=POSITIONS,
        source=torch.from_numpy(edges.source),
        target=torch.from_numpy(edges.target),
        vector=torch.from_numpy(edges.vector),
        springs=20 * stiff,
        charges=polar[0],
        dielectric=polar[1],
    )

    def forces(own: HarmonicCrystal) -> torch.Tensor:
        each = own.masses.sqrt().repeat_interleave(3)
        matrix = own.dynamical_matrices(torch.zeros(1, 3).double())[0] * each[:, None] * each
        return matrix.view(3, 3, 3, 3).sum(dim=2)

    assert forces(crystal).abs().max() > 0.05
    assert forces(balanced(crystal)).abs().max() < 1e-9
    squared, _ = balanced(crystal).modes(torch.zeros(1, 3).double())
    assert squared.abs().sort().values[0, :3].max() < 1e-9
