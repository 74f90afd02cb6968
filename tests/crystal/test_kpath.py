from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import STRUCTURES
from tests.crystal.transform import transformed
from vanhove.crystal.crystal import Crystal
from vanhove.crystal.kpath import (
    KPoints,
    allot,
    continuous_order,
    high_symmetry_path,
    plain_label,
    reciprocal_lattice,
)
from vanhove.crystal.reading import read_crystal
from vanhove.errors import ConfigError, DataError

FCC = [("G", "X"), ("X", "W"), ("W", "K"), ("K", "G"), ("G", "L"), ("L", "U"), ("U", "W")]
FCC += [("W", "L"), ("L", "K"), ("U", "X")]


@pytest.fixture(scope="module")
def silicon() -> Crystal:
    return read_crystal(STRUCTURES / "Si.cif")


def test_path_of_silicon(silicon):
    path = high_symmetry_path(silicon)
    assert str(path) == "Γ-X-W-K-Γ-L-U-W-L-K|U-X"
    # Gamma to X is 2 pi / a, along a diagonal of the primitive reciprocal cell.
    a = (4 * path.crystal.volume) ** (1 / 3)
    assert path.lengths[0] == pytest.approx(2 * np.pi / a)
    np.testing.assert_allclose(path.points["L"], 0.5)


@pytest.mark.parametrize("convention", ["setyawan_curtarolo", "latimer_munro", "hinuma"])
@pytest.mark.parametrize("name", ["Si", "AlN", "TiO2_rutile", "Al2O3"])
def test_sampled_paths(name, convention):
    if convention == "hinuma":
        pytest.importorskip("seekpath")
    path = high_symmetry_path(read_crystal(STRUCTURES / f"{name}.cif"), convention)
    points = path.sample(120)
    assert len(points) == 120
    # The distances are those of the Cartesian points, except where the path jumps.
    steps = np.linalg.norm(np.diff(points.cartesian, axis=0), axis=1)
    steps[points.jumps] = 0
    np.testing.assert_allclose(np.diff(points.distances), steps, atol=1e-9)
    for label, point in zip(points.labels, points.fractional, strict=True):
        if label:
            np.testing.assert_allclose(point, path.points[label], atol=1e-12)
    assert {label for label in points.labels if label} == {x for s in path.segments for x in s}


def test_the_path_does_not_depend_on_the_cell(silicon):
    path = high_symmetry_path(silicon)
    for seed in range(3):
        again = high_symmetry_path(transformed(silicon, seed))
        assert again.segments == path.segments
        np.testing.assert_allclose(again.lengths, path.lengths, rtol=1e-6)


def test_continuous_fcc_path_walks_each_segment_and_one_of_them_twice():
    order = continuous_order(FCC, np.ones(10))
    assert {i for i, _ in order} == set(range(10))
    assert len(order) == 11  # four odd points: one pair is connected, the other begins and ends
    walk = [FCC[i][::-1] if turned else FCC[i] for i, turned in order]
    assert all(a[1] == b[0] for a, b in pairwise(walk))


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from("ABCDEF"), st.sampled_from("ABCDEF"), st.integers(1, 5)).filter(
            lambda edge: edge[0] != edge[1]
        ),
        min_size=1,
        max_size=9,
    )
)
def test_continuous_order_of_any_segments(edges):
    segments = [(a, b) for a, b, _ in edges]
    order = continuous_order(segments, [float(length) for *_, length in edges])
    walk = [segments[i][::-1] if turned else segments[i] for i, turned in order]
    assert {i for i, _ in order} == set(range(len(segments)))
    n_parts = len(_parts(segments))
    assert sum(a[1] != b[0] for a, b in pairwise(walk)) == n_parts - 1


def _parts(segments):
    parts = []
    for a, b in segments:
        touching = [part for part in parts if part & {a, b}]
        parts = [part for part in parts if part not in touching] + [{a, b}.union(*touching)]
    return parts


@given(st.lists(st.floats(0.01, 10), min_size=1, max_size=12), st.integers(0, 300))
def test_allot(lengths, more):
    counts = allot(lengths, len(lengths) + more)
    assert sum(counts) == len(lengths) + more
    assert min(counts) >= 1


def test_too_few_points(silicon):
    with pytest.raises(ConfigError, match="more points"):
        high_symmetry_path(silicon).sample(5)


def test_unknown_convention(silicon):
    with pytest.raises(ConfigError, match="'sc'; allowed: setyawan_curtarolo"):
        high_symmetry_path(silicon, "sc")


def test_segments_and_jumps():
    points = KPoints(
        np.zeros((6, 3)), np.eye(3), np.array([0, 1, 2, 2, 3, 4.0]), ("A", "", "B", "C", "D", "E")
    )
    assert points.segments == [(0, 2), (3, 4), (4, 5)]
    assert points.jumps.tolist() == [2]


def test_distances_must_not_decrease():
    with pytest.raises(DataError, match="must not decrease"):
        KPoints(np.zeros((3, 3)), np.eye(3), np.array([0, 2, 1.0]), ("", "", ""))


def test_reciprocal_lattice():
    lattice = np.random.default_rng(0).normal(size=(3, 3)) + 3 * np.eye(3)
    np.testing.assert_allclose(
        reciprocal_lattice(lattice) @ lattice.T, 2 * np.pi * np.eye(3), atol=1e-12
    )


def test_plain_label():
    assert [plain_label(x) for x in ("\\Gamma", "GAMMA", "G", "X_1", "g", None)] == [
        "Γ",
        "Γ",
        "Γ",
        "X1",
        "g",
        "",
    ]
