"""The study of a search: trials that no kill loses, shared by processes and machines.

A trial belongs to the folder ``trials/NUMBER`` and to whoever holds the lock in it. The lock goes
with its process, so a trial that is running in the study while its lock is free was killed: the
next process continues it from its checkpoint. A trial of another machine, whose folder is not
here, counts as lost when it has not been heard of for `GRACE_SECONDS`; its settings are queued
again.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import filelock
import optuna
from optuna import Study
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, Trial, TrialState

from vanhove.atomic import write_text
from vanhove.errors import ConfigError, TuningError
from vanhove.results import Json
from vanhove.runs.config import RunConfig
from vanhove.runs.folder import BEST
from vanhove.training.logs import read_log
from vanhove.training.loop import EpochRow
from vanhove.training.train import train_to_end
from vanhove.tuning.space import SearchSpace

TRIALS, LOCK, STUDY = "trials", "lock", "study.db"
BEAT_SECONDS, GRACE_SECONDS = 30.0, 600.0
MAX_STARTS = 5
"""A trial whose process ends this often in the same epoch has failed."""
FIRST_FAILURES = 5
"""A search stops when this many trials failed and none did not."""


@dataclass(frozen=True)
class Place:
    """Where a search is: its folder here and the storage that all its processes share."""

    folder: Path
    storage: str | None = None

    @property
    def url(self) -> str:
        return self.storage or f"sqlite:///{(self.folder / STUDY).resolve()}"

    def trial(self, number: int) -> Path:
        return self.folder / TRIALS / f"{number:04d}"

    def lock(self) -> filelock.FileLock:
        """Held for moments: whoever chooses the next trial or tidies up."""
        return filelock.FileLock(self.folder / LOCK)


def open_storage(url: str) -> optuna.storages.BaseStorage:
    """``sqlite:///FILE``, ``postgresql://...``, ``mysql://...`` or ``journal:FILE``.

    Raises:
        TuningError: the database cannot be opened.
    """
    try:
        if url.startswith("journal:"):
            backend = JournalFileBackend(url.removeprefix("journal:"))
            return optuna.storages.JournalStorage(backend)
        # Several processes write: wait for each other rather than fail.
        waiting = {"connect_args": {"timeout": 60}} if url.startswith("sqlite") else {}
        return optuna.storages.RDBStorage(url, engine_kwargs=waiting)
    except Exception as error:
        shown = url.split("@")[-1]  # without a password
        raise TuningError(
            f"{shown}: cannot open the study ({type(error).__name__}: "
            f"{str(error).splitlines()[0]}); give --storage sqlite:///FILE, postgresql://... or "
            "journal:FILE"
        ) from None


def open_study(place: Place, space: SearchSpace | None = None) -> Study:
    """The study of a place; with ``space``, made if it is not there.

    Raises:
        ConfigError: there is no study, or it is of another space.
        TuningError: the storage cannot be opened.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    if space is None:
        space = saved_space(place)
        if place.storage is None and not (place.folder / STUDY).exists():
            raise ConfigError(f"{place.folder}: no study here; give its --storage")
    place.folder.mkdir(parents=True, exist_ok=True)
    with place.lock():
        study = optuna.create_study(
            storage=open_storage(place.url), study_name=space.name, load_if_exists=True
        )
        known = study.user_attrs.get("space")
        if known is None:
            study.set_user_attr("space", space.model_dump(mode="json"))
        elif SearchSpace.parse(known).resolved() != space:  # settings that are new have defaults
            raise ConfigError(
                f"{place.folder}: the study {space.name} is of another search space; give the same "
                "one, or choose another folder or name"
            )
        write_text(place.folder / "space.yaml", space.to_yaml())
        base = space.base_parameters()
        if base is not None and not study.get_trials(deepcopy=False):
            study.enqueue_trial(base, user_attrs={"base": True}, skip_if_exists=True)
    return study


def saved_space(place: Place) -> SearchSpace:
    """The space of a folder that was searched before.

    Raises:
        ConfigError: there is none.
    """
    if not (place.folder / "space.yaml").exists():
        raise ConfigError(f"{place.folder}: no search here; start one with vanhove tune SPACE -o")
    return SearchSpace.load(place.folder / "space.yaml")


def sampler(space: SearchSpace, n_trials: int) -> optuna.samplers.BaseSampler:
    """Seeded with the number of the trial, so that a resumed search draws what an unbroken does."""
    seed = space.seed * 1_000_003 + n_trials
    if space.sampler == "random":
        return optuna.samplers.RandomSampler(seed=seed)
    return optuna.samplers.TPESampler(
        n_startup_trials=space.startup_trials, constant_liar=True, seed=seed
    )


def pruner(space: SearchSpace) -> optuna.pruners.BasePruner:
    settings = space.pruner
    if settings.name == "median":
        return optuna.pruners.MedianPruner(settings.startup_trials, settings.warmup_epochs)
    if settings.name == "hyperband":
        return optuna.pruners.HyperbandPruner(
            max_resource=space.epochs, reduction_factor=settings.reduction_factor
        )
    return optuna.pruners.NopPruner()


def counts(trial: FrozenTrial) -> bool:
    """Whether a trial is one of those asked for: begun, and not lost and queued again."""
    return trial.state != TrialState.WAITING and not trial.user_attrs.get("lost")


@dataclass
class Claimed:
    """A trial that this process runs."""

    trial: Trial
    lock: filelock.BaseFileLock


class TrialWorker:
    """One process that runs trials of a study.

    Args:
        place: of the study.
        space: `SearchSpace.resolved`.
        n_trials: of the whole study, over all processes, finished or running.
        deadline: of `time.time`; no trial begins after it.
    """

    def __init__(self, place: Place, space: SearchSpace, n_trials: int, deadline: float = math.inf):
        self.place, self.space = place, space
        self.n_trials, self.deadline = n_trials, deadline
        self.study = open_study(place, space)
        self.study.pruner = pruner(space)

    def run(self) -> Iterator[FrozenTrial]:
        """Run trials until there are enough; yields each as it ends.

        Raises:
            KeyboardInterrupt: a signal asked to stop; the trial is saved and will be continued.
            TuningError: all of the first trials failed.
        """
        with self.place.lock():
            self.tidy()  # what a kill left
        while (claimed := self.claim()) is not None:
            try:
                self.run_trial(claimed.trial)
            finally:
                claimed.lock.release()
            with self.place.lock():
                self.tidy()
            trial = self.study.get_trials(deepcopy=False)[claimed.trial.number]
            yield trial
            self.check_failures(trial)

    def claim(self) -> Claimed | None:
        """A killed trial of this folder, else a new one; None when there are enough."""
        with self.place.lock():
            trials = self.study.get_trials(deepcopy=False)
            for frozen in trials:
                if frozen.state == TrialState.RUNNING:
                    lock = self.lock_of(frozen.number)
                    if lock is not None:
                        return Claimed(self.continued(frozen), lock)
            self.requeue_lost(trials)
            trials = self.study.get_trials(deepcopy=False)
            if sum(map(counts, trials)) >= self.n_trials or time.time() >= self.deadline:
                return None
            n_waiting = sum(trial.state == TrialState.WAITING for trial in trials)
            self.study.sampler = sampler(self.space, len(trials) - n_waiting)
            trial = self.study.ask()
            self.place.trial(trial.number).mkdir(parents=True, exist_ok=True)
            lock = self.lock_of(trial.number)
            assert lock is not None, "a new trial has no other owner"
            return Claimed(trial, lock)

    def lock_of(self, number: int) -> filelock.BaseFileLock | None:
        """The lock of a trial of this folder, taken; None when it is held or not of this folder.

        To be asked while the place is locked: a trial of this folder alone that has no folder yet
        was killed as it began.
        """
        folder = self.place.trial(number)
        if self.place.storage is None:  # then nobody else has a folder of it
            folder.mkdir(parents=True, exist_ok=True)
        if not folder.exists():
            return None
        lock = filelock.FileLock(folder / LOCK)
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            return None
        return lock

    def continued(self, frozen: FrozenTrial) -> Trial:
        # Optuna has no other way to go on with a trial that another process began.
        self.study.sampler = sampler(self.space, frozen.number)
        return Trial(self.study, frozen._trial_id)

    def requeue_lost(self, trials: list[FrozenTrial]) -> None:
        """Give up trials of other machines that were not heard of, and queue their settings."""
        for frozen in trials:
            if frozen.state != TrialState.RUNNING or self.place.trial(frozen.number).exists():
                continue
            begun = frozen.datetime_start.timestamp() if frozen.datetime_start else 0.0
            if time.time() - frozen.user_attrs.get("alive", begun) < GRACE_SECONDS:
                continue
            try:
                trial = self.continued(frozen)
                trial.set_user_attr("lost", True)
                trial.set_user_attr("reason", "not heard of any more; its settings were queued")
                self.study.tell(frozen.number, state=TrialState.FAIL)
            except (ValueError, optuna.exceptions.UpdateFinishedTrialError):
                continue  # another process was faster, or the trial ended after all
            if set(frozen.params) == set(self.space.space):
                self.study.enqueue_trial(frozen.params, user_attrs={"retry_of": frozen.number})

    def run_trial(self, trial: Trial) -> None:
        """Train a trial and tell the study how it ended.

        Raises:
            KeyboardInterrupt: a signal asked to stop; the trial stays in the study as running.
        """
        try:
            values = {key: r.suggest(trial, key) for key, r in self.space.space.items()}
            same = self.same_as(trial)
            if same is not None:
                trial.set_user_attr("same_as", same.number)
                self.end(trial, same.state, same.value, same.user_attrs.get("reason"))
                return
            reported = self.study.get_trials(deepcopy=False)[trial.number].intermediate_values
            starts = [*trial.user_attrs.get("starts", ()), len(reported)]
            if starts.count(len(reported)) > MAX_STARTS:
                self.end(
                    trial,
                    TrialState.FAIL,
                    reason=f"its process ended {MAX_STARTS} times in epoch {len(reported) + 1}; "
                    "perhaps there was not enough memory",
                )
                return
            trial.set_user_attr("starts", starts)
            with signs_of_life(trial):
                self.train(trial, values)
        except optuna.exceptions.UpdateFinishedTrialError:
            return  # given up by another machine, which runs these settings now

    def train(self, trial: Trial, values: Json) -> None:
        folder = self.place.trial(trial.number)
        reported = set(self.study.get_trials(deepcopy=False)[trial.number].intermediate_values)

        def on_epoch(row: EpochRow) -> None:
            epoch, score = int(row["epoch"]), float(row[f"valid_{self.space.metric}"])
            if not math.isfinite(score):
                raise ConfigError(f"validation {self.space.metric} is not finite")
            if epoch not in reported:
                trial.report(score, epoch)
            if epoch + 1 < self.space.epochs and trial.should_prune():
                raise optuna.TrialPruned

        try:
            config = self.space.config(values, f"{self.space.name}-{trial.number}")
            if reported and max(reported) + 1 < self.space.epochs and trial.should_prune():
                raise optuna.TrialPruned  # killed before it could be said
            result = train_to_end(config, folder, quiet=True, on_epoch=on_epoch)
        except optuna.TrialPruned:
            self.end(trial, TrialState.PRUNED)
        except KeyboardInterrupt:
            trial.set_user_attr("starts", trial.user_attrs["starts"][:-1])
            raise
        except (ConfigError, MemoryError, RuntimeError) as error:
            reason = failure(error)
            self.end(trial, TrialState.FAIL, reason=reason or f"{type(error).__name__}: {error}")
            if reason is None:
                raise
        else:
            trial.set_user_attr("validation", result.validation)
            self.end(trial, TrialState.COMPLETE, result.validation[self.space.metric])

    def same_as(self, trial: Trial) -> FrozenTrial | None:
        """A finished trial with the same settings: training is exact, so it need not run again."""
        states = (TrialState.COMPLETE, TrialState.PRUNED)
        for other in self.study.get_trials(deepcopy=False, states=states):
            if other.params == trial.params and "same_as" not in other.user_attrs:
                return other
        return None

    def end(
        self,
        trial: Trial,
        state: TrialState,
        value: float | None = None,
        reason: str | None = None,
    ) -> None:
        rows = read_log(self.place.trial(trial.number))
        trial.set_user_attr("epochs", len(rows))
        trial.set_user_attr("seconds", rows[-1]["seconds"] if rows else 0.0)
        if reason is not None:
            trial.set_user_attr("reason", reason)
        if state == TrialState.PRUNED:
            value = None  # Optuna takes the last value reported
        self.study.tell(trial, value, state=state)

    def tidy(self) -> None:
        """Keep logs of all trials and weights of the best."""
        trials = self.study.get_trials(deepcopy=False)
        best = best_trial(self.study)
        for path in self.place.folder.glob(f"{TRIALS}/*/*.safetensors"):
            number = int(path.parent.name)
            keep = best is not None and number == best.number and path.name == BEST
            if trials[number].state.is_finished() and not keep:
                path.unlink(missing_ok=True)

    def check_failures(self, last: FrozenTrial) -> None:
        trials = [t for t in self.study.get_trials(deepcopy=False) if counts(t)]
        failed = [t for t in trials if t.state == TrialState.FAIL]
        good = (TrialState.COMPLETE, TrialState.PRUNED)
        if len(failed) >= FIRST_FAILURES and not any(t.state in good for t in trials):
            raise TuningError(
                f"the first {len(failed)} trials all failed, the last one because: "
                f"{last.user_attrs.get('reason')}"
            )


def best_trial(study: Study) -> FrozenTrial | None:
    """The finished trial with the smallest value; None before there is one."""
    finished = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return min(finished, key=lambda trial: (trial.value, trial.number), default=None)


def best_config(study: Study, space: SearchSpace) -> RunConfig:
    """The run of the best trial.

    Raises:
        TuningError: no trial has finished yet.
    """
    best = best_trial(study)
    if best is None:
        raise TuningError(f"{space.name}: no trial has finished yet")
    return space.config(space.values(best.params), f"{space.name}-best")


def failure(error: Exception) -> str | None:
    """Why a trial failed, when its settings are the reason; None for anything else."""
    if isinstance(error, ConfigError):
        return str(error)
    if isinstance(error, MemoryError) or "memory" in str(error).lower():
        return f"out of memory: {str(error).splitlines()[0] if str(error) else 'no more is known'}"
    return None


@contextmanager
def signs_of_life(trial: Trial) -> Iterator[None]:
    """Say in the study, every `BEAT_SECONDS`, that a trial is running."""
    stop = threading.Event()

    def beat() -> None:
        while not stop.is_set():
            try:
                trial.set_user_attr("alive", time.time())
            except optuna.exceptions.OptunaError:
                return
            stop.wait(BEAT_SECONDS)

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
