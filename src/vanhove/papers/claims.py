"""Orderings of models that the papers claim, as pairs of runs."""

from __future__ import annotations

from dataclasses import dataclass


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

CLAIMED = frozenset(run for claim in CLAIMS for pair in claim.pairs for run in pair)
"""Runs that a claim rests on."""
