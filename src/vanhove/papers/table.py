"""What a table or figure of a paper is: its rows (runs) and columns (numbers)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from os import PathLike
from typing import Literal

from vanhove.evaluation.conditions import AS_THEY_ARE, Conditions
from vanhove.papers.published import PublishedRow, find_published
from vanhove.runs.catalog import Size, run_config
from vanhove.runs.config import RunConfig, Trainable
from vanhove.runs.folder import run_folder
from vanhove.training.start import tuned

Kind = Literal["metrics", "timing", "discovery", "groups"]
Page = Literal["phonon", "transfer", "electron", "studies", "embeddings"]

QUICK: dict[str, object] = {
    "data.dataset": "tiny",
    "data.split": None,
    "data.subclass": None,
    "data.train_fraction": None,
    "training.epochs": 2,
}
QUICK_TUNING_FRACTION = 0.2


@dataclass(frozen=True)
class Column:
    """A number of ours, and the printed one to hold it against.

    Attributes:
        key: our metric.
        title: heading of the column.
        published: the paper's name of it; None when the paper does not print it.
        factor: printed number x factor is in our unit.
        digits: after the decimal point.
        smaller_is_better: which way a plot points.
        comparable: in size, not in order alone.
    """

    key: str
    title: str
    published: str | None = None
    factor: float = 1.0
    digits: int = 3
    smaller_is_better: bool = True
    comparable: bool = True


@dataclass(frozen=True)
class Row:
    """A run and its row in the printed table.

    Attributes:
        label: as shown.
        model: name in the catalog.
        run: name of the run; one name always stands for the same settings, so tables share runs.
        overrides: dotted settings on top of those of the model.
        published: the printed row, as `find_published` is asked for it; None when the paper has no
            such row.
        start: the row whose run of the same seed is fine-tuned; None trains from scratch.
        tuning_fraction: of the test split of ``start``, to tune on.
        only_prompt: tune the prompts and the last layer alone.
        scale: the row whose predictions of the same seed give the sum of each spectrum, where the
            model itself gives none (Mat2Spec: SumNorm with the sum of the Standard model).
        conditions: that it is measured under.
        reference: label of the row that its ratio refers to; the experiment's by default.
        size: of the named model, where it is always this one.
        not_run: why the row is not run, with what it would cost; empty where it is to be.
    """

    label: str
    model: str
    run: str
    overrides: Mapping[str, object] = field(default_factory=dict)
    published: tuple[str, ...] | None = None
    start: Row | None = None
    tuning_fraction: float | None = None
    only_prompt: bool = False
    scale: Row | None = None
    conditions: Conditions = AS_THEY_ARE
    reference: str = ""
    size: Size | None = None
    not_run: str = ""

    def config(
        self,
        size: Size = "compact",
        *,
        seed: int = 0,
        runs: str | PathLike[str] = "runs",
        quick: bool = False,
    ) -> RunConfig:
        """Settings of the run.

        Args:
            size: of the named model, unless the row has its own.
            seed: of the run.
            runs: where run folders are; a fine-tuned run starts from one of them.
            quick: two epochs on the tiny data set.
        """
        suffix = "" if self.size is not None or size == "compact" else f"-{size}"
        name = ("quick-" if quick else "") + self.run + suffix
        settings = {**self.overrides, **(QUICK if quick else {}), "name": name}
        if self.start is None:
            return run_config(self.model, self.size or size, settings, seed=seed)
        first = self.start.config(size, seed=seed, runs=runs, quick=quick)
        fraction = QUICK_TUNING_FRACTION if quick else self.tuning_fraction
        if fraction is not None:
            settings["data.tuning_fraction"] = fraction
        mode: Trainable = "prompts" if self.only_prompt else "all"
        return tuned(first, str(run_folder(runs, first)), mode, settings)

    def published_row(self) -> PublishedRow | None:
        return find_published(*self.published) if self.published else None

    @property
    def key(self) -> str:
        """Of its measurements: the run, and the conditions unless they are the usual ones."""
        conditions = str(self.conditions)
        return f"{self.run}, {conditions}" if conditions else self.run


@dataclass(frozen=True)
class Experiment:
    """A table or figure of a paper.

    Attributes:
        title: what the paper shows there.
        rows: in the paper's order.
        columns: what is printed.
        notes: how ours differs, and what is inferred.
        figures: names of functions in `vanhove.experiments.figures`.
        page: the page of the documentation (and the folder of the results) it stands on.
        kind: ``"timing"``: nothing is trained, steps are timed; ``"discovery"``: the runs screen
            crystals without labels; ``"groups"``: errors of another table, by kinds of crystals.
        source: the table whose errors ``"groups"`` takes.
        reference: label of the row that ratios refer to.
        properties: validity tests to do, names of `vanhove.evaluation.validity.PROPERTIES`.
        common_materials: measure all rows on the test materials that they share (rows that were
            fine-tuned on a part of the others' test split).
        several_grids: rows are trained or measured on different grids of the same spectra.
    """

    title: str
    rows: tuple[Row, ...]
    columns: tuple[Column, ...]
    notes: tuple[str, ...] = ()
    figures: tuple[str, ...] = ("dots",)
    page: Page = "phonon"
    kind: Kind = "metrics"
    source: str = ""
    reference: str = ""
    properties: tuple[str, ...] = ()
    common_materials: bool = False
    several_grids: bool = False
