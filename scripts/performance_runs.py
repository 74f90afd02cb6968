"""Parts of docs/performance.md that show one run each, for `performance_page.py`."""

from __future__ import annotations

import statistics

from page_parts import table

PASSES, WHO = ("inference", "training_step"), ("ours", "released")


def side_by_side(found: dict) -> list[str]:
    """Released code that was there, at the same size as ours, and potentials."""
    ran = {name: own for name, own in found["networks"].items() if "released_left_out" in own}
    rows: list[list[object]] = [
        [f"`{name}`", *(f"{own[part]['core_ms'][who]:.3g}" for part in PASSES for who in WHO)]
        for name, own in ran.items()
        if own["released_left_out"] is None
    ]
    phonons = {name: own for name, own in found["phonons"].items() if "core_seconds" in own}
    times = [
        [
            f"`{name}`",
            f"{statistics.median(own['core_seconds']):.3g}",
            f"{max(own['core_seconds']):.3g}",
        ]
        for name, own in phonons.items()
    ]
    left_out = [f"{name} ({own['released_left_out']})" for name, own in ran.items()]
    left_out = [text for text in left_out if not text.endswith("(None)")]
    return [
        "## Side by side",
        "`python benchmarks/side_by_side.py`, in turns in one process: code that others released "
        "and ours at the same size, ms per crystal of the standard batch, and ms of a training "
        "step of 8 crystals" + (f". Left out: {', '.join(left_out)}." if left_out else "."),
        table(["model", "ours", "released", "ours, step", "released, step"], rows),
        f"Bands along a path and C_V of {len(found['phonons']['crystals'])} example crystals, "
        "potentials by finite displacements with phonopy, core-seconds for a crystal. Load average "
        f"before: {found['load_average_before'][0]:.1f}.",
        table(["", "median", "largest"], times),
    ]


def server(found: dict) -> list[str]:
    part, short = found["default_queue"], found["short_queue"]
    rows: list[list[object]] = [
        [kind, late["n"], f"{late['median']:.2f}", f"{late['p95']:.2f}", f"{late['largest']:.2f}"]
        for kind, late in part["latency_seconds"].items()
    ]
    memory = part["memory_PSS_MB"]
    return [
        "## Server",
        f"`vanhove serve` with {found['workers']} worker process and {found['clients']} clients at "
        f"once for {part['seconds']:.0f} s, each of which asks again as soon as it is answered "
        f"({found['machine']['logical_cpus']} cores, which other work and the clients share: load "
        f"average {found['machine']['load_average'][0]:.1f} before). Seconds from asking to the "
        "whole answer, the wait in the queue included; *broken* structures are refused:",
        table(["request", "answers", "median", "95 %", "largest"], rows),
        f"{part['answered_per_second']:.0f} answers per second, {part['other_errors']} other "
        f"errors, {part['statuses'].get('429', 0)} answers of 429. Memory of all processes: "
        f"{memory['first']:.0f} MB at first, {memory['last']:.0f} MB at last, "
        f"{memory['largest']:.0f} MB at most. With a queue of {short['queue']} instead of "
        f"{part['queue']}, {short['statuses'].get('429', 0)} of {short['requests']} requests were "
        f"answered 429 and {short['other_errors']} had other errors; the median latency of a "
        f"phonon density of states was {short['latency_seconds']['phonon DOS']['median']:.2f} s. "
        "See [serve.md](serve.md).",
    ]


def newcomer(found: dict) -> list[str]:
    steps = found["steps"]
    rows: list[list[object]] = [
        [step["part"], f"`{step['command']}`", step["wall_seconds"], step["core_seconds"]]
        for step in steps
    ]
    totals = {
        part: sum(step["wall_seconds"] for step in steps if step["part"] == part)
        for part in dict.fromkeys(step["part"] for step in steps)
    }
    total = "; ".join(f"{part}: {seconds:.0f} s in all" for part, seconds in totals.items())
    return [
        "## A newcomer's path",
        "`python benchmarks/newcomer.py`: a clone, a new virtual environment, nothing cached; the "
        "README's first command, then the [tour](tour.md) from its own data set to a prediction of "
        f"the model trained on it. Packages came from {found['index']}, so add the download over "
        f"your line; installed they take {found['environment_MB']:,} MB.",
        table(["part", "command", "seconds", "core-seconds"], rows),
        f"{total}. {found['machine']['logical_cpus']} cores, which other work shared (load average "
        f"{found['machine']['load_average'][0]:.0f} after): on an idle machine the seconds come "
        "near the core-seconds.",
    ]
