"""Fine-tuning curves: a held-out chemistry, tuned on 5 to 100 of its materials in each mode."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Literal

import numpy as np

from vanhove.errors import ConfigError
from vanhove.evaluation.evaluate import METRIC_CONVENTIONS
from vanhove.evaluation.measurement import PER_MATERIAL, Measurement, Measurer
from vanhove.evaluation.measures import bootstrap_interval, mean_and_std
from vanhove.experiments.options import Options
from vanhove.experiments.results import FinetuningResult, MeanGain, TunedRow, TunedRun
from vanhove.experiments.trained_runs import has_run, say
from vanhove.results import Json, write_result
from vanhove.runs.catalog import run_config
from vanhove.runs.config import DataSettings, RunConfig, Trainable, with_overrides
from vanhove.runs.description import DatasetInfo
from vanhove.runs.folder import run_folder
from vanhove.runs.prepared import load_run_data
from vanhove.training.finetuning import FEW_EPOCHS, FEW_LEARNING_RATES, tune_on_few
from vanhove.training.finetuning_report import JSON_FILE
from vanhove.version import circumstances

NAME = "finetune-fluorides"
TITLE = "Fine-tuning on a few fluorides, a chemistry the model never saw"
HeldOutMode = Literal["none", "scratch"] | Trainable

MODELS = {"dostransformer": "DOSTransformer", "vanhove-phonon": "vanhove-phonon, not pre-trained"}
"""Named models and their titles."""
MODES: dict[HeldOutMode, str] = {
    "none": "not tuned",
    "all": "all weights",
    "prompts": "only prompts",
    "last_layers": "last layers",
    "adapters": "adapters",
    "scratch": "from scratch",
}
SIZES = (5, 10, 20, 50, 100)
BASE: dict[str, object] = {
    "data.split": "elements",
    "data.elements": ["F"],
    "training.epochs": 30,
}
SCRATCH_EPOCHS = 60
KEYS = ("mse_x10", "mae", "r2")
NOTES = (
    "The base models were trained for 30 epochs (seed 0) on all crystals of `phonon_petretto` "
    "without fluorine; the sulphides of the same data are too few (154) for a test split beside "
    "100 to tune on.",
    "Seeds choose which fluorides are tuned on, out of a pool of 100, and the order of the "
    "crystals; smaller subsets are parts of larger ones. All are tested on the other "
    "fluorides, which no run trained on. Spreads are those over seeds.",
    f"Fine-tuning: at most {FEW_EPOCHS} epochs, how many by cross-validation within the subset "
    "(5 folds, of 50 and more materials 2); "
    "constant learning rates: "
    + ", ".join(f"{mode} {rate:g}" for mode, rate in FEW_LEARNING_RATES.items())
    + " (those of prompts and last layers were raised once, after cross-validation on 5 of the "
    "fluorides in the pool)"
    + f". From scratch: {SCRATCH_EPOCHS} epochs with the settings of the base model. Nothing was "
    "chosen on the test split.",
    "Gain: MAE without minus with fine-tuning, averaged over seeds, and its 95 % interval (paired "
    "bootstrap over the test crystals). Estimate: MAE that cross-validation within the subset "
    "promised.",
)


@dataclass(frozen=True)
class Scale:
    """How large an experiment is.

    Attributes:
        models: of the catalog.
        sizes: materials to tune on.
        modes: to compare.
        base: dotted settings of the base models.
        tuning: dotted settings of fine-tuning.
        folds: by size, to save time; else as `tune_on_few` chooses.
        scratch_epochs: from scratch.
        prefix: of the names of the runs.
    """

    models: tuple[str, ...]
    sizes: tuple[int, ...]
    modes: tuple[HeldOutMode, ...]
    base: dict[str, object]
    tuning: dict[str, object]
    folds: dict[int, int]
    scratch_epochs: int
    prefix: str


FULL = Scale(
    tuple(MODELS), SIZES, tuple(MODES), BASE, {}, {50: 2, 100: 2}, SCRATCH_EPOCHS, "fluorides-"
)
QUICK = Scale(
    ("dostransformer",),
    (5,),
    ("none", "last_layers", "scratch"),
    {
        **BASE,
        "data.dataset": "tiny",
        "data.elements": ["O"],
        "training.epochs": 1,
        "model.encoder.hidden_dim": 16,
        "model.encoder.n_layers": 1,
        "model.decoder.hidden_dim": 16,
    },
    {"training.epochs": 2},
    {5: 2},
    1,
    "quick-fluorides-",
)
QUICK_NOTE = "QUICK RUN on the tiny toy data set: NOT A MEASUREMENT."


def reproduce_finetuning(options: Options) -> FinetuningResult:
    """The curves; see `vanhove.reproduce`. Seeds are those of the subsets.

    Raises:
        ConfigError: no finished run, or as `vanhove.reproduce`.
    """
    scale = QUICK if options.quick else FULL
    work = _Work(scale, options)
    for model in scale.models:
        work.do(model)
    if not work.found:
        raise ConfigError(f"no finished run of {NAME} in {options.runs}; leave out --measured-only")
    result = work.result()
    _draw(result, options.figure_folder / result.figures[0])
    write_result(result.to_json(), options.output / f"{result.stem}.json")
    return result


class _Work:
    """Trains and measures; ``found`` has the runs of each model, mode and size, by seed."""

    def __init__(self, scale: Scale, options: Options):
        self.scale, self.options = scale, options
        self.measurer = Measurer(quiet=True)
        self.found: dict[tuple[str, HeldOutMode, int], dict[int, Measurement]] = {}
        self.reports: dict[Path, Json] = {}

    def do(self, model: str) -> None:
        base = self.base_config(model)
        folder = run_folder(self.options.runs, base)
        if not self.has(base, folder):
            return
        points = [
            (mode, size)
            for size, mode in product(self.scale.sizes, self.scale.modes)
            if mode != "none"
        ]
        names = [f"{base.name}-{mode}-{size}" for mode, size in points]
        # One draw after the other: whoever stops early has whole curves.
        for seed in sorted({seed for name in names for seed in self.options.seeds_of(name)}):
            for mode, size in points:
                if run := self.tuned(base, folder, mode, size, seed):
                    measured = self.measurer.measure(run)
                    self.found.setdefault((model, mode, size), {})[seed] = measured
        tuned = [runs for (name, _, _), runs in self.found.items() if name == model]
        if tuned and "none" in self.scale.modes:
            ids = next(iter(tuned[0].values())).ids
            own = self.measurer.measure(folder).restricted(ids)
            self.found[model, "none", 0] = {0: own}

    def base_config(self, model: str) -> RunConfig:
        return run_config(model, overrides={**self.scale.base, "name": self.scale.prefix + model})

    def tuned(
        self, base: RunConfig, start: Path, mode: HeldOutMode, size: int, seed: int
    ) -> Path | None:
        """The run folder of one point of a curve; None when it is not there."""
        name = f"{base.name}-{mode}-{size}"
        folder = self.options.runs / f"{name}-seed{seed}"
        data = base.data.model_copy(update={"tuning_count": size, "tuning_seed": seed})
        if mode == "scratch":
            return folder if self.has(self.scratch(base, data, name, seed), folder) else None
        assert mode != "none"
        if not (folder / JSON_FILE).exists():
            if self.options.measured_only:
                return None
            say(f"{name}, seed {seed}", self.options.quiet)
            overrides = {**self.scale.tuning, "name": name, "seed": seed}
            tune_on_few(
                str(start),
                data,
                folder,
                mode=mode,
                folds=self.scale.folds.get(size),
                resume=True,
                overrides=overrides,
                quiet=True,
            )
        self.reports[folder] = json.loads((folder / JSON_FILE).read_text(encoding="utf-8"))
        return folder

    def scratch(self, base: RunConfig, data: DataSettings, name: str, seed: int) -> RunConfig:
        assert data.tuning_count is not None
        settings = {
            "name": name,
            "seed": seed,
            "data": data.model_dump(mode="json"),
            "training.epochs": self.scale.scratch_epochs,
            "training.patience": self.scale.scratch_epochs,
            "training.batch_size": min(base.training.batch_size, max(1, data.tuning_count // 5)),
            "training.select_by": "last",
        }
        return RunConfig.parse(with_overrides(base.model_dump(mode="json"), settings), name)

    def has(self, config: RunConfig, folder: Path) -> bool:
        return has_run(
            config, folder, measured_only=self.options.measured_only, quiet=self.options.quiet
        )

    def result(self) -> FinetuningResult:
        first = next(iter(self.found.values()))
        any_run = next(iter(first.values()))
        data = RunConfig.parse(any_run.description["config"])
        result = FinetuningResult(
            experiment=NAME,
            title=TITLE,
            split="test",
            dataset=DatasetInfo.of(load_run_data(data)).model_dump(),
            n_materials=len(any_run.ids),
            ids=any_run.ids,
            conventions={key: METRIC_CONVENTIONS[key] for key in KEYS},
            per_material_conventions={"mae": PER_MATERIAL["mae"]},
            rows=[self.row(*key) for key in sorted(self.found, key=self.place)],
            quick=self.options.quick,
            notes=[*([QUICK_NOTE] if self.options.quick else []), *NOTES],
            figures=[],
            **circumstances(),
        )
        return replace(result, figures=[f"{result.stem}-curves.png"])

    def place(self, key: tuple[str, HeldOutMode, int]) -> tuple[int, int, int]:
        model, mode, size = key
        return list(MODELS).index(model), list(MODES).index(mode), size

    def row(self, model: str, mode: HeldOutMode, size: int) -> TunedRow:
        runs = self.found[model, mode, size]
        metrics = {seed: run.metrics() for seed, run in runs.items()}
        mean, std = mean_and_std(list(metrics.values()), KEYS)
        errors = np.mean([run.per_material()["mae"] for run in runs.values()], axis=0)
        original = self.found.get((model, "none", 0))
        gain = None
        if original is not None and mode != "none":
            gained = original[0].per_material()["mae"] - errors
            gain = MeanGain(float(gained.mean()), list(bootstrap_interval(gained)))
        return TunedRow(
            model=model,
            mode=mode,
            size=size,
            seeds=list(runs),
            mean=mean,
            std=std,
            runs=[self.run(model, mode, size, seed, metrics[seed]) for seed in runs],
            config=next(iter(runs.values())).description["config"],
            per_material={"mae": [round(float(error), 5) for error in errors]},
            gain=gain,
        )

    def run(
        self, model: str, mode: HeldOutMode, size: int, seed: int, metrics: dict[str, float]
    ) -> TunedRun:
        name = f"{self.scale.prefix}{model}-{mode}-{size}-seed{seed}"
        report = self.reports.get(self.options.runs / name)
        found = TunedRun(seed, {key: metrics[key] for key in KEYS})
        if report is None:
            return found
        return replace(
            found,
            epochs=report["epochs"],
            estimate=report["metrics"]["mae"]["after"],
            verdict=report["verdict"],
            tried=report["tried"],
        )


def finetuning_table(result: FinetuningResult) -> str:
    """The result as text."""
    titles = _titles()
    lines = [
        result.title,
        f"{result.n_materials} test crystals of {result.dataset['name']}",
        "",
        f"{'model':16s} {'mode':13s}{'tuned on':>9s}{'seeds':>6s}"
        + f"{'MSEx10':>17s}{'MAE':>19s}{'gain in MAE [95 %]':>31s}",
    ]
    for row in result.rows:
        line = f"{row.model:16s} {titles[row.mode]:13s}{row.size or '':>9}"
        line += f"{len(row.seeds):6d}"
        for key, digits in (("mse_x10", 3), ("mae", 4)):
            shown = f"{row.mean[key]:.{digits}f}"
            if row.std:
                shown += f" +- {row.std[key]:.{digits}f}"
            line += f"{shown:>{14 + digits}s}"
        if row.gain is not None:
            low, high = row.gain.interval
            line += f"{row.gain.mae:+11.4f} [{low:+.4f}, {high:+.4f}]"
        lines.append(line)
    return "\n".join([*lines, "", *(f"note: {note}" for note in result.notes)])


def _draw(result: FinetuningResult, path: Path) -> None:
    from vanhove.experiments.figures import write_figure
    from vanhove.experiments.finetuning_figure import curves

    write_figure(curves(result, MODELS, _titles()), path)


def _titles() -> dict[str, str]:
    return {str(mode): title for mode, title in MODES.items()}
