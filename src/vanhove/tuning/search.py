"""A search from its space to its best settings: what ``vanhove tune`` runs."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import torch
from optuna import Study

from vanhove.errors import TuningError, VanhoveError
from vanhove.evaluation.evaluate import evaluate
from vanhove.results import Json
from vanhove.training.train import train_to_end
from vanhove.tuning.report import BEST_RUN, SearchContent, trial_line, write_plots, write_tables
from vanhove.tuning.space import SearchSpace
from vanhove.tuning.study import Place, TrialWorker, best_config, open_study, saved_space

TEST = "test.json"


@dataclass(frozen=True)
class SearchResult:
    """What a search has found so far.

    Attributes:
        folder: of the search.
        content: what its ``trials.json`` holds.
    """

    folder: Path
    content: SearchContent

    @property
    def best_run(self) -> Path:
        """The best settings as a run file, there once a trial has finished."""
        return self.folder / BEST_RUN


def tune(
    space: SearchSpace | str | PathLike[str],
    output: str | PathLike[str] | None = None,
    *,
    trials: int = 40,
    jobs: int = 1,
    storage: str | None = None,
    timeout: float | None = None,
    quiet: bool = False,
) -> SearchResult:
    """Search settings by the validation split alone; the test split is never looked at.

    The same call continues a search that was stopped or killed: trials that were running go on
    from their checkpoints. With one process, the trials are those of an unbroken search.

    Args:
        space: a `SearchSpace`, the name of a shipped one, or a YAML file.
        output: folder of the search; ``searches/NAME`` by default.
        trials: of the whole study, those of earlier calls and other processes included.
        jobs: processes on this machine.
        storage: database of the study, shared by all machines that search; a file in ``output``
            by default.
        timeout: seconds after which no trial begins.
        quiet: no line per trial on stderr.

    Raises:
        ConfigError: a wrong space, or the folder holds another search.
        TuningError: the study cannot be opened, the first trials all failed, or a process ended.
        KeyboardInterrupt: stopped; the same call continues.
    """
    if not isinstance(space, SearchSpace):
        space = SearchSpace.load(space)
    elif isinstance(space.base, str):
        space = space.resolved()
    place = Place(Path(output) if output is not None else Path("searches") / space.name, storage)
    deadline = time.time() + timeout if timeout is not None else float("inf")
    if jobs == 1:
        study = _work(place, space, trials, deadline, quiet)
    else:
        study = _work_together(place, space, trials, deadline, quiet, jobs)
    return _found(study, space, place)


def show(folder: str | PathLike[str], storage: str | None = None) -> SearchResult:
    """Write the tables, plots and the best run file of a search, running or finished.

    Raises:
        ConfigError: there is no search.
    """
    place = Place(Path(folder), storage)
    return _found(open_study(place), saved_space(place), place)


def _found(study: Study, space: SearchSpace, place: Place) -> SearchResult:
    with place.lock():
        content = write_tables(study, space, place.folder)
        write_plots(study, place.folder)
    return SearchResult(place.folder, content)


def measure_best(
    folder: str | PathLike[str],
    seeds: Sequence[int] = (0, 1, 2),
    *,
    storage: str | None = None,
    quiet: bool = False,
) -> Json:
    """Train the best settings with several seeds and measure them on the test split, once.

    A search that was tested gives its numbers again and measures nothing: to choose again after a
    look at the test split would be to choose on it.

    Returns:
        What ``test.json`` holds, see `vanhove.evaluation.evaluate.Evaluation`.

    Raises:
        ConfigError: there is no search.
        TuningError: no trial has finished.
        KeyboardInterrupt: stopped; the same call continues.
    """
    place = Place(Path(folder), storage)
    file = place.folder / TEST
    if file.exists():
        return json.loads(file.read_text(encoding="utf-8"))
    config = best_config(open_study(place), saved_space(place))
    folders = []
    for seed in seeds:
        run = place.folder / "best" / f"seed{seed}"
        train_to_end(config.model_copy(update={"seed": seed}), run, quiet=quiet)
        folders.append(run)
    return evaluate(folders, "test", output=file, quiet=quiet).to_json()


def _work(place: Place, space: SearchSpace, trials: int, deadline: float, quiet: bool) -> Study:
    worker = TrialWorker(place, space, trials, deadline)
    for trial in worker.run():
        with place.lock():
            content = write_tables(worker.study, space, place.folder)
        if not quiet:
            print(trial_line(trial, content), file=sys.stderr, flush=True)
    return worker.study


def _work_together(
    place: Place, space: SearchSpace, trials: int, deadline: float, quiet: bool, jobs: int
) -> Study:
    # Wrong settings are told once, and the tables of the database are made once.
    study = open_study(place, space)
    context = multiprocessing.get_context("spawn")
    threads = max(1, torch.get_num_threads() // jobs)
    processes = [
        context.Process(target=_child, args=(place, space, trials, deadline, quiet, threads))
        for _ in range(jobs)
    ]
    for process in processes:
        process.start()
    try:
        for process in processes:
            process.join()
    except KeyboardInterrupt:
        for process in processes:
            if process.is_alive():
                process.terminate()
        for process in processes:
            process.join()
        raise
    ended = [process.exitcode for process in processes if process.exitcode]
    if 130 in ended:
        raise KeyboardInterrupt
    if ended:
        raise TuningError(
            f"{len(ended)} of {jobs} processes ended with status {', '.join(map(str, ended))}; the "
            "same command continues"
        )
    return study


def _child(
    place: Place, space: SearchSpace, trials: int, deadline: float, quiet: bool, threads: int
) -> None:
    def follow_parent() -> None:
        parent = multiprocessing.parent_process()
        assert parent is not None
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)  # as Ctrl-C: the trial is saved

    threading.Thread(target=follow_parent, daemon=True).start()
    torch.set_num_threads(threads)
    try:
        _work(place, space, trials, deadline, quiet)
    except KeyboardInterrupt:
        sys.exit(130)
    except VanhoveError as error:
        print(f"vanhove: {error}", file=sys.stderr)
        sys.exit(2)
