"""Searches that end, are killed, share a study, and fail."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

import optuna
import pytest
from optuna.trial import TrialState

from tests.tuning.conftest import space_content
from vanhove.errors import ConfigError, TuningError
from vanhove.runs.config import RunConfig
from vanhove.runs.folder import BEST, STATE
from vanhove.training.logs import read_log
from vanhove.training.train import TrainingResult, train
from vanhove.tuning import study as study_module
from vanhove.tuning.report import search_table
from vanhove.tuning.search import measure_best, show, tune
from vanhove.tuning.space import SearchSpace
from vanhove.tuning.study import Place, TrialWorker, open_study

FREEZE = """
import json, sys, time
from pathlib import Path
from vanhove.tuning import search, study
from vanhove.tuning.space import SearchSpace

folder = Path(sys.argv[1])
real = study.train_to_end

def slow(config, output, *, on_epoch, **options):
    def then_wait(row):
        on_epoch(row)
        (folder / "frozen").write_text(output.name)
        time.sleep(600)
    return real(config, output, on_epoch=then_wait, **options)

study.train_to_end = slow
search.tune(SearchSpace.load(folder / "mine.yaml"), folder / "search", trials=2, quiet=True)
"""


def outcomes(content: dict) -> list[tuple]:
    return [(t["number"], t["state"], t["value"], t["settings"]) for t in content["trials"]]


def fake_train(score=0.5, error=None):
    def run(config, folder, *, on_epoch, **options):
        if error is not None:
            raise error
        on_epoch({"epoch": 0, "valid_rmse": score})
        return TrainingResult(folder, folder / BEST, 1, {"rmse": score}, False)

    return run


def journal(folder) -> dict[str, object]:
    """A storage that is made in no time."""
    return {"storage": f"journal:{folder}/study.log", "quiet": True}


def test_search_writes_its_trials_and_a_best_run_that_trains(searched, space, tmp_path):
    content = json.loads((searched / "trials.json").read_text())
    assert content["n_trials"] == 3
    assert content["trials"][0]["is_base"]
    assert content["states"]["pruned"] >= 1
    best = content["best"]
    assert best["value"] == min(t["value"] for t in content["trials"] if t["state"] == "complete")
    assert len((searched / "trials.csv").read_text().splitlines()) == 4
    assert "<html>" in (searched / "history.html").read_text()
    config = RunConfig.load(searched / "best.yaml")
    assert config.name == "small-best"
    again = train(config, tmp_path / "again", quiet=True)
    assert again.validation["rmse"] == best["value"]
    assert f"{best['value']:.5f}" in search_table(show(searched).content)


def test_only_the_best_keeps_its_weights_and_all_keep_their_logs(searched):
    best = json.loads((searched / "trials.json").read_text())["best"]["number"]
    kept = [path.relative_to(searched / "trials") for path in searched.rglob("*.safetensors")]
    assert list(map(str, kept)) == [f"{best:04d}/{BEST}"]
    assert all(read_log(folder) for folder in (searched / "trials").iterdir())


def test_pruned_trial_ends_early(searched):
    trials = json.loads((searched / "trials.json").read_text())["trials"]
    pruned = [t for t in trials if t["state"] == "pruned"]
    assert all(t["epochs"] == 1 and t["value"] is None for t in pruned)
    assert all(t["scores"][0] > trials[0]["scores"][0] for t in pruned)


def test_search_in_two_calls_is_the_unbroken_one(searched, space, tmp_path):
    tune(space, tmp_path, trials=1, quiet=True)
    second = tune(space, tmp_path, trials=3, quiet=True)
    assert outcomes(second.content.to_json()) == outcomes(show(searched).content.to_json())
    assert tune(space, tmp_path, trials=2, quiet=True).content.n_trials == 3


def test_killed_trial_goes_on_beside_another_process(space, tmp_path, searched):
    (tmp_path / "mine.yaml").write_text(space.to_yaml())
    command = [sys.executable, "-c", FREEZE, str(tmp_path)]
    process = subprocess.Popen(command)
    try:
        for _ in range(6000):  # a busy machine may take minutes
            if (tmp_path / "frozen").exists() or process.poll() is not None:
                break
            time.sleep(0.05)
        frozen = int((tmp_path / "frozen").read_text())
        # A second process joins: the frozen trial has an owner and counts.
        beside = tune(space, tmp_path / "search", trials=2, quiet=True).content.to_json()
        assert [t["state"] for t in beside["trials"]].count("running") == 1
        assert beside["trials"][frozen]["state"] == "running"
        assert beside["n_trials"] == 2
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    folder = tmp_path / "search" / "trials" / f"{frozen:04d}"
    assert (folder / STATE).exists()
    after = tune(space, tmp_path / "search", trials=2, quiet=True).content.to_json()
    assert after["n_trials"] == len(after["trials"]) == 2
    assert "running" not in after["states"]
    starts = open_study(Place(tmp_path / "search")).get_trials()[frozen].user_attrs["starts"]
    assert len(starts) == 2
    # It began as the first trial of an unbroken search, and ends as that one.
    assert outcomes(after)[frozen] == outcomes(show(searched).content.to_json())[frozen]


@pytest.mark.parametrize("scheme", ["journal:{}/study.log", "sqlite:///{}/shared.db"])
def test_machines_share_a_storage_and_lost_trials_are_queued_again(
    scheme, space, tmp_path, monkeypatch
):
    monkeypatch.setattr(study_module, "train_to_end", fake_train())
    url = scheme.format(tmp_path)
    here, there = Place(tmp_path / "here", url), Place(tmp_path / "there", url)
    dead = TrialWorker(there, space, 3).claim()
    lost = {key: r.suggest(dead.trial, key) for key, r in space.space.items()}
    list(TrialWorker(here, space, 3).run())
    running = open_study(here).get_trials(states=(TrialState.RUNNING,))
    assert [trial.number for trial in running] == [0]  # heard of not long ago
    monkeypatch.setattr(study_module, "GRACE_SECONDS", 0.0)
    list(TrialWorker(here, space, 3).run())
    content = show(here.folder, url).content.to_json()
    assert content["n_trials"] == 3
    assert content["trials"][0]["lost"]
    assert [t["settings"] for t in content["trials"] if t["retry_of"] == 0] == [lost]
    assert content["states"] == {"complete": 3}


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ConfigError("the loss is not finite at step 3"), "not finite"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), "out of mem"),
        (MemoryError(), "out of memory"),
    ],
)
def test_failed_trials_say_why_and_a_search_of_failures_stops(
    error, reason, space, tmp_path, monkeypatch
):
    monkeypatch.setattr(study_module, "train_to_end", fake_train(error=error))
    with pytest.raises(TuningError, match=f"first 5 trials all failed.*{reason}"):
        tune(space, tmp_path, trials=9, **journal(tmp_path))
    trials = show(tmp_path, journal(tmp_path)["storage"]).content.to_json()["trials"]
    assert [t["state"] for t in trials] == ["fail"] * 5
    assert all(reason in t["reason"] for t in trials)
    with pytest.raises(TuningError, match="no trial has finished"):
        measure_best(tmp_path, storage=journal(tmp_path)["storage"])


def test_settings_that_do_not_go_together_are_a_failed_trial(tmp_path, monkeypatch):
    monkeypatch.setattr(study_module, "train_to_end", fake_train())
    losses = {"training.loss": {"type": "choice", "values": ["rmse", "mae", "kl"]}}
    space = SearchSpace.parse(space_content(space=losses)).resolved()
    content = tune(space, tmp_path, trials=8, **journal(tmp_path)).content.to_json()
    failed = [t for t in content["trials"] if t["state"] == "fail"]
    assert failed
    assert all(t["settings"]["training.loss"] == "kl" for t in failed)
    assert all("model.output" in t["reason"] for t in failed)
    # Settings that were trained once are not trained again.
    same = [t for t in content["trials"] if t["same_as"] is not None]
    assert same
    assert all(content["trials"][t["same_as"]]["settings"] == t["settings"] for t in same)


def test_not_finite_validation_fails(space, tmp_path, monkeypatch):
    monkeypatch.setattr(study_module, "train_to_end", fake_train(score=float("nan")))
    with pytest.raises(TuningError, match="rmse is not finite"):
        tune(space, tmp_path, trials=9, **journal(tmp_path))


def test_trial_whose_process_always_dies_fails(space, tmp_path, monkeypatch):
    worker = TrialWorker(Place(tmp_path, journal(tmp_path)["storage"]), space, 1)
    worker.claim().trial.set_user_attr("starts", [0] * study_module.MAX_STARTS)
    monkeypatch.setattr(study_module, "train_to_end", fake_train())
    (trial,) = worker.run()
    assert trial.state == TrialState.FAIL
    assert "ended 5 times in epoch 1" in trial.user_attrs["reason"]


def test_error_of_the_program_is_told_and_raised(space, tmp_path, monkeypatch):
    monkeypatch.setattr(study_module, "train_to_end", fake_train(error=RuntimeError("a bug")))
    with pytest.raises(RuntimeError, match="a bug"):
        tune(space, tmp_path, trials=2, **journal(tmp_path))
    (trial,) = show(tmp_path, journal(tmp_path)["storage"]).content.to_json()["trials"]
    assert (trial["state"], trial["reason"]) == ("fail", "RuntimeError: a bug")


def test_timeout_begins_no_trial(space, tmp_path):
    assert tune(space, tmp_path, trials=2, timeout=0, **journal(tmp_path)).content.n_trials == 0


def test_folder_of_another_search_is_refused(searched):
    other = SearchSpace.parse(space_content(epochs=3)).resolved()
    with pytest.raises(ConfigError, match="another search space"):
        tune(other, searched, quiet=True)


def test_no_search_and_no_database(tmp_path):
    with pytest.raises(ConfigError, match="no search here"):
        show(tmp_path)
    with pytest.raises(TuningError, match="db/x"):
        study_module.open_storage("sqlite:////no/such/db/x")


def test_best_is_measured_once(searched, tmp_path, monkeypatch):
    first = measure_best(searched, [0, 1], quiet=True)
    assert first["split"] == "test"
    assert first["seeds"] == [0, 1]
    assert first["runs"][0]["validation"]["rmse"] == show(searched).content.best.value
    monkeypatch.setattr("vanhove.tuning.search.train_to_end", None)
    assert measure_best(searched, [2]) == json.loads((searched / "test.json").read_text()) == first


def test_pruners(space):
    def made(**settings):
        return study_module.pruner(SearchSpace.parse(space_content(pruner=settings)))

    assert isinstance(made(name="hyperband"), optuna.pruners.HyperbandPruner)
    assert isinstance(made(name="none"), optuna.pruners.NopPruner)
