"""What `vanhove.reproduce` and `vanhove.sweep` give: records, and their JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from vanhove.evaluation.evaluate import MeasuredRun
from vanhove.papers.table import Column
from vanhove.results import Json, Result


@dataclass(frozen=True)
class PublishedNumbers(Result):
    """A printed row, in our keys and units.

    Attributes:
        source, table, dataset, model, variant: of the paper, see `PublishedRow`.
        values, spread: by our metric; only those that are printed.
    """

    source: str
    table: str
    dataset: str
    model: str
    variant: str
    values: dict[str, float]
    spread: dict[str, float]


NOTHING_PRINTED = PublishedNumbers("", "", "", "", "", {}, {})


@dataclass(frozen=True)
class Distance(Result):
    """How far a number is from the printed one.

    Attributes:
        relative: difference over the printed number.
        published_spreads: difference over the printed spread; None where none is printed.
        large: see `vanhove.experiments.comparison.LARGE_SPREADS`.
    """

    relative: float
    published_spreads: float | None
    large: bool


@dataclass(frozen=True)
class RunNumbers(Result):
    """One run of a row.

    Attributes:
        seed, epoch, n_parameters, training_seconds: of the run; the epoch from 0.
        validation: metrics of that epoch.
        metrics: on the test split; None where one is not defined.
    """

    seed: int
    epoch: int
    n_parameters: int
    training_seconds: float | None
    validation: dict[str, float]
    metrics: dict[str, float | None]


@dataclass(frozen=True)
class ComparedRow(Result):
    """A row of a table; without runs, means and spreads are None.

    Attributes:
        label, model, run, key: of the `Row`.
        seeds: of the runs.
        n_parameters: of the model; None where it was not trained.
        mean, std: metrics over the runs, and sample standard deviations (None for a single run).
        published: the printed row, where there is one.
        distance: by metric, of those that can be compared in size.
        runs: one by one.
        config: the settings of the first run.
        not_run: why the row is not to be run; None where it is.
        intervals: of means over materials, 95 %; None where seeds tell the spread.
    """

    label: str
    model: str
    run: str
    seeds: list[int]
    n_parameters: int | None
    mean: dict[str, float] | None
    std: dict[str, float] | None
    published: PublishedNumbers | None
    distance: dict[str, Distance]
    runs: list[RunNumbers]
    config: Json
    not_run: str | None = None
    key: str = ""
    intervals: dict[str, tuple[float, float]] | None = None

    @property
    def means(self) -> dict[str, float]:
        """``mean``, empty without runs."""
        return self.mean or {}

    @property
    def spreads(self) -> dict[str, float]:
        """``std``, empty for a single run."""
        return self.std or {}


@dataclass(frozen=True)
class BaselineRow(Result):
    """A row that needs no model.

    Attributes:
        label: as shown.
        mean: metrics, as those of the rows of models.
    """

    label: str
    mean: dict[str, float]


@dataclass(frozen=True)
class Example(Result):
    """The typical crystal of a fifth of the test crystals, as a run predicts it.

    Attributes:
        id: of the material.
        mae: of its spectrum.
        grid, target, prediction: in the unit and scale of the data, ``[n_points]``.
    """

    id: str
    mae: float
    grid: list[float]
    target: list[float]
    prediction: list[float]


@dataclass(frozen=True)
class PropertyTest(Result):
    """Spectra judged by a property that networks read from them.

    Attributes:
        counts: crystals of each part where the property is known.
        mean, std: of the property over the training part.
        networks: how many.
        true_spectra: errors from the true spectra, what a perfect prediction would give.
        notes: in sentences.
    """

    counts: dict[str, int]
    mean: float
    std: float
    networks: int
    true_spectra: dict[str, float]
    notes: list[str]


@dataclass(frozen=True, kw_only=True)
class TableResult(Result):
    """A table or figure of a paper, ours beside the printed numbers.

    Attributes:
        experiment: its name.
        stem: of the names of its files.
        title: in words.
        quick: a smoke run on toy data, no measurement.
        size: of the named models, ``"compact"`` or ``"published"``.
        split: that was measured.
        notes: what a reader has to know, in sentences.
        conventions: what each metric is, with its unit.
        columns, rows: of the table.
        properties: of tables that judge spectra by a property, its test, by name; in JSON each is
            a key of its own.
        n_materials: measured; None where nothing was.
        dataset: `DatasetInfo` of the first row.
        ids: of the materials.
        per_material_conventions: what each number of ``per_material`` is.
        per_material: by row and metric, means over its runs, in the order of ``ids``.
        examples: by row, typical predictions of its first run, from the best fifth to the worst.
        relative_errors: by row and quantity, 5, 25, 50, 75 and 95 % of the errors, in percent.
        data_notes: what a reader has to know of the data; also in ``notes``.
        baselines: what every model must beat.
        unbeaten: a sentence for each column in which no model does.
        discovery: of a table of discovery: how many candidates, what the checker is worth, and
            which candidates were found (`vanhove.experiments.discovery`).
        versions: of vanhove, torch and Python.
        machine: processor, and whether a GPU was there.
        figures: names of the files.
    """

    experiment: str
    stem: str
    title: str
    quick: bool
    size: str
    split: str
    notes: list[str]
    conventions: dict[str, str]
    columns: list[Column]
    rows: list[ComparedRow]
    properties: dict[str, PropertyTest]
    n_materials: int | None = None
    dataset: Json | None = None
    ids: list[str] | None = None
    per_material_conventions: dict[str, str] | None = None
    per_material: dict[str, dict[str, list[float | None]]] | None = None
    examples: dict[str, list[Example]] | None = None
    relative_errors: Json | None = None
    data_notes: list[str] | None = None
    baselines: list[BaselineRow] | None = None
    unbeaten: list[str] | None = None
    discovery: Json | None = None
    versions: dict[str, str]
    machine: str
    figures: list[str]

    def to_json(self) -> Json:
        content = super().to_json()
        return (
            content
            | {"columns": [vars(column) for column in self.columns]}
            | content.pop("properties")
        )


@dataclass(frozen=True)
class BandRun(Result):
    """One run on the test split.

    Attributes:
        seed: of the run.
        epoch: of the checkpoint, from 0.
        validation: metrics of that epoch.
        metrics: on the test split, eV.
        energy_mae_per_material: eV, in the order of the ids.
    """

    seed: int
    epoch: int
    validation: dict[str, float]
    metrics: dict[str, float]
    energy_mae_per_material: list[float]


@dataclass(frozen=True, kw_only=True)
class BandformerResult(Result):
    """Bandformer's table I on our data.

    Attributes:
        experiment, title, quick, split, notes, dataset, n_materials, ids, conventions: as of
            `TableResult`.
        n_nonmetals: true bands of so many materials cross no Fermi level.
        seeds: of the runs.
        mean, std: metrics over the runs, and sample standard deviations (None for a single run).
        runs: one by one.
        baselines: metrics of predictions that no model makes, by name.
        published: the paper's numbers (other data), eV.
        config: the settings of the first run.
        figures: names of the files.
        versions, machine: as of `TableResult`.
    """

    experiment: str
    title: str
    quick: bool
    split: str
    notes: list[str]
    dataset: Json
    n_materials: int
    n_nonmetals: int
    ids: list[str]
    conventions: dict[str, str]
    seeds: list[int]
    mean: dict[str, float]
    std: dict[str, float] | None
    runs: list[BandRun]
    baselines: dict[str, dict[str, float]]
    published: dict[str, float]
    config: Json
    figures: list[str]
    versions: dict[str, str]
    machine: str

    @property
    def stem(self) -> str:
        """Of the names of its files."""
        return f"{self.experiment}-quick" if self.quick else self.experiment


@dataclass(frozen=True)
class TunedRun(Result):
    """One run of a curve.

    Attributes:
        seed: of the subset, and of the order of its crystals.
        metrics: on the test split.
        epochs: of the fine-tuning, chosen by cross-validation.
        estimate: MAE that cross-validation promised.
        verdict: of the report.
        tried: of each mode, the selecting metric after each epoch.
    """

    seed: int
    metrics: dict[str, float]
    epochs: int | None = None
    estimate: float | None = None
    verdict: str | None = None
    tried: dict[str, list[float]] | None = None


@dataclass(frozen=True)
class MeanGain(Result):
    """MAE without minus with fine-tuning, and its 95 % interval (bootstrap over materials)."""

    mae: float
    interval: list[float]


@dataclass(frozen=True)
class TunedRow(Result):
    """A point of a curve: a model, tuned in one way on so many materials.

    Attributes:
        model: a named model.
        mode: what was trained; ``"none"`` not tuned, ``"scratch"`` from scratch.
        size: materials tuned on.
        seeds: of the runs.
        mean, std: metrics over the runs, and sample standard deviations (None for a single run).
        runs: one by one.
        config: the settings of the first run.
        per_material: MAE of each test crystal, mean over the runs.
        gain: over the model that was not tuned, where that is measured.
    """

    model: str
    mode: str
    size: int
    seeds: list[int]
    mean: dict[str, float]
    std: dict[str, float] | None
    runs: list[TunedRun]
    config: Json
    per_material: dict[str, list[float]]
    gain: MeanGain | None = None


@dataclass(frozen=True, kw_only=True)
class FinetuningResult(Result):
    """Curves of fine-tuning on few materials; attributes as of `TableResult`."""

    experiment: str
    title: str
    split: str
    dataset: Json
    n_materials: int
    ids: list[str]
    conventions: dict[str, str]
    per_material_conventions: dict[str, str]
    rows: list[TunedRow]
    quick: bool
    notes: list[str]
    figures: list[str]
    versions: dict[str, str]
    machine: str

    @property
    def stem(self) -> str:
        """Of the names of its files."""
        return f"{self.experiment}-quick" if self.quick else self.experiment


Reproduction: TypeAlias = TableResult | BandformerResult | FinetuningResult


@dataclass(frozen=True)
class SweptSplit(Result):
    """Runs with one combination of values, on a split.

    Attributes:
        n_materials, dataset, mean, std, runs: as of `vanhove.evaluation.evaluate.Evaluation`.
    """

    n_materials: int
    dataset: Json
    mean: dict[str, float]
    std: dict[str, float] | None
    runs: list[MeasuredRun]


@dataclass(frozen=True)
class SweptPoint(Result):
    """A combination of values.

    Attributes:
        values: by dotted setting.
        valid: on the validation split.
        test: on the test split, once that was asked for.
    """

    values: Json
    valid: SweptSplit
    test: SweptSplit | None

    @property
    def splits(self) -> dict[str, SweptSplit]:
        """By name, those that are measured."""
        return {"valid": self.valid} | ({} if self.test is None else {"test": self.test})


@dataclass(frozen=True)
class SweepResult(Result):
    """A setting, or several, over lists of values.

    Attributes:
        title: in words.
        keys: the settings.
        seeds: of the runs of each point.
        metric: of the figure.
        notes: what a reader has to know, in sentences.
        conventions: what each metric is, with its unit.
        points: one for each combination.
        config: the settings that were changed.
        versions: of vanhove, torch and Python.
        machine: processor, and whether a GPU was there.
    """

    title: str
    keys: list[str]
    seeds: list[int]
    metric: str
    notes: list[str]
    conventions: dict[str, str]
    points: list[SweptPoint]
    config: Json
    versions: dict[str, str]
    machine: str
