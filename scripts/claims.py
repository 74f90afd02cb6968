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
    "twice its standard error over seeds. It is *reversed* when the same holds the other way "
    "round, and *undecided* otherwise, or while one of the two has fewer than three seeds. A claim "
    "is reproduced when all its comparisons are, reversed when one of them is reversed, and "
    "undecided otherwise."
)
LEAST_SEEDS = 3
"""Of either side of a comparison that decides anything."""


@dataclass(frozen=True)
class Comparison:
    """One pair by one metric; ``difference`` is worse minus better, its interval 95 %.

    None where a run is missing; ``standard_error`` also where one has a single seed. ``seeds`` are
    numbers of seeds, of better and worse.
    """

    better: str
    worse: str
    metric: str
    verdict: Verdict
    difference: float | None = None
    interval: tuple[float, float] | None = None
    standard_error: float | None = None
    seeds: tuple[int, int] = (0, 0)


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
    rows = runs[better], runs[worse]
    seeds = len(rows[0]["seeds"]), len(rows[1]["seeds"])
    error: float | None = None
    if min(seeds) > 1:
        error = float(np.sqrt(sum(row["std"][metric] ** 2 / len(row["seeds"]) for row in rows)))
    verdict: Verdict = "undecided"
    if error is not None and min(seeds) >= LEAST_SEEDS:
        if low > 0 and difference > 2 * error:
            verdict = "reproduced"
        elif high < 0 and -difference > 2 * error:
            verdict = "reversed"
    return Comparison(better, worse, metric, verdict, difference, (low, high), error, seeds)


def _errors(run: Mapping[str, Any], metric: str) -> dict[str, float]:
    pairs = zip(run["ids"], run["per_material"][metric], strict=True)
    return {name: value for name, value in pairs if value is not None}
