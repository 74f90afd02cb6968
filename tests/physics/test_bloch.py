"""Bloch sums: what eigenvalues must not depend on, and phonopy's own dynamical matrix."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vanhove.crystal.crystal import Crystal
from vanhove.crystal.kpath import reciprocal_lattice
from vanhove.crystal.neighbors import neighbor_list
from vanhove.physics.bloch import BlochSum, eigenvalues
from vanhove.physics.meshes import irreducible_mesh, time_reversed_mesh

CRYSTAL = Crystal(
    np.array([[3.1, 0.2, 0.0], [0.4, 3.6, 0.1], [-0.3, 0.5, 4.2]]),
    np.array([[0.0, 0.1, 0.2], [0.45, 0.5, 0.62], [0.8, 0.2, 0.7]]),
    np.array([5, 7, 14]),
)


def blocks(vector: np.ndarray, kinds: np.ndarray) -> torch.Tensor:
    """``[n_edges, 3, 3]``, that turn with the crystal and mirror for the other direction."""
    r = np.linalg.norm(vector, axis=1)
    unit = vector / r[:, None]
    along = (1 + 0.1 * kinds.sum(axis=1)) * np.exp(-r)
    block = along[:, None, None] * (unit[:, :, None] * unit[:, None] - 0.2 * np.eye(3))
    return torch.from_numpy(block)


def spectrum(crystal: Crystal, kpoints: np.ndarray) -> np.ndarray:
    """Eigenvalues at Cartesian k-points, ``[n_k, 3 n_atoms]``."""
    edges = neighbor_list(crystal, 5.0)
    kinds = crystal.atomic_numbers
    block = blocks(edges.vector, np.stack([kinds[edges.source], kinds[edges.target]], axis=1))
    own = torch.from_numpy(np.eye(3) * (kinds / 3.0)[:, None, None])
    ends = torch.from_numpy(edges.source), torch.from_numpy(edges.target)
    sums = BlochSum(*ends, torch.from_numpy(edges.vector), crystal.n_atoms)
    matrix = sums.matrices(block, own, torch.from_numpy(kpoints)[None])[0]
    torch.testing.assert_close(matrix, matrix.mH)
    return eigenvalues(matrix)[0].numpy()


@pytest.fixture(scope="module")
def kpoints() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(5, 3))


def test_opposite_and_equivalent_wave_vectors(kpoints):
    found = spectrum(CRYSTAL, kpoints)
    np.testing.assert_allclose(spectrum(CRYSTAL, -kpoints), found, atol=1e-10)
    shift = np.array([1, -2, 3]) @ reciprocal_lattice(CRYSTAL.lattice)
    np.testing.assert_allclose(spectrum(CRYSTAL, kpoints + shift), found, atol=1e-10)
    half = np.array([[0.5, 0, 0.5]]) @ reciprocal_lattice(CRYSTAL.lattice)
    np.testing.assert_allclose(spectrum(CRYSTAL, -half), spectrum(CRYSTAL, half), atol=1e-10)


def test_gauge(kpoints):
    """Atoms named in other cells, and phases between lattice vectors instead of atoms."""
    found = spectrum(CRYSTAL, kpoints)
    shift = np.array([[0, 0, 0], [1, -1, 0], [0, 2, 1]])
    moved = Crystal(CRYSTAL.lattice, CRYSTAL.fractional_coordinates + shift, CRYSTAL.atomic_numbers)
    np.testing.assert_allclose(spectrum(moved, kpoints), found, atol=1e-10)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000))
def test_rotation_order_and_cell(seed):
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(3, 3))
    found = spectrum(CRYSTAL, points)
    turn, order = np.linalg.qr(rng.normal(size=(3, 3)))[0], rng.permutation(3)
    basis = np.array([[1, 0, 0], [seed % 3, 1, 0], [0, -1, 1]])
    other = basis @ CRYSTAL.lattice @ turn
    cartesian = (CRYSTAL.cartesian_coordinates @ turn)[order]
    again = Crystal(other, cartesian @ np.linalg.inv(other), CRYSTAL.atomic_numbers[order])
    np.testing.assert_allclose(spectrum(again, points @ turn), found, atol=1e-9)


def test_a_double_cell_folds(kpoints):
    double = Crystal(
        np.diag([1, 2, 1]) @ CRYSTAL.lattice,
        np.concatenate(
            [(CRYSTAL.fractional_coordinates + np.array([0, i, 0])) / [1, 2, 1] for i in range(2)]
        ),
        np.tile(CRYSTAL.atomic_numbers, 2),
    )
    half = np.array([0, 0.5, 0]) @ reciprocal_lattice(CRYSTAL.lattice)
    both = np.concatenate([spectrum(CRYSTAL, kpoints), spectrum(CRYSTAL, kpoints + half)], axis=1)
    np.testing.assert_allclose(spectrum(double, kpoints), np.sort(both, axis=1), atol=1e-10)


def test_several_crystals_at_once_are_each_alone():
    generator = torch.Generator().manual_seed(0)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    source, target = torch.tensor([0, 1, 2, 3, 3]), torch.tensor([1, 0, 3, 2, 3])
    block, vector, own, k = draw(5, 4, 4), draw(5, 3), draw(4, 4, 4), draw(2, 6, 3)
    both = BlochSum(source, target, vector, 2).matrices(block, own, k)
    assert both.shape == (2, 6, 8, 8)
    for number, edges in enumerate((slice(0, 2), slice(2, 5))):
        ends = source[edges] - 2 * number, target[edges] - 2 * number
        atoms = slice(2 * number, 2 * number + 2)
        sums = BlochSum(*ends, vector[edges], 2)
        alone = sums.matrices(block[edges], own[atoms], k[number : number + 1])[0]
        torch.testing.assert_close(both[number], alone)


@pytest.mark.parametrize("with_overlap", [False, True])
def test_gradient_of_eigenvalues_where_some_coincide(with_overlap):
    """Hellmann-Feynman against finite differences of a symmetric function of the eigenvalues."""
    torch.manual_seed(0)
    base = torch.diag(torch.tensor([1.0, 1.0, 2.0, 3.0], dtype=torch.float64)).to(torch.complex128)
    turn = torch.linalg.qr(torch.randn(4, 4, dtype=torch.complex128))[0]
    overlap = torch.eye(4, dtype=torch.complex128)
    if with_overlap:
        half = 0.1 * torch.randn(4, 4, dtype=torch.complex128)
        overlap = overlap + half @ half.mH
    change = torch.randn(4, 4, dtype=torch.complex128)
    change = change + change.mH

    def value(x: torch.Tensor) -> torch.Tensor:
        matrix = turn @ base @ turn.mH + x * change
        return (eigenvalues(matrix, overlap if with_overlap else None)[0] ** 3).sum()

    x = torch.zeros((), dtype=torch.float64, requires_grad=True)
    value(x).backward()
    step = 1e-5
    numeric = (value(torch.tensor(step)) - value(torch.tensor(-step))) / (2 * step)
    assert x.grad.item() == pytest.approx(numeric.item(), rel=1e-6)


def test_generalised_eigenvectors_solve_their_equation():
    torch.manual_seed(1)
    half = torch.randn(2, 5, 5, dtype=torch.complex128)
    overlap = half @ half.mH + torch.eye(5)
    matrix = torch.randn(2, 5, 5, dtype=torch.complex128)
    matrix = matrix + matrix.mH
    values, vectors = eigenvalues(matrix, overlap)
    torch.testing.assert_close(matrix @ vectors, overlap @ vectors * values[:, None])
    eye = torch.eye(5, dtype=torch.complex128).expand(2, 5, 5)
    torch.testing.assert_close(vectors.mH @ overlap @ vectors, eye)


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 2, 2), (3, 2, 4), (5, 5, 5)])
def test_time_reversed_mesh(shape):
    points, weight = time_reversed_mesh(shape)
    assert weight.sum() == pytest.approx(1)
    assert (points[0] == 0).all()
    whole = np.rint(points * shape).astype(int)
    both = {tuple(p) for p in whole} | {tuple(-p % shape) for p in whole}
    assert len(both) == np.prod(shape)


def test_irreducible_mesh_gives_the_same_average():
    """Averages over the mesh, of eigenvalues of a crystal with symmetry."""
    silicon = Crystal(
        2.715 * np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]]),
        np.array([[0, 0, 0], [0.25, 0.25, 0.25]]),
        np.array([14, 14]),
    )
    basis = reciprocal_lattice(silicon.lattice)
    points, weight, whole = irreducible_mesh(silicon, (4, 4, 4))
    assert len(points) == 8  # of the 4 x 4 x 4 mesh of a face-centred cubic lattice
    every, share = time_reversed_mesh((4, 4, 4))
    reduced = weight @ spectrum(silicon, points @ basis)
    np.testing.assert_allclose(reduced, share @ spectrum(silicon, every @ basis), atol=1e-9)
    full = np.indices((4, 4, 4)).reshape(3, -1).T / 4
    unfolded = spectrum(silicon, points @ basis)[whole]
    np.testing.assert_allclose(unfolded, spectrum(silicon, full @ basis), atol=1e-9)


def test_dynamical_matrix_of_phonopy():
    """Springs as force constants of a supercell: phonopy's frequencies at any wave vector."""
    phonopy = pytest.importorskip("phonopy")
    from phonopy.structure.atoms import PhonopyAtoms

    edges = neighbor_list(CRYSTAL, 5.0)
    kinds = CRYSTAL.atomic_numbers
    block = blocks(edges.vector, np.stack([kinds[edges.source], kinds[edges.target]], axis=1))
    own = torch.zeros(3, 3, 3, dtype=torch.float64)
    own.index_add_(0, torch.from_numpy(edges.target), block)
    cell = PhonopyAtoms(
        numbers=kinds, cell=CRYSTAL.lattice, scaled_positions=CRYSTAL.fractional_coordinates
    )
    phonon = phonopy.Phonopy(cell, np.diag([4, 4, 3]), primitive_matrix=np.eye(3))
    supercell = phonon.supercell
    constants = np.zeros((len(supercell), len(supercell), 3, 3))
    inverse = np.linalg.inv(supercell.cell)
    for first in range(len(supercell)):
        atom = supercell.u2u_map[supercell.s2u_map[first]]
        for edge in np.flatnonzero(edges.target == atom):
            place = (supercell.positions[first] + edges.vector[edge]) @ inverse
            apart = supercell.scaled_positions - place
            other = np.abs(apart - np.rint(apart)).max(axis=1).argmin()
            constants[first, other] -= block[edge].numpy()
        constants[first, first] += own[atom].numpy()
    phonon.force_constants = constants
    q = np.array([[0.0, 0, 0], [0.5, 0, 0.5], [0.13, -0.21, 0.37], [0.25, 0.25, 1 / 3]])
    phonon.run_qpoints(q)
    expected = phonon.get_qpoints_dict()["frequencies"]
    masses = torch.from_numpy(phonon.primitive.masses)
    source, target = torch.from_numpy(edges.source), torch.from_numpy(edges.target)
    scale = (masses[source] * masses[target]).rsqrt()[:, None, None]
    sums = BlochSum(source, target, torch.from_numpy(edges.vector), 3)
    kpoints = torch.from_numpy(q @ reciprocal_lattice(CRYSTAL.lattice))[None]
    matrix = sums.matrices(-block * scale, own / masses[:, None, None], kpoints)[0]
    squared = eigenvalues(matrix)[0].numpy()
    found = np.sign(squared) * np.sqrt(np.abs(squared)) * 15.633302
    np.testing.assert_allclose(found, expected, atol=2e-5)
