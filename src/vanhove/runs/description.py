"""What a model checkpoint says of itself: the model, and in short where it comes from."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from vanhove.crystal.domain import Domain
from vanhove.crystal.graph import GraphSettings
from vanhove.datasets import SpectrumDataset
from vanhove.models.band_calibration import BandCalibration
from vanhove.models.calibration import Calibration
from vanhove.models.model import ModelSettings
from vanhove.runs.config import (
    DataSettings,
    LossName,
    RunConfig,
    SelectionName,
    TrainingSettings,
)
from vanhove.spectra.phonon_errors import PhononCalibration

FORMAT = 3
"""Of the descriptions that this version writes; older ones are upgraded, see `upgrades`."""


class DatasetInfo(BaseModel):
    """Which data a model saw."""

    name: str
    hash: str
    split: str
    split_hash: str
    n_train: int
    n_valid: int
    n_test: int

    @classmethod
    def of(cls, dataset: SpectrumDataset) -> DatasetInfo:
        """Of a data set with its train, valid and test parts."""
        return cls(
            name=dataset.name,
            hash=dataset.data_hash,
            split=dataset.split_name,
            split_hash=dataset.split_hash,
            n_train=len(dataset.split("train")),
            n_valid=len(dataset.split("valid")),
            n_test=len(dataset.splits.get("test", ())),
        )


class EnsembleInfo(BaseModel):
    """What the checkpoint of an ensemble says besides the description of its first member.

    Attributes:
        seeds: of the members.
        calibration: of the error bars.
        phonons: of whole phonons, of models with force constants.
        n_train, n_valid: crystals that the familiarity was fitted on.
    """

    model_config = ConfigDict(extra="forbid")

    seeds: list[int]
    calibration: Calibration | BandCalibration
    phonons: PhononCalibration | None = None
    n_train: int
    n_valid: int


class Objective(BaseModel):
    """What training made small, and what the best epoch was chosen by; see `TrainingSettings`."""

    model_config = ConfigDict(extra="forbid")

    loss: LossName
    beta: float
    shape_weight: float
    select_by: SelectionName


class Provenance(BaseModel):
    """Where a model comes from.

    Attributes:
        seed: of the run; of an ensemble, of its first member.
        data: how to get the data and their parts again.
        dataset: what these were.
        objective: of the training.
        fine_tuned: whether the run started from trained weights.
        epoch: the best one, from 0.
        validation: metrics of that epoch.
        domain: the materials of the training split, and of that of the weights it started from;
            None in files of older versions.
    """

    model_config = ConfigDict(extra="forbid")

    seed: int
    data: DataSettings
    dataset: DatasetInfo
    objective: Objective
    fine_tuned: bool
    epoch: int
    validation: dict[str, float]
    domain: Domain | None = None


class ModelInfo(BaseModel):
    """What a model checkpoint says of itself.

    Attributes:
        format: of this description.
        version: of vanhove, where the model was trained.
        name: of the run.
        model: encoder, decoder, crystal system, output.
        graph: how a crystal becomes the model's input.
        grid: the energies that the model was trained on, in ``unit``; of bands, places on a path.
        unit, normalisation, quantity: of its values, as of a `SpectrumDataset`.
        elements: atomic numbers in the training split, and in that of the weights it started from;
            others are refused at prediction.
        trained: where it comes from.
        ensemble: of an ensemble, what its members share.
    """

    model_config = ConfigDict(extra="forbid")

    format: int = FORMAT
    version: str
    name: str
    model: ModelSettings
    graph: GraphSettings
    grid: list[float]
    unit: str
    normalisation: str
    quantity: str
    elements: list[int]
    trained: Provenance
    ensemble: EnsembleInfo | None = None

    @property
    def seeds(self) -> list[int]:
        """Of the run, or of the members."""
        return [self.trained.seed] if self.ensemble is None else self.ensemble.seeds

    def run_config(self) -> RunConfig:
        """A run of this model on its data with its objective; all else has the default value."""
        return RunConfig(
            name=self.name,
            seed=self.trained.seed,
            data=self.trained.data,
            graph=self.graph,
            model=self.model,
            training=TrainingSettings(**self.trained.objective.model_dump()),
        )


def objective_of(config: RunConfig) -> Objective:
    """Of a run."""
    return Objective(**{key: getattr(config.training, key) for key in Objective.model_fields})
