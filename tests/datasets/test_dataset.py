import json
from dataclasses import replace

import numpy as np
import pytest

from vanhove.crystal.crystal import Crystal
from vanhove.datasets import describe
from vanhove.errors import DataError


def test_types_and_length(make_dataset):
    dataset = make_dataset()
    assert len(dataset) == 5
    assert dataset.values.dtype == np.float32
    assert dataset.grid.dtype == np.float64
    assert all(rows.dtype == np.int64 for rows in dataset.splits.values())


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"ids": ["a", "b", "a", "c", "d"]}, "1 ids repeat, first 'a'"),
        ({"ids": ["a"]}, "5 crystals for 1 ids"),
        ({"ids": [], "crystals": []}, "no material"),
        ({"values": np.ones((5, 3))}, r"\[5, 3\]; \[5, 4\]"),
        ({"values": np.full((5, 4), np.nan)}, "5 spectra hold NaN or infinity, first 'm0'"),
        ({"grid": np.array([0, 20, 20, 40])}, "must increase"),
        ({"grid": np.array([0, 20, np.inf, 40])}, "finite"),
        ({"splits": {"train": [0, 1], "test": [1]}}, "1 rows stand twice in the split, first 'm1'"),
        ({"splits": {"train": [0, 5]}}, "rows 0 to 5; allowed: 0 to 4"),
        ({"splits": {"train": [-1]}}, "allowed: 0 to 4"),
        ({"splits": {"train": [0.5]}}, "row numbers"),
        ({"splits": {"trian": [0]}}, "'trian'; allowed: train, valid, test"),
    ],
)
def test_refuses(make_dataset, fields, message):
    with pytest.raises(DataError, match=message) as caught:
        make_dataset(**fields)
    assert "\n" not in str(caught.value)


def test_split_names_what_there_is(make_dataset):
    dataset = make_dataset(splits={"train": [0, 1]})
    assert dataset.split("train").tolist() == [0, 1]
    with pytest.raises(DataError, match="'test' of data set 'mine'; it has: train"):
        dataset.split("test")


def test_subset_carries_everything_over(make_dataset):
    dataset = make_dataset()
    part = dataset.subset([4, 0, 3])
    assert part.ids == ["m4", "m0", "m3"]
    assert np.array_equal(part.values, dataset.values[[4, 0, 3]])
    assert part.crystals[0] is dataset.crystals[4]
    assert {k: [part.ids[r] for r in v] for k, v in part.splits.items()} == {
        "train": ["m0"],
        "valid": ["m3"],
        "test": ["m4"],
    }


@pytest.mark.parametrize("rows", [[], [0, 0], [5], [-1], [True, False]])
def test_subset_refuses(make_dataset, rows):
    with pytest.raises(DataError):
        make_dataset().subset(rows)


def test_data_hash_knows_the_data_and_not_the_split(make_dataset):
    dataset = make_dataset()
    same = [
        make_dataset(),
        replace(dataset, splits={"test": [0]}, split_name="other"),
        replace(dataset, name="other", notes=["a"]),
        replace(dataset, grid=np.where(dataset.grid == 0, -0.0, dataset.grid)),
    ]
    assert {d.data_hash for d in same} == {dataset.data_hash}

    moved = list(dataset.crystals)
    moved[1] = replace(moved[1], fractional_coordinates=[[0, 0, 0], [0.5, 0.5, 0.51]])
    swapped = list(dataset.crystals)
    swapped[0] = replace(swapped[0], atomic_numbers=swapped[0].atomic_numbers[::-1])
    other = [
        replace(dataset, ids=["m0", "m1", "m2", "m3", "x"]),
        replace(dataset, grid=dataset.grid + 1),
        replace(dataset, values=np.nextafter(dataset.values, np.float32(2))),
        replace(dataset, crystals=moved),
        replace(dataset, crystals=swapped),
        dataset.subset([0, 1, 2, 3]),
        dataset.subset([1, 0, 2, 3, 4]),
    ]
    hashes = [d.data_hash for d in [dataset, *other]]
    assert len(set(hashes)) == len(hashes)


def test_data_hash_forgives_the_last_bits_of_coordinates(make_dataset):
    dataset = make_dataset()
    crystals = [
        Crystal(c.lattice, np.nextafter(c.fractional_coordinates, 1), c.atomic_numbers)
        for c in dataset.crystals
    ]
    assert replace(dataset, crystals=crystals).data_hash == dataset.data_hash


def test_split_hash_knows_members_and_not_row_order(make_dataset):
    dataset = make_dataset()
    assert dataset.subset([3, 1, 0, 4, 2]).split_hash == dataset.split_hash
    other = replace(dataset, splits={"train": [0, 1, 2], "valid": [4], "test": [3]})
    assert other.split_hash != dataset.split_hash
    assert other.data_hash == dataset.data_hash


def test_describe_is_json(make_dataset):
    told = describe(make_dataset(notes=["mind the gap"])).to_json()
    assert json.loads(json.dumps(told)) == told
    assert told["materials"] == 5
    assert told["split"] == {"name": "given", "rows": {"train": 3, "valid": 1, "test": 1}}
    assert told["elements"] == ["Li", "O", "F", "Na", "Mg", "Cl", "K", "Ca", "Br"]
    assert told["atoms"] == {"mean": 2.0, "max": 2}
    assert told["grid"] == {"first": 0.0, "last": 60.0, "points": 4}
    assert told["notes"] == ["mind the gap"]


def test_other_points_keep_the_values_at_shared_energies(make_dataset):
    dataset = make_dataset()
    fine = dataset.with_points(7)
    assert fine.grid.tolist() == [0, 10, 20, 30, 40, 50, 60]
    np.testing.assert_array_equal(fine.values[:, ::2], dataset.values)
    between = (dataset.values[:, 1:] + dataset.values[:, :-1]) / 2
    np.testing.assert_allclose(fine.values[:, 1::2], between, atol=1e-6)
    assert "from 4 to 7 points and keep their scale" in fine.notes[-1]
    assert fine.data_hash != dataset.data_hash
    assert fine.split_hash == dataset.split_hash
    np.testing.assert_allclose(fine.with_points(4).values, dataset.values, atol=1e-6)
    with pytest.raises(DataError, match="on 1 points; at least 2"):
        dataset.with_points(1)
