"""Text tables of measured numbers beside published ones."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files

from vanhove.evaluation.evaluate import Evaluation
from vanhove.experiments.bands import bandformer_table
from vanhove.experiments.finetuning import finetuning_table
from vanhove.experiments.results import (
    NOTHING_PRINTED,
    BandformerResult,
    ComparedRow,
    FinetuningResult,
    Reproduction,
    TableResult,
)
from vanhove.models.model import ModelSettings
from vanhove.papers.definitions import EXPERIMENTS
from vanhove.papers.published import PAPERS, PHONON_DATA, PublishedRow, published_rows
from vanhove.papers.table import Column
from vanhove.results import Json
from vanhove.runs.catalog import CATALOG, run_config
from vanhove.spectra.quantities import ELECTRON_BANDS

COLUMNS_PER_BLOCK = 4


def evaluation_table(result: Evaluation) -> str:
    """A result of `vanhove.evaluate` as text, published rows beside it."""
    seeds = result.seeds
    lines = [
        f"{result.model}, {result.split} split of {result.dataset['name']}: "
        f"{result.n_materials} materials, {len(seeds)} seed{'s' if len(seeds) > 1 else ''} "
        f"({', '.join(map(str, seeds))})",
        "",
    ]
    published: list[tuple[str, PublishedRow, tuple[Column, ...]]] = []
    own_grid = result.config["data"].get("grid_points") is None
    if result.split == "test" and result.dataset["name"] == "phonon_petretto" and own_grid:
        published = published_beside(ModelSettings.parse(result.config["model"]))
    header = f"{'':58s} {'ours':>18s}"
    for title, _, _ in published:
        header += f"  {title[:22]:>22s}"
    lines.append(header.rstrip())
    for key, convention in result.conventions.items():
        spread = result.std
        line = f"{convention:58s} {number(result.mean[key], (spread or {}).get(key)):>18s}"
        for _, row, columns in published:
            value = ""
            for column in columns:
                if column.key == key and column.published in row.values:
                    spread_there = row.spread.get(column.published)
                    value = number(
                        row.values[column.published] * column.factor,
                        None if spread_there is None else spread_there * column.factor,
                    )
            line += f"  {value:>22s}"
        lines.append(line.rstrip())
    lines += ["", *(f"note: {note}" for note in result.notes)]
    if published:
        lines += ["", *(f"{title}: {_source(row)}" for title, row, _ in published)]
    return "\n".join(lines)


def groups_table(result: Evaluation) -> str:
    """The same result by crystal system and by number of species."""
    names = {"mse_x10": "MSEx10", "mae": "MAE", "r2": "R2"}
    lines: list[str] = []
    for kind, groups in result.groups.items():
        for name, errors in groups.items():
            keys = [key for key in errors if key != "n"]
            if not lines:
                titles = " ".join(f"{names.get(key, key):>8s}" for key in keys)
                lines.append(f"{'group':24s} {'n':>6s} {titles}")
            shown = " ".join(f"{errors[key]:{max(8, len(names.get(key, key)))}.4f}" for key in keys)
            label = f"{name} species" if kind == "n_species" else name
            lines.append(f"{label:24s} {errors['n']:6d} {shown}")
    return "\n".join(lines)


def published_beside(model: ModelSettings) -> list[tuple[str, PublishedRow, tuple[Column, ...]]]:
    """Rows that papers print of a model with this encoder and decoder, on our data and split.

    Title, row, and the columns that say which of our metrics its numbers are.
    """
    pair = (model.encoder.name, model.decoder.name)
    found: list[tuple[str, PublishedRow, tuple[Column, ...]]] = []
    for experiment in EXPERIMENTS.values():
        for row in experiment.rows if experiment.kind == "metrics" else ():
            published = row.published_row()
            if published is None or (published.dataset, published.split) != PHONON_DATA:
                continue
            if row.model not in CATALOG or row.run != row.model or _pair(row.model) != pair:
                continue
            shown = any(published is there for _, there, _ in found)
            if model.output == row.config().model.output and not shown:
                found.append((published.source, published, experiment.columns))
    for rerun in published_rows():
        # By others, of a model that a paper prints, in that paper's metrics.
        if rerun.table == "experiments log":
            found += [
                ("independent rerun", rerun, columns)
                for _, paper, columns in found
                if (paper.table, paper.model, paper.variant) == ("1", rerun.model, rerun.variant)
            ]
    return found


@cache
def _pair(model: str) -> tuple[str, str]:
    config = run_config(model)
    return config.model.encoder.name, config.model.decoder.name


def _source(row: PublishedRow) -> str:
    where = row.table if row.table == "experiments log" else f"table {row.table}"
    note = f" ({row.note})" if row.note else ""
    source = PAPERS.get(row.source, row.source)
    return f"{source}, {where}, {row.model}{', ' + row.variant if row.variant else ''}{note}"


def number(value: float | None, spread: float | None = None, digits: int = 4) -> str:
    """``0.1675 +- 0.0036``; a dash for nothing."""
    if value is None:
        return "-"
    return f"{value:.{digits}f}" + (f" +- {spread:.{digits}f}" if spread is not None else "")


def result_table(result: Reproduction) -> str:
    """Any result of `vanhove.reproduce` as text."""
    if isinstance(result, BandformerResult):
        return bandformer_table(result)
    if isinstance(result, FinetuningResult):
        return finetuning_table(result)
    return experiment_table(result)


def experiment_table(result: TableResult) -> str:
    """A result of `vanhove.experiments.reproduce.reproduce` as text: ours, below it published."""
    lines = [result.title]
    if result.quick:
        lines.append("QUICK RUN on the tiny toy data set: NOT A MEASUREMENT")
    dataset = result.dataset
    if dataset is not None:
        lines.append(
            f"test split of {dataset['name']}, {dataset['n_test']} materials "
            f"(data {dataset['hash'][:12]}, split {dataset['split_hash'][:12]})"
        )
    width = max([20, *(len(row.label) for row in result.rows)]) + 2
    columns = result.columns
    for start in range(0, len(columns), COLUMNS_PER_BLOCK):
        block = columns[start : start + COLUMNS_PER_BLOCK]
        headings = "".join(f"{column.title[:25]:>26s}" for column in block)
        lines += ["", f"{'':{width}s}{'seeds':>6s}{headings}"]
        for row in result.rows:
            lines += _row_lines(row, block, width)
        for baseline in result.baselines or ():
            values = [number(baseline.mean.get(c.key), None, c.digits) for c in block]
            shown = "".join(f"{value:>26s}" for value in values)
            lines.append(f"{baseline.label:{width}s}{'':6s}{shown}")
    lines += ["", *(result.unbeaten or ()), *(f"note: {note}" for note in result.notes)]
    return "\n".join(lines)


def _row_lines(row: ComparedRow, columns: list[Column], width: int) -> list[str]:
    published = row.published or NOTHING_PRINTED
    ours, theirs = "", ""
    for column in columns:
        key, digits = column.key, column.digits
        value = row.means.get(key)
        ours += f"{number(value, row.spreads.get(key), digits):>26s}"
        there = published.values.get(key)
        shown = number(there, published.spread.get(key), digits)
        theirs += f"{shown if there is not None else '':>26s}"
    seeds = str(len(row.seeds)) if row.seeds else ""
    if row.mean is None:
        ours = f"{'not run':>26s}" + (f"  {row.not_run}" if row.not_run else "")
    lines = [f"{row.label:{width}s}{seeds:>6s}{ours}"]
    if theirs.strip():
        lines.append(f"{'  published':{width}s}{'':6s}{theirs}".rstrip())
    return lines


def measured() -> Json:
    """Sizes and test numbers of catalogued models, as shipped (by scripts/update_results.py)."""
    return json.loads((files("vanhove.experiments") / "measured.json").read_text(encoding="utf-8"))


def catalog_table() -> str:
    """Catalogued models: size, our test numbers, paper and licence of the idea's source."""
    numbers = measured()
    lines = [
        f"{'model':29s} {'parameters':>10s} {'published':>10s} {'seeds':>5s} {'MSEx10':>7s} "
        f"{'MAE':>7s} {'R2':>7s} {'R2 flat':>7s} {'R2 bin':>7s}  paper (licence of its code)"
    ]
    for name, model in CATALOG.items():
        known = numbers.get(name, {})
        mean = known.get("mean", {})
        shown = " ".join(
            f"{mean[key]:7.4f}" if key in mean else "      -"
            for key in ("mse_x10", "mae", "r2", "r2_flat", "r2_per_bin")
        )
        seeds = len(known["seeds"]) if mean else "-"
        sizes = " ".join(
            f"{known['n_parameters'][size]:>10,d}" if known else f"{'-':>10s}"
            for size in ("compact", "published")
        )
        lines.append(f"{name:29s} {sizes} {seeds:>5} {shown}  {model.paper} ({model.licence})")
    return "\n".join(
        [
            *lines,
            "",
            "parameters: of the settings trained here, and of the published ones",
            "numbers: test split of phonon_petretto, mean over seeds; MSE, MAE and R2 of each "
            "material, then the mean",
        ]
    )


def weights_table() -> str:
    """Shipped weights with the test numbers that were measured on them."""
    from vanhove.runs.checkpoint import read_info
    from vanhove.weights import DEFAULT_WEIGHTS, HAMILTONIANS, shipped_weights

    shipped = shipped_weights()
    if not shipped:
        return "no weights are shipped with this installation; train a model: vanhove train --help"
    lines = [
        f"{'weights':25s} {'quantity':15s} {'trained on':21s} {'MSEx10':>7s} {'MAE':>7s} {'R2':>7s}"
    ]
    for name, path in shipped.items():
        info = read_info(path)
        beside = path.with_suffix(".json")
        metrics = json.loads(beside.read_text())["mean"] if beside.exists() else {}
        shown = [
            f"{metrics[key]:7.4f}" if key in metrics else "      -"
            for key in ("mse_x10", "mae", "r2")
        ]
        if "energy_mae" in metrics:
            shown = [f"energies, MAE {metrics['energy_mae']:.2f} eV"]
        default = "  (default)" if name == DEFAULT_WEIGHTS else ""
        lines.append(
            f"{name:25s} {info.quantity:15s} {info.trained.dataset.name:21s} "
            f"{' '.join(shown)}{default}"
        )
    for name in HAMILTONIANS:
        known = f"{name:25s} {ELECTRON_BANDS.name:15s} {'electron_pbe':21s}"
        lines.append(f"{known} errors: vanhove models {name}")
    return "\n".join([*lines, "", "test split, per-material convention"])
