"""What a search has found: tables, plots, and the best settings as a run file."""

from __future__ import annotations

import csv
import io
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import optuna
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.trial import FrozenTrial, TrialState

from vanhove.atomic import write_text
from vanhove.errors import MissingExtraError
from vanhove.results import Json, Result, json_text
from vanhove.tuning.space import SearchSpace
from vanhove.tuning.study import best_config, best_trial, counts
from vanhove.version import circumstances

BEST_RUN, TABLE, CONTENT = "best.yaml", "trials.csv", "trials.json"
IMPORTANCE, HISTORY = "importance.html", "history.html"
MIN_FINISHED = 4
"""Finished trials below which importances say nothing."""


def importances(study: optuna.Study) -> dict[str, float]:
    """How much each setting decides whether a trial is among the best (PED-ANOVA); sum 1.

    Of finished trials alone. Empty while there are too few, or while none differ.
    """
    finished = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if len(finished) < MIN_FINISHED:
        return {}
    try:
        return get_param_importances(study, evaluator=_evaluator())
    except (RuntimeError, ValueError):
        return {}


def _evaluator() -> PedAnovaImportanceEvaluator:
    # The better quarter against all: with some dozens of trials a tenth would be a handful.
    return PedAnovaImportanceEvaluator(target_quantile=0.25)


@dataclass(frozen=True)
class TrialResult(Result):
    """One trial of a search.

    Attributes:
        number: in the search.
        state: ``"complete"``, ``"pruned"``, ``"fail"`` or ``"running"``.
        value: the metric of its best epoch; None unless it is complete.
        settings: dotted settings; of a trial that never began, raw parameters.
        is_base: whether these are the settings that the search began with.
        epochs: run so far.
        seconds: of training.
        same_as: number of an earlier trial with these settings, whose result it took.
        retry_of: number of the trial that it repeats.
        lost: whether its process was gone, so that another trial repeats it.
        reason: why it failed.
        validation: metrics of its best epoch.
        scores: the metric after each epoch.
    """

    number: int
    state: str
    value: float | None
    settings: Json
    is_base: bool
    epochs: int
    seconds: float | None
    same_as: int | None
    retry_of: int | None
    lost: bool
    reason: str | None
    validation: dict[str, float] | None
    scores: list[float]


@dataclass(frozen=True)
class SearchContent(Result):
    """What ``trials.json`` holds of a search.

    Attributes:
        search: its name.
        about: what it is for, in words.
        metric: that is made small, on the validation split.
        epochs: of a trial, at most.
        space: the settings that are searched, and their base.
        n_trials: that count.
        states: of these, how many in each state.
        best: the trial with the smallest metric, once one has finished.
        importances: how much each setting decides, see `importances`.
        trials: all of them.
        versions: of vanhove, torch and Python.
        machine: processor, and whether a GPU was there.
    """

    search: str
    about: str
    metric: str
    epochs: int
    space: Json
    n_trials: int
    states: dict[str, int]
    best: TrialResult | None
    importances: dict[str, float]
    trials: list[TrialResult]
    versions: dict[str, str]
    machine: str


def trial_content(trial: FrozenTrial, space: SearchSpace) -> TrialResult:
    """A trial as ``trials.json`` holds it."""
    attrs = trial.user_attrs
    complete = set(trial.params) == set(space.space)
    scores = [score for _, score in sorted(trial.intermediate_values.items())]
    return TrialResult(
        number=trial.number,
        state=trial.state.name.lower(),
        value=trial.value if trial.state == TrialState.COMPLETE else None,
        settings=space.values(trial.params) if complete else trial.params,
        is_base=bool(attrs.get("base")),
        epochs=len(scores),
        seconds=attrs.get("seconds"),
        same_as=attrs.get("same_as"),
        retry_of=attrs.get("retry_of"),
        lost=bool(attrs.get("lost")),
        reason=attrs.get("reason"),
        validation=attrs.get("validation"),
        scores=scores,
    )


def search_content(study: optuna.Study, space: SearchSpace) -> SearchContent:
    """Everything about a search."""
    trials = [t for t in study.get_trials(deepcopy=False) if t.state != TrialState.WAITING]
    best = best_trial(study)
    return SearchContent(
        search=space.name,
        about=space.about,
        metric=f"validation {space.metric}",
        epochs=space.epochs,
        space=space.model_dump(mode="json"),
        n_trials=sum(map(counts, trials)),
        states=dict(Counter(t.state.name.lower() for t in trials if counts(t))),
        best=trial_content(best, space) if best is not None else None,
        importances=importances(study),
        trials=[trial_content(trial, space) for trial in trials],
        **circumstances(),
    )


def write_tables(study: optuna.Study, space: SearchSpace, folder: Path) -> SearchContent:
    """Write ``trials.json``, ``trials.csv`` and, once a trial has finished, ``best.yaml``."""
    content = search_content(study, space)
    write_text(folder / CONTENT, json_text(content.to_json()) + "\n")
    plain = ("number", "state", "value", "epochs", "seconds", "reason")
    stream = io.StringIO(newline="")
    writer = csv.writer(stream)
    writer.writerow([*plain, *space.space])
    for trial in content.trials:
        settings = trial.settings
        writer.writerow(
            [*(getattr(trial, key) for key in plain), *(settings.get(key) for key in space.space)]
        )
    write_text(folder / TABLE, stream.getvalue())
    best = content.best
    if best is not None:
        write_text(
            folder / BEST_RUN,
            f"# Trial {best.number} of {space.name}: {content.metric} {best.value:.5f}\n"
            + best_config(study, space).to_yaml(),
        )
    return content


def write_plots(study: optuna.Study, folder: Path) -> None:
    """Write ``history.html`` and, when they can be told, ``importance.html``.

    Raises:
        MissingExtraError: plotly is not installed.
    """
    try:
        import plotly  # noqa: F401
    except ModuleNotFoundError:
        raise MissingExtraError("plotly", "tune", "the plots of a search") from None
    if best_trial(study) is None:
        return
    figures = {HISTORY: optuna.visualization.plot_optimization_history(study)}
    if importances(study):
        figures[IMPORTANCE] = optuna.visualization.plot_param_importances(
            study, evaluator=_evaluator()
        )
    for name, figure in figures.items():
        page = figure.to_html(include_plotlyjs=True, div_id=Path(name).stem)
        write_text(folder / name, page)


def trial_line(trial: FrozenTrial, content: SearchContent) -> str:
    """What a person sees when a trial ends."""
    best = content.best
    ended = {
        TrialState.COMPLETE: f"{trial.value:.5f}" if trial.value is not None else "",
        TrialState.PRUNED: f"pruned after epoch {len(trial.intermediate_values)}",
        TrialState.FAIL: f"failed: {trial.user_attrs.get('reason')}",
    }.get(trial.state, trial.state.name.lower())
    so_far = f"best {best.value:.5f} (trial {best.number})" if best else "none finished yet"
    settings = "  ".join(f"{k.split('.', 1)[-1]}={_short(v)}" for k, v in trial.params.items())
    return f"trial {trial.number:3d}  {ended:24s}  {so_far}  {settings}"


def search_table(content: SearchContent, top: int = 10) -> str:
    """The best trials and what decides, for a terminal."""
    states = ", ".join(f"{n} {state}" for state, n in sorted(content.states.items()))
    lines = [
        f"{content.search}: {content.n_trials} trials ({states}), {content.metric}, "
        f"{content.epochs} epochs each at most"
    ]
    finished = [(t.value, t) for t in content.trials if t.value is not None]
    for value, trial in sorted(finished, key=lambda pair: pair[0])[:top]:
        settings = "  ".join(f"{key}={_short(there)}" for key, there in trial.settings.items())
        mark = " (base)" if trial.is_base else ""
        lines.append(f"{trial.number:5d}  {value:.5f}{mark}  {settings}")
    if content.importances:
        lines.append("importance (PED-ANOVA, finished trials):")
        lines += [f"{share:7.3f}  {key}" for key, share in content.importances.items()]
    return "\n".join(lines)


def test_table(result: Json) -> str:
    """Metrics of the best settings on the test split, as `measure_best` returns them."""
    spread = result["std"] or {}
    return "\n".join(
        f"{key:24s} {value:.5g}" + (f" ± {spread[key]:.2g}" if key in spread else "")
        for key, value in result["mean"].items()
    )


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
