"""A section of Mat2Spec's page: whether its latent says anything of a crystal."""

from __future__ import annotations

import json

from page_parts import table
from results_page import RESULTS

LATENTS = RESULTS / "mat2spec" / "latents.json"


def latent_section() -> list[str]:
    """What `scripts/measure_latent.py` found, if it was run."""
    if not LATENTS.exists():
        return []
    result = json.loads(LATENTS.read_text(encoding="utf-8"))
    keys = ("as_it_is", "shuffled", "averaged", "training_mean")
    rows = [
        [
            f"`{run['run']}`",
            f"{run['kl_weight']:g}",
            f"{run['epoch'] + 1} of {run['epochs']}",
            f"{run['silent_units']:.2f}",
            *(f"{run[key]:.5f}" for key in keys),
        ]
        for run in result["runs"]
    ]
    weights = "weight of the divergence"
    header = [
        "run",
        weights,
        "epoch",
        "silent units",
        "as it is",
        "shuffled",
        "averaged",
        "training mean",
    ]
    return [
        "## Latents of other crystals",
        "`python scripts/measure_latent.py`: error on the validation part as it is, with the "
        "latent of another crystal (mean of 10 permutations), with the mean latent for all, and of "
        "the training mean. Where the first three agree, the prediction does not use the latent. "
        "Each line is one seed of the printed form; the error is "
        "the MAE of spectra of sum 1. Silent units: the share of the encoder's last hidden layer "
        "that is 0 for every validation crystal.",
        table(header, rows),
    ]
