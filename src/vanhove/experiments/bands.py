"""Bandformer's table I, on our data: band centre, dispersion, energy and gap, beside baselines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from vanhove.errors import ConfigError
from vanhove.evaluation.baselines import nearest_copy, training_mean
from vanhove.evaluation.evaluate import METRIC_CONVENTIONS
from vanhove.evaluation.measures import mean_and_std
from vanhove.experiments.options import Options
from vanhove.experiments.results import BandformerResult, BandRun
from vanhove.experiments.trained_runs import has_run
from vanhove.papers.published import find_published
from vanhove.results import write_result
from vanhove.runs.catalog import run_config
from vanhove.runs.checkpoint import load_model, recorded
from vanhove.runs.compatibility import unseen_note
from vanhove.runs.config import RunConfig
from vanhove.runs.description import DatasetInfo, ModelInfo
from vanhove.runs.folder import BEST, run_folder
from vanhove.runs.prepared import PreparedData, predict_rows, prepare
from vanhove.spectra.band_metrics import band_metrics, crosses_fermi, energy_mae
from vanhove.version import circumstances

NAME = "bandformer"
TITLE = "Bandformer, table I: errors of band centre, dispersion, energy and gap (eV)"
QUICK = {"data.train_fraction": 0.1, "training.epochs": 1}
QUICK_NOTE = "QUICK RUN, one epoch on a tenth of the data: NOT A MEASUREMENT."
KINDS = {"": "all", "_nonmetal": "non-metal", "_metal": "metal"}
QUANTITIES = {
    "centre_mae": "band center MAE (eV)",
    "dispersion_mae": "band dispersion MAE (eV)",
    "energy_mae": "band energy MAE (eV)",
}
"""Our metric and the paper's name of it."""
NOTES = (
    "The published row is of 52,861 band structures of the Materials Project, ours of a few "
    "hundred of small cells: the numbers do not compare in size. In small cells the three bands "
    "below and above the Fermi level also spread over more energy (semicore states, wide bands of "
    "simple metals).",
    "Errors are means over points and bands of each material, then over materials. Metal: a true "
    "band crosses the Fermi level along the path. Gap: between the third and the fourth of the six "
    "bands, of non-metals.",
)


def bandformer_config(
    seed: int = 0, overrides: Mapping[str, object] | None = None, quick: bool = False
) -> RunConfig:
    """Settings of the run."""
    settings = {**(QUICK if quick else {}), **(overrides or {})}
    return run_config(
        NAME, overrides=settings, seed=seed, run_name=f"quick-{NAME}" if quick else None
    )


def reproduce_bandformer(
    options: Options, overrides: Mapping[str, object] | None = None
) -> BandformerResult:
    """Table I of Bandformer; see `vanhove.reproduce`. ``overrides`` are dotted settings on top.

    Raises:
        ConfigError: no finished run, or as `vanhove.reproduce`.
    """
    folders = {}
    for seed in options.seeds_of(bandformer_config(0, overrides, options.quick).name):
        config = bandformer_config(seed, overrides, options.quick)
        folder = run_folder(options.runs, config)
        if has_run(config, folder, measured_only=options.measured_only, quiet=options.quiet):
            folders[seed] = folder
    if not folders:
        raise ConfigError(f"no finished run of {NAME} in {options.runs}; leave out --measured-only")
    loaded = {seed: load_model(folder / BEST) for seed, folder in folders.items()}
    info = next(iter(loaded.values()))[1]
    data = prepare(info.run_config(), ("train", "test"), options.quiet)
    rows = data.rows("test")
    target = data.targets[rows].double().numpy()
    predictions = {
        seed: predict_rows(model, data, rows).double().numpy()
        for seed, (model, _) in loaded.items()
    }
    result = _result(
        data, target, predictions, {s: i for s, (_, i) in loaded.items()}, options.quick
    )
    figures = _draw(data, target, predictions, options.figure_folder, result.stem)
    result = replace(result, config=recorded(next(iter(folders.values())), info), figures=figures)
    write_result(result.to_json(), options.output / f"{result.stem}.json")
    return result


def _result(
    data: PreparedData,
    target: np.ndarray,
    predictions: dict[int, np.ndarray],
    infos: dict[int, ModelInfo],
    quick: bool,
) -> BandformerResult:
    dataset, rows = data.dataset, data.rows("test").numpy()
    metrics = {seed: _measured(target, values) for seed, values in predictions.items()}
    keys = [key for key in METRIC_CONVENTIONS if key in next(iter(metrics.values()))]
    mean, std = mean_and_std(list(metrics.values()), keys)
    info = next(iter(infos.values()))
    return BandformerResult(
        experiment=NAME,
        title=TITLE,
        quick=quick,
        split="test",
        notes=[
            *([QUICK_NOTE] if quick else []),
            *NOTES,
            *dataset.notes,
            *unseen_note(dataset, info, rows.tolist()),
        ],
        dataset=DatasetInfo.of(dataset).model_dump(),
        n_materials=len(rows),
        n_nonmetals=int((~crosses_fermi(target)).sum()),
        ids=[dataset.ids[row] for row in rows],
        conventions={key: METRIC_CONVENTIONS[key] for key in keys},
        seeds=list(metrics),
        mean=mean,
        std=std,
        runs=[
            BandRun(
                seed=seed,
                epoch=infos[seed].trained.epoch,
                validation=infos[seed].trained.validation,
                metrics=metrics[seed],
                energy_mae_per_material=energy_mae(target, predictions[seed]).tolist(),
            )
            for seed in metrics
        ],
        baselines={
            "training mean": _measured(target, training_mean(dataset, rows)),
            "nearest training crystal": _measured(target, nearest_copy(dataset, rows)),
        },
        published=published_numbers(),
        config={},
        figures=[],
        **circumstances(),
    )


def _measured(target: np.ndarray, prediction: np.ndarray) -> dict[str, float]:
    """Metrics without those of kinds that no material is of."""
    found = band_metrics(target, prediction)
    return {key: value for key, value in found.items() if np.isfinite(value)}


def published_numbers() -> dict[str, float]:
    """Table I of the paper under our names."""
    found = {}
    for suffix, kind in KINDS.items():
        row = find_published("Bandformer", "I", "Bandformer", kind, "band_structure")
        # Without the group that `find_published` adds where lines of one row have other notes.
        values = {name.partition("[")[0]: value for name, value in row.values.items()}
        for ours, theirs in QUANTITIES.items():
            found[ours + suffix] = values[theirs]
        if kind == "non-metal":
            found["gap_mae"] = values["band gap MAE (eV)"]
    return found


def bandformer_table(result: BandformerResult) -> str:
    """The result as text: quantities and kinds of materials in lines, models in columns."""
    columns = {
        "ours": result.mean,
        **result.baselines,
        "paper (other data)": result.published,
    }
    seeds = result.seeds
    lines = [
        result.title,
        f"{result.n_materials} test crystals of {result.dataset['name']}, "
        f"{len(seeds)} seed{'s' if len(seeds) > 1 else ''} ({', '.join(map(str, seeds))}); "
        f"{result.n_nonmetals} are non-metals",
        "",
        f"{'':32s}" + "".join(f"{title:>26s}" for title in columns),
    ]
    for key, convention in result.conventions.items():
        line = f"{convention:32s}"
        for title, values in columns.items():
            shown = f"{values[key]:.3f}" if key in values else "-"
            if title == "ours" and result.std:
                shown += f" +- {result.std[key]:.3f}"
            line += f"{shown:>26s}"
        lines.append(line)
    return "\n".join([*lines, "", *(f"note: {note}" for note in result.notes)])


def _draw(
    data: PreparedData,
    target: np.ndarray,
    predictions: dict[int, np.ndarray],
    folder: Path,
    stem: str,
) -> list[str]:
    from vanhove.experiments.band_figures import quintiles, scatter, violin
    from vanhove.experiments.figures import write_figure

    prediction = next(iter(predictions.values()))
    names = [data.dataset.ids[row] for row in data.rows("test").tolist()]
    formulas = [data.dataset.crystals[row].formula for row in data.rows("test").tolist()]
    drawings = {
        "quintiles": quintiles(target, prediction, names, formulas),
        "scatter": scatter(target, prediction),
        "violin": violin(
            np.mean([energy_mae(target, own) for own in predictions.values()], axis=0),
            ~crosses_fermi(target),
        ),
    }
    for name, drawing in drawings.items():
        write_figure(drawing, folder / f"{stem}-{name}.png")
    return [f"{stem}-{name}.png" for name in drawings]
