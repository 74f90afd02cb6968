"""What the papers claim of the order of models, judged on our runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from vanhove.evaluation.measures import bootstrap_interval
from vanhove.papers.claims import Claim

Verdict = Literal["reproduced", "reversed", "undecided"]

RULE = (
    "A comparison is *reproduced* when the error of the claimed better model is lower beyond two "
    "kinds of chance: the 95 % interval of a paired bootstrap over the test crystals (2,000 "
    "samples, errors averaged over seeds) lies above 0, and the difference of the means exceeds "
    "twice its standard error over seeds (a run with one seed is given the typical relative "
    "spread of the runs with several). It is *reversed* when the same holds the other way round, "
    "and *undecided* otherwise. A claim is reproduced when all its comparisons are, reversed when "
    "one of them is reversed, and undecided otherwise."
)
DEFAULT_RELATIVE_SPREAD = 0.03
"""Of a metric over seeds, while no run has several."""


@dataclass(frozen=True)
class Comparison:
    """One pair by one metric; ``difference`` is worse minus better, its interval 95 %.

    None where a run is missing.
    """

    better: str
    worse: str
    metric: str
    verdict: Verdict
    difference: float | None = None
    interval: tuple[float, float] | None = None
    standard_error: float | None = None


def collect(results: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Run name -> its row and its per-material errors, of results of `reproduce`.

    Where several results hold a run, the one with the most seeds.
    """
    runs: dict[str, dict[str, Any]] = {}
    for result in results:
        for row in result["rows"]:
            if len(row["seeds"]) > len(runs.get(row["run"], {}).get("seeds", ())):
                errors = result["per_material"][row["run"]]
                runs[row["run"]] = {**row, "per_material": errors, "ids": result["ids"]}
    return runs


def judge(claim: Claim, runs: Mapping[str, Mapping[str, Any]]) -> tuple[Verdict, list[Comparison]]:
    """The verdict on a claim, and each comparison behind it; ``runs`` are those of `collect`."""
    comparisons = [
        compare(better, worse, metric, runs)
        for better, worse in claim.pairs
        for metric in claim.metrics
    ]
    verdicts = {comparison.verdict for comparison in comparisons}
    if "reversed" in verdicts:
        return "reversed", comparisons
    return ("reproduced" if verdicts == {"reproduced"} else "undecided"), comparisons


def compare(
    better: str, worse: str, metric: str, runs: Mapping[str, Mapping[str, Any]]
) -> Comparison:
    """One pair by one metric, as `RULE` says; undecided while a run is missing."""
    if better not in runs or worse not in runs:
        return Comparison(better, worse, metric, "undecided")
    good, bad = (_errors(runs[name], metric) for name in (better, worse))
    both = sorted(good.keys() & bad.keys())
    if not both:
        return Comparison(better, worse, metric, "undecided")
    differences = np.array([bad[name] - good[name] for name in both])
    difference = float(differences.mean())
    low, high = bootstrap_interval(differences)
    typical = typical_spread(metric, runs)
    error = float(
        np.sqrt(sum(_squared_error(runs[name], metric, typical) for name in (better, worse)))
    )
    verdict: Verdict = "undecided"
    if low > 0 and difference > 2 * error:
        verdict = "reproduced"
    elif high < 0 and -difference > 2 * error:
        verdict = "reversed"
    return Comparison(better, worse, metric, verdict, difference, (low, high), error)


def typical_spread(metric: str, runs: Mapping[str, Mapping[str, Any]]) -> float:
    """Median over the runs with several seeds of the spread relative to the mean."""
    relative = [
        run["std"][metric] / abs(run["mean"][metric])
        for run in runs.values()
        if run["std"] and run["mean"].get(metric)
    ]
    return float(np.median(relative)) if relative else DEFAULT_RELATIVE_SPREAD


def _errors(run: Mapping[str, Any], metric: str) -> dict[str, float]:
    pairs = zip(run["ids"], run["per_material"][metric], strict=True)
    return {name: value for name, value in pairs if value is not None}


def _squared_error(run: Mapping[str, Any], metric: str, typical: float) -> float:
    """Squared standard error of the mean over seeds."""
    spread = run["std"][metric] if run["std"] else typical * run["mean"][metric]
    return spread**2 / len(run["seeds"])
