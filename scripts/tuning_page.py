"""The results in docs/tune.md: what a search found, how it was killed, what its best tests.

Usage:
    python scripts/search_with_kills.py kills.json -- graph-network-short --trials 40 -o FOLDER
    vanhove tune --test-best FOLDER
    cp FOLDER/trials.json FOLDER/test.json kills.json results/tuning/graph-network-short
    python scripts/update_results.py            # or --check
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from page_parts import table

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "tune.md"
FOLDER = ROOT / "results" / "tuning" / "graph-network-short"
SHOWN = ("rmse", "mse_x10", "mae", "r2")
TOP = 5


def read(name: str) -> Any:
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def short(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def trials_table(search: dict) -> str:
    """The best trials and the base."""
    finished = sorted(
        (t for t in search["trials"] if t["value"] is not None), key=lambda t: t["value"]
    )
    shown = finished[:TOP] + [t for t in finished[TOP:] if t["is_base"]]
    keys = list(search["space"]["space"])
    rows = [
        [
            f"{trial['number']}{' (base)' if trial['is_base'] else ''}",
            f"{trial['value']:.4f}",
            *(short(trial["settings"][key]) for key in keys),
        ]
        for trial in shown
    ]
    names = [f"`{key.removeprefix('training.').removeprefix('model.')}`" for key in keys]
    return table(["trial", "validation RMSE", *names], rows)


def kills_text(search: dict, kills: list[dict]) -> str:
    trials = {trial["number"]: trial for trial in search["trials"]}
    rows = []
    for number, kill in enumerate(kills, start=1):
        for running in kill["running"]:
            after = trials[running["trial"]]
            rows.append(
                [
                    str(number),
                    f"{kill['seconds_after_start']:.0f} s after its start",
                    str(kill["trials_finished"]),
                    f"{running['trial']}, after {running['epochs_done']} epochs",
                    after["state"]
                    + (f", {after['value']:.4f}" if after["value"] is not None else "")
                    + f", {after['epochs']} epochs",
                ]
            )
    return table(["kill", "when", "trials finished", "trial that ran", "how it ended"], rows)


def section() -> str:
    search, kills, test = read("trials"), read("kills"), read("test")
    states = search["states"]
    best = search["best"]
    (base,) = [trial for trial in search["trials"] if trial["is_base"]]
    importances = table(
        ["setting", "importance"],
        [[f"`{key}`", f"{share:.2f}"] for key, share in search["importances"].items()],
    )
    seconds = sum(trial["seconds"] or 0 for trial in search["trials"])
    numbers = table(
        ["part", *SHOWN],
        [
            [
                f"validation, {len(test['runs'])} seeds",
                *(
                    f"{sum(r['validation'][key] for r in test['runs']) / len(test['runs']):.4f}"
                    for key in SHOWN
                ),
            ],
            [
                f"test, {len(test['runs'])} seeds",
                *(
                    f"{test['mean'][key]:.4f}"
                    + (f" ± {test['std'][key]:.4f}" if test["std"] else "")
                    for key in SHOWN
                ),
            ],
        ],
    )
    return f"""`vanhove tune graph-network-short --trials {search["n_trials"]}`: \
{search["about"]}. One process of \
one thread, {seconds / 60:.0f} minutes of training on a machine with other work. Of \
{search["n_trials"]} trials {states.get("complete", 0)} ran to the end, \
{states.get("pruned", 0)} were pruned and {states.get("fail", 0)} failed.

{trials_table(search)}

The search lowered the validation RMSE from {base["value"]:.4f} (the base, trial \
{base["number"]}) to {best["value"]:.4f}, with one seed each; the best of many trials is a little \
better on validation than it is.

What decides whether a finished trial is in the best quarter:

{importances}

The command was killed {len(kills)} times (SIGKILL at random moments, \
`scripts/search_with_kills.py`) and given again; {search["n_trials"]} trials were asked for, and \
{len(search["trials"])} are there, each once:

{kills_text(search, kills)}

The best settings, trained again with seeds {", ".join(map(str, test["seeds"]))} and measured on \
the test part once (`--test-best`; {search["epochs"]} epochs, so these are not the numbers of a \
full training):

{numbers}

All trials: `results/tuning/graph-network-short/trials.json`."""
