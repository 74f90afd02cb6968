"""Materials that a model was trained on are measured apart."""

from __future__ import annotations

import json

import numpy as np

from vanhove.crystal import Crystal
from vanhove.datasets import load_tiny
from vanhove.evaluation.evaluate import evaluate


def test_seen_materials_are_measured_apart(small_run, tmp_path):
    tiny = load_tiny()
    seen, new = tiny.split("train")[:2].tolist(), tiny.split("valid")[:2].tolist()
    spectra = {}
    for i, row in enumerate([*seen, *new]):
        crystal = tiny.crystals[row]
        scaled = Crystal(
            1.01 * crystal.lattice, crystal.fractional_coordinates, crystal.atomic_numbers
        )
        (tmp_path / f"m{i}.json").write_text(json.dumps(scaled.to_dict()))
        spectra[f"m{i}"] = tiny.values[row].tolist()
    content = {"unit": "cm-1", "normalisation": "max", "grid": tiny.grid.tolist()}
    (tmp_path / "spectra.json").write_text(json.dumps(content | {"spectra": spectra}))
    (tmp_path / "splits.json").write_text(json.dumps({"test": list(spectra)}))
    result = evaluate(small_run, data=str(tmp_path), quiet=True).to_json()
    assert (result["n_materials"], result["seen"]["n_materials"]) == (2, 2)
    assert "2 of 4 materials are like some" in result["notes"][-1]
    assert not np.isclose(result["mean"]["rmse"], result["seen"]["mean"]["rmse"])
    assert evaluate(small_run, split="valid", quiet=True).seen is None
