"""Results that stay: links, vibrations, files of other programs, references, the archive."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import phonopy
import pytest

import vanhove
from tests.conftest import STRUCTURES
from tests.server.phonopy_folder import write_phonopy_folder
from vanhove.server.archive import open_archive
from vanhove.server.results import Results, result_id
from vanhove.server.settings import ServerSettings

PHONONS, ELECTRONS = "vanhove-phonon", "vanhove-electron"


@pytest.fixture(scope="module")
def silicon(server):
    """The answer of both default models on silicon."""
    text = (STRUCTURES / "Si.cif").read_text()
    question = {"text": text, "name": "Si.cif", "models": [PHONONS, ELECTRONS]}
    answer = server.client.post("/api/predict", json=question)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_the_defaults_are_those_of_the_command_and_have_cards(server):
    models = server.client.get("/api/catalog").json()["models"]
    assert {model["name"] for model in models if model["is_default"]} == {PHONONS, ELECTRONS}
    cards = {model["name"]: model["card"] for model in models}
    assert "Do not use it for" in cards[PHONONS]
    assert "Gaps of" in cards[ELECTRONS]
    assert cards["pair"] == ""


def test_density_and_bands_count_the_same_states(silicon):
    phonons, electrons = silicon["predictions"]
    for found, n_states in ((phonons, 6), (electrons, None)):
        density = {item["name"]: item for item in found["densities"]}
        total = np.array(density["total"]["values"])
        np.testing.assert_allclose(total, density["Si"]["values"], atol=1e-3 * total.max())
        if n_states:
            assert np.trapezoid(total, density["total"]["grid"]) == pytest.approx(n_states, 1e-2)
            inside = np.trapezoid(density["calibrated"]["values"], density["calibrated"]["grid"])
            assert inside == pytest.approx(n_states, 1e-2)
            assert density["calibrated"]["upper_90"]
        assert len(found["bands"]["kpoints"]) == len(found["bands"]["energies"])
    gap = next(item for item in electrons["properties"] if item["name"] == "band_gap")
    energies = np.array(electrons["bands"]["energies"])
    assert energies[energies < 0.01].max() == pytest.approx(0, abs=0.02)  # the VBM
    assert energies[energies > 0.01].min() == pytest.approx(gap["value"], abs=0.02)


def test_thermodynamics_have_their_table(silicon):
    thermal = silicon["predictions"][0]["thermal"]
    kelvin, energy = np.array(thermal["temperature_K"]), np.array(thermal["internal_energy"])
    np.testing.assert_allclose(
        thermal["free_energy"], energy - kelvin * np.array(thermal["entropy"]) / 1000, atol=1e-6
    )


def test_a_link_shows_the_same_result(server, silicon):
    again = server.client.get(f"/api/results/{silicon['id']}")
    assert again.json() == silicon
    assert server.client.get("/api/results/nothing").status_code == 404


def test_results_make_room_and_end():
    results = Results(ServerSettings(max_results=2, max_result_bytes=100))
    assert result_id(b"a", "", ["x"]) != result_id(b"a", "", ["y"])
    for name in "abc":
        results.keep(name, b"1", name, b"2")
    assert results.get("a") is None
    assert results.get("c").name == "c"
    results.keep("d", b"1" * 99, "d", b"2" * 99)  # alone more than allowed
    assert results.get("d") is None
    ended = Results(replace(ServerSettings(), result_seconds=-1.0))
    ended.keep("a", b"1", "a", b"2")
    assert ended.get("a") is None


def test_a_vibration_moves_as_its_eigenvector_says(server, silicon):
    bands = silicon["predictions"][0]["bands"]
    at = f"/api/results/{silicon['id']}/modes/{PHONONS}"
    point, band = bands["labels"].index("Γ"), 5
    mode = server.client.get(at, params={"point": point, "band": band}).json()
    assert mode["frequency"] == pytest.approx(bands["energies"][point][band])
    real = np.array(mode["real"])
    np.testing.assert_allclose(real.sum(axis=0), 0, atol=1e-3)  # optical: against each other
    lengths = np.linalg.norm(real + 1j * np.array(mode["imaginary"]), axis=1)
    np.testing.assert_allclose(lengths, 1, atol=1e-3)
    assert server.client.get(at, params={"point": 10**5, "band": 0}).status_code == 422
    of_electrons = at.replace(PHONONS, ELECTRONS)
    refused = server.client.get(of_electrons, params={"point": 0, "band": 0})
    assert "knows no vibrations" in refused.json()["detail"]


def test_files_of_other_programs(server, silicon, tmp_path):
    phonons, electrons = silicon["predictions"]
    texts = {}
    for found in (phonons, electrons):
        for name in found["downloads"]:
            at = f"/api/results/{silicon['id']}/files/{found['model']}/{name}"
            answer = server.client.get(at)
            assert answer.status_code == 200, (name, answer.text)
            assert f'filename="{name}"' in answer.headers["content-disposition"]
            texts[found["model"], name] = answer.text
    (tmp_path / "phonopy.yaml").write_text(texts[PHONONS, "phonopy.yaml"])
    loaded = phonopy.load(tmp_path / "phonopy.yaml", log_level=0)
    loaded.run_qpoints([[0, 0, 0]])
    highest = loaded.get_qpoints_dict()["frequencies"].max() * 33.35641
    bands = phonons["bands"]
    at_gamma = bands["energies"][bands["labels"].index("Γ")]
    assert highest == pytest.approx(at_gamma[-1], abs=1)
    assert texts[PHONONS, "density.csv"].splitlines()[1] == "frequency_cm1,total,Si"
    content = json.loads(texts[ELECTRONS, "pymatgen.json"])
    assert content["bands"]["@class"] == "BandStructureSymmLine"
    assert texts[ELECTRONS, "wannier90_hr.dat"].startswith("vanhove ")
    at = f"/api/results/{silicon['id']}/files/{PHONONS}/wannier90_hr.dat"
    assert "no file" in server.client.get(at).json()["detail"]


def test_a_phonopy_folder_is_a_reference(server, tmp_path):
    files = write_phonopy_folder(STRUCTURES / "Si.cif", tmp_path / "dft", "vanhove-phonon-fast")

    def post(*chosen, **fields):
        return server.client.post(
            "/api/reference",
            files=[("files", (path.name, path.read_bytes())) for path in chosen],
            data={"normalisation": "3N", "n_atoms": 2, "model": PHONONS, **fields},
        )

    found = post(*files).json()
    assert found["unit"] == "cm-1"
    spectrum = found["spectrum"]
    assert np.trapezoid(spectrum["values"], spectrum["grid"]) == pytest.approx(6, 1e-3)
    calculated = np.array(found["bands"]["energies"])
    ours = np.array(found["predicted"]["energies"])
    assert calculated.shape == ours.shape == (11, 6)
    assert 0 < np.abs(calculated - ours).mean() < 30
    alone = post(tmp_path / "dft" / "total_dos.dat")
    assert alone.status_code == 422
    assert "no structure beside it" in alone.json()["detail"]
    assert "/tmp" not in alone.json()["detail"]


def test_an_entry_of_several_is_chosen_by_formula_or_asked_for(server):
    spectra = [vanhove.predict(STRUCTURES / f"{name}.cif") for name in ("Si", "MgO")]
    text = json.dumps({"results": [spectrum.to_dict() for spectrum in spectra]})

    def post(**fields):
        return server.client.post(
            "/api/reference", files={"files": ("all.json", text)}, data=fields
        ).json()

    magnesia = post(formula="MgO")
    np.testing.assert_allclose(
        magnesia["spectrum"]["values"], spectra[1].normalise("max").values, atol=1e-6
    )
    asked = post(formula="NaCl")
    assert asked["choices"] == ["Si.cif", "MgO.cif"]
    assert asked["spectrum"] is None
    assert post(formula="NaCl", entry="MgO.cif") == magnesia


def test_the_archive_is_searched(server, tmp_path):
    def search(text):
        return server.client.get("/api/search", params={"text": text})

    found = search("GaAs").json()
    assert {hit["formula"] for hit in found["hits"]} == {"GaAs"}
    assert search("As Ga").status_code == 422
    of_elements = search("Ga-As").json()
    assert of_elements["n_found"] >= found["n_found"]
    id_ = found["hits"][0]["id"]
    assert search(id_).json()["hits"][0]["id"] == id_
    cif = server.client.get(f"/api/structures/{id_}").json()["text"]
    assert vanhove.crystal.reading.parse_crystals(cif.encode(), "a.cif")[0].formula == "GaAs"
    assert server.client.get("/api/structures/mp-0").status_code == 422
    for text in ("Ca(OH)2", "Fe(CN)6"):
        assert search(text).status_code == 200
    for text in ("((((", "Xx", "Si0", "<script>"):
        assert search(text).status_code == 422, text


def test_an_archive_of_ones_own():
    archive = open_archive(str(STRUCTURES))
    assert archive.search("TiO2").n_found == 1
    assert archive.crystal(archive.search("TiO2").hits[0].id).formula == "TiO2"


@pytest.mark.parametrize("name", ["vanhove-phonon", "vanhove-phonon-fast"])
def test_numbers_of_vibrations_past_1000_are_those_of_the_curves(server, name):
    """Both give the whole spectrum with its error bars."""
    places = np.array([[0, 0, 0], [0.25, 0.25, 0.25]])
    lattice = 1.785 * np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]])
    diamond = vanhove.Crystal(lattice, places, np.array([6, 6])).to_structure().to(fmt="cif")
    answer = server.client.post("/api/predict", json={"text": diamond, "models": [name]}).json()
    (found,) = answer["predictions"]
    assert not found["thermal"]["of_all_modes"]
    numbers = {item["name"]: item for item in found["properties"]}
    at = found["thermal"]["temperature_K"].index(300.0)
    heat = numbers["heat_capacity_300K"]
    assert heat["value"] == pytest.approx(found["thermal"]["heat_capacity"][at])
    assert heat["half_width_90"] is not None
    zero = found["thermal"]["internal_energy"][0]
    assert numbers["zero_point_energy"]["value"] == pytest.approx(zero, rel=1e-3)


def test_a_model_that_is_late_does_not_take_the_others_with_it(monkeypatch):
    from vanhove.server import worker
    from vanhove.server.orders import PredictOrder
    from vanhove.server.settings import ServerSettings

    made = worker.ModelWorker(ServerSettings(seconds=10.0))
    electrons = made.predictors["vanhove-electron"]

    def slow(*_, **__):
        while True:
            sum(range(1000))

    monkeypatch.setattr(electrons, "predict", slow)
    names = ["vanhove-electron", "dostransformer-phonon"]
    order = PredictOrder(what="predict", name="NaCl.cif", models=names, id="x")
    status, answer = made.answer(order, (STRUCTURES / "NaCl.cif").read_bytes())
    assert status == 200
    assert [found.model for found in answer.predictions] == ["dostransformer-phonon"]
    (problem,) = answer.problems
    assert problem.model == "vanhove-electron"
    assert "longer than the 10 s" in problem.detail
