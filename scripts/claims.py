"""What the papers claim of the order of models, judged on our runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from vanhove.evaluation.measures import bootstrap_interval

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
class Claim:
    """An ordering that a paper claims.

    Attributes:
        text: the claim.
        source: where the paper makes it.
        pairs: run claimed to be better, run claimed to be worse.
        metrics: errors (smaller is better), keys of `vanhove.evaluation.measurement.PER_MATERIAL`.
    """

    text: str
    source: str
    pairs: tuple[tuple[str, str], ...]
    metrics: tuple[str, ...] = ("mse_x10", "mae")


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


def _over(better: str, *worse: str) -> tuple[tuple[str, str], ...]:
    return tuple((better, name) for name in worse)


_ABLATION = "dostransformer-ablation"
_BASELINES = ("mlp", "graph-network", "e3nn")
_ENERGY = tuple(f"{name}-energy" for name in _BASELINES)
_XTAL2DOS_FORMS = (
    ("xtal2dos", " (left to right, as the paper describes)"),
    ("xtal2dos-parallel", " (parallel, as released)"),
)

CLAIMS: tuple[Claim, ...] = (
    Claim(
        "Energy embeddings help every baseline.",
        "DOSTransformer, table 1",
        tuple(zip(_ENERGY, _BASELINES, strict=True)),
    ),
    Claim(
        "DOSTransformer is the best model.",
        "DOSTransformer, tables 1 and 10",
        _over("dostransformer", *_BASELINES, *_ENERGY, "alignn", "matformer"),
    ),
    Claim(
        "Prompts of the crystal system help DOSTransformer.",
        "DOSTransformer, section 5",
        _over(_ABLATION, f"{_ABLATION}-global-only"),
    ),
    Claim(
        "Prompts before the self-attention are better than one-hot vectors and than prompts in the "
        "atom features.",
        "DOSTransformer, table 4",
        _over(
            _ABLATION,
            f"{_ABLATION}-decoder-one_hot",
            f"{_ABLATION}-atoms-prompt",
            f"{_ABLATION}-atoms-one_hot",
        ),
    ),
    Claim(
        "Prompts before the prediction layer help the baselines.",
        "DOSTransformer, table 9",
        tuple((f"{name}-prompt-decoder", name) for name in (*_BASELINES, *_ENERGY)),
    ),
    Claim(
        "Both losses together are better than either alone.",
        "DOSTransformer, figure 3",
        _over(_ABLATION, f"{_ABLATION}-global-only", f"{_ABLATION}-system-only"),
    ),
    *(
        Claim(
            f"Xtal2DoS{form} beats E3NN2DoS, Mat2Spec, GATGNN and E3NN.",
            "Xtal2DoS, table 1",
            _over(run, "e3nn2dos", "mat2spec-sum-kl", "gatgnn-sum-kl", "e3nn-sum-kl"),
            ("sum_mae",),
        )
        for run, form in _XTAL2DOS_FORMS
    ),
    *(
        Claim(
            f"The transformer decoder of Xtal2DoS{form} beats the recurrent ones.",
            "Xtal2DoS, table 3",
            _over(
                run,
                *(f"xtal2dos-{name}" for name in ("rnn", "rnn-attention", "chunk-rnn")),
                "xtal2dos-chunk-rnn-attention",
            ),
            ("sum_mae",),
        )
        for run, form in _XTAL2DOS_FORMS
    ),
    Claim(
        "With Mat2Spec, SumNorm with KL or WD gives better thermodynamics than MaxNorm with MSE.",
        "Mat2Spec, table 1",
        (("mat2spec-sum-kl", "mat2spec-max-mse"), ("mat2spec-sum-wd", "mat2spec-max-mse")),
        ("heat_capacity_300K_cell_mae", "mean_frequency_mae_cm1"),
    ),
    Claim(
        "Mat2Spec (as printed) beats E3NN and GATGNN in each setting.",
        "Mat2Spec, table 1",
        tuple(
            (f"mat2spec-printed-{setting}", f"{name}-{setting}")
            for setting in ("max-mse", "sum-wd", "sum-kl")
            for name in ("e3nn", "gatgnn")
        ),
        ("mae",),
    ),
    Claim(
        "Mat2Spec (as printed) is worse without embedded spectra and without the projector.",
        "Mat2Spec, section on ablations",
        _over(
            "mat2spec-printed-sum-kl", "mat2spec-printed-no-labels", "mat2spec-printed-no-projector"
        ),
        ("mae",),
    ),
)


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
