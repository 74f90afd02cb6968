"""What fine-tuning on few materials gained, as numbers, text, JSON and Markdown."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vanhove.atomic import write_text
from vanhove.datasets import SpectrumDataset
from vanhove.evaluation.evaluate import METRIC_CONVENTIONS
from vanhove.evaluation.measures import bootstrap_interval, material_errors
from vanhove.results import Json, Result

JSON_FILE, MARKDOWN_FILE = "finetuning.json", "finetuning.md"
LARGER_IS_BETTER = ("r2",)
FEW_FOR_AN_INTERVAL = 10
VERDICTS = {
    "gain": "Fine-tuning helps.",
    "loss": "Fine-tuning harms: keep the original.",
    "none": "No gain shown: keep the original.",
}


@dataclass(frozen=True)
class MetricGain(Result):
    """What fine-tuning changed in a metric, mean over materials.

    Attributes:
        convention: what the metric is, with its unit.
        before, after: without and with fine-tuning.
        gain: positive is better.
        interval: the 95 % interval of the gain (paired bootstrap over materials).
        improved: how many materials got better.
    """

    convention: str
    before: float
    after: float
    gain: float
    interval: list[float]
    improved: int


@dataclass(frozen=True)
class TunedMaterial(Result):
    """The first metric of a material, without and with fine-tuning."""

    id: str
    before: float
    after: float


@dataclass(frozen=True)
class Gains(Result):
    """What fine-tuning gained.

    Attributes:
        n_materials: how many.
        metrics: by name.
        verdict: a key of `VERDICTS`, by the interval of the first metric.
        materials: one by one.
    """

    n_materials: int
    metrics: dict[str, MetricGain]
    verdict: str
    materials: list[TunedMaterial]


@dataclass(frozen=True)
class FinetuningReport(Gains):
    """What ``finetuning.json`` holds.

    Attributes:
        checkpoint: that was tuned.
        members: of it, where it is an ensemble; 1 otherwise.
        model: folder of the tuned model.
        mode: what was trained.
        epochs: of the final run.
        folds: of the cross-validation.
        tried: of each mode, the selecting metric after each epoch, mean over materials.
        dataset: the materials, `DatasetInfo`.
        notes: what a reader has to know of the data, in sentences.
        config: the settings of the final run.
        versions: of vanhove, torch and Python.
        machine: processor, and whether a GPU was there.
    """

    checkpoint: str
    members: int
    model: str
    mode: str
    epochs: int
    folds: int
    tried: dict[str, list[float]]
    dataset: Json
    notes: list[str]
    config: Json
    versions: dict[str, str]
    machine: str


def summary(
    dataset: SpectrumDataset, rows: np.ndarray, before: np.ndarray, after: np.ndarray
) -> Gains:
    """Metrics without and with fine-tuning, and the gain of each material.

    Args:
        dataset: of the materials.
        rows: of the materials in it.
        before, after: predictions, ``[n_materials, n_points]`` (of bands ``[..., n_bands]``).
    """
    target = dataset.values[rows]
    old, new = (material_errors(target, values, dataset) for values in (before, after))
    metrics: dict[str, MetricGain] = {}
    for name in old:
        gain = (new[name] - old[name]) if name in LARGER_IS_BETTER else (old[name] - new[name])
        defined = np.isfinite(gain)
        if not defined.any():
            continue
        metrics[name] = MetricGain(
            convention=METRIC_CONVENTIONS[name],
            before=float(old[name][defined].mean()),
            after=float(new[name][defined].mean()),
            gain=float(gain[defined].mean()),
            interval=list(bootstrap_interval(gain[defined])),
            improved=int((gain > 0).sum()),
        )
    first = next(iter(metrics))
    low, high = metrics[first].interval
    return Gains(
        n_materials=len(rows),
        metrics=metrics,
        verdict="gain" if low > 0 else "loss" if high < 0 else "none",
        materials=[
            TunedMaterial(dataset.ids[row], float(old[first][i]), float(new[first][i]))
            for i, row in enumerate(rows.tolist())
        ],
    )


def report_lines(report: FinetuningReport) -> list[str]:
    """The report in sentences; the table is apart."""
    first = next(iter(report.metrics.values()))
    n = report.n_materials
    epochs = f"{report.epochs} epoch{'s' if report.epochs > 1 else ''}"
    lines = [
        f"{VERDICTS[report.verdict]} {first.improved} of {n} materials got better.",
        f"Mode {report.mode}, {epochs}, chosen by {report.folds} folds; each material was "
        "predicted by a run that had not seen it. Gain: positive is better, with its 95 % interval "
        "over materials.",
    ]
    if n < FEW_FOR_AN_INTERVAL:
        lines.append(f"{n} materials are few: the true interval is wider than this one.")
    if report.members > 1:
        lines.append(
            f"The original is an ensemble of {report.members}, measured as a whole; the tuned "
            "model is its first member alone, without error bars."
        )
    return lines


def report_rows(report: FinetuningReport) -> list[list[str]]:
    """The table, header first."""
    rows = [["metric", "original", "tuned", "gain", "95 % interval"]]
    for name, found in report.metrics.items():
        low, high = found.interval
        numbers = [f"{value:.4f}" for value in (found.before, found.after)]
        rows.append([name, *numbers, f"{found.gain:+.4f}", f"{low:+.4f} to {high:+.4f}"])
    return rows


def report_table(report: FinetuningReport) -> str:
    """The report as text for the terminal."""
    title = f"{report.checkpoint}, tuned on {report.n_materials} materials of "
    lines = [title + report.dataset["name"], ""]
    for name, *numbers, interval in report_rows(report):
        lines.append(f"{name:12s}" + "".join(f"{x:>10s}" for x in numbers) + f"{interval:>22s}")
    return "\n".join([*lines, "", *report_lines(report), report.model])


def report_markdown(report: FinetuningReport) -> str:
    """The report as a page."""
    table = ["| " + " | ".join(row) + " |" for row in report_rows(report)]
    table.insert(1, "|---" * 5 + "|")
    materials = [f"| {one.id} | {one.before:.4f} | {one.after:.4f} |" for one in report.materials]
    metric = next(iter(report.metrics))
    return "\n\n".join(
        [
            f"# {report.checkpoint}, tuned on {report.dataset['name']}",
            *report_lines(report),
            "\n".join(table),
            f"## Each material ({metric})",
            "\n".join(["| material | original | tuned |", "|---|---|---|", *materials]),
            *(["## Notes", *(f"- {note}" for note in report.notes)] if report.notes else []),
        ]
    )


def write_report(report: FinetuningReport, folder: Path) -> None:
    """``finetuning.json`` and ``finetuning.md`` in the run folder."""
    write_text(folder / JSON_FILE, json.dumps(report.to_json(), indent=1) + "\n")
    write_text(folder / MARKDOWN_FILE, report_markdown(report) + "\n")
