"""From structures to spectra in Python."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch

import vanhove
from tests.conftest import STRUCTURES, SUPPORTED
from tests.crystal.transform import transformed
from vanhove.crystal.crystal import Crystal
from vanhove.errors import CheckpointError, ConfigError, StructureError


@pytest.fixture(scope="module")
def predictor(small_run):
    return vanhove.load(small_run)


def test_one_gives_one_and_a_list_gives_a_list(predictor, tmp_path):
    path = STRUCTURES / "NaCl.cif"
    one = predictor.predict(path)
    assert isinstance(one, vanhove.Spectrum)
    several = predictor.predict([path, str(path)])
    assert [type(s) for s in several] == [vanhove.Spectrum] * 2
    for source in SUPPORTED:
        shutil.copy(source, tmp_path)
    folder = predictor.predict(tmp_path)
    assert len(folder) == len(SUPPORTED)
    (same,) = [s for s in folder if s.name == "NaCl.cif"]
    np.testing.assert_allclose(same.values, one.values, atol=1e-5)


def test_all_kinds_of_structure_agree(predictor):
    path = STRUCTURES / "MgO.cif"
    crystal = vanhove.read_crystal(path)
    expected = predictor.predict(path).values
    for structure in (crystal, crystal.to_structure(), crystal.to_atoms()):
        np.testing.assert_allclose(predictor.predict(structure).values, expected, atol=1e-5)


def test_a_spectrum_says_what_it_is(predictor):
    spectrum = predictor.predict(STRUCTURES / "NaCl.cif")
    assert (spectrum.unit, spectrum.normalisation, spectrum.quantity) == (
        "cm-1",
        "max",
        "phonon_dos",
    )
    assert spectrum.grid[0] == 0
    assert spectrum.grid[-1] == 1000
    assert len(spectrum.values) == 51
    assert spectrum.values.min() >= 0
    assert spectrum.crystal.n_atoms == 2  # the CIF holds the conventional cell of eight
    assert spectrum.metadata["crystal_system"] == "cubic"
    assert spectrum.metadata["space_group_symbol"] == "Fm-3m"


def test_the_choice_of_cell(predictor):
    structure = vanhove.read_crystal(STRUCTURES / "Si.cif").to_structure()
    reduced = predictor.predict([structure, structure * (2, 1, 1)])
    np.testing.assert_allclose(reduced[0].values, reduced[1].values, atol=1e-5)
    kept = predictor.predict(structure * (2, 1, 1), primitive=False)
    assert kept.crystal.n_atoms == 2 * len(structure)


def test_a_stream_goes_on_after_an_error(predictor, tmp_path):
    broken = tmp_path / "broken.cif"
    broken.write_text("nothing here")
    outcomes = list(predictor.stream([STRUCTURES / "Si.cif", broken, STRUCTURES / "MgO.cif"]))
    assert [type(o).__name__ for o in outcomes] == ["Spectrum", "StructureError", "Spectrum"]
    assert "broken.cif" in str(outcomes[1])
    with pytest.raises(StructureError, match=r"broken\.cif"):
        predictor.predict([STRUCTURES / "Si.cif", broken])


def test_a_long_stream_keeps_its_order(predictor, monkeypatch):
    monkeypatch.setattr("vanhove.prediction.predictor.STRUCTURES_PER_ROUND", 4)
    monkeypatch.setattr(predictor, "atoms_per_batch", 5)
    names = [spectrum.name for spectrum in predictor.stream(SUPPORTED)]
    assert names == [path.name for path in SUPPORTED]


def test_elements_that_were_never_trained_on_are_refused(predictor):
    structure = vanhove.read_crystal(STRUCTURES / "NaCl.cif").to_structure()
    structure.replace_species({"Na": "Pu"})
    with pytest.raises(StructureError, match="unsupported element Pu: not in the training data"):
        predictor.predict(structure)


def test_unknown_weights_list_the_names():
    with pytest.raises(CheckpointError, match=r"no weights 'nothing'; give .* one of: "):
        vanhove.load("nothing")


def test_batches_shrink_until_they_fit_the_memory(monkeypatch):
    """A GPU with room for nine atoms: all are predicted but the crystal of ten."""
    predictor = vanhove.load("dostransformer-phonon")
    paths = sorted(STRUCTURES.glob("*.cif"))
    expected = predictor.predict(paths)
    predict = predictor.model.predict

    def with_little_room(graphs):
        if sum(graph.n_atoms for graph in graphs) > 9:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return predict(graphs)

    monkeypatch.setattr(predictor.model, "predict", with_little_room)
    outcomes = list(predictor.stream(paths))
    assert {spectrum.crystal.n_atoms > 9 for spectrum in expected} == {True, False}
    for spectrum, outcome in zip(expected, outcomes, strict=True):
        if spectrum.crystal.n_atoms > 9:
            assert "too large for the memory of the GPU: 10 atoms" in outcome.reason
        else:
            np.testing.assert_allclose(outcome.values, spectrum.values, atol=1e-5)


def test_shipped_weights_predict_the_phonons_of_rock_salt():
    """NaCl: its DFPT spectrum ends near 260 1/cm; MgO's reaches beyond 600 1/cm."""
    salt, oxide = vanhove.predict([STRUCTURES / "NaCl.cif", STRUCTURES / "MgO.cif"])
    from vanhove.spectra import mean_frequency

    assert 120 < mean_frequency(salt.grid, salt.values) < 220
    assert 330 < mean_frequency(oxide.grid, oxide.values) < 470
    assert salt.grid[-1] < 340
    assert 600 < oxide.grid[-1] < 850


@pytest.mark.parametrize("path", sorted(STRUCTURES.glob("*.cif")), ids=lambda p: p.stem)
def test_the_shipped_model_does_not_see_how_a_crystal_is_written_down(path):
    """Rotated, shifted, permuted and in another cell, alone and in a batch: to 1e-5."""
    predictor = vanhove.load(grid="training")
    crystal = vanhove.read_crystal(path)
    others = [transformed(crystal, seed) for seed in range(4)]
    alone = predictor.predict(crystal).values
    for spectrum in predictor.predict([*others, crystal, STRUCTURES / "Al2O3.cif"])[:5]:
        assert np.abs(spectrum.values - alone).max() < 1e-5


@pytest.mark.parametrize("model", ["vanhove-phonon-fast", "dostransformer-phonon"])
@pytest.mark.parametrize("precision", ["bfloat16", "int8"])
def test_lower_precision_is_close_and_float32_comes_back(model, precision):
    path = STRUCTURES / "NaCl.cif"
    exact, low = (vanhove.load(model, precision=p).predict(path) for p in ("float32", precision))
    assert low.values.dtype == exact.values.dtype
    assert 0 < np.abs(low.values - exact.values).max() < 0.05


def test_unknown_precisions_are_refused():
    with pytest.raises(
        ConfigError, match=r"'int4'; allowed: 'auto', 'float32', 'bfloat16', 'int8'"
    ):
        vanhove.load(precision="int4")
    with pytest.raises(ConfigError, match="'int8' on cuda; allowed on the CPU alone"):
        vanhove.load(precision="int8", device="cuda")


def test_the_shipped_electron_weights_tell_an_insulator_from_a_metal():
    aluminium = vanhove.Crystal(2.025 * (np.ones((3, 3)) - np.eye(3)), [[0, 0, 0]], [13], "Al")
    insulator, metal = vanhove.predict([STRUCTURES / "MgO.cif", aluminium], property="electron-dos")
    assert insulator.quantity == metal.quantity == "electron_dos"
    in_gap = (insulator.grid > 1) & (insulator.grid < 2)
    assert insulator.values[in_gap].mean() < 0.25 * metal.values[in_gap].mean()


def test_an_unknown_property():
    with pytest.raises(ConfigError, match="property 'phonon-lines'; allowed: phonon-dos, elec"):
        vanhove.predict(STRUCTURES / "MgO.cif", property="phonon-lines")


def test_a_type_checker_knows_all_shipped_weights():
    from typing import get_args

    from vanhove.prediction.loading import ShippedDensities
    from vanhove.weights import DEFAULT_WEIGHTS, shipped_weights

    assert {*get_args(ShippedDensities), "bandformer-electron"} == set(shipped_weights())
    assert DEFAULT_WEIGHTS == "vanhove-phonon"  # the default of the overload


def test_cells_that_do_not_fit_into_memory_are_refused(monkeypatch):
    places = np.indices((3, 3, 3)).reshape(3, -1).T / 3
    places[0] += 0.03
    cell = Crystal(9.1 * np.eye(3), places, np.full(27, 12))
    monkeypatch.setattr("vanhove.memory.free_memory", lambda: 1000)
    monkeypatch.setattr("vanhove.memory.LITTLE", 0)
    with pytest.raises(StructureError, match=r"atoms need about .* GB of memory"):
        vanhove.load("vanhove-phonon-fast").predict(cell)
    with pytest.raises(StructureError, match=r"atoms need about .* GB of memory"):
        vanhove.load("vanhove-electron").predict(cell)
