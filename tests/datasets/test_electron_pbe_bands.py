import numpy as np
import pytest

from vanhove.datasets import (
    band_structure_of,
    load_dataset,
    load_electron_pbe_bands,
    load_electron_properties,
    load_electron_states,
)

MATERIALS = {
    "mp-27": "Si, face-centred: no diamond silicon in the set",
    "mp-66": "diamond, in place of it",
    "mp-2490": "GaP, in place of zincblende GaAs",
    "mp-603640": "GaAs, orthorhombic",
    "mp-22851": "NaCl, of the CsCl type: no rocksalt NaCl in the set",
    "mp-1265": "MgO",
    "mp-134": "Al",
}


@pytest.fixture(scope="module")
def dataset():
    return load_electron_pbe_bands()


@pytest.mark.parametrize("material", MATERIALS)
def test_processed_bands_are_the_stored_eigenvalues(dataset, material):
    """At every special point of the path, after alignment; between them to the linear error."""
    state = load_electron_states()[material]
    row = dataset.ids.index(material)
    processed, kpoints = dataset.values[row], dataset.kpoints[row]
    raw = state.path_energies - state.edges.fermi_level
    n_special = 0
    for label, x in zip(state.path_labels[2], state.path_labels[1], strict=True):
        stored = int(np.argmin(np.abs(state.path_x - x)))
        same = np.abs(kpoints - state.path_kpoints[stored]).max(axis=1) < 1e-5
        assert same.any(), label
        for energies in processed[same]:
            there = np.isfinite(energies)
            first = band_structure_of(state).continuous().resampled(256).n_filled - 3
            expected = raw[stored, max(first, 0) : first + 6]
            np.testing.assert_allclose(energies[there], expected, atol=2e-5)
        n_special += 1
    assert n_special >= 6


@pytest.mark.parametrize("material", MATERIALS)
def test_gap_of_the_processed_bands(dataset, material):
    """Within 0.1 eV of the mesh's: the path may pass nearer to a band edge."""
    state = load_electron_states()[material]
    bands = band_structure_of(state).continuous().resampled(256)
    gap = 0.0 if bands.gap is None else bands.gap.energy
    assert gap == pytest.approx(state.mesh_edges.gap, abs=0.1)
    assert (gap == 0) == state.edges.is_metal


def test_the_whole_set(dataset):
    assert dataset.values.shape == (len(dataset), 256, 6)
    sibling = load_dataset("electron_pbe")
    # A density needs states up to the end of its grid, and says whose are not known so far.
    short = set(dataset.ids) - set(sibling.ids)
    assert len(short) < 0.01 * len(dataset)
    assert all(any(name in note for note in sibling.notes) for name in short)
    assert {p: [sibling.ids[r] for r in rows] for p, rows in sibling.splits.items()} == {
        p: [dataset.ids[r] for r in rows if dataset.ids[r] not in short]
        for p, rows in dataset.splits.items()
    }
    properties = load_electron_properties(dataset.ids)
    # Insulators: the three lower bands below 0, the others above.
    insulators = dataset.values[~properties["is_metal"]]
    assert np.nanmax(insulators[:, :, :3]) < 0 < np.nanmin(insulators[:, :, 3:])
    lacking = np.isnan(dataset.values).any(axis=(1, 2))
    assert 25 <= lacking.sum() < 0.1 * len(dataset)
    arsenic = load_electron_states()["mp-10"]  # simple cubic, 5 electrons
    assert lacking[dataset.ids.index("mp-10")]
    assert arsenic.n_electrons == 5


def test_gaps_of_mesh_and_path_differ_in_a_few_insulators():
    """By more than 0.1 eV, where one of the two misses a band edge."""
    differing = []
    for name, state in load_electron_states().items():
        if state.edges.is_metal:
            continue
        gap = band_structure_of(state).gap
        assert gap is not None
        if abs(gap.energy - state.mesh_edges.gap) > 0.1:
            differing.append(name)
            # One of the two is the gap of both together.
            both = state.edges.gap
            assert min(abs(gap.energy - both), abs(state.mesh_edges.gap - both)) < 0.1
    assert len(differing) < 0.06 * len(load_electron_states())
