"""Submissions to the JARVIS leaderboard."""

from __future__ import annotations

import io
import json
import zipfile

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from vanhove.cli import app
from vanhove.datasets import catalog, load_dataset
from vanhove.errors import CheckpointError
from vanhove.evaluation.evaluate import evaluate
from vanhove.evaluation.leaderboard import BENCHMARK, write_submission


def test_the_file_holds_every_test_material(small_run, monkeypatch, tmp_path):
    """The tiny data set stands for that of the leaderboard."""
    tiny = load_dataset("tiny")
    monkeypatch.setitem(catalog.DATASETS, "phonon_jarvis", lambda: tiny)
    kept = tiny.split("test")[:1]
    monkeypatch.setitem(catalog.DATASETS, "phonon_jarvis_clean", lambda: tiny.subset(kept))
    out = CliRunner().invoke(
        app, ["evaluate", str(small_run), "--jarvis-leaderboard", str(tmp_path), "-q"]
    )
    assert out.exit_code == 0, out.output
    with zipfile.ZipFile(tmp_path / f"{BENCHMARK}.csv.zip") as archive:
        table = pd.read_csv(io.BytesIO(archive.read(f"{BENCHMARK}.csv")))
    rows = tiny.split("test")
    assert table["id"].tolist() == [tiny.ids[row] for row in rows]
    target, prediction = (
        np.array([[float(value) for value in text.split(";")] for text in table[column]])
        for column in ("target", "prediction")
    )
    np.testing.assert_allclose(target, tiny.values[rows], rtol=1e-3)
    measured = evaluate(small_run, "test", quiet=True).mean["mae"]
    assert np.abs(prediction - target).mean() == pytest.approx(measured, rel=1e-4)
    assert f"MAE {measured:.4f}" in out.output
    assert json.loads((tmp_path / "metadata.json").read_text())["model_parameters"] > 0
    clean = json.loads((tmp_path / "result.json").read_text())["clean"]
    expected = pytest.approx(np.abs(prediction - target)[0].mean(), rel=1e-4)
    assert clean == {"n_materials": 1, "mae": expected}


@pytest.mark.data
def test_a_model_of_other_data_cannot_submit(small_run, tmp_path):
    with pytest.raises(CheckpointError, match="asks for phonon_jarvis in its published split"):
        write_submission(small_run, tmp_path)
