"""Figures and the results page, from a quick reproduction."""

from __future__ import annotations

import json
from dataclasses import replace

import paper_pages
import pytest
import reasons
import results_page

from vanhove.experiments.figures import FIGURES
from vanhove.experiments.tables import catalog_table, measured
from vanhove.papers.definitions import EXPERIMENTS
from vanhove.spectra import plotting


@pytest.mark.parametrize("name", sorted(set(FIGURES) - {"groups", "discoveries"}))
def test_a_figure_is_drawn_from_the_result_alone_and_small(name, done):
    assert len(plotting.png(FIGURES[name](done.result))) < 200_000
    rows = [replace(row, mean=None) for row in done.result.rows]
    assert FIGURES[name](replace(done.result, rows=rows, examples={}, relative_errors={})) is None


def test_the_page_of_results(done, monkeypatch):
    result = json.loads(json.dumps(done.result.to_json()))
    found = {"dostransformer-table1": result}
    text = paper_pages.page("dostransformer", found)
    mean, std = result["rows"][0]["mean"]["mae"], result["rows"][0]["std"]["mae"]
    assert f"| {mean:.3f} ± {std:.3f}<br>*0.106 ± 0.003* |" in text
    assert (
        "| Energy embeddings help every baseline. | DOSTransformer, table 1 | **undecided**" in text
    )
    assert "*0.309 ± 0.016*" in text
    table9 = text.split("## Table 9")[1].split("## Table 10")[0]
    assert "| MLP, prompt in atom features |  | not run<br>*" in table9
    monkeypatch.delitem(reasons.REASONS, "mlp")
    missing = results_page.missing_reasons(found)
    assert "dostransformer-table1/mlp" in missing
    monkeypatch.setitem(reasons.REASONS, "mlp", "it saw toys")
    assert "dostransformer-table1/mlp" not in results_page.missing_reasons(found)
    assert "it saw toys" in results_page.page(found)


def test_every_table_stands_on_one_page():
    shown = [name for paper in paper_pages.PAGES.values() for name in paper.experiments]
    shown += [*paper_pages.COURSE, results_page.FLAGSHIP]
    shown += [name for page in results_page.OTHER_PAGES for name in results_page.names_of(page)]
    assert sorted(shown) == sorted(EXPERIMENTS)


def test_a_page_without_results():
    assert "Nothing has been measured yet." in results_page.page({})


def test_the_list_of_models():
    text = catalog_table()
    for name, known in measured().items():
        assert f"{known['n_parameters']['compact']:,}" in text
        assert f"\n{name} " in text
