"""Verdicts on made-up results whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from claims import collect, compare, judge

from vanhove.papers.claims import Claim


def run(mean: float, noise: float, seeds: int = 3, std: float | None = 0.001) -> dict:
    random = np.random.default_rng(0)
    errors = mean + noise * random.standard_normal(100)
    return {
        "ids": [f"m{i}" for i in range(100)],
        "per_material": {"mae": (errors - errors.mean() + mean).tolist()},
        "mean": {"mae": mean},
        "std": None if seeds == 1 else {"mae": std},
        "seeds": list(range(seeds)),
    }


CLAIM = Claim("a beats b", "paper", (("a", "b"),), ("mae",))


def test_a_clear_difference_is_reproduced_and_its_reverse_reversed():
    runs = {"a": run(0.07, 0.03), "b": run(0.08, 0.031)}
    verdict, (comparison,) = judge(CLAIM, runs)
    assert verdict == "reproduced"
    assert comparison.interval[0] > 0
    assert abs(comparison.difference - 0.01) < 1e-9
    assert judge(Claim("", "", (("b", "a"),), ("mae",)), runs)[0] == "reversed"


def test_chance_of_the_seeds_leaves_it_undecided():
    runs = {"a": run(0.07, 0.03, std=0.02), "b": run(0.08, 0.031, std=0.02)}
    verdict, (comparison,) = judge(CLAIM, runs)
    assert comparison.interval[0] > 0
    assert verdict == "undecided"


def test_chance_of_the_crystals_leaves_it_undecided():
    runs = {"a": run(0.07, 0.0, std=1e-5), "b": run(0.0705, 0.03, std=1e-5)}
    verdict, (comparison,) = judge(CLAIM, runs)
    assert comparison.interval[0] < 0 < comparison.interval[1]
    assert verdict == "undecided"


@pytest.mark.parametrize("seeds", [1, 2])
def test_fewer_than_three_seeds_decide_nothing(seeds):
    runs = {"a": run(0.1, 0.03, seeds=seeds), "b": run(0.2, 0.03)}
    found = compare("a", "b", "mae", runs)
    assert (found.verdict, found.seeds) == ("undecided", (seeds, 3))
    assert found.difference == pytest.approx(0.1)
    assert (found.standard_error is None) == (seeds == 1)


def test_a_missing_run_and_mixed_answers():
    runs = {"a": run(0.07, 0.03), "b": run(0.08, 0.031)}
    assert judge(Claim("", "", (("a", "b"), ("a", "c")), ("mae",)), runs)[0] == "undecided"
    assert judge(Claim("", "", (("a", "b"), ("b", "a")), ("mae",)), runs)[0] == "reversed"


def test_a_material_without_a_number_is_left_out():
    runs = {"a": run(0.07, 0.03), "b": run(0.08, 0.031)}
    runs["a"]["per_material"]["mae"][3] = None
    assert compare("a", "b", "mae", runs).verdict == "reproduced"


def test_collect_keeps_the_most_seeds(done):
    whole = done.result.to_json()
    fewer = {**whole, "rows": [{**row, "seeds": [0]} for row in whole["rows"]]}
    for results in ([whole, fewer], [fewer, whole]):
        assert collect(results)["mlp"]["seeds"] == [0, 1]
