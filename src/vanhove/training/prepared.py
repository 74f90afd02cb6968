"""A data set turned into graphs and tensors, ready for training and evaluation."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from vanhove.crystal.elements import check_supported
from vanhove.crystal.graph import Batch, CrystalGraph, build_graph, collate
from vanhove.crystal.kpath import reciprocal_lattice
from vanhove.datasets import SpectrumDataset, load_dataset
from vanhove.errors import ConfigError, DataError
from vanhove.models.model import BAND_DECODERS, SpectrumModel
from vanhove.progress import track
from vanhove.training.config import RunConfig


@dataclass(frozen=True)
class PreparedData:
    """Graphs and targets of the rows of a data set.

    Attributes:
        dataset: where they come from.
        graphs: by row; None where a row was not asked for.
        targets: ``[n_materials, n_points]`` float32; of bands ``[n_materials, n_points, n_bands]``.
    """

    dataset: SpectrumDataset
    graphs: list[CrystalGraph | None]
    targets: Tensor

    def rows(self, split: str) -> Tensor:
        return torch.from_numpy(np.asarray(self.dataset.split(split), dtype=np.int64))

    def crystal_systems(self, rows: Tensor) -> list[int]:
        """Indices of the crystal systems of some rows, each once, ascending."""
        return sorted({self.graph(int(row)).crystal_system for row in rows})

    def batch(self, rows: Tensor) -> Batch:
        return collate([self.graph(int(row)) for row in rows])

    def graph(self, row: int) -> CrystalGraph:
        graph = self.graphs[row]
        if graph is None:
            raise IndexError(f"row {row} was not prepared")
        return graph


def prepare(config: RunConfig, splits: tuple[str, ...], quiet: bool = False) -> PreparedData:
    """Load the data set of a run and build the graphs of the given splits.

    Raises:
        DataError: the data set cannot be loaded.
        ConfigError: the output of the model does not fit the scale of the data.
        StructureError: a structure is unusable or has an element without features.
    """
    dataset = load_dataset(
        config.data.dataset,
        split=config.data.split,
        seed=config.data.split_seed,
        tuning_fraction=config.data.tuning_fraction,
        train_fraction=config.data.train_fraction,
        electron_target=config.data.electron_target,
    )
    for name in splits:
        if len(dataset.split(name)) == 0:
            raise DataError(
                f"the {name} part of {dataset.name} is empty (split {dataset.split_name}); give "
                "its folder a splits.json with that part, or set data.split to random or grouped"
            )
    _check_scale(config, dataset)
    wanted = np.concatenate([dataset.split(name) for name in splits])
    return prepare_rows(dataset, wanted, config, quiet)


def _check_scale(config: RunConfig, dataset: SpectrumDataset) -> None:
    """A decoder of bands wants bands; an output of maximum or sum 1 has no scale of its own, so
    that only data of maximum 1 fit it."""
    decoder = config.model.decoder
    has_bands = decoder.name in BAND_DECODERS
    if has_bands != (dataset.kpoints is not None):
        raise ConfigError(
            f"model.decoder {decoder.name} predicts {'bands' if has_bands else 'spectra'}, "
            f"{dataset.name} holds {dataset.quantity}: choose another decoder or data set"
        )
    if has_bands and decoder.n_bands != dataset.values.shape[2]:
        raise ConfigError(
            f"model.decoder.n_bands is {decoder.n_bands}, {dataset.name} holds "
            f"{dataset.values.shape[2]} bands; make them equal"
        )
    if config.model.output in ("max", "sum") and dataset.normalisation not in ("max", "min-max"):
        raise ConfigError(
            f"model.output {config.model.output} gives spectra without a scale, but those of "
            f"{dataset.name} are in {dataset.normalisation}; set model.output to raw or softplus"
        )


def prepare_rows(
    dataset: SpectrumDataset, rows: np.ndarray, config: RunConfig, quiet: bool = False
) -> PreparedData:
    """Graphs of some rows of a data set, as a run needs them; errors as `prepare`."""
    graphs: list[CrystalGraph | None] = [None] * len(dataset)
    for row in track(rows.tolist(), "building graphs", quiet=quiet):
        crystal = dataset.crystals[row]
        for table in config.model.encoder.atom_features:
            check_supported(crystal.atomic_numbers, table, dataset.ids[row])
        graph = build_graph(crystal, config.graph)
        if dataset.kpoints is not None:
            # The graph's cell has the orientation of the crystal, whose basis this is.
            kpoints = dataset.kpoints[row] @ reciprocal_lattice(crystal.lattice)
            graph = replace(graph, kpoints=torch.from_numpy(kpoints.astype(np.float32)))
        graphs[row] = graph
    return PreparedData(dataset, graphs, torch.from_numpy(dataset.values))


def predict_rows(
    model: SpectrumModel, data: PreparedData, rows: Tensor, batch_size: int = 32
) -> Tensor:
    """`SpectrumModel.predict` of many rows, in their order."""
    model.eval()
    # Crystals of like size share a batch, so that little of it is padding.
    order = torch.argsort(torch.tensor([data.graph(int(row)).n_atoms for row in rows]))
    predictions = torch.zeros(len(rows), *data.targets.shape[1:])
    for chunk in order.split(batch_size):
        predictions[chunk] = model.predict([data.graph(int(row)) for row in rows[chunk]])
    return predictions
