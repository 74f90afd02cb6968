"""Submissions to the JARVIS leaderboard (Choudhary et al., npj Comput. Mater. 10, 93 (2024))."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np

from vanhove.atomic import write_text
from vanhove.datasets.catalog import load_dataset
from vanhove.errors import CheckpointError
from vanhove.results import Json, Result, write_result
from vanhove.runs.checkpoint import load_model, recorded
from vanhove.runs.compatibility import check_data
from vanhove.runs.prepared import predict_rows, prepare
from vanhove.version import circumstances
from vanhove.weights import find_weights

BENCHMARK = "AI-Spectra-ph_dos-edos_pdos-test-multimae"
"""Phonon DOS of JARVIS-DFT, 66 points, the mean absolute error over all points of all materials."""


@dataclass(frozen=True)
class CleanPart(Result):
    """The measured crystals without imaginary modes: how many, and the mean absolute error."""

    n_materials: int
    mae: float


@dataclass(frozen=True)
class Submission(Result):
    """What was measured for the leaderboard; errors on spectra of maximum 1.

    Attributes:
        benchmark: the leaderboard's name of it.
        n_materials: test ids whose structures are public with the labels.
        mae: the leaderboard's metric on these.
        clean: the same of `phonon_jarvis_clean`.
        convention: what the metric is.
        model: name of the run.
        validation: its metrics on the validation split.
        seeds: of the run, or of the members.
        dataset: of the training, `DatasetInfo`.
        config: the settings of the run.
        versions: of vanhove, torch and Python.
        machine: processor, and whether a GPU was there.
    """

    benchmark: str
    n_materials: int
    mae: float
    clean: CleanPart
    convention: str
    model: str
    validation: dict[str, float]
    seeds: list[int]
    dataset: Json
    config: Json
    versions: dict[str, str]
    machine: str

    def __str__(self) -> str:
        return (
            f"{self.n_materials} materials, MAE {self.mae:.4f} over all points; without "
            f"imaginary modes {self.clean.n_materials}, MAE {self.clean.mae:.4f}"
        )


def write_submission(
    checkpoint: str | PathLike[str], folder: str | PathLike[str], *, quiet: bool = False
) -> Submission:
    """Predict the test split of `phonon_jarvis` and write what the leaderboard takes.

    ``BENCHMARK.csv.zip`` has the columns id, target, prediction, the points of a spectrum joined
    with semicolons, and ``metadata.json`` describes the model; ``result.json`` is our own note of
    what was measured, also of `phonon_jarvis_clean`, the crystals without imaginary modes. Test
    materials without a structure are missing (see the notes of the data set), so a submission is of
    a part of the test ids.

    Args:
        checkpoint: a model trained on `phonon_jarvis` in its published split.
        folder: where to; made if missing.
        quiet: no progress.

    Returns:
        The leaderboard's metric on these materials.

    Raises:
        CheckpointError: the model was trained on other data or another split.
        DataError: the data cannot be loaded.
    """
    model, info = load_model(find_weights(checkpoint))
    expected = load_dataset("phonon_jarvis")
    own = info.trained.dataset
    if (own.hash, own.split_hash) != (expected.data_hash, expected.split_hash):
        raise CheckpointError(
            f"{checkpoint} was trained on {own.name} (split {own.split}); the "
            "leaderboard asks for phonon_jarvis in its published split"
        )
    data = prepare(info.run_config(), ("test",), quiet)
    check_data(data.dataset, info, own=True)
    rows = data.rows("test")
    prediction = predict_rows(model, data, rows).numpy()
    target = data.targets[rows].numpy()
    errors = np.abs(prediction - target).mean(axis=1)
    clean_ids = set(load_dataset("phonon_jarvis_clean").ids)
    clean = np.array([data.dataset.ids[row] in clean_ids for row in rows.tolist()])
    lines = ["id,target,prediction"]
    for row, true, predicted in zip(rows.tolist(), target, prediction, strict=True):
        lines.append(f"{data.dataset.ids[row]},{_joined(true)},{_joined(predicted)}")
    result = Submission(
        benchmark=BENCHMARK,
        n_materials=len(rows),
        mae=float(errors.mean()),
        clean=CleanPart(int(clean.sum()), float(errors[clean].mean())),
        convention="mean absolute error over all points of all materials",
        model=info.name,
        validation=info.trained.validation,
        seeds=info.seeds,
        dataset=own.model_dump(),
        config=recorded(checkpoint, info),
        **circumstances(),
    )
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        # ZipInfo has a fixed date: the same predictions make the same file.
        archive.writestr(
            zipfile.ZipInfo(f"{BENCHMARK}.csv"), "\n".join(lines) + "\n", zipfile.ZIP_DEFLATED, 9
        )
    (folder / f"{BENCHMARK}.csv.zip").write_bytes(content.getvalue())
    metadata = {
        "model_name": info.name,
        "project_url": "",
        "date_submitted": "",
        "author_email": "",
        "database_version": "dft_3d",
        "team_name": "",
        "time_taken_seconds": "",
        "language": "python",
        "os": "linux",
        "software_used": f"vanhove-{result.versions['vanhove']}",
        "hardware_used": result.machine,
        "git_url": [""],
        "model_parameters": sum(p.numel() for p in model.parameters()),
        "note": _note(result),
    }
    write_text(folder / "metadata.json", json.dumps(metadata, indent=1) + "\n")
    write_result(result.to_json(), folder / "result.json")
    return result


def _note(result: Submission) -> str:
    seeds, dataset = ", ".join(map(str, result.seeds)), result.dataset
    return (
        f"{result.n_materials} test ids: those whose structures are public with the labels; seeds "
        f"{seeds}; data hash {dataset['hash']}, split hash {dataset['split_hash']}"
    )


def _joined(values: np.ndarray) -> str:
    return ";".join(f"{value:.4g}" for value in values.tolist())
