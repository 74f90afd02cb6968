"""Tables as data: every row can be found in the papers, every run stands for one thing."""

from __future__ import annotations

import pytest

from vanhove.errors import ConfigError
from vanhove.evaluation.measurement import CONVENTIONS, PER_MATERIAL
from vanhove.experiments.figures import FIGURES
from vanhove.papers.claims import CLAIMS
from vanhove.papers.definitions import EXPERIMENTS
from vanhove.papers.published import find_published, published_rows
from vanhove.runs.catalog import CATALOG

ROWS = [(name, row) for name, experiment in EXPERIMENTS.items() for row in experiment.rows]


def test_published_numbers():
    row = find_published("DOSTransformer", "1", "E3NN", "energy")
    assert row.values == {"MSEx10": 0.2, "MAE": 0.074, "R2": 0.724, "bulk modulus MSE": 0.451}
    assert row.spread["bulk modulus MSE"] == 0.023
    assert row.split == "chen2021"
    assert len(published_rows()) > 100
    with pytest.raises(ConfigError, match=r"published\.csv has no row"):
        find_published("DOSTransformer", "1", "GPT")


def test_rows_are_in_their_papers():
    for name, row in ROWS:
        published, columns = row.published_row(), EXPERIMENTS[name].columns
        if published is not None:
            assert {column.published for column in columns} & published.values.keys(), row
        if row.model in CATALOG:
            assert row.config().name == row.run


def test_a_run_name_stands_for_one_run():
    settings = {}
    for _, row in ROWS:
        key = (row.model, dict(row.overrides))
        assert settings.setdefault(row.run, key) == key


def test_every_published_name_of_a_column_is_printed_somewhere():
    for experiment in EXPERIMENTS.values():
        printed = {
            metric
            for row in experiment.rows
            if row.published
            for metric in find_published(*row.published).values
        }
        names = {column.published for column in experiment.columns if column.published}
        if printed and experiment.kind == "metrics":
            assert names <= printed | {"R2"}
            assert {column.key for column in experiment.columns} <= set(CONVENTIONS)
        assert set(experiment.figures) <= set(FIGURES)
        assert not experiment.reference or experiment.reference in {
            row.label for row in experiment.rows
        }


def test_claims_are_about_runs_of_the_tables():
    runs = {row.run for _, row in ROWS}
    for claim in CLAIMS:
        assert {run for pair in claim.pairs for run in pair} <= runs
        assert set(claim.metrics) <= set(PER_MATERIAL)


def test_xtal2dos_wasserstein_distances_are_in_wavenumbers():
    (column,) = [c for c in EXPERIMENTS["xtal2dos-table1"].columns if c.key == "wasserstein_cm1"]
    assert 0.0631 * column.factor == pytest.approx(20.192)


def test_rows_on_different_parts_are_compared_on_shared_materials():
    """Otherwise the check that all runs saw one split refuses the finished table."""
    for name, experiment in EXPERIMENTS.items():
        parts = set()
        for row in experiment.rows:
            data = row.config(seed=0, runs="runs").data
            parts.add((data.split, data.tuning_fraction, data.train_fraction, data.subclass))
        assert len(parts) == 1 or experiment.common_materials, name
