"""Ways to share materials out over train, valid and test. Every row stands in exactly one part."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from vanhove.datasets.dataset import PARTS
from vanhove.errors import DataError

FRACTIONS = (0.8, 0.1, 0.1)
TUNING_POOL = 0.2
"""Share of held-out materials that fine-tuning may see."""
COUNT_POOL = 100
"""Held-out materials that fine-tuning by count may see, of at least twice as many."""


def random_split(
    n: int, fractions: Sequence[float] = FRACTIONS, seed: int = 0
) -> dict[str, np.ndarray]:
    """Rows 0 to ``n - 1`` at random; the same for the same ``n``, ``fractions`` and ``seed``.

    A part with a fraction above zero gets at least one row as soon as there are rows for all.

    Args:
        n: number of materials.
        fractions: of train, valid and test; not negative, sum 1.
        seed: of the shuffle.

    Returns:
        sorted row numbers (int64) under ``"train"``, ``"valid"`` and ``"test"``.

    Raises:
        DataError: ``n`` or ``fractions`` out of range.
    """
    targets = _targets(n, fractions)
    sizes = np.floor(targets).astype(int)
    # The rows that rounding down left over go where it took most.
    for part in np.argsort(sizes - targets, kind="stable")[: n - int(sizes.sum())]:
        sizes[part] += 1
    wanted = np.asarray(fractions) > 0
    while n >= wanted.sum() and (sizes[wanted] == 0).any():
        sizes[np.flatnonzero(wanted & (sizes == 0))[0]] += 1
        sizes[np.argmax(sizes)] -= 1
    order = np.random.default_rng(seed).permutation(n)
    pieces = np.split(order, np.cumsum(sizes)[:-1])
    return {part: np.sort(piece) for part, piece in zip(PARTS, pieces, strict=True)}


def grouped_split(
    groups: Sequence[str], fractions: Sequence[float] = FRACTIONS, seed: int = 0
) -> dict[str, np.ndarray]:
    """As `random_split`, but rows of one group (e.g. one reduced formula) stay together.

    Groups are taken in random order, each to the part that lacks most rows, so the parts come as
    close to ``fractions`` as the sizes of the groups allow. A part with a fraction above zero gets
    at least one group as soon as there are groups for all.

    Args:
        groups: the group of each row, length ``n_materials``.
        fractions: of train, valid and test; not negative, sum 1.
        seed: of the shuffle.

    Raises:
        DataError: no rows, or ``fractions`` out of range.
    """
    targets = _targets(len(groups), fractions)
    wanted = np.flatnonzero(np.asarray(fractions) > 0)
    _, group_of_row, counts = np.unique(
        np.asarray(groups, dtype=str), return_inverse=True, return_counts=True
    )
    part_of_group = np.empty(len(counts), dtype=np.int64)
    lacking = targets.copy()
    for group in np.random.default_rng(seed).permutation(len(counts)):
        part = wanted[np.argmax(lacking[wanted])]
        part_of_group[group] = part
        lacking[part] -= counts[group]
    if len(counts) >= len(wanted):
        _fill_empty_parts(part_of_group, counts, wanted)
    part_of_row = part_of_group[group_of_row]
    return {part: np.flatnonzero(part_of_row == k) for k, part in enumerate(PARTS)}


def held_out_split(
    groups: Sequence[object],
    held_out: Collection[object],
    valid_fraction: float = 0.1,
    seed: int = 0,
) -> dict[str, np.ndarray]:
    """All rows of some groups are the test split; the others train and, at random, validate.

    Nothing of the held-out groups is seen before the test, not by early stopping either.

    Args:
        groups: the group of each row, e.g. its crystal system.
        held_out: groups of the test split.
        valid_fraction: of the other rows, above 0 and below 1.
        seed: of the shuffle.

    Raises:
        DataError: ``valid_fraction`` out of range, or one of the two sides has no row.
    """
    if not 0 < valid_fraction < 1:
        raise DataError(f"valid_fraction {valid_fraction}; allowed: above 0 and below 1")
    out = np.array([group in held_out for group in groups], dtype=bool)
    inside = np.flatnonzero(~out)
    if not out.any() or len(inside) < 2:
        raise DataError(
            f"a split by {', '.join(map(str, held_out))} needs rows on both sides; "
            f"{int(out.sum())} of {len(out)} rows are held out"
        )
    shuffled = np.random.default_rng(seed).permutation(inside)
    n_valid = max(1, round(valid_fraction * len(inside)))
    return {
        "train": np.sort(shuffled[n_valid:]),
        "valid": np.sort(shuffled[:n_valid]),
        "test": np.flatnonzero(out),
    }


def tuning_split(
    test: np.ndarray, fraction: float, seed: int = 0, valid_fraction: float = 0.2
) -> dict[str, np.ndarray]:
    """A part of held-out materials to fine-tune on, the rest to test on.

    A fifth of the rows (`TUNING_POOL`) can be tuned on; smaller fractions are parts of larger
    ones, and the other four fifths test all of them, so that fractions can be compared.

    Args:
        test: the held-out rows.
        fraction: of these rows, to train and validate on; above 0, at most `TUNING_POOL`.
        seed: of the shuffle.
        valid_fraction: of the rows taken, to validate on.

    Raises:
        DataError: ``fraction`` out of range, or too few rows.
    """
    if not 0 < fraction <= TUNING_POOL:
        raise DataError(f"tuning fraction {fraction}; allowed: above 0, at most {TUNING_POOL}")
    shuffled = np.random.default_rng(seed).permutation(test)
    pool = round(TUNING_POOL * len(test))
    taken = shuffled[: min(round(fraction * len(test)), pool)]
    if len(taken) < 2 or pool == len(test):
        raise DataError(
            f"{fraction:g} of {len(test)} held-out materials are {len(taken)}; two are needed, to "
            "train and to validate"
        )
    n_valid = max(1, round(valid_fraction * len(taken)))
    return {
        "train": np.sort(taken[n_valid:]),
        "valid": np.sort(taken[:n_valid]),
        "test": np.sort(shuffled[pool:]),
    }


def counted_tuning_split(
    test: np.ndarray, count: int, seed: int = 0, tuning_seed: int = 0
) -> dict[str, np.ndarray]:
    """So many held-out materials to fine-tune on, and a fixed rest to test on.

    A pool of at most `COUNT_POOL` rows, and at most half of them, can be tuned on; all others are
    the test split whatever the count and ``tuning_seed``. Smaller counts are parts of larger ones.

    Args:
        test: the held-out rows.
        count: of rows to train on.
        seed: of the pool.
        tuning_seed: of which rows of the pool are taken.

    Returns:
        ``"train"`` and ``"test"``; ``"valid"`` is empty, see `fold_split`.

    Raises:
        DataError: the pool holds fewer rows than ``count``.
    """
    shuffled = np.random.default_rng(seed).permutation(test)
    size = min(COUNT_POOL, len(test) // 2)
    if not 1 <= count <= size:
        raise DataError(f"tuning count {count}; allowed: 1 to {size}, of {len(test)} held-out rows")
    taken = np.random.default_rng(tuning_seed).permutation(shuffled[:size])[:count]
    return {
        "train": np.sort(taken),
        "valid": np.empty(0, dtype=np.int64),
        "test": np.sort(shuffled[size:]),
    }


def fold_split(
    rows: np.ndarray, folds: int, fold: int | None, seed: int = 0
) -> dict[str, np.ndarray]:
    """Cross-validation: one of ``folds`` parts of equal size validates, the others train.

    Args:
        rows: to share out.
        folds: 2 to the number of rows (leave one out).
        fold: which part validates; None: all rows train and none validates.
        seed: of the shuffle.

    Raises:
        DataError: ``folds`` or ``fold`` out of range.
    """
    if not 2 <= folds <= len(rows):
        raise DataError(f"folds {folds} of {len(rows)} materials; allowed: 2 to their number")
    if fold is not None and not 0 <= fold < folds:
        raise DataError(f"fold {fold}; allowed: 0 to {folds - 1}")
    parts = np.array_split(np.random.default_rng(seed).permutation(rows), folds)
    valid = np.empty(0, dtype=np.int64) if fold is None else parts[fold]
    return {"train": np.sort(np.setdiff1d(rows, valid)), "valid": np.sort(valid)}


def hashed_split(
    groups: Sequence[str], fractions: Sequence[float] = FRACTIONS, seed: int = 0
) -> dict[str, np.ndarray]:
    """As `grouped_split`, but the part of a group depends on its name and the seed alone.

    A data set can then grow, and no group ever moves from one part to another. The price: parts are
    as large as chance makes them, and may be empty in small sets.

    Args:
        groups: the group of each row, length ``n_materials``.
        fractions: of train, valid and test; not negative, sum 1.
        seed: of the hash.

    Raises:
        DataError: no rows, or ``fractions`` out of range.
    """
    bounds = np.cumsum(_targets(len(groups), fractions) / len(groups))[:-1]
    digests = [
        hashlib.sha256(f"vanhove split {seed} {group}".encode()).digest() for group in groups
    ]
    position = np.array([int.from_bytes(digest[:6], "big") for digest in digests]) / 2**48
    part_of_row = np.searchsorted(bounds, position, side="right")
    return {part: np.flatnonzero(part_of_row == k) for k, part in enumerate(PARTS)}


def thinned(rows: np.ndarray, fraction: float, seed: int = 0) -> np.ndarray:
    """A part of some rows at random, at least one; smaller fractions are parts of larger ones.

    Raises:
        DataError: ``fraction`` not above 0 and at most 1.
    """
    if not 0 < fraction <= 1:
        raise DataError(f"train_fraction {fraction}; allowed: above 0, at most 1")
    shuffled = np.random.default_rng(seed).permutation(rows)
    return np.sort(shuffled[: max(1, round(fraction * len(rows)))])


def given_split(ids: Sequence[str], mapping: Mapping[str, Sequence[str]]) -> dict[str, np.ndarray]:
    """The rows of ids that someone listed by part.

    Args:
        ids: of the data set, in the order of its rows.
        mapping: ids under ``"train"``, ``"valid"`` and ``"test"``; a part left out is empty.

    Raises:
        DataError: an unknown part, an id that the data set does not hold, an id listed twice, or
            an id of the data set that is not listed.
    """
    unknown_parts = [part for part in mapping if part not in PARTS]
    if unknown_parts:
        raise DataError(f"split part {unknown_parts[0]!r}; allowed: {', '.join(PARTS)}")
    row_of = {material: row for row, material in enumerate(ids)}
    listed = Counter(material for part in mapping.values() for material in part)
    for materials, what, remedy in (
        ([i for i in listed if i not in row_of], "not in the data", "remove"),
        ([i for i, count in listed.items() if count > 1], "listed twice", "keep one of"),
        ([i for i in ids if i not in listed], "in no part of the split", "list"),
    ):
        if materials:
            raise DataError(
                f"split: {len(materials)} ids {what}, first {', '.join(map(repr, materials[:5]))}; "
                f"{remedy} them"
            )
    return {
        part: np.sort(np.array([row_of[i] for i in mapping.get(part, ())], dtype=np.int64))
        for part in PARTS
    }


def _targets(n: int, fractions: Sequence[float]) -> np.ndarray:
    parts = np.asarray(fractions, dtype=np.float64)
    if parts.shape != (len(PARTS),) or not (parts >= 0).all() or abs(parts.sum() - 1) > 1e-6:
        raise DataError(
            f"split fractions {tuple(fractions)}; give three, for {', '.join(PARTS)}, "
            "none negative, that sum to 1"
        )
    if n < 1:
        raise DataError(f"split of {n} materials; at least one is needed")
    return parts * n


def _fill_empty_parts(part_of_group: np.ndarray, counts: np.ndarray, wanted: np.ndarray) -> None:
    """Move the smallest group of the part with most groups into each part that has none."""
    for part in wanted:
        groups_of_part = np.bincount(part_of_group, minlength=len(PARTS))
        if groups_of_part[part] == 0:
            givers = np.flatnonzero(part_of_group == np.argmax(groups_of_part))
            part_of_group[givers[np.argmin(counts[givers])]] = part
