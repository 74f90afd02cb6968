"""The numbers that the project shows are the numbers that its commands measured."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.electron_subset import write_subset
from vanhove.papers.definitions import EXPERIMENTS
from vanhove.results import read_result
from vanhove.weights import shipped_weights

ROOT = Path(__file__).parents[1]
DATA_OF = {
    "phonon": "phonon_petretto",
    "transfer": "phonon_jarvis_clean",
    "electron": "electron_pbe",
    "studies": "phonon_petretto",
    "embeddings": ("phonon_petretto", "phonon_jarvis_clean", "electron_pbe"),
}
RESULTS = sorted(path for page in DATA_OF for path in (ROOT / "results" / page).rglob("*.json"))
REPRODUCED = [path for path in RESULTS if path.stem in EXPERIMENTS]
EVALUATED = [path for path in RESULTS if path.stem not in EXPERIMENTS]


def test_results_say_how_they_were_made():
    for path in EVALUATED:
        result = read_result(path)
        assert result["seeds"] == [run["seed"] for run in result["runs"]], path
        assert len(result["dataset"]["hash"]) == len(result["dataset"]["split_hash"]) == 64, path
        assert result["config"]["training"]["epochs"] > 0, path
        assert set(result["conventions"]) == set(result["mean"]), path


def test_reproduced_tables_are_measurements():
    for path in REPRODUCED:
        assert path.stat().st_size < 400_000, path
        result, page = read_result(path), EXPERIMENTS[path.stem].page
        assert (result["experiment"], path.parent.name) == (path.stem, page)
        assert not result["quick"], path
        metrics = {key for row in result["rows"] for key in row["mean"] or ()}
        assert set(result["conventions"]) == metrics, path
        for row in result["rows"]:
            if EXPERIMENTS[path.stem].kind not in ("groups", "discovery"):
                assert row["seeds"] == [run["seed"] for run in row["runs"]], path
            assert row["config"]["data"]["dataset"].startswith(DATA_OF[page]), path
        if EXPERIMENTS[path.stem].kind == "metrics":
            dataset = result["dataset"]
            assert len(dataset["hash"]) == len(dataset["split_hash"]) == 64, path
            assert len(result["ids"]) == result["n_materials"] <= dataset["n_test"], path


@pytest.mark.parametrize("name", ["bands/gaps", "bands/interpolation", "jarvis/others"])
def test_results_that_draw_nothing_say_so_and_name_their_data(name):
    result = json.loads((ROOT / "results" / f"{name}.json").read_text())
    assert result["seed"] is None
    assert len(result["dataset"]["hash"]) == 64
    assert result["dataset"]["split"] in ("all", "published")


def test_the_shipped_weights_are_the_best_seed_by_validation():
    family = json.loads((ROOT / "results" / "phonon" / "dostransformer.json").read_text())
    best = min(family["runs"], key=lambda run: run["validation"]["rmse"])
    card = json.loads(shipped_weights()["dostransformer-phonon"].with_suffix(".json").read_text())
    assert card["seeds"] == [best["seed"]]
    assert card["runs"][0]["validation"] == best["validation"]


def test_the_shipped_electron_weights_are_the_best_seed_by_validation():
    table = json.loads(
        (ROOT / "results" / "electron" / "dostransformer-table1-electron.json").read_text()
    )
    (row,) = [row for row in table["rows"] if row["run"] == "electron-dostransformer"]
    best = min(row["runs"], key=lambda run: run["validation"]["rmse"])
    path = shipped_weights()["dostransformer-electron"].with_suffix(".json")
    assert json.loads(path.read_text())["seeds"] == [best["seed"]]


def test_bands_are_a_measurement_and_the_shipped_ones_the_best_seed_by_validation():
    result = json.loads((ROOT / "results" / "bands" / "bandformer.json").read_text())
    assert not result["quick"]
    assert result["split"] == "test"
    assert result["seeds"] == [run["seed"] for run in result["runs"]]
    assert len(result["ids"]) == result["n_materials"] == result["dataset"]["n_test"]
    assert set(result["baselines"]) == {"training mean", "nearest training crystal"}
    best = min(result["runs"], key=lambda run: run["validation"]["energy_mae"])
    card = json.loads(shipped_weights()["bandformer-electron"].with_suffix(".json").read_text())
    assert card["seeds"] == [best["seed"]]
    found = card["runs"][0]["validation"]  # of the file in half precision
    assert found == pytest.approx(best["validation"], rel=1e-3)


@pytest.mark.parametrize(
    "path", sorted((ROOT / "results" / "finetuning").glob("*.json")), ids=lambda p: p.stem
)
def test_fine_tuning_curves_are_a_measurement_on_the_same_crystals(path):
    result = read_result(path)
    assert not result["quick"]
    assert result["dataset"]["name"] == "phonon_petretto"
    assert result["n_materials"] == len(result["ids"]) == result["dataset"]["n_test"] >= 60
    for row in result["rows"]:
        assert row["seeds"] == [run["seed"] for run in row["runs"]]
        assert len(row["per_material"]["mae"]) == result["n_materials"]


@pytest.mark.data
@pytest.mark.parametrize("name", sorted(shipped_weights()))
def test_the_shipped_weights_give_their_test_numbers(name, tmp_path, monkeypatch):
    from vanhove.datasets import electron_pbe
    from vanhove.evaluation.evaluate import evaluate

    path = shipped_weights()[name]
    recorded = json.loads(path.with_suffix(".json").read_text())
    trained_on = recorded["trained_on"]["name"]
    grows = trained_on.startswith("electron_pbe")  # but its test part stays
    if grows:
        write_subset(tmp_path, every=100)
        monkeypatch.setattr(electron_pbe, "FOLDER", tmp_path)
    measured = evaluate(path, data=trained_on if grows else None, quiet=True).to_json()
    assert measured["n_materials"] == recorded["n_materials"]
    if not grows:
        assert measured["dataset"] == recorded["dataset"]
    for key, value in recorded["mean"].items():
        assert measured["mean"][key] == pytest.approx(value, rel=1e-3), key
