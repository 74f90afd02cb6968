"""The atomwise decoder; what all decoders must do is in tests/models/test_pairs.py."""

from __future__ import annotations

import pytest
import torch

from tests.conftest import SUPPORTED
from vanhove.crystal.graph import GraphSettings, build_graph, collate
from vanhove.crystal.reading import read_crystal
from vanhove.models.decoders.atomwise import AtomwiseDecoder, AtomwiseSettings


@pytest.fixture(scope="module")
def batch():
    return collate([build_graph(read_crystal(path), GraphSettings()) for path in SUPPORTED[:3]])


def decoder(**settings) -> AtomwiseDecoder:
    torch.manual_seed(0)
    return AtomwiseDecoder(
        AtomwiseSettings(hidden_dim=16, **settings),
        atom_dim=8,
        system_dim=0,
        n_points=31,
        output="raw",
    ).eval()


def test_it_is_what_its_formula_says(batch):
    """Without convolutions, atom by atom and crystal by crystal."""
    model = decoder(n_layers=0)
    atoms = torch.randn(len(batch.atomic_numbers), 8)
    values = model(atoms, batch, torch.zeros(batch.n_crystals, 0))
    energies = model.from_energy(model.energy_embedding())
    for crystal, own in enumerate(torch.split(atoms, batch.n_atoms.tolist())):
        shared = model.from_crystal(own.mean(dim=0))
        each = [
            torch.nn.functional.silu(model.norm(energies + model.from_atom(atom) + shared))
            for atom in own
        ]
        expected = model.out(torch.stack(each).mean(dim=0)).squeeze(-1)
        torch.testing.assert_close(values[crystal], expected, atol=1e-5, rtol=1e-5)


def test_a_convolution_looks_as_far_as_its_kernel(batch):
    model = decoder(n_layers=1, kernel_size=5, energies="learned")
    atoms = torch.randn(len(batch.atomic_numbers), 8)
    system = torch.zeros(batch.n_crystals, 0)
    before = model(atoms, batch, system)
    with torch.no_grad():
        model.energy_embedding[10] += 1.0
    changed = (model(atoms, batch, system) - before).abs().amax(dim=0) > 1e-6
    assert changed.nonzero().flatten().tolist() == [8, 9, 10, 11, 12]


def test_an_even_kernel_is_refused():
    with pytest.raises(ValueError, match="odd"):
        AtomwiseSettings(kernel_size=4)
