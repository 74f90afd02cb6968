import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vanhove.datasets import given_split, grouped_split, hashed_split, random_split
from vanhove.datasets.splits import held_out_split, thinned, tuning_split
from vanhove.errors import DataError

fractions = st.sampled_from([(0.8, 0.1, 0.1), (0.5, 0.25, 0.25), (1, 0, 0), (0.9, 0, 0.1)])
seeds = st.integers(0, 2**32 - 1)


def every_row_once(splits, n):
    return np.array_equal(np.sort(np.concatenate(list(splits.values()))), np.arange(n))


@given(st.integers(1, 300), fractions, seeds)
def test_random_split(n, fractions, seed):
    splits = random_split(n, fractions, seed)
    assert list(splits) == ["train", "valid", "test"]
    assert every_row_once(splits, n)
    again = random_split(n, fractions, seed)
    assert all(np.array_equal(splits[part], again[part]) for part in splits)
    for fraction, rows in zip(fractions, splits.values(), strict=True):
        assert abs(len(rows) - fraction * n) <= 2
        assert len(rows) == 0 if fraction == 0 else len(rows) > 0 or n < 3


def test_random_split_sizes_and_seed():
    splits = random_split(1000, seed=1)
    assert [len(rows) for rows in splits.values()] == [800, 100, 100]
    assert not np.array_equal(splits["test"], random_split(1000, seed=2)["test"])
    # A shuffle: test rows come from everywhere, not from one end.
    assert splits["test"].min() < 100
    assert splits["test"].max() >= 900


def test_random_split_never_changes():
    # A published number depends on it.
    assert random_split(10, (0.6, 0.2, 0.2), seed=7)["test"].tolist() == [5, 9]


@given(st.lists(st.sampled_from("ABCDEFGHIJKL"), min_size=1, max_size=150), fractions, seeds)
def test_grouped_split(groups, fractions, seed):
    splits = grouped_split(groups, fractions, seed)
    assert every_row_once(splits, len(groups))
    members = [{groups[row] for row in rows} for rows in splits.values()]
    assert sum(map(len, members)) == len(set(groups))
    wanted = [fraction > 0 for fraction in fractions]
    for some, fraction in zip(members, fractions, strict=True):
        if fraction == 0:
            assert not some
        elif len(set(groups)) >= sum(wanted):
            assert some


@given(st.permutations(list("AABBBCDEEFGH")), seeds)
def test_grouped_split_keeps_groups_whatever_the_order_of_rows(groups, seed):
    part_of = {
        groups[r]: part for part, rows in grouped_split(groups, seed=seed).items() for r in rows
    }
    reference = sorted(groups)
    for part, rows in grouped_split(reference, seed=seed).items():
        assert all(part_of[reference[row]] == part for row in rows)


@given(st.lists(st.text("ABCDEFGH", min_size=1, max_size=3), min_size=2), fractions, seeds)
def test_hashed_split_does_not_change_when_data_are_added(groups, fractions, seed):
    whole = hashed_split(groups, fractions, seed)
    assert every_row_once(whole, len(groups))
    part_of = {groups[row]: part for part, rows in whole.items() for row in rows}
    half = groups[: len(groups) // 2]
    for part, rows in hashed_split(half, fractions, seed).items():
        assert all(part_of[half[row]] == part for row in rows)


def test_hashed_split_comes_close_to_the_fractions_and_never_changes():
    groups = [f"X{k}" for k in range(10000)]
    sizes = [len(rows) for rows in hashed_split(groups).values()]
    assert np.allclose(sizes, [8000, 1000, 1000], atol=120)
    few = ["Si", "NaCl", "GaAs", "AlP", "LiF", "Cu"]
    assert hashed_split(few, (0.5, 0.25, 0.25))["test"].tolist() == [2, 4, 5]


def test_grouped_split_comes_close_to_the_fractions():
    groups = [str(k // 3) for k in range(3000)]
    sizes = [len(rows) for rows in grouped_split(groups, seed=3).values()]
    assert np.allclose(sizes, [2400, 300, 300], atol=3)


@pytest.mark.parametrize("bad", [(0.8, 0.1), (0.8, 0.1, 0.2), (1.1, -0.1, 0.0)])
def test_fractions_out_of_range(bad):
    with pytest.raises(DataError, match="sum to 1"):
        random_split(10, bad)
    with pytest.raises(DataError, match="sum to 1"):
        grouped_split(["a"] * 10, bad)


def test_nothing_to_split():
    with pytest.raises(DataError, match="0 materials"):
        random_split(0)


def test_given_split():
    splits = given_split(["a", "b", "c"], {"test": ["a"], "train": ["c", "b"]})
    assert {k: v.tolist() for k, v in splits.items()} == {"train": [1, 2], "valid": [], "test": [0]}


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ({"train": ["a", "b", "x"]}, "1 ids not in the data, first 'x'"),
        ({"train": ["a", "b"], "test": ["a"]}, "1 ids listed twice, first 'a'"),
        ({"train": ["a"]}, "1 ids in no part of the split, first 'b'"),
        ({"train": ["a"], "dev": ["b"]}, "'dev'; allowed: train, valid, test"),
    ],
)
def test_given_split_refuses(mapping, message):
    with pytest.raises(DataError, match=message):
        given_split(["a", "b"], mapping)


@given(
    groups=st.lists(st.sampled_from(["cubic", "hexagonal", "triclinic"]), min_size=4, max_size=60),
    seed=st.integers(0, 100),
)
def test_held_out_groups_are_the_test_part_and_nothing_else(groups, seed):
    inside = [group != "triclinic" for group in groups]
    if sum(inside) < 2 or all(inside):
        with pytest.raises(DataError, match="both sides"):
            held_out_split(groups, {"triclinic"}, seed=seed)
        return
    parts = held_out_split(groups, {"triclinic"}, seed=seed)
    assert sorted(np.concatenate(list(parts.values()))) == list(range(len(groups)))
    assert {groups[row] for row in parts["test"]} == {"triclinic"}
    assert "triclinic" not in {groups[row] for part in ("train", "valid") for row in parts[part]}
    assert len(parts["train"]) > 0
    assert len(parts["valid"]) > 0


def test_tuning_fractions_are_nested_and_share_their_test_part():
    test = np.arange(100, 200)
    small, large = (tuning_split(test, fraction, seed=3) for fraction in (0.05, 0.2))
    seen = [np.concatenate([parts["train"], parts["valid"]]) for parts in (small, large)]
    assert (len(seen[0]), len(seen[1])) == (5, 20)
    assert set(seen[0]) < set(seen[1])
    np.testing.assert_array_equal(small["test"], large["test"])
    assert len(small["test"]) == 80
    assert not set(seen[1]) & set(large["test"])
    for fraction in (0, 0.3):
        with pytest.raises(DataError, match=r"at most 0\.2"):
            tuning_split(test, fraction)
    with pytest.raises(DataError, match="two are needed"):
        tuning_split(test[:10], 0.05)


def test_smaller_training_parts_lie_in_larger_ones():
    rows = np.arange(0, 200, 2)
    parts = [thinned(rows, fraction, seed=1) for fraction in (1, 0.5, 0.25, 0.125)]
    assert [len(part) for part in parts] == [100, 50, 25, 12]
    for large, small in itertools.pairwise(parts):
        assert set(small) < set(large)
    np.testing.assert_array_equal(parts[0], rows)
    with pytest.raises(DataError, match="above 0, at most 1"):
        thinned(rows, 0)
