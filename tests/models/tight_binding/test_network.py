"""What holds for any weights: here random ones, large enough that every part acts."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from vanhove.crystal.crystal import Crystal
from vanhove.errors import StructureError
from vanhove.models.tight_binding.atoms import atom_table
from vanhove.models.tight_binding.graph import collate_electrons, electron_graph
from vanhove.models.tight_binding.hamiltonian import CrystalHamiltonian
from vanhove.models.tight_binding.network import (
    TightBinding,
    TightBindingSettings,
    energies,
    hamiltonian,
)

CUTOFF = 5.0
FCC = 5.4 * np.array([[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
ZINCBLENDE = Crystal(FCC, np.array([[0, 0, 0], [0.25] * 3]), np.array([31, 33]))
ODD = Crystal(  # no symmetry, hydrogen, a semicore shell
    np.array([[4.1, 0.2, 0.0], [-0.3, 4.6, 0.5], [0.4, 0.1, 5.2]]),
    np.array([[0.02, 0.05, 0.1], [0.48, 0.55, 0.37], [0.2, 0.6, 0.8]]),
    np.array([22, 8, 1]),
)
ONE = np.array([1, 0, 0])
KPOINTS = np.array([[0, 0, 0], [0.5, 0, 0], [0.13, 0.27, -0.41], [0.5, 0.5, 0.5]])


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(1)
    model = TightBinding(
        TightBindingSettings(cutoff=CUTOFF, hidden_dim=16, n_channels=4, n_basis=8)
    )
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.05 * torch.randn_like(parameter)
    return model.eval()


def bands(model, crystal, kpoints=KPOINTS):
    return CrystalHamiltonian([model], crystal).energies(kpoints)


@pytest.mark.parametrize("crystal", [ZINCBLENDE, ODD], ids=["zincblende", "odd"])
def test_turned_moved_and_reordered(model, crystal):
    expected = bands(model, crystal)
    turn = Rotation.from_euler("zyx", [0.7, -1.1, 2.3]).as_matrix()
    order = np.arange(crystal.n_atoms)[::-1]
    others = {
        "turned": Crystal(
            crystal.lattice @ turn.T, crystal.fractional_coordinates, crystal.atomic_numbers
        ),
        "mirrored": Crystal(
            -crystal.lattice, crystal.fractional_coordinates, crystal.atomic_numbers
        ),
        "moved": Crystal(
            crystal.lattice, crystal.fractional_coordinates + np.array([0.31, -0.77, 1.2]),
            crystal.atomic_numbers,
        ),
        "reordered": Crystal(
            crystal.lattice, crystal.fractional_coordinates[order], crystal.atomic_numbers[order]
        ),
    }  # fmt: skip
    for what, other in others.items():
        np.testing.assert_allclose(bands(model, other), expected, atol=1e-4, err_msg=what)


def test_another_cell_of_the_same_lattice(model):
    change = np.array([[1, 1, 0], [0, 1, 0], [2, 0, 1]])
    other = Crystal(
        change @ ODD.lattice,
        ODD.fractional_coordinates @ np.linalg.inv(change),
        ODD.atomic_numbers,
    )
    np.testing.assert_allclose(
        bands(model, other, KPOINTS @ change.T), bands(model, ODD), atol=1e-4
    )


def test_a_larger_cell_folds_the_bands(model):
    doubled = Crystal(
        ODD.lattice * [[2], [1], [1]],
        np.concatenate([ODD.fractional_coordinates, ODD.fractional_coordinates + ONE]) / [2, 1, 1],
        np.tile(ODD.atomic_numbers, 2),
    )
    k = np.array([[0.3, 0.1, -0.2]])
    folded = np.concatenate([k / [2, 1, 1], (k + ONE) / [2, 1, 1]])
    expected = np.sort(bands(model, ODD, folded).ravel())
    np.testing.assert_allclose(bands(model, doubled, k)[0], expected, atol=1e-4)


def test_opposite_and_equivalent_wave_vectors(model):
    expected = bands(model, ODD)
    np.testing.assert_allclose(bands(model, ODD, -KPOINTS), expected, atol=1e-4)
    np.testing.assert_allclose(
        bands(model, ODD, KPOINTS + np.array([1, -2, 1])), expected, atol=1e-4
    )


def test_cubic_degeneracies_at_gamma(model):
    """s singly, p threefold, d as t2 and e: 18 states in levels of 1, 2 and 3."""
    levels = bands(model, ZINCBLENDE, np.zeros((1, 3)))[0]
    groups = np.split(levels, np.flatnonzero(np.diff(levels) > 1e-3) + 1)
    assert sorted(len(group) for group in groups) == [1, 1, 2, 2, 3, 3, 3, 3]
    assert max(np.ptp(group) for group in groups) < 1e-4


def test_a_crystal_alone_and_in_a_batch(model):
    graphs = [electron_graph(crystal, CUTOFF) for crystal in (ODD, ZINCBLENDE)]
    k = torch.tensor([[0.1, 0.2, 0.3]])
    with torch.no_grad():
        together = [energies(blocks, k) for blocks in model(collate_electrons(graphs))]
        for graph, expected in zip(graphs, together, strict=True):
            (alone,) = model(collate_electrons([graph]))
            torch.testing.assert_close(energies(alone, k), expected, atol=1e-4, rtol=0)


def test_states_are_counted():
    graph = electron_graph(ODD, CUTOFF)
    assert graph.n_electrons == 12 + 6 + 1  # Ti: 3s2 3p6 4s2 3d2
    assert graph.n_states == 9 + 9 + 4 + 4  # hydrogen has no d; 3s and 3p of Ti are flat
    table = atom_table()
    assert {8: 6, 14: 4, 30: 12, 46: 16, 49: 13, 57: 11}.items() <= dict(
        enumerate(table.electrons)
    ).items()
    assert table.level[14, :2].tolist() == pytest.approx([-10.81, -4.08], abs=0.01)


def test_an_element_without_levels_is_named():
    uranium = Crystal(3 * np.eye(3), np.zeros((1, 3)), np.array([92]), "U")
    with pytest.raises(StructureError, match="no tight-binding levels for U"):
        electron_graph(uranium, CUTOFF)


def test_gradient_of_energies_is_that_of_finite_differences(model):
    """Also where bands are degenerate (the sum over a level, at Gamma)."""
    model = TightBinding(model.settings).double().eval()
    graph = electron_graph(ZINCBLENDE, CUTOFF, torch.float64)
    kpoints = torch.zeros(1, 3, dtype=torch.float64)
    parameter = model.of_atom.bias

    def level(step=0.0):
        with torch.no_grad():
            parameter[1] += step
        (blocks,) = model(collate_electrons([graph]))
        found = energies(blocks, kpoints)[0, 1:4].sum()
        with torch.no_grad():
            parameter[1] -= step
        return found

    level().backward()
    expected = float((level(1e-4) - level(-1e-4)).detach()) / 2e-4
    assert float(parameter.grad[1]) == pytest.approx(expected, rel=1e-5)


def test_every_parameter_learns(model):
    graphs = [electron_graph(crystal, CUTOFF) for crystal in (ODD, ZINCBLENDE)]
    model = TightBinding(model.settings)
    k = torch.tensor([[0.1, 0.2, 0.3]])
    sum((energies(b, k) ** 2).sum() for b in model(collate_electrons(graphs))).backward()
    still = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.abs().max() > 0]
    assert still == []


def test_matrices_are_hermitian(model):
    graph = electron_graph(ODD, CUTOFF)
    with torch.no_grad():
        matrix = hamiltonian(model(collate_electrons([graph]))[0], torch.tensor([[0.3, 0.1, 0.2]]))
    torch.testing.assert_close(matrix, matrix.mH, atol=1e-5, rtol=0)


def test_an_atom_far_from_all_others(model):
    """No neighbours within the cutoff: flat bands at shifted atomic levels."""
    lonely = Crystal(12 * np.eye(3), np.zeros((1, 3)), np.array([14]))
    found = bands(model, lonely)
    assert np.ptp(found, axis=0).max() < 1e-4
    assert len(np.unique(found[0].round(3))) == 3
